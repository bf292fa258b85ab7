package web

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// TestPagesReadAsTheyShould holds what pages say to golden files. The frame
// around the content names built files, so it is left out.
func TestPagesReadAsTheyShould(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.happen(t)
	id := string(rm.find(t, "intruder").ID)
	c := rm.signIn(t, auth.Supervisor)
	waitFor(t, "the quarantine", func() bool {
		rows, err := rm.site.Sense.QuarantineRows(t.Context(), "", 0, 1)
		return err == nil && len(rows) == 1
	})
	rows, err := rm.site.Sense.QuarantineRows(t.Context(), "", 0, 1)
	must(t, err)
	for name, path := range map[string]string{
		"board": "/", "incidents": "/incidents?kind=intruder", "incident": "/incidents/" + id, "premises": "/premises/lantern-3",
		"sources": "/sources", "source": "/sources/dc09", "quarantine": "/quarantine", "quarantine_entry": "/quarantine/entries/" + string(rows[0].ID),
		"nowhere": "/nowhere", "premises_new": "/premises/new",
	} {
		got := rm.get(t, c, path)
		_, main, ok := strings.Cut(got.body, "<main")
		if !ok {
			t.Fatalf("%s has no main: %s", path, got.body)
		}
		main, _, _ = strings.Cut(main, "</main>")
		main = regexp.MustCompile(`\n\s*\n+`).ReplaceAllString(main, "\n")
		golden(t, "page_"+name, "<main"+main+"</main>\n")
	}
}

func TestUnforeseenFailuresTellOnlyAReference(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	h := rm.site.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a secret of the house") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/incidents", nil))
	body := w.Body.String()
	if w.Code != http.StatusInternalServerError || strings.Contains(body, "secret") || !regexp.MustCompile(`<code>[a-z2-7]{8}</code>`).MatchString(body) {
		t.Errorf("a panic is answered %d: %s", w.Code, body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/incidents", nil))
	if w.Code != http.StatusInternalServerError || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), "reference") {
		t.Errorf("a panic under the API is answered %d: %s", w.Code, w.Body)
	}
}

func TestAStreamOutlivesNoRight(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.signIn(t, auth.Operator)
	p, _ := rm.people.ByName("p-operator")
	r := httptest.NewRequest(http.MethodGet, "/api/v1/stream", nil)
	r = r.WithContext(withVisitor(r.Context(), &visitor{Person: p}))
	if !rm.site.stillAllowed(r) {
		t.Error("an operator is let go without reason")
	}
	_, err := rm.people.SetRoles(t.Context(), rm.administrator(t), p.ID, []auth.Role{auth.Analyst})
	must(t, err)
	if rm.site.stillAllowed(r) {
		t.Error("an operator keeps a stream after the role was taken away")
	}
}

func TestRates(t *testing.T) {
	var r rates
	at := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	for i, want := range []string{"being measured", "2.5 a second", "1.2 a second"} {
		r.add(rateSample{at.Add(time.Duration(i) * 10 * time.Second), map[string]int64{"dc09": min(int64(i), 1) * 25}})
		if got := r.words("dc09"); got != want {
			t.Errorf("after %d samples: %q, want %q", i+1, got, want)
		}
	}
	if got := r.words("zeek"); got != "quiet this minute" {
		t.Errorf("a source that says nothing is %q", got)
	}
	r.samples[0].counts["dc09"] = 1000
	if got := r.words("dc09"); got != "being measured" {
		t.Errorf("after a rebuild: %q", got)
	}
}

func TestSignalsReadAsTheyShould(t *testing.T) {
	yes, seen := true, roomStart
	login := &event.Login{UID: "C1", Service: "ssh", Attempts: 3, Success: &yes}
	got := map[string]string{}
	for _, f := range append(fields(login), fields(&event.Supervision{Account: "1", LastHeard: &seen, Reporting: 25 * time.Hour})...) {
		got[f.Name] = f.Value
	}
	for name, want := range map[string]string{"UID": "C1", "Attempts": "3", "Success": "yes", "Last heard": "2026-03-07 21:14:00 UTC", "Reporting": "25 h"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q (all: %v)", name, got[name], want, got)
		}
	}
	if s := asText([]byte("a\x00b\xffc\r\n\x1b[31m")); s != "a·b·c\n·[31m" {
		t.Errorf("asText gives %q", s)
	}
	if len(dump(make([]byte, 3*maxDump))) > 6*maxDump {
		t.Error("a dump has no bound")
	}
}

func TestWhatDevicesSayIsDecoded(t *testing.T) {
	shut, cold := false, 0.0
	for want, o := range map[string]*event.Observation{
		"Back door contact: closed":    {Reading: &event.Reading{Property: event.Contact, Name: "Back door", State: "closed", Active: &shut}},
		"temperature: 0 °C":            {Reading: &event.Reading{Property: event.Temperature, Value: &cold, Unit: "Cel"}},
		"gunshot, rounds: multiple":    {Gunshot: &event.Gunshot{Number: "7", Rounds: "multiple"}},
		"It came without a credential": {Misuse: &event.Misuse{What: event.MisuseCredential, Detail: "It came without a credential", Count: 1}},
		"Storm":                        {Warning: &event.Warning{Event: "Storm"}},
	} {
		if got := brief(o); got != want {
			t.Errorf("brief %q, want %q", got, want)
		}
		if rows := (&Site{zone: time.UTC}).decoded(o); len(rows) < 8 {
			t.Errorf("%s: only %v is decoded", want, rows)
		}
	}
	rows := fields(&event.Reading{Value: &cold})
	if want := (row{"Value", "0"}); !slices.Contains(rows, want) {
		t.Errorf("nought is not shown: %v", rows)
	}
}

func TestSignalsOfACauseAreInTheOrderOfTime(t *testing.T) {
	at := func(s int) signal {
		return signal{O: &event.Observation{Time: roomStart.Add(time.Duration(s) * time.Second)}}
	}
	lost := signal{Problem: "The log no longer holds this signal."}
	got := []signal{at(30), lost, at(10), at(20)}
	byTime(got)
	if want := []signal{at(10), at(20), at(30), lost}; !reflect.DeepEqual(got, want) {
		t.Errorf("in the order %+v", got)
	}
}

func TestTheIncidentSaysWhenReasonsAreInAnotherZone(t *testing.T) {
	const said = "Times within reasons are in UTC; all others are in the force's zone, CET."
	rm := newRoom(t, storetest.SQLite(t))
	rm.happen(t)
	path := "/incidents/" + string(rm.find(t, "intruder").ID)
	c := rm.signIn(t, auth.Operator)
	if got := rm.get(t, c, path); strings.Contains(got.body, "Times within reasons") {
		t.Error("said where the force's zone is UTC")
	}
	rm.site.zone = time.FixedZone("CET", 3600)
	if got := rm.get(t, c, path); strings.Count(got.body, said) != 1 {
		t.Errorf("not said once: %s", got.body)
	}
}
