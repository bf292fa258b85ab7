package gunfire

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// reports draws some: bunched in time and place, now and then late, or twice.
func reports(t *rapid.T) (out []*event.Observation) {
	var now time.Duration
	for i := range rapid.IntRange(1, 80).Draw(t, "reports") {
		now += rapid.SampledFrom([]time.Duration{0, 0, time.Second, time.Minute, 8 * time.Minute, time.Hour}).Draw(t, "step")
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 0 {
			twice := *out[len(out)-1] // a sender that had no answer tries again soon
			if at := night.Add(now); at.Sub(twice.Received) < 5*time.Minute {
				twice.Received = at.Add(time.Second)
				out = append(out, &twice)
			}
			continue
		}
		o := shot(fmt.Sprint(i), now, float64(rapid.IntRange(0, 20).Draw(t, "north"))*200, float64(rapid.IntRange(0, 3).Draw(t, "east"))*200, i%3)
		o.Time = o.Time.Add(-rapid.SampledFrom([]time.Duration{0, 0, 0, time.Minute, 20 * time.Minute}).Draw(t, "late"))
		out = append(out, o)
	}
	return out
}

func policies(t *rapid.T) Policy {
	p := Default()
	p.FloodBursts = rapid.SampledFrom([]int{3, 12, 1000}).Draw(t, "flood from")
	return p
}

// A detector that is saved and taken up again at any point goes on as if nothing
// had been.
func TestSavedAndTakenUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policies(t)
		plain, saved := New(p), New(p)
		for _, o := range reports(t) {
			if rapid.IntRange(0, 4).Draw(t, "save") == 0 {
				data, err := saved.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				saved = New(p)
				if err := saved.UnmarshalBinary(data); err != nil {
					t.Fatal(err)
				}
			}
			mark := o.Received.Add(-detect.Lateness)
			want := append(plain.Observe(o), plain.Advance(mark)...)
			got := append(saved.Observe(o), saved.Advance(mark)...)
			if text(t, got) != text(t, want) || len(plain.refs) != len(saved.refs) {
				t.Fatalf("got  %s\nwant %s", text(t, got), text(t, want))
			}
		}
	})
}

// No report is lost or counted twice; ids are each alert's own and revisions
// follow one another.
func TestAlertsAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := detect.NewRun(New(policies(t)))
		ids, totals, revisions, distinct := map[event.ID]bool{}, map[string]int{}, map[string]int{}, map[event.ID]bool{}
		check := func(as []event.Alert) {
			for _, a := range as {
				if ids[a.ID] {
					t.Fatalf("alert %s twice", a.ID)
				}
				ids[a.ID] = true
				if a.Revision != revisions[a.Cause] {
					t.Fatalf("revision %d of %s, want %d", a.Revision, a.Cause, revisions[a.Cause])
				}
				revisions[a.Cause]++
				if a.Total < totals[a.Cause] || a.End.Before(a.Start) || a.Score <= 0 || a.Score > 1 || a.Place == nil || a.Reason == "" || len(a.Observations) == 0 {
					t.Fatalf("unsound alert %+v", a)
				}
				totals[a.Cause] = a.Total
			}
		}
		for _, o := range reports(t) {
			distinct[o.ID] = true
			check(run.Observe(o))
		}
		check(run.Finish())
		sum := 0
		for _, n := range totals {
			sum += n
		}
		if sum != len(distinct) {
			t.Fatalf("%d reports told of, %d were made", sum, len(distinct))
		}
	})
}
