package alarm

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var zones = map[string]struct {
	name string
	kind event.ZoneKind
}{
	"1": {"Front door", event.ZonePerimeter}, "2": {"Hall", event.ZoneInterior}, "3": {"Office", event.ZoneInterior},
	"8": {"Yard beam", event.ZoneExternal}, "9": {"Gate", event.ZoneExternal},
	"21": {"Till", event.ZoneHoldUp}, "22": {"Back office button", event.ZoneHoldUp},
}

var signals = map[string]struct {
	category event.AlarmCategory
	state    event.AlarmState
}{
	"BA": {event.Burglary, event.AlarmNew}, "BR": {event.Burglary, event.AlarmRestored}, "BS": {event.Burglary, event.AlarmStatus},
	"BV": {event.BurglaryVerified, event.AlarmNew}, "139": {event.BurglaryVerified, event.AlarmNew},
	"HA": {event.HoldUp, event.AlarmNew}, "HR": {event.HoldUp, event.AlarmRestored},
	"HV": {event.HoldUpVerified, event.AlarmNew}, "129": {event.HoldUpVerified, event.AlarmNew},
	"TA": {event.Tamper, event.AlarmNew}, "TR": {event.Tamper, event.AlarmRestored},
	"FA": {event.Fire, event.AlarmNew}, "FR": {event.Fire, event.AlarmRestored},
	"MA": {event.Medical, event.AlarmNew}, "WA": {event.Environment, event.AlarmNew},
	"OP": {event.OpenClose, event.AlarmNew}, "CL": {event.OpenClose, event.AlarmRestored},
	"AT": {event.Power, event.AlarmNew}, "RP": {event.Test, event.AlarmNew},
}

// observe reads a line of a script: when, by the platform's clock, since noon;
// a signal and its zone; then what else it says:
//
//	15m BA/3             zone 3 signals at 12:15
//	15m BA/3 late=10m    ... what happened at 12:05
//	15m BA/3 account=5   ... of another system at the same premises
//	15m BA/3 id=x        ... the observation x
//	15m OP user=4        user 4 unsets
//	15m TICK             the clock ticks
func observe(tb rapid.TB, line string) *event.Observation {
	tb.Helper()
	words := strings.Fields(line)
	offset, err := time.ParseDuration(words[0])
	if err != nil || len(words) < 2 {
		tb.Fatalf("script line %q: %v", line, err)
	}
	with := map[string]string{"account": "1234", "late": "0s"}
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		with[k] = v
	}
	late, err := time.ParseDuration(with["late"])
	if err != nil {
		tb.Fatalf("script line %q: %v", line, err)
	}
	id := with["id"]
	if id == "" {
		id = line
	}
	code, zone, _ := strings.Cut(words[1], "/")
	received := noon.Add(offset)
	o := &event.Observation{
		ID: event.NewID("test", id), Kind: event.KindAlarm, Source: "dc09", Device: with["account"],
		Time: received.Add(-late), Received: received,
		Premises: "corner-shop", PremisesName: "Corner Shop", Place: &place.Point{Lat: 54.5, Lon: 2.5},
	}
	sup := &event.Supervision{Account: o.Device, Class: "SP4", Reporting: 3 * time.Minute}
	switch code {
	case "TICK":
		o.Kind, o.Source = event.KindClockTick, "clock"
	case "SILENT":
		heard := o.Time.Add(-3*time.Minute - 2*time.Second)
		sup.LastHeard = &heard
		o.Kind, o.Supervision = event.KindSilent, sup
	case "UNKNOWN":
		o.Kind, o.Supervision = event.KindUnknown, sup
	case "RETURNED":
		o.Kind, o.Supervision = event.KindReturned, sup
	default:
		s, ok := signals[code]
		if !ok {
			tb.Fatalf("script line %q: no code %q", line, code)
		}
		o.Alarm = &event.Alarm{
			Account: o.Device, Category: s.category, State: s.state, Code: code, Old: late > 0,
			Zone: zone, ZoneName: zones[zone].name, ZoneKind: zones[zone].kind, User: with["user"],
		}
	}
	return o
}

// play runs a script and writes down each line with what it raised.
func play(tb rapid.TB, script string) string {
	tb.Helper()
	var b strings.Builder
	run := detect.NewRun(New(Default()))
	revisions := map[string]int{}
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		fmt.Fprintf(&b, "> %s\n", line)
		for _, a := range run.Observe(observe(tb, line)) {
			fmt.Fprintf(&b, "  %s %.2f, revision %d, %d observations\n", a.Kind, a.Score, a.Revision, a.Total)
			fmt.Fprintf(&b, "    %s\n", a.Reason)
			if a.Advice != "" {
				fmt.Fprintf(&b, "    Advice: %s.\n", a.Advice)
			}
			fmt.Fprintf(&b, "    Clause: %s.\n", a.Clause)
			if next := revisions[a.Cause]; a.Revision != next {
				tb.Errorf("%q: revision %d of %s, want %d", line, a.Revision, a.Cause, next)
			}
			revisions[a.Cause]++
			if a.ID != event.NewAlertID(a.Rule, a.Cause, a.Revision) || a.Subject == "" || a.Premises != "corner-shop" {
				tb.Errorf("%q: incomplete alert %+v", line, a)
			}
		}
	}
	return b.String()
}
