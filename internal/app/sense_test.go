package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/store"
)

// town is a platform that everything speaks to: homes, a city's network servers
// and a network monitor.
type town struct {
	*platform
	db   *store.DB
	eves string // directory that the monitor writes to
}

// premises of the town. The last has no lawful basis.
func townPremises() []registry.Premises {
	at := func(n float64) place.Point { return place.Point{Lat: 55, Lon: 3 + n/10} }
	return []registry.Premises{
		{ID: "mill-house", Name: "Mill House", Kind: "home", Place: at(1), Basis: event.Consent, Purpose: "burglary"},
		{ID: "quay-house", Name: "Quay House", Kind: "home", Place: at(2), Basis: event.Contract, Purpose: "alarm"},
		{ID: "dune-house", Name: "Dune House", Kind: "home", Place: at(3)},
	}
}

// secretOf is the password of a test's device.
func secretOf(device string) string { return "secret-of-" + device }

func townDevices() []registry.Device {
	given := &registry.Consent{Given: time.Now().Add(-time.Hour)}
	ds := []registry.Device{
		{ID: "hub-mill", Premises: "mill-house", Kind: "hub"},
		{ID: "hub-quay", Premises: "quay-house", Kind: "hub"},
		{ID: "hub-dune", Premises: "dune-house", Kind: "hub"},
		{ID: "hub-gone", Premises: "quay-house", Kind: "hub", Basis: event.Consent, Consent: given},
		{ID: "city-lns", Kind: "network server"},
		{ID: "array", Kind: "network server"},
		{ID: "weather", Kind: "network server"},
		{ID: "thief"},
		{ID: "big"},
		{ID: "flood", Limits: registry.Limits{Messages: 0.001, Burst: 1}},
	}
	for i := range ds {
		ds[i].Name = ds[i].ID
		ds[i].Credentials = []registry.Credential{registry.NewCredential(secretOf(ds[i].ID), time.Now(), nil)}
	}
	return append(ds, registry.Device{ID: "hub-new", Name: "hub-new", Premises: "mill-house"})
}

// startTown runs a platform with everything open, at ports of its own.
func startTown(tb testing.TB) *town {
	tb.Helper()
	eves := tb.TempDir()
	p := start(tb, app.Config{
		Data: tb.TempDir(), Reserve: 1, HTTP: "127.0.0.1:0", Zone: "Europe/London",
		MQTT: "127.0.0.1:0", Intake: "127.0.0.1:0", Suricata: []string{eves}, CAPPolicy: "prefer",
		CAPSender: "test@bluelamp.example", CAPName: "Test",
	}, townPremises()...)
	if err := p.Registry().PutDevices(context.Background(), "test", townDevices()...); err != nil {
		tb.Fatal(err)
	}
	db, err := store.Open(context.Background(), p.cfg.Database())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return &town{p, db, eves}
}

// program finds a program that a test needs.
func program(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("BLUELAMP_REQUIRE_ALL") != "" {
			tb.Fatalf("%s is not installed, and BLUELAMP_REQUIRE_ALL is set", name)
		}
		tb.Skipf("%s is not installed", name)
	}
	return path
}

// mosquitto publishes with the real mosquitto_pub.
func (w *town) mosquitto(tb testing.TB, device, secret string, args ...string) (said string, err error) {
	tb.Helper()
	host, port, err := net.SplitHostPort(w.MQTTAddr())
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, program(tb, "mosquitto_pub"), append([]string{"-h", host, "-p", port, "-u", device, "-P", secret, "-q", "1"}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// publish publishes messages below a device's own topic, "topic payload" each.
func (w *town) publish(tb testing.TB, device string, messages ...string) {
	tb.Helper()
	for _, m := range messages {
		topic, payload, _ := strings.Cut(m, " ")
		if out, err := w.mosquitto(tb, device, secretOf(device), "-t", device+"/"+topic, "-m", payload); err != nil {
			tb.Fatalf("%s: %v: %s", m, err, out)
		}
	}
}

// hook posts a body below a device's own address.
func (w *town) hook(tb testing.TB, device, topic string, body io.Reader, kind string) int {
	tb.Helper()
	req, err := http.NewRequest(http.MethodPost, w.IntakeURL()+"/in/"+device+"/"+topic, body)
	if err != nil {
		tb.Fatal(err)
	}
	req.SetBasicAuth(device, secretOf(device))
	req.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// json posts JSON that must be taken.
func (w *town) json(tb testing.TB, device, topic, body string) {
	tb.Helper()
	if code := w.hook(tb, device, topic, strings.NewReader(body), "application/json"); code != http.StatusNoContent {
		tb.Fatalf("%s is answered %d: %.200s", topic, code, body)
	}
}

// heard returns the observations that fit.
func (w *town) heard(tb testing.TB, fits func(*event.Observation) bool) (out []event.Observation) {
	tb.Helper()
	err := w.log.Each(context.Background(), bus.Observations, 0, func(rec bus.Record) error {
		var o event.Observation
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			return err
		}
		if fits(&o) {
			out = append(out, o)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// via returns what a device brought of a kind.
func (w *town) via(tb testing.TB, device string, kind event.Kind) []event.Observation {
	tb.Helper()
	return w.heard(tb, func(o *event.Observation) bool { return o.Via == device && o.Kind == kind })
}

// until waits for something.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// incidents returns the incidents that fit, in the read model.
func (w *town) incidents(tb testing.TB, fits func(*incident.Incident) bool) (out []incident.Incident) {
	tb.Helper()
	all, err := incident.NewQueries(w.db).Recent(context.Background(), 0, 0)
	if err != nil {
		tb.Fatal(err)
	}
	for _, in := range all {
		if fits(&in) {
			out = append(out, in)
		}
	}
	return out
}

// becomes waits for the incident with a cause that fits, and returns the causes.
func (w *town) becomes(tb testing.TB, what string, fits func(*incident.Incident, incident.Cause) bool) (found incident.Incident) {
	tb.Helper()
	until(tb, what, func() bool {
		all := w.incidents(tb, func(in *incident.Incident) bool {
			for _, c := range in.Causes {
				if fits(in, c) {
					return true
				}
			}
			return false
		})
		if len(all) > 1 {
			tb.Fatalf("%s: %d incidents: %q and %q", what, len(all), all[0].Title, all[1].Title)
		}
		if len(all) == 1 {
			found = all[0]
		}
		return len(all) == 1
	})
	return found
}

// at is a fit for incidents at premises.
func at(premises string, kind event.Kind, over bool) func(*incident.Incident, incident.Cause) bool {
	return func(in *incident.Incident, c incident.Cause) bool {
		return in.Premises != nil && in.Premises.ID == premises && c.Kind == kind && c.Over == over
	}
}

func TestSense(t *testing.T) {
	w := startTown(t)
	for _, tt := range []struct {
		name string
		run  func(*testing.T, *town)
	}{
		{"MQTT", senseMQTT},
		{"Zigbee2MQTT home", senseHome},
		{"home without a basis", senseNoBasis},
		{"Home Assistant panel", sensePanel},
		{"ChirpStack", senseChirpStack},
		{"Suricata", senseSuricata},
		{"gunshots", senseGunshots},
		{"misuse", senseMisuse},
		{"warning", senseWarning},
		{"enrolment", senseEnrolment},
		{"erasure", senseErasure},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, w) })
	}
}

func senseMQTT(t *testing.T, w *town) {
	for _, version := range []string{"mqttv311", "mqttv5"} {
		out, err := w.mosquitto(t, "hub-mill", secretOf("hub-mill"), "-V", version, "-t", "hub-mill/zigbee2mqtt/"+version, "-m", `{"contact":false}`)
		if err != nil {
			t.Fatalf("%s: %v: %s", version, err, out)
		}
		// Acknowledged is on the log: nothing is waited for.
		os := w.heard(t, func(o *event.Observation) bool { return o.Device == "hub-mill/"+version })
		if len(os) != 1 || os[0].Reading == nil || os[0].Reading.State != "open" || os[0].Via != "hub-mill" {
			t.Errorf("%s: %+v", version, os)
		}
	}
}

func senseHome(t *testing.T, w *town) {
	w.publish(t, "hub-mill",
		`zigbee2mqtt/bridge/state {"state":"online"}`,
		`zigbee2mqtt/front_door {"contact":true,"battery":97,"linkquality":51}`,
		`zigbee2mqtt/front_door {"contact":false,"battery":97,"linkquality":50}`,
		`zigbee2mqtt/hall {"occupancy":true,"illuminance":812}`,
		`zigbee2mqtt/landing {"smoke":true,"battery":100,"linkquality":120}`,
	)
	os := w.heard(t, func(o *event.Observation) bool {
		return o.Premises == "mill-house" && o.Reading != nil && o.Reading.Active != nil && *o.Reading.Active && !strings.HasPrefix(o.Device, "hub-mill/mqtt")
	})
	var said []string
	for i := range os {
		o := &os[i]
		said = append(said, strings.TrimPrefix(o.Device, "hub-mill/")+" "+string(o.Reading.Property))
		if o.Basis != event.Consent || o.Purpose != "burglary" || o.PremisesName != "Mill House" || o.Enrolled != "hub-mill" {
			t.Errorf("%s: %s %s of %q, enrolled as %q", o.Device, o.Basis, o.Purpose, o.PremisesName, o.Enrolled)
		}
	}
	if got := strings.Join(said, ", "); got != "front_door contact, hall occupancy, landing smoke" {
		t.Errorf("active were %s", got)
	}
	fire := w.becomes(t, "a fire", at("mill-house", event.KindFire, false))
	if fire.Kind != "fire" || fire.Alerts != 1 {
		t.Errorf("%+v", fire)
	}
	w.publish(t, "hub-mill", `zigbee2mqtt/landing {"smoke":false}`)
	over := w.becomes(t, "the end of the fire", func(in *incident.Incident, c incident.Cause) bool {
		return in.ID == fire.ID && c.Over
	})
	if over.State == incident.Closed {
		t.Error("nobody has closed the incident")
	}
}

func senseNoBasis(t *testing.T, w *town) {
	// MQTT 5 says no; 3.1.1 cannot.
	out, err := w.mosquitto(t, "hub-dune", secretOf("hub-dune"), "-V", "mqttv5", "-t", "hub-dune/zigbee2mqtt/bedroom", "-m", `{"occupancy":true}`)
	if !strings.Contains(strings.ToLower(out), "failed") && err == nil {
		t.Errorf("the sender is not told: %q", out)
	}
	if os := w.heard(t, func(o *event.Observation) bool { return o.Via == "hub-dune" || o.Premises == "dune-house" }); len(os) > 0 {
		t.Errorf("kept: %+v", os)
	}
	var mine []event.Quarantined
	for _, q := range w.quarantined() {
		if q.Device == "hub-dune" {
			mine = append(mine, q)
		}
	}
	if len(mine) != 1 || mine[0].Reason != "may not be kept" || len(mine[0].Bytes) > 0 || strings.Contains(mine[0].Detail, "occupancy") {
		t.Errorf("in quarantine: %+v", mine)
	}
}

func sensePanel(t *testing.T, w *town) {
	w.publish(t, "hub-quay",
		`homeassistant/alarm_control_panel/house/config {"name":"House","unique_id":"p1","state_topic":"alarm/house/state"}`,
		`alarm/house/state armed_away`,
		`alarm/house/state triggered`,
	)
	in := w.becomes(t, "an intruder", at("quay-house", event.KindIntruderUnconfirmed, false))
	if in.Kind != "intruder" {
		t.Errorf("%+v", in)
	}
	os := w.via(t, "hub-quay", event.KindAlarm)
	if len(os) == 0 || os[0].Basis != event.Contract {
		t.Errorf("%+v", os)
	}
}

// write makes a file of a monitor.
func (w *town) write(tb testing.TB, name string, lines ...string) {
	tb.Helper()
	var b bytes.Buffer
	for _, l := range lines {
		fmt.Fprintln(&b, l)
	}
	f, err := os.OpenFile(filepath.Join(w.eves, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}
