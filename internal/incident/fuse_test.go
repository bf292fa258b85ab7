package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

func at(premises string, lat, lon float64) func(*event.Alert) {
	return func(a *event.Alert) {
		a.Premises, a.Subject = premises, premises
		if lat != 0 {
			a.Place = &place.Point{Lat: lat, Lon: lon}
		}
	}
}

func about(subject, target string) func(*event.Alert) {
	return func(a *event.Alert) { a.Premises, a.Subject, a.Target = "", subject, target }
}

func metresNorth(m float64) float64 { return 54.5 + m/111_195 }

// A case is alerts with what may pass between them; want names the incident of
// each by its order, 0 for none.
func TestFusion(t *testing.T) {
	type step struct {
		wait  time.Duration
		kind  event.Kind
		cause string
		rev   int
		more  func(*event.Alert)
	}
	none := func(*event.Alert) {}
	const unconfirmed, confirmed = event.KindIntruderUnconfirmed, event.KindIntruderConfirmed
	cases := []struct {
		name  string
		steps []step
		want  []int
	}{
		{"same cause", []step{{0, unconfirmed, "a", 0, none}, {time.Minute, confirmed, "a", 1, none}}, []int{1, 1}},
		{"same cause, days later", []step{{0, event.KindDeviceSilent, "a", 0, none}, {72 * time.Hour, event.KindDeviceReturned, "a", 1, none}}, []int{1, 1}},
		{"the same alert twice", []step{{0, unconfirmed, "a", 0, none}, {0, unconfirmed, "a", 0, none}}, []int{1, 0}},
		{"overtaken by a newer word", []step{{0, confirmed, "a", 2, none}, {0, unconfirmed, "a", 1, none}}, []int{1, 0}},
		{"same premises within the hour", []step{{0, unconfirmed, "a", 0, none}, {60 * time.Minute, event.KindTamper, "b", 0, none}}, []int{1, 1}},
		{"same premises beyond the hour", []step{{0, unconfirmed, "a", 0, none}, {60*time.Minute + time.Second, event.KindTamper, "b", 0, none}}, []int{1, 2}},
		{"the hour counts from the newest alert", []step{
			{0, unconfirmed, "a", 0, none},
			{50 * time.Minute, unconfirmed, "a", 1, none},
			{50 * time.Minute, event.KindTamper, "b", 0, none},
		}, []int{1, 1, 1}},
		{"two panels in one building", []step{{0, unconfirmed, "a", 0, at("shop", 54.5, 2.5)}, {9 * time.Minute, unconfirmed, "b", 0, at("flat", metresNorth(19), 2.5)}}, []int{1, 1}},
		{"further than a few steps", []step{{0, unconfirmed, "a", 0, at("shop", 54.5, 2.5)}, {0, unconfirmed, "b", 0, at("flat", metresNorth(21), 2.5)}}, []int{1, 2}},
		{"near, but later", []step{{0, unconfirmed, "a", 0, at("shop", 54.5, 2.5)}, {11 * time.Minute, unconfirmed, "b", 0, at("flat", 54.5, 2.5)}}, []int{1, 2}},
		{"near, but of another family", []step{{0, unconfirmed, "a", 0, at("shop", 54.5, 2.5)}, {0, event.KindFire, "b", 0, at("flat", 54.5, 2.5)}}, []int{1, 2}},
		{"one attacker", []step{
			{0, event.KindScanHorizontal, "a", 0, about("198.51.100.7", "")},
			{5 * time.Hour, event.KindScanHorizontal, "b", 0, about("198.51.100.7", "")},
			{0, event.KindScanHorizontal, "c", 0, about("198.51.100.8", "")},
			{7 * time.Hour, event.KindScanHorizontal, "d", 0, about("198.51.100.7", "")},
		}, []int{1, 1, 2, 3}},
		{"one machine that many attack", []step{
			{0, event.KindBruteForce, "a", 0, about("198.51.100.7", "192.0.2.1")},
			{time.Hour, event.KindBruteForce, "b", 0, about("198.51.100.8", "192.0.2.1")},
		}, []int{1, 1}},
		{"over opens nothing", []step{{0, event.KindRestored, "a", 0, none}, {0, event.KindDeviceReturned, "b", 0, none}}, []int{0, 0}},
		{"over joins its own cause alone", []step{{0, unconfirmed, "a", 0, none}, {time.Minute, event.KindRestored, "z", 3, none}, {0, event.KindRestored, "a", 1, none}}, []int{1, 0, 1}},
		{"sent late, about yesterday", []step{{0, unconfirmed, "a", 0, none}, {0, unconfirmed, "b", 0, hoursAgo(26)}, {0, event.KindTamper, "c", 0, hoursAgo(26)}}, []int{1, 2, 2}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			desk := newTable(t)
			var known []event.ID
			var got []int
			for _, s := range c.steps {
				desk.wait(s.wait)
				in := desk.take(desk.alert(s.kind, s.cause, s.rev, s.more))[0]
				if in == nil {
					got = append(got, 0)
					continue
				}
				if !slices.Contains(known, in.ID) {
					known = append(known, in.ID)
				}
				got = append(got, slices.Index(known, in.ID)+1)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("incidents %v, want %v", got, c.want)
			}
		})
	}
}

func hoursAgo(h int) func(*event.Alert) {
	return func(a *event.Alert) {
		a.Start, a.End = a.Start.Add(-time.Duration(h)*time.Hour), a.End.Add(-time.Duration(h)*time.Hour)
	}
}

func TestClosedIncidentsAndTheirCauses(t *testing.T) {
	desk := newTable(t)
	first := desk.take(desk.alert(event.KindIntruderUnconfirmed, "a", 0))[0]
	desk.shut(first.ID)
	in := desk.take(desk.alert(event.KindIntruderUnconfirmed, "a", 1))[0]
	if in == nil || in.ID != first.ID || in.State != Closed || in.Alerts != 2 {
		t.Fatalf("a further alert of a closed incident's cause: %+v", in)
	}
	if in := desk.take(desk.alert(event.KindTamper, "b", 0))[0]; in == nil || in.ID == first.ID {
		t.Fatalf("an alert of another cause joined a closed incident: %+v", in)
	}
	in = desk.take(desk.alert(event.KindIntruderConfirmed, "a", 2))[0]
	if in == nil || in.ID != first.ID || in.State != Open || in.Code != "" || !in.Confirmed {
		t.Fatalf("a confirmed alert did not reopen: %+v", in)
	}
	changes := changesOf(t, desk.log)
	last := changes[len(changes)-1]
	if last.Type != event.ChangeReopened || last.By != event.System || last.Why != "After it was closed: Something at the shop." {
		t.Errorf("reopened by %+v", last)
	}
	desk.do(Action{Incident: first.ID, Type: event.ChangeClosed, Code: event.ClosedTrue, Why: "over"})
	desk.wait(keepFor + time.Second)
	if in := desk.take(desk.alert(event.KindIntruderConfirmed, "a", 3))[0]; in == nil || in.ID == first.ID {
		t.Fatalf("an incident that was closed a day ago took an alert: %+v", in)
	}
}

// Two panels that see one cause, however often they repeat, make one incident.
func TestFloodOfOneCauseIsOneIncident(t *testing.T) {
	log := openLog(t, t.TempDir())
	desk := newTable(t)
	var alerts []*event.Alert
	for i := range 3000 {
		desk.at = noon.Add(time.Duration(i) * time.Millisecond)
		alerts = append(alerts,
			desk.alert(event.KindIntruderUnconfirmed, "panel-1", i, at("shop", 54.5, 2.5)),
			desk.alert(event.KindIntruderUnconfirmed, "panel-2", i, at("flat", metresNorth(8), 2.5)))
	}
	end := raise(t, log, alerts...)
	clk := desk.clock
	d := NewDesk(log, clk, quiet, nil)
	runUntil(t, log, d.Stage(), end, time.Minute, false)
	all := sum(t, changesOf(t, log))
	if len(all) != 1 {
		t.Fatalf("%d incidents", len(all))
	}
	for _, in := range all {
		if in.Alerts != len(alerts) || len(in.Causes) != 2 || in.Signals != 6000 {
			t.Errorf("%d alerts, %d causes, %d signals", in.Alerts, len(in.Causes), in.Signals)
		}
	}
}

// A desk that is full opens no more, loses nothing, and says so.
func TestDeskThatIsFull(t *testing.T) {
	desk := newTable(t)
	desk.book.maxOpen = 10
	for i := range 30 {
		desk.take(desk.alert(event.KindTamper, fmt.Sprint("tamper", i), 0, at(fmt.Sprint("premises ", i), 0, 0)))
	}
	fire := desk.take(desk.alert(event.KindFire, "fire", 0, at("elsewhere", 0, 0)))[0]
	if fire == nil || fire.Kind != "fire" {
		t.Fatalf("a fire, the first, is lost: %+v", fire)
	}
	if n := len(desk.book.open); n != 11 {
		t.Errorf("%d incidents are open", n)
	}
	alerts := 0
	for _, c := range changesOf(t, desk.log) {
		if c.Alert != nil {
			alerts++
		}
		if c.Type == event.ChangeAlertAdded && !strings.HasPrefix(c.Why, "10 incidents are open, and no more are opened: this alert is about premises ") {
			t.Errorf("an alert was joined because %q", c.Why)
		}
	}
	if alerts != 31 {
		t.Errorf("%d alerts are on the log", alerts)
	}
}

// One incident's causes are bounded; what goes beyond is counted.
func TestCausesAreBounded(t *testing.T) {
	desk := newTable(t)
	for i := range 2 * maxCauses {
		desk.fuse(desk.alert(event.KindTamper, fmt.Sprint(i), 0))
	}
	in := desk.book.incidents[event.NewID("incident", string(event.NewAlertID("test", "0", 0)))]
	if in == nil || len(in.Causes) != maxCauses || in.Alerts != 2*maxCauses || len(desk.book.byCause) > maxCauses {
		t.Errorf("%d causes of %d alerts, %d known", len(in.Causes), in.Alerts, len(desk.book.byCause))
	}
}

func TestForgetLeavesNothingBehind(t *testing.T) {
	desk := newTable(t)
	for i := range 20 {
		in := desk.take(desk.alert(event.KindTamper, fmt.Sprint(i), 0, at(fmt.Sprint(i), 54.5+float64(i)/10, 2)))[0]
		desk.shut(in.ID)
	}
	desk.wait(keepFor + time.Second)
	if _, err := desk.save(); err != nil {
		t.Fatal(err)
	}
	b := desk.book
	if len(b.incidents)+len(b.alerts)+len(b.byCause)+len(b.byPlace)+len(b.byCell)+len(b.open) != 0 {
		t.Errorf("left: %d incidents, %d alerts, %d causes, %d places, %d cells, %d open", len(b.incidents), len(b.alerts), len(b.byCause), len(b.byPlace), len(b.byCell), len(b.open))
	}
}
