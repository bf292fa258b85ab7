package web

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/home"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/registry/enrol"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// withDevices registers a home and devices, and has some of them speak.
func (rm *room) withDevices(t *testing.T) {
	t.Helper()
	rm.site.Enrol = enrol.URLs{Enrol: "https://intake.skerrywick.example:8443/enrol", MQTT: []string{"mqtts://intake.skerrywick.example:8883"}}
	at := testPremises()[2].Place
	must(t, rm.reg.Put(t.Context(), "import", registry.Premises{ID: "gull-9", Name: "Gull Cottage", Kind: "home", Place: at, Basis: event.Consent, Purpose: "burglary response"}))
	given, until := roomStart.AddDate(0, -2, 0), roomStart.AddDate(0, 10, 0)
	must(t, rm.reg.AmendDevices(
		t.Context(), "import",
		registry.Device{
			ID: "hub-gull", Name: "Hub of Gull Cottage", Kind: "hub", Maker: "Northlight", Model: "H2", Premises: "gull-9", Speaks: []string{"zigbee2mqtt"},
			Owner: registry.Owner{Name: "Wilhelmina Quill", Contact: "01632 960123"}, Basis: event.Consent, Purpose: "burglary response",
			Consent: &registry.Consent{Given: given, Until: &until, How: "signed form 12"}, Reporting: 15 * time.Minute,
		},
		registry.Device{ID: "bin-quay", Name: "Bin at the quay", Kind: "sensor", Premises: "quay-11", Serial: "B-0017"},
		registry.Device{ID: "cam-quay", Name: "Camera of the bank", Kind: "camera", Premises: "quay-11"},
		registry.Device{ID: "old-hub", Name: "Old hub", Kind: "hub", Revoked: true},
	))
	full, weak, link, temp := 96.0, 11.0, 71.0, 4.25
	ahead := rm.clock.Now().Add(95 * time.Second)
	for i, o := range []*event.Observation{
		{Device: "hub-gull", Kind: event.KindHealth, Health: &event.Health{Battery: &full, Firmware: "1.36"}, Time: ahead, DeviceTime: &ahead},
		{Device: "hub-gull/front_door", Kind: event.KindState, Reading: &event.Reading{Property: event.Contact, Name: "Front door", State: "open", Active: yes(true)}},
		{Device: "hub-gull/front_door", Kind: event.KindHealth, Health: &event.Health{Battery: &weak, LinkQuality: &link}},
		{Device: "hub-gull/hall", Kind: event.KindState, Reading: &event.Reading{Property: event.Motion, State: "detected", Active: yes(true)}},
		{Device: "hub-gull", Kind: event.KindMisuse, Misuse: &event.Misuse{What: event.MisuseFlood, Detail: "812 messages in 10 s, at most 500", Count: 1}},
		{Device: "bin-quay", Kind: event.KindMeasure, Reading: &event.Reading{Property: event.Temperature, Value: &temp, Unit: "Cel"}},
		{Device: "cam-quay", Kind: event.KindSilent, Supervision: &event.Supervision{}},
	} {
		o.ID, o.Source = event.NewID("device test", fmt.Sprint(i)), "zigbee2mqtt"
		must(t, rm.reg.Admit(o))
		must(t, rm.intake.ObserveAll(t.Context(), o))
	}
	waitFor(t, "the twins", func() bool {
		v, err := rm.site.Sense.VitalsOf(t.Context(), "cam-quay")
		return err == nil && v.State == sense.Silent
	})
}

func yes(b bool) *bool { return &b }

func TestDevicesThatNeedAttentionComeFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		c := rm.signIn(t, auth.Operator)
		says(t, rm.get(t, c, "/devices"), http.StatusOK, "No device is registered")
		rm.withDevices(t)
		got := rm.get(t, c, "/devices")
		says(t, got, http.StatusOK, "4 devices are in the register", "2 need attention", "battery, clock is wrong", "Silent", "Revoked")
		if order := regexp.MustCompile(`href="/devices/([\w-]+)"`).FindAllStringSubmatch(got.body, -1); len(order) != 4 ||
			order[0][1] != "cam-quay" || order[1][1] != "hub-gull" || order[2][1] != "bin-quay" || order[3][1] != "old-hub" {
			t.Errorf("in the order %v", order)
		}
		for query, want := range map[string]string{"q=gull+hub": "hub-gull", "state=silent": "cam-quay", "state=battery": "hub-gull", "state=revoked": "old-hub", "q=b-0017": "bin-quay"} {
			got := rm.get(t, c, "/devices?"+query)
			if n := strings.Count(got.body, `href="/devices/`); !strings.Contains(got.body, "/devices/"+want) || n > 3 {
				t.Errorf("%s: %d\n%s", query, n, got.body)
			}
		}
		says(t, rm.get(t, c, "/devices?q=Quill"), http.StatusOK, "No device matches")
		says(t, rm.get(t, c, "/premises/gull-9"), http.StatusOK, "Enrolled devices", "Hub of Gull Cottage", "May be kept", "Consent, for burglary response")
		says(t, rm.get(t, c, "/devices/none"), http.StatusNotFound)
	})
}

func TestATwinShowsPersonalDataForAPurpose(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		rm.withDevices(t)
		c := rm.signIn(t, auth.Operator)
		got := rm.get(t, c, "/devices/hub-gull")
		says(t, got, http.StatusOK, "Is it alive?", "Heard", "promises to speak every 15 min", "Weak battery", "1m35s ahead", "Kept lawfully",
			"signed form 12", "until 2027-01-07", "Readings for 31 days", "812 messages in 10 s", "personal data")
		for _, secret := range []string{"Quill", "960123", "detected", "Front door"} {
			if strings.Contains(got.body, secret) {
				t.Errorf("%s without a purpose", secret)
			}
		}
		says(t, rm.post(t, c, "/devices/hub-gull/personal", url.Values{}), http.StatusUnprocessableEntity, "Choose what you need it for")
		says(t, rm.post(t, c, "/devices/hub-gull/personal", url.Values{"purpose": {"safeguard"}, "why": {"Not seen for days"}}), http.StatusOK,
			"Wilhelmina Quill", "01632 960123", "detected", "Front door", "is on the audit log")
		waitFor(t, "the audit log's table", func() bool { return len(rm.entries(t, "record.opened")) == 1 })
		if e := rm.entries(t, "record.opened")[0]; e.Object != "device/hub-gull" || e.Purpose != "safeguard" || e.Why != "Not seen for days" {
			t.Errorf("recorded %+v", e)
		}
		says(t, rm.get(t, c, "/devices/bin-quay"), http.StatusOK, "4.25 °C", "no basis is asked for")
		says(t, rm.get(t, rm.signIn(t, auth.Analyst), "/devices/hub-gull"), http.StatusOK, "Your role does not open personal data")
	})
}

func TestInviteRotateRevokeOnThePage(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.withDevices(t)
	c := rm.signIn(t, auth.Administrator)
	do := func(what string, status int, v url.Values, want ...string) answer {
		t.Helper()
		got := rm.post(t, c, "/devices/hub-gull/do/"+what, v)
		says(t, got, status, want...)
		return got
	}
	do("invite", http.StatusUnprocessableEntity, url.Values{"valid": {"24h"}}, "Say why")
	do("explode", http.StatusNotFound, url.Values{"why": {"x"}})
	do("invite", http.StatusConflict, url.Values{"valid": {"9000h"}, "why": {"x"}}, "An invitation holds for up to")
	got := do("invite", http.StatusOK, url.Values{"valid": {"1h"}, "why": {"New hub"}}, `src="data:image/png;base64,`, "https://intake.skerrywick.example:8443/enrol#")
	token := regexp.MustCompile(`enrol#([\w-]{43})<`).FindStringSubmatch(got.body)
	if token == nil || got.header.Get("Cache-Control") != "no-store" {
		t.Fatal(got.body)
	}
	if strings.Contains(rm.get(t, c, "/devices/hub-gull").body, token[1]) {
		t.Error("the invitation is shown again")
	}
	_, secret, err := rm.reg.Enrol(t.Context(), token[1])
	must(t, err)
	got = do("rotate", http.StatusOK, url.Values{"overlap": {"1h"}, "why": {"Yearly"}}, "mqtts://intake.skerrywick.example:8883", "hub-gull/")
	second := regexp.MustCompile(`<dd class="mono">([\w-]{43})</dd>`).FindStringSubmatch(got.body)
	if second == nil {
		t.Fatal(got.body)
	}
	opens := func(want bool) {
		t.Helper()
		for _, s := range []string{secret, second[1]} {
			if _, err := rm.reg.Authenticate("hub-gull", s); (err == nil) != want {
				t.Errorf("%v, want %v", err, want)
			}
		}
	}
	opens(true)
	says(t, rm.get(t, c, "/devices/hub-gull"), http.StatusOK, "Kit p-administrator")
	do("withdraw", http.StatusSeeOther, url.Values{"why": {"She rang"}})
	says(t, rm.get(t, c, "/devices/hub-gull"), http.StatusOK, "Nothing is kept", "withdrawn 2026-03-07")
	do("withdraw", http.StatusNotFound, url.Values{"why": {"x"}})
	do("revoke", http.StatusSeeOther, url.Values{"why": {"Stolen"}})
	opens(false)
	do("invite", http.StatusNotFound, url.Values{"why": {"x"}, "valid": {"1h"}})
	do("reinstate", http.StatusSeeOther, url.Values{"why": {"Found"}})
	opens(false)
	waitFor(t, "the audit log's table", func() bool { return len(rm.entries(t, "device.reinstated")) == 1 })
	for _, e := range rm.entries(t, "device.") {
		if e.Why == "" || strings.Contains(fmt.Sprint(e), secret) || strings.Contains(fmt.Sprint(e), token[1]) {
			t.Errorf("recorded %+v", e)
		}
	}
	if got := rm.post(t, rm.signIn(t, auth.Operator), "/devices/hub-gull/do/revoke", url.Values{"why": {"x"}}); got.status != http.StatusForbidden {
		t.Errorf("an operator is answered %d", got.status)
	}
}

// houseA takes in days of a real home's contact sensors, as they were recorded.
func (rm *room) houseA(t *testing.T, from, to time.Time) {
	t.Helper()
	dir := os.Getenv("BLUELAMP_DATA")
	if dir == "" {
		t.Skip("no recorded data: set BLUELAMP_DATA")
	}
	path := filepath.Join(dir, "sensors", "houseA.sensors")
	f, err := os.Open(path)
	must(t, err)
	defer func() { _ = f.Close() }()
	at := testPremises()[2].Place
	must(t, rm.reg.Put(t.Context(), "import", registry.Premises{ID: "house-a", Name: "House A", Kind: "home", Place: at, Basis: event.Consent}))
	must(t, rm.reg.AmendDevices(t.Context(), "import", registry.Device{ID: "houseA", Name: "House A's hub", Premises: "house-a"}))
	n := 0
	for o, err := range home.ContactSensorFile(path, f) {
		must(t, err)
		if o.Time.Before(from) || !o.Time.Before(to) {
			continue
		}
		rm.set(o.Received)
		must(t, rm.reg.Admit(o))
		must(t, rm.intake.ObserveAll(t.Context(), o))
		n++
	}
	rm.set(to.Add(time.Hour))
	waitFor(t, "the twins", func() bool {
		v, err := rm.site.Sense.VitalsOf(t.Context(), "houseA")
		return err == nil && v.Observations == int64(n)
	})
}

func TestAHomesDayOnATimeline(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		day := time.Date(2008, 2, 26, 0, 0, 0, 0, time.UTC)
		rm.houseA(t, day.AddDate(0, 0, -1), day.AddDate(0, 0, 1))
		c := rm.signIn(t, auth.Operator)
		got := rm.get(t, c, "/premises/house-a/timeline")
		says(t, got, http.StatusOK, "What was sensed in a home is personal data")
		if strings.Contains(got.body, "<svg class=\"tl\"") {
			t.Error("the timeline is shown without a purpose")
		}
		says(t, rm.post(t, c, "/premises/house-a/timeline", url.Values{}), http.StatusUnprocessableEntity, "Choose what you need it for")
		got = rm.post(t, c, "/premises/house-a/timeline", url.Values{"purpose": {"investigate"}, "why": {"Burglary next door"}, "day": {"2008-02-26"}})
		says(t, got, http.StatusOK, "Tuesday 26 February 2008", `<svg class="tl"`, "houseA/24", "Contact: 9 times", "Contact: 18 times", "Previous day", "Next day")
		if bars := strings.Count(got.body, `class="tl-bar"`); bars < 20 {
			t.Errorf("%d bars", bars)
		}
		got = rm.post(t, c, "/premises/house-a/timeline", url.Values{"purpose": {"investigate"}, "day": {"2008-02-25"}})
		says(t, got, http.StatusOK, "Monday 25 February 2008", "Next day")
		waitFor(t, "the audit log's table", func() bool { return len(rm.entries(t, "record.opened")) == 2 })
		if e := rm.entries(t, "record.opened"); e[1].Detail["day"] != "2008-02-26" || e[1].Why != "Burglary next door" || e[0].Object != "premises/house-a" {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestATimelineOfAShopShowsAlarmsOnTop(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := rm.signIn(t, auth.Analyst)
	says(t, rm.get(t, c, "/premises/lantern-3/timeline"), http.StatusOK, "Nothing is kept of these premises")
	rm.alarm(t, "3007", "BA", event.Burglary, "001")
	temp := 21.0
	must(t, rm.intake.ObserveAll(
		t.Context(), &event.Observation{ID: "m1", Source: "x", Device: "t", Kind: event.KindMeasure, Premises: "lantern-3", Reading: &event.Reading{Property: event.Temperature, Name: "<Till>", Value: &temp, Unit: "Cel"}},
		&event.Observation{ID: "m2", Source: "x", Device: "d", Kind: event.KindState, Premises: "lantern-3", Time: rm.clock.Now().AddDate(0, 0, -1), Reading: &event.Reading{Property: event.Contact, Name: "Back door", State: "open", Active: yes(true)}},
	))
	var got answer
	waitFor(t, "the read model", func() bool {
		got = rm.get(t, c, "/premises/lantern-3/timeline?day=2026-03-07")
		return strings.Contains(got.body, "Till")
	})
	says(t, got, http.StatusOK, "burglary new", "Temperature: 21 °C", "&lt;Till&gt;", "Back door open 6 Mar", "and still at 21:14:00", `class="tl-now"`)
	if strings.Index(got.body, "tl-lane alarm") > strings.Index(got.body, "tl-lane contact") {
		t.Error("the alarm is not on top")
	}
	says(t, rm.get(t, c, "/premises/lantern-3/timeline?day=9999-99-99"), http.StatusOK, "Saturday 7 March 2026")
}

// BenchmarkDevices shows the list of 10,000 hubs with three sensors each.
func BenchmarkDevices(b *testing.B) {
	db := storetest.SQLite(b)
	rm := newRoom(b, db)
	var ds []registry.Device
	for i := range 10_000 {
		ds = append(ds, registry.Device{ID: fmt.Sprintf("hub-%05d", i), Name: fmt.Sprintf("Hub %d", i), Kind: "hub", Premises: "quay-11"})
	}
	must(b, rm.reg.AmendDevices(b.Context(), "import", ds...))
	tw := sense.NewTwins(rm.site.logger)
	must(b, db.Update(b.Context(), func(tx *sql.Tx) error {
		var recs []bus.Record
		for i := range 30_000 {
			recs = append(recs, bus.Record{Seq: uint64(i + 1), Data: fmt.Appendf(nil,
				`{"kind":"sensor.state","source":"z2m","device":"hub-%05d/s%d","enrolled":"hub-%05d","time":"2026-03-07T12:00:00Z","received":"2026-03-07T12:00:00Z","reading":{"property":"contact","state":"open"}}`, i/3, i%3, i/3)})
		}
		return tw.Apply(b.Context(), tx, recs)
	}))
	c := rm.signIn(b, auth.Operator)
	for b.Loop() {
		if got := rm.get(b, c, "/devices"); got.status != http.StatusOK {
			b.Fatal(got.status)
		}
	}
}
