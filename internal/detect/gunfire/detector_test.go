package gunfire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

var (
	night = time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)
	town  = place.Point{Lat: 54.5, Lon: 2.5}
)

// shot makes a report, some metres north and east of the town, in the nth zone.
func shot(id string, after time.Duration, north, east float64, zone int) *event.Observation {
	at := place.NewProjection(town).Inverse(east, north)
	return &event.Observation{
		ID: event.NewID("test", id), Kind: event.KindGunshot, Source: "gunshot", Device: "array", Place: &at,
		Time: night.Add(after), Received: night.Add(after + time.Second),
		Gunshot: &event.Gunshot{Number: id, Zone: fmt.Sprint("zone ", zone), Rounds: "single", Accuracy: 25},
	}
}

// tally returns the newest alert of each cause, in the order of the causes.
func tally(as []event.Alert) (out []event.Alert) {
	for _, a := range as {
		if i := slices.IndexFunc(out, func(b event.Alert) bool { return a.Cause == b.Cause }); i >= 0 {
			out[i] = a
		} else {
			out = append(out, a)
		}
	}
	return out
}

func play(os ...*event.Observation) (as []event.Alert) {
	run := detect.NewRun(New(Default()))
	for _, o := range os {
		as = append(as, run.Observe(o)...)
	}
	return append(as, run.Finish()...)
}

func TestBursts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shots []*event.Observation
		want  []int // reports of each cause
	}{
		{"one report", []*event.Observation{shot("a", 0, 0, 0, 1)}, []int{1}},
		{"shot by shot", []*event.Observation{shot("a", 0, 0, 0, 1), shot("b", time.Second, 20, 0, 1), shot("c", time.Minute, 0, 90, 1)}, []int{3}},
		{"two zones hear one shot", []*event.Observation{shot("a", 0, 0, 0, 1), shot("b", 0, 240, 0, 2)}, []int{2}},
		{"a kilometre apart", []*event.Observation{shot("a", 0, 0, 0, 1), shot("b", 0, 1000, 0, 1)}, []int{1, 1}},
		{"half an hour apart", []*event.Observation{shot("a", 0, 0, 0, 1), shot("b", 30*time.Minute, 0, 0, 1)}, []int{1, 1}},
		{"on and on", []*event.Observation{shot("a", 0, 0, 0, 1), shot("b", 9*time.Minute, 0, 0, 1), shot("c", 18*time.Minute, 0, 0, 1)}, []int{3}},
		{"creeping along a road ends", []*event.Observation{shot("a", 0, 0, 0, 1), shot("b", 0, 200, 0, 1), shot("c", 0, 400, 0, 1), shot("d", 0, 600, 0, 1)}, []int{3, 1}},
		{"the same report again", []*event.Observation{shot("a", 0, 0, 0, 1), shot("a", 0, 0, 0, 1)}, []int{1}},
		{"the nearer burst", []*event.Observation{shot("a", 0, 0, 0, 1), shot("b", 0, 400, 0, 1), shot("c", 0, 220, 0, 1)}, []int{1, 2}},
		{"late and out of order", []*event.Observation{shot("a", 5*time.Minute, 0, 0, 1), shot("b", 0, 0, 0, 1)}, []int{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			for _, a := range tally(play(tt.shots...)) {
				got = append(got, a.Total)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("causes of %v reports, want %v", got, tt.want)
			}
		})
	}
}

func TestAlertGrowsAndExplains(t *testing.T) {
	b := shot("b", time.Second, 150, 0, 2)
	b.Gunshot.Rounds, b.Gunshot.Count = "multiple", 5
	as := play(shot("a", 0, 0, 0, 1), b)
	if len(as) != 2 {
		t.Fatalf("%d alerts", len(as))
	}
	first, second := as[0], as[1]
	if first.Kind != event.KindGunfire || first.Revision != 0 || second.Revision != 1 || second.Cause != first.Cause || second.Score <= first.Score {
		t.Errorf("%+v\n%+v", first, second)
	}
	if second.Place == nil || second.Subject != "gunfire near 54.500, 2.500 at 22:00 UTC on 2 March 2026" || len(second.Observations) != 2 {
		t.Errorf("%+v", second)
	}
	want := "Gunshot sensors reported up to 5 rounds at 54.50000, 2.50000, 22:00 UTC on 2 March 2026 (the position is true to about 25 m). 2 reports agree, at most 150 m apart from the first. 2 zones of sensors heard it: zone 1, zone 2."
	if second.Reason != want {
		t.Errorf("%s\nwant %s", second.Reason, want)
	}
}

// A night of fireworks is told in few causes, of low score, and says so.
func TestCelebrationIsBounded(t *testing.T) {
	var os []*event.Observation
	for i := range 2000 {
		os = append(os, shot(fmt.Sprint(i), time.Duration(i)*2*time.Second, float64(i*7919%8000), float64(i*104729%8000), 1))
	}
	as := play(os...)
	causes, total, calm := tally(as), 0, 0
	for _, a := range causes {
		total += a.Total
		if a.Clause != clauseFlood {
			calm++
		} else if a.Score > Default().FloodScore || !strings.Contains(a.Reason, "celebration") {
			t.Errorf("%v %s", a.Score, a.Reason)
		}
	}
	if total != 2000 || len(causes) > 60 || calm > Default().FloodBursts || len(as) > 600 {
		t.Errorf("%d reports in %d causes, %d of them as if calm, %d alerts", total, len(causes), calm, len(as))
	}
}

func TestStateIsBounded(t *testing.T) {
	d := New(Policy{Quiet: time.Hour, Reach: 10, Spread: 10, FloodBursts: 1 << 30, FloodWithin: time.Hour, FloodSquare: 1000})
	said := map[string]int{}
	for i := range maxCauses + 1000 {
		for _, a := range d.Observe(shot(fmt.Sprint(i), time.Duration(i)*time.Millisecond, float64(i*30), 0, i)) {
			said[a.Cause] = a.Total
		}
	}
	if len(d.bursts) > maxBursts || len(d.causes) > maxCauses || len(d.starts) > maxStarts || len(said) != maxCauses+1000 {
		t.Errorf("%d bursts, %d causes, %d starts, %d told", len(d.bursts), len(d.causes), len(d.starts), len(said))
	}
	state, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d causes are saved in %d bytes", len(d.causes), len(state))
}

// However many reports each burst has, the saved state stays small.
func TestManyReportsAreBounded(t *testing.T) {
	p := Default()
	p.FloodBursts = 1 << 30
	d := New(p)
	for i := range 60_000 {
		d.Observe(shot(fmt.Sprint(i), time.Duration(i)*time.Millisecond, float64(i%1000)*1000, 0, i))
	}
	kept := 0
	for _, c := range d.causes {
		kept += len(c.Refs)
	}
	state, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d causes with %d references are saved in %d bytes", len(d.causes), kept, len(state))
	if kept != len(d.refs) || kept > maxKept+maxCauses*fewRefs || len(state) > 12<<20 {
		t.Errorf("%d kept, %d known, %d bytes", kept, len(d.refs), len(state))
	}
}

// The clock of one sensor does not hide a celebration.
func TestClockAheadDoesNotBlind(t *testing.T) {
	d := New(Default())
	wrong := shot("wrong", 1000*time.Hour, 0, 0, 1)
	wrong.Received = night
	d.Observe(wrong)
	for i := range 20 {
		d.Observe(shot(fmt.Sprint(i), time.Minute, float64(i*1000), 0, 1))
	}
	if !d.flood {
		t.Error("no celebration was noticed")
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	d := New(Default())
	for i := range 20 {
		d.Observe(shot(fmt.Sprint(i), 0, float64(i*600), 0, 1))
	}
	state, err := d.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state)
	f.Add([]byte(`{"bursts":[{"cause":"x"}],"causes":[{"name":"x"}]}`))
	f.Add([]byte(`{"causes":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := New(Default())
		if d.UnmarshalBinary(data) != nil {
			if len(d.causes)+len(d.bursts)+len(d.starts) != 0 {
				t.Fatal("a state that cannot be read was taken in part")
			}
			return
		}
		for i := range 20 {
			d.Observe(shot(fmt.Sprint(i), time.Duration(i)*time.Minute, float64(i*100), 0, 1))
		}
		d.Advance(night.Add(time.Hour))
		if _, err := d.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	for _, open := range []int{10, 1000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			p := Default()
			p.FloodBursts = 1 << 30
			d := New(p)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				o := shot("x", time.Duration(i)*10*time.Minute/time.Duration(open), float64(i%open)*1000, 0, 1)
				o.ID = event.ID(fmt.Sprint(i))
				d.Observe(o)
				d.Advance(o.Received)
				i++
			}
		})
	}
}

func text(tb interface{ Fatal(...any) }, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}
