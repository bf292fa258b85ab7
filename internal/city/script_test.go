package city

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/dc09"
	"pgregory.net/rapid"
)

// monday is a Monday in spring, nine in the morning.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func take[T any](seq iter.Seq[T], n int) []T {
	var out []T
	for x := range seq {
		if out = append(out, x); len(out) == n {
			break
		}
	}
	return out
}

// until returns what happens in a span from the start.
func until(seq iter.Seq[Signal], end time.Time) []Signal {
	var out []Signal
	for x := range seq {
		if !x.At.Before(end) {
			break
		}
		out = append(out, x)
	}
	return out
}

func hashOf(signals []Signal) string {
	h := sha256.New()
	for _, s := range signals {
		fmt.Fprintln(h, s.At.Format(time.RFC3339Nano), s.Panel, s.Premises, s.Story, s.Frame.Token, s.Frame.Data, s.Alarm.Category, s.Alarm.State)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12])
}

func TestSameSeedSameScript(t *testing.T) {
	first := hashOf(take(skarrow().Script(monday, Busy()), 10000))
	if second := hashOf(take(again().Script(monday, Busy()), 10000)); second != first {
		t.Errorf("one seed told two stories: %s and %s", first, second)
	}
	if other := hashOf(take(elsewhere().Script(monday, Busy()), 10000)); other == first {
		t.Error("two seeds told one story")
	}
	const golden = "ef4fe6d782dc79df485529dc"
	// Elsewhere the compiler may fuse multiplications and additions, which moves
	// houses by a hair and so may change who lives in them.
	if runtime.GOARCH == "amd64" && first != golden {
		t.Errorf("the first 10,000 signals of seed 1 have changed: hash %s, was %s; if that was meant, change it here", first, golden)
	}
}

func TestScriptsOfOneDayAgree(t *testing.T) {
	later := monday.Add(5 * time.Hour)
	end := later.Add(12 * time.Hour)
	a := until(skarrow().Script(monday, Everyday()), end)
	for len(a) > 0 && a[0].At.Before(later) {
		a = a[1:]
	}
	if b := until(skarrow().Script(later, Everyday()), end); hashOf(a) != hashOf(b) {
		t.Errorf("a script that begins later tells of another day: %d and %d signals", len(a), len(b))
	}
}

func TestCountsAreCredible(t *testing.T) {
	const days = 7
	for _, c := range []struct {
		sc        Scenario
		low, high int // stories a day
	}{
		{Everyday(), 6, 18},
		{Busy(), 50, 100},
	} {
		t.Run(c.sc.Name, func(t *testing.T) {
			told, kinds := map[string]bool{}, map[event.AlarmCategory]int{}
			links := 0
			for _, s := range until(skarrow().Script(monday, c.sc), monday.AddDate(0, 0, days)) {
				if s.Story != "" {
					told[s.Story] = true
				}
				if s.Frame.Token == dc09.TokenNull {
					links++
				} else {
					kinds[s.Alarm.Category]++
				}
			}
			if n := len(told) / days; n < c.low || n > c.high {
				t.Errorf("%d stories a day, want %d to %d", n, c.low, c.high)
			}
			panels := len(skarrow().panels)
			if n := kinds[event.Test] / days; n < panels-2 || n > panels+2 {
				t.Errorf("%d daily tests of %d panels", n, panels)
			}
			if n := kinds[event.OpenClose] / days; n < 300 || n > 1500 {
				t.Errorf("%d openings and closings a day", n)
			}
			if n := links / days; n < 15000 || n > 60000 {
				t.Errorf("%d link tests a day", n)
			}
			t.Logf("per day: %d stories, %d link tests, by category over %d days %v", len(told)/days, links/days, days, kinds)
		})
	}
}

// A demonstration may start at any hour of any day: the first half hour always
// holds what the visitor came for.
func TestOpeningAlwaysShowsSomething(t *testing.T) {
	for hour := range 7 * 24 {
		from := monday.Add(time.Duration(hour)*time.Hour + 13*time.Minute)
		first, burglary := time.Duration(0), time.Duration(0)
		told := map[string]bool{}
		for _, s := range skarrow().opening(from, Busy()).signals {
			after := s.At.Sub(from)
			told[strings.SplitN(s.Story, "/", 2)[0]] = true
			if s.Alarm.Category == event.Burglary && s.Alarm.State == event.AlarmNew && (first == 0 || after < first) {
				first = after
			}
			if strings.HasPrefix(s.Story, string(Burglary)+"/") && (burglary == 0 || after < burglary) {
				burglary = after
			}
		}
		if first == 0 || first > 10*time.Minute || burglary == 0 || burglary > 10*time.Minute {
			t.Errorf("from %s: first activation after %v, burglary after %v", from.Format(time.RFC3339), first, burglary)
		}
		if len(told) < 5 || !told[string(OneCauseTwice)] {
			t.Errorf("from %s only %v", from.Format(time.RFC3339), told)
		}
	}
}

func TestFramesSayWhatHappened(t *testing.T) {
	for _, s := range take(skarrow().Script(monday, Busy()), 12000) {
		frame := s.Frame
		frame.Encrypted = false
		frame.Sequence = 1
		wire, err := dc09.Encode(nil, &frame, nil, nil)
		if err != nil {
			t.Fatalf("%+v: %v", s.Frame, err)
		}
		back, err := dc09.Parse(wire)
		if err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		signals, err := back.Signals()
		if err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		if s.Frame.Token == dc09.TokenNull {
			continue
		}
		if len(signals) != 1 {
			t.Fatalf("%q holds %d signals", wire, len(signals))
		}
		got := signals[0]
		if got.Category == dc09.Unknown || got.Code != s.Alarm.Code || got.Zone != s.Alarm.Zone && s.Alarm.Zone != "" || got.User != s.Alarm.User && s.Alarm.User != "" {
			t.Fatalf("%q reads as %+v, meant %+v", wire, got, s.Alarm)
		}
		if restored := got.Qualifier == dc09.Restore; restored != (s.Alarm.State == event.AlarmRestored && s.Alarm.Category != event.OpenClose) {
			t.Fatalf("%q reads as %s, meant %s", wire, got.Qualifier, s.Alarm.State)
		}
	}
}

// fewerChecks is for properties of which each check plays days: fewer do, unless
// somebody asks for more.
func fewerChecks(t *testing.T) {
	t.Helper()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := flag.Set("rapid.checks", "20"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestScriptProperties(t *testing.T) {
	fewerChecks(t)
	rapid.Check(t, func(t *rapid.T) {
		from := monday.Add(time.Duration(rapid.Int64Range(0, 300*24*3600).Draw(t, "from")) * time.Second)
		sc := rapid.SampledFrom([]Scenario{Everyday(), Busy()}).Draw(t, "scenario")
		end := from.Add(20 * time.Hour)
		signals := until(skarrow().Script(from, sc), end)
		last := from
		for _, s := range signals {
			if s.At.Before(last) {
				t.Fatalf("%v after %v", s.At, last)
			}
			last = s.At
		}
		checkStories(t, signals, end)
	})
}

// checkStories holds that what begins also ends, and that a burglary confirms.
func checkStories(t *rapid.T, signals []Signal, end time.Time) {
	type condition struct{ story, panel, zone string }
	open := map[condition]time.Time{}
	zones := map[string]map[string]bool{}
	begun := map[string]time.Time{}
	for _, s := range signals {
		if s.Story == "" || s.Alarm.Category == event.OpenClose {
			continue
		}
		if _, ok := begun[s.Story]; !ok {
			begun[s.Story] = s.At
			zones[s.Story] = map[string]bool{}
		}
		k := condition{s.Story, s.Panel, s.Alarm.Zone}
		switch s.Alarm.State {
		case event.AlarmNew:
			open[k] = s.At
			if s.Alarm.Category == event.Burglary {
				zones[s.Story][s.Panel+"/"+s.Alarm.Zone] = true
			}
		case event.AlarmRestored:
			delete(open, k)
		}
	}
	for k, at := range open {
		if at.Before(end.Add(-11 * time.Hour)) {
			t.Fatalf("%v began at %v and never ended", k, at)
		}
	}
	for story, seen := range zones {
		kind, _, _ := strings.Cut(story, "/")
		whole := begun[story].Before(end.Add(-time.Hour)) && begun[story].After(signals[0].At.Add(time.Hour))
		if (Story(kind) == Burglary || Story(kind) == LineCut || Story(kind) == OneCauseTwice) && whole && len(seen) < 2 {
			t.Fatalf("%s tripped %v: nothing to confirm it", story, seen)
		}
		if (Story(kind) == Spider || Story(kind) == Attempt || Story(kind) == RestlessSignal) && len(seen) > 1 {
			t.Fatalf("%s tripped %v: it should not confirm", story, seen)
		}
	}
}

// Before a burglary with a cut line the panel falls silent for longer than its
// class allows.
func TestLineCutIsSilent(t *testing.T) {
	sc := Everyday()
	sc.PerDay = map[Story]float64{LineCut: 6}
	heard := map[string]time.Time{}
	cut := 0
	for _, s := range until(skarrow().Script(monday, sc), monday.AddDate(0, 0, 4)) {
		if strings.HasPrefix(s.Story, string(LineCut)) && s.Alarm.Category == event.Comms && s.Alarm.State == event.AlarmNew {
			cut++
			if gap := s.At.Sub(heard[s.Panel]); gap < 4*time.Minute || gap > 11*time.Minute {
				t.Errorf("%s: heard %v before", s.Story, gap)
			}
		}
		heard[s.Panel] = s.At
	}
	if cut < 5 {
		t.Errorf("%d cut lines in 4 days", cut)
	}
}

func BenchmarkScriptDay(b *testing.B) {
	town, sc := skarrow(), Busy()
	for b.Loop() {
		town.day(midnight(monday), sc)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(1)
	}
}
