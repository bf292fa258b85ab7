package alarm

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// history draws what some accounts signalled: bunched in time, now and then
// late, or delivered twice.
func history(t *rapid.T, accounts int) []*event.Observation {
	codes := []string{"BA", "BA", "BA", "BV", "BR", "HA", "HA", "HR", "HV", "TA", "TR", "FA", "FR", "OP", "CL", "SILENT", "RETURNED", "RP"}
	n := rapid.IntRange(1, 60).Draw(t, "observations")
	var out []*event.Observation
	var now time.Duration
	sent := map[event.ID]time.Time{}
	for i := range n {
		now += rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 5 * time.Minute, 50 * time.Minute, 9 * time.Hour}).Draw(t, "step")
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 0 {
			twice := *out[rapid.IntRange(max(0, len(out)-3), len(out)-1).Draw(t, "which")]
			if sent[twice.ID].After(noon.Add(now - 10*time.Minute)) { // a sender that had no answer tries again soon
				twice.Received = noon.Add(now)
				out = append(out, &twice)
				continue
			}
		}
		late := rapid.SampledFrom([]time.Duration{0, 0, 0, 10 * time.Second, 20 * time.Minute, 30 * time.Hour}).Draw(t, "late")
		line := fmt.Sprintf("%s %s/%s account=%d late=%s id=%d", now, rapid.SampledFrom(codes).Draw(t, "code"),
			rapid.SampledFrom([]string{"", "1", "2", "3", "8", "21", "22"}).Draw(t, "zone"), rapid.IntRange(1, accounts).Draw(t, "account"), late, i)
		o := observe(t, line)
		sent[o.ID] = o.Received
		out = append(out, o)
	}
	return out
}

func text(tb rapid.TB, v any) string {
	tb.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// A detector that is saved and taken up again at any point goes on as if nothing
// had been.
func TestSavedAndTakenUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, saved := New(Default()), New(Default())
		for _, o := range history(t, 2) {
			if rapid.IntRange(0, 9).Draw(t, "save") == 0 {
				data, err := saved.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				saved = New(Default())
				if err := saved.UnmarshalBinary(data); err != nil {
					t.Fatal(err)
				}
			}
			mark := o.Received.Add(-detect.Lateness)
			want := append(plain.Observe(o), plain.Advance(mark)...)
			got := append(saved.Observe(o), saved.Advance(mark)...)
			if text(t, got) != text(t, want) {
				t.Fatalf("after %s:\ngot  %s\nwant %s", o.ID, text(t, got), text(t, want))
			}
			if plain.kept != saved.kept {
				t.Fatalf("the bound counts %d, after loading %d", plain.kept, saved.kept)
			}
		}
	})
}

// Every alert has an id of its own, its revisions follow one another, its
// observations are real ones, and a signal that is delivered again raises nothing
// new.
func TestAlertsAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := New(Default())
		ids, revisions, seen := map[event.ID]bool{}, map[string]int{}, map[event.ID]bool{}
		for _, o := range history(t, 2) {
			again := seen[o.ID]
			seen[o.ID] = true
			out := d.Observe(o)
			if again && len(out) == 1 && ids[out[0].ID] {
				continue // its condition is long forgotten: the same alert, which everyone knows
			}
			if again && len(out) > 0 && out[0].Kind != event.KindRestored && out[0].Kind != event.KindDeviceReturned {
				t.Fatalf("delivered again: %s", out[0].Reason)
			}
			out = append(out, d.Advance(o.Received.Add(-detect.Lateness))...)
			for _, a := range out {
				if ids[a.ID] {
					t.Fatalf("alert %s twice: %s", a.ID, a.Reason)
				}
				ids[a.ID] = true
				if next := revisions[a.Cause]; a.Revision != next {
					t.Fatalf("revision %d of %s, want %d", a.Revision, a.Cause, next)
				}
				revisions[a.Cause]++
				if len(a.Observations) == 0 || a.Total < len(a.Observations) || a.End.Before(a.Start) || a.Reason == "" || a.Clause == "" {
					t.Fatalf("unsound alert %+v", a)
				}
				for _, r := range a.Observations {
					if !seen[r.ID] {
						t.Fatalf("alert %s lists %s, which nobody sent", a.ID, r.ID)
					}
				}
			}
		}
	})
}

// What one account signals has nothing to do with what another does: mixed in
// any way, the alerts are the same.
func TestAccountsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t, 3)
		mixed := slices.Clone(all)
		for i := range mixed { // swap neighbours of different accounts, in no particular order
			if j := rapid.IntRange(0, len(mixed)-1).Draw(t, "swap"); j+1 < len(mixed) && mixed[j].Device != mixed[j+1].Device {
				mixed[j], mixed[j+1] = mixed[j+1], mixed[j]
			}
			_ = i
		}
		run := func(os []*event.Observation) []string {
			d := New(Default())
			var out []string
			for _, o := range os {
				for _, a := range d.Observe(o) {
					out = append(out, text(t, a))
				}
			}
			sort.Strings(out)
			return out
		}
		if got, want := run(mixed), run(all); !slices.Equal(got, want) {
			t.Fatalf("got\n%q\nwant\n%q", got, want)
		}
	})
}

// A panel that stutters raises few alerts, whatever it stutters.
func TestStutterIsQuiet(t *testing.T) {
	for _, pattern := range [][]string{{"BA/1"}, {"BA/1", "BR/1"}, {"TA/1", "TR/1"}, {"HA/21", "HA/21", "HR"}, {"BA", "BA/1", "BR"}, {"FA/1", "FR"}} {
		d := New(Default())
		alerts := 0
		for i := range 2000 {
			o := observe(t, fmt.Sprintf("%s %s id=%d", time.Duration(i)*time.Second, pattern[i%len(pattern)], i))
			alerts += len(d.Observe(o))
		}
		if alerts > 60 {
			t.Errorf("%v: %d alerts", pattern, alerts)
		}
		for _, c := range d.known {
			if len(c.Refs) > maxRefs || len(c.Zones) > maxZones {
				t.Errorf("%v: %d references, %d zones", pattern, len(c.Refs), len(c.Zones))
			}
		}
	}
}
