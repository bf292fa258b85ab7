package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

func TestIncidentFromAlarmToClosed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		rm.alarm(t, "3007", "BA", event.Burglary, "001")
		id := rm.queue(t, 1)[0].ID
		c := rm.signIn(t, auth.Operator)
		path := "/incidents/" + string(id)
		says(t, rm.get(t, c, path), http.StatusOK, "First intruder alarm at Corner shop", "Call the keyholder", "zone 001 (Front door)",
			"|Nri1/BA001]", "Grade the incident before you close it")
		version := 1
		act := func(status int, want string, kv ...string) answer {
			t.Helper()
			v := url.Values{"version": {fmt.Sprint(version)}}
			for i := 0; i < len(kv); i += 2 {
				v.Add(kv[i], kv[i+1])
			}
			got := rm.post(t, c, path+"/act", v)
			says(t, got, status, want)
			if status == http.StatusSeeOther {
				version++
			}
			return got
		}
		act(http.StatusUnprocessableEntity, "grade the incident before you close it", "type", "closed", "code", "false", "why", "kept as typed")
		act(http.StatusSeeOther, "", "type", "acknowledged")
		act(http.StatusUnprocessableEntity, "acknowledged already", "type", "acknowledged")
		act(http.StatusUnprocessableEntity, "not known", "type", "graded", "grade", "prompt", "factor", "phase_of_the_moon")
		act(http.StatusUnprocessableEntity, "needs its reasons", "type", "graded", "grade", "prompt")
		act(http.StatusSeeOther, "", "type", "graded", "grade", "prompt", "factor", "crime_in_progress", "factor", "repeat_location", "why", "Third time <b>this</b> month")
		act(http.StatusSeeOther, "", "type", "assigned", "to", "Unit 12")
		act(http.StatusSeeOther, "", "type", "attending")
		act(http.StatusSeeOther, "", "type", "noted", "why", "On the scene")
		act(http.StatusSeeOther, "", "type", "closed", "code", "true", "why", "One arrested")
		waitFor(t, "the read model", func() bool {
			in, err := rm.site.Incidents.ByID(t.Context(), id)
			return err == nil && in.Version == version
		})
		got := rm.get(t, c, path)
		says(t, got, http.StatusOK, "Weighed: Crime in progress, Repeat location.", "Third time &lt;b&gt;this&lt;/b&gt; month", "Unit 12", "One arrested", "Kit p-operator", "Open it again")
		act(http.StatusSeeOther, "", "type", "reopened", "why", "The other one came back")
		want := []string{
			"closed.refused", "acknowledged", "acknowledged.refused", "graded.refused", // what is refused does not stand as done
			"graded", "assigned", "attending", "noted", "closed", "reopened",
		}
		waitFor(t, "the audit log's table", func() bool { return len(rm.entries(t, "incident.")) >= len(want) })
		var recorded []string
		for _, e := range rm.entries(t, "incident.") {
			recorded = append(recorded, strings.TrimPrefix(string(e.Action), "incident."))
		}
		if slices.Reverse(recorded); !slices.Equal(recorded, want) {
			t.Errorf("on the audit log: %q, want %q", recorded, want)
		}
		refused := rm.entries(t, "incident.closed.refused")
		if len(refused) != 1 || refused[0].Detail["refused"] == "" || refused[0].ActorName != "Kit p-operator" || refused[0].Role != "operator" {
			t.Errorf("the refusal is on the audit log as %+v", refused)
		}
	})
}

// says checks an answer's status and what its page says.
func says(t *testing.T, got answer, status int, words ...string) {
	t.Helper()
	if got.status != status {
		t.Fatalf("answered %d, want %d: %s", got.status, status, got.body)
	}
	for _, w := range words {
		if !strings.Contains(strings.ToLower(got.body), strings.ToLower(w)) {
			t.Errorf("the page does not say %q:\n%s", w, got.body)
		}
	}
}

func TestWhatWasTypedOutlivesAnothersChange(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.alarm(t, "3002", "HA", event.HoldUp, "009")
	id := rm.queue(t, 1)[0].ID
	c := rm.signIn(t, auth.Operator)
	_, err := rm.desk.Do(t.Context(), incident.Action{Incident: id, By: "other", Type: event.ChangeNoted, Why: "I am on it"})
	must(t, err)
	waitFor(t, "the read model", func() bool {
		in, err := rm.site.Incidents.ByID(t.Context(), id)
		return err == nil && in.Version == 2
	})
	got := rm.post(t, c, "/incidents/"+string(id)+"/act", url.Values{
		"version": {"1"}, "type": {"graded"}, "grade": {"immediate"}, "factor": {"risk_to_life"}, "why": {"Nobody answers"},
	})
	says(t, got, http.StatusConflict, "Somebody changed this incident", "Nobody answers", "I am on it", `<span class="tag new">new</span>`,
		`value="risk_to_life" checked`, `value="immediate" required checked`, `name="version" value="2"`)
	if in, err := rm.desk.Get(id); err != nil || in.Grade != event.Ungraded {
		t.Errorf("the desk has %+v, %v", in, err)
	}
}

func TestPersonalDataAskForAPurpose(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		rm.alarm(t, "3002", "HA", event.HoldUp, "009")
		id := rm.queue(t, 1)[0].ID
		c := rm.signIn(t, auth.Operator)
		for _, path := range []string{"/incidents/" + string(id), "/premises/quay-11"} {
			if got := rm.get(t, c, path); strings.Contains(got.body, "01632") || strings.Contains(got.body, "Skerrywick") {
				t.Errorf("%s shows personal data to everybody", path)
			}
			says(t, rm.post(t, c, path+"/personal", nil), http.StatusUnprocessableEntity, "Choose what you need it for")
			got := rm.post(t, c, path+"/personal", url.Values{"purpose": {"respond"}, "why": {"calling the keyholder"}})
			says(t, got, http.StatusOK, "Noor Okafor", "01632 960002", "11 Quay Street, Skerrywick")
			if got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be kept: %q", path, got.header.Get("Cache-Control"))
			}
		}
		waitFor(t, "the audit log's table", func() bool { return len(rm.entries(t, "record.opened")) == 2 })
		e := rm.entries(t, "record.opened")[1]
		if e.Object != "premises/quay-11" || e.Purpose != "respond" || e.Why != "calling the keyholder" || e.Operation != "consultation" || e.Remote == "" {
			t.Errorf("the look is recorded as %+v", e)
		}
	})
}

func TestAPI(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.alarm(t, "3007", "BA", event.Burglary, "001")
	rm.alarm(t, "3002", "HA", event.HoldUp, "009")
	rm.queue(t, 2)
	c := rm.signIn(t, auth.Operator)
	var list apiList
	decode(t, rm.get(t, c, "/api/v1/incidents?state=open&limit=1"), http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].Kind != "hold_up" || list.Next == "" || !list.Now.Equal(roomStart) || list.Speed != 1 {
		t.Fatalf("the first page is %+v", list)
	}
	id := list.Items[0].ID
	decode(t, rm.get(t, c, "/api/v1/incidents?state=open&limit=1&after="+url.QueryEscape(list.Next)), http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].Kind != "intruder" || list.Next != "" {
		t.Errorf("the second page is %+v", list)
	}
	var p problem
	decode(t, rm.get(t, c, "/api/v1/incidents?state=open&after=rubbish"), http.StatusUnprocessableEntity, &p)
	decode(t, rm.get(t, c, "/api/v1/incidents/none"), http.StatusNotFound, &p)
	act := func(body string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rm.url+"/api/v1/incidents/"+string(id)+"/actions", strings.NewReader(body))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		return rm.send(t, c, req)
	}
	decode(t, act(`{"type":"graded","version":1}`), http.StatusUnprocessableEntity, &p)
	var in incident.Incident
	decode(t, act(`{"type":"graded","version":1,"grade":"immediate","factors":["risk_to_life"]}`), http.StatusOK, &in)
	if in.Grade != event.Immediate || in.Version != 2 {
		t.Errorf("grading returns %+v", in)
	}
	decode(t, act(`{"type":"acknowledged","version":1}`), http.StatusConflict, &p)
	if p.Detail == "" {
		t.Errorf("the problem is %+v", p)
	}
	var doc struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	decode(t, rm.get(t, c, "/api/openapi.json"), http.StatusOK, &doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) != 4 {
		t.Errorf("the description is %+v", doc)
	}
	var points struct{ Features []feature }
	decode(t, rm.get(t, c, "/api/v1/map/premises"), http.StatusOK, &points)
	if len(points.Features) != 3 || points.Features[0].Properties["name"] == "" {
		t.Errorf("the premises' map is %+v", points)
	}
	base := rm.get(t, c, "/api/v1/map/base")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rm.url+"/api/v1/map/base", nil)
	must(t, err)
	req.Header.Set("If-None-Match", base.header.Get("ETag"))
	if got := rm.send(t, c, req); got.status != http.StatusNotModified || len(base.body) < 1000 {
		t.Errorf("asked again, the base map is answered %d", got.status)
	}
}

func decode(t *testing.T, got answer, status int, v any) {
	t.Helper()
	if got.status != status {
		t.Fatalf("answered %d, want %d: %s", got.status, status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), v); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
}

func TestPremisesAreAddedAndChanged(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := rm.signIn(t, auth.Administrator)
	v := url.Values{
		"id": {"pier-1"}, "name": {"Pier kiosk"}, "kind": {"kiosk"}, "lat": {"55.6"}, "lon": {"3.2"}, "account": {"3100"}, "class": {"SP2"},
		"key": {strings.Repeat("0f", 16)}, "zones": {"001, interior, Counter\n\n002, perimeter, Shutter, rear"}, "address": {"1 The Pier"}, "keyholders": {"Sam Reed, 01632 960003"},
	}
	if got := rm.post(t, c, "/premises/new", v); got.header.Get("Location") != "/premises/pier-1?done=premises" {
		t.Fatalf("adding is answered %d: %s", got.status, got.body)
	}
	p, err := rm.reg.Premises("pier-1")
	must(t, err)
	if a := p.Accounts[0]; a.Zones["002"].Name != "Shutter, rear" || len(a.Key) != 16 || p.Keyholders[0].Phone != "01632 960003" {
		t.Errorf("added as %+v", p)
	}
	// An administrator does not open personal data, and must not lose them.
	says(t, rm.post(t, c, "/premises/pier-1/edit", nil), http.StatusOK, "Your role does not open them", "Shutter, rear")
	for _, k := range []string{"address", "keyholders", "key", "id"} {
		v.Del(k)
	}
	v.Set("name", "Pier kiosk and bar")
	if got := rm.post(t, c, "/premises/pier-1/save", v); got.status != http.StatusSeeOther {
		t.Fatalf("changing is answered %d: %s", got.status, got.body)
	}
	p, err = rm.reg.Premises("pier-1")
	must(t, err)
	if p.Name != "Pier kiosk and bar" || p.Address != "1 The Pier" || len(p.Keyholders) != 1 || len(p.Accounts[0].Key) != 16 {
		t.Errorf("changed to %+v", p)
	}
	for field, wrong := range map[string]string{"lat": "north", "key": "secret", "zones": "1, attic, Roof", "class": "SP9", "account": "3002"} {
		w := url.Values{}
		for k := range v {
			w.Set(k, v.Get(k))
		}
		w.Set(field, wrong)
		if got := rm.post(t, c, "/premises/pier-1/save", w); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s %q is answered %d", field, wrong, got.status)
		}
	}
}

func TestAgeWordsAgreeWithTheIslands(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min", 65 * time.Minute: "1 h 05",
		10 * time.Hour: "10 h", 47 * time.Hour: "47 h", 49 * time.Hour: "2 d",
	} {
		if got := ageWords(d); got != want {
			t.Errorf("ageWords(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestSpanWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 20 * time.Second: "20 s", 90 * time.Second: "90 s", 3 * time.Minute: "3 min", 90 * time.Minute: "90 min",
		25 * time.Hour: "25 h", 1500 * time.Millisecond: "1.5s",
	} {
		if got := spanWords(d); got != want {
			t.Errorf("spanWords(%v) = %q, want %q", d, got, want)
		}
	}
}
