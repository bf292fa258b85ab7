package home

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// properties are the readings that the scripts speak of, with their words.
var properties = map[string]struct {
	property    event.Property
	there, gone string
}{
	"smoke": {event.Smoke, "detected", "clear"}, "co": {event.CO, "detected", "clear"}, "gas": {event.Gas, "detected", "clear"},
	"panic": {event.Panic, "pressed", "clear"}, "glass": {event.Glass, "broken", "clear"}, "tamper": {event.Tampered, "detected", "clear"},
	"water": {event.Water, "wet", "dry"}, "contact": {event.Contact, "open", "closed"}, "motion": {event.Motion, "detected", "clear"},
}

// observe reads a line of a script: when, by the platform's clock, since noon; what
// sensor and whether; then what else it says:
//
//	5m smoke + sensor=landing   the smoke sensor detects
//	5m smoke -                  and no more
//	5m smoke + late=10m         what happened ten minutes before
//	5m smoke + id=x             the observation x
//	5m armed, 5m disarmed       the panel is set, unset
//	5m gone device=hub-7        a device goes away; present: it is back
//	5m tick                     time passes
func observe(tb rapid.TB, line string) *event.Observation {
	tb.Helper()
	words := strings.Fields(line)
	offset, err := time.ParseDuration(words[0])
	if err != nil || len(words) < 2 {
		tb.Fatalf("script line %q: %v", line, err)
	}
	with := map[string]string{"late": "0s", "sensor": "s1", "hub": "hub-7", "id": line, "name": "", "channel": ""}
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		with[k] = strings.ReplaceAll(v, "_", " ")
	}
	late, err := time.ParseDuration(with["late"])
	if err != nil {
		tb.Fatalf("script line %q: %v", line, err)
	}
	received := noon.Add(offset)
	o := &event.Observation{
		ID: event.NewID("test", with["id"]), Kind: event.KindState, Source: "zigbee2mqtt", Device: with["hub"] + "/" + with["sensor"], Via: with["hub"],
		Time: received.Add(-late), Received: received, Premises: "mill-house", PremisesName: "Mill House", Place: &place.Point{Lat: 54.5, Lon: 2.5},
	}
	switch words[1] {
	case "tick":
		o.Kind = event.KindClockTick
	case "gone", "present":
		o.Kind, o.Device = event.Kind("device."+words[1]), with["device"]
	case "armed", "disarmed":
		o.Kind, o.Device, o.Source = event.KindAlarm, with["hub"]+"/panel", "homeassistant"
		o.Alarm = &event.Alarm{Category: event.OpenClose, State: event.AlarmNew, Code: "disarmed"}
		if words[1] == "armed" {
			o.Alarm.State, o.Alarm.Code = event.AlarmRestored, "armed_away"
		}
	default:
		p, ok := properties[words[1]]
		if !ok {
			tb.Fatalf("script line %q: nothing is called %q", line, words[1])
		}
		active := words[2] == "+"
		o.Reading = &event.Reading{Property: p.property, Active: &active, State: p.gone, Name: with["name"], Channel: with["channel"]}
		if active {
			o.Reading.State = p.there
		}
	}
	return o
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(script))
			file := strings.TrimSuffix(file, ".script") + ".golden"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// play runs a script and writes down each line with what it raised.
func play(t *testing.T, script string) string {
	var b strings.Builder
	run := detect.NewRun(New())
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || line == "" {
			run = detect.NewRun(New())
			b.WriteString(line + "\n")
			continue
		}
		fmt.Fprintf(&b, "> %s\n", line)
		for _, a := range run.Observe(observe(t, line)) {
			fmt.Fprintf(&b, "  %s %.2f, revision %d, %d observations: %s\n", a.Kind, a.Score, a.Revision, a.Total, a.Reason)
			if a.Advice != "" {
				fmt.Fprintf(&b, "    Advice: %s.\n", a.Advice)
			}
			if a.ID != event.NewAlertID(a.Rule, a.Cause, a.Revision) || a.Subject != "Mill House" || a.Premises != "mill-house" || a.Place == nil || a.Clause == "" {
				t.Errorf("%q: incomplete alert %+v", line, a)
			}
		}
	}
	return b.String()
}
