package misuse

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func observe(device, what string, count int, at time.Duration) *event.Observation {
	return &event.Observation{
		ID: event.NewID("test", device, what, fmt.Sprint(count, at)), Kind: event.KindMisuse, Source: "mqtt", Device: device,
		Time: noon.Add(at), Received: noon.Add(at), Premises: "home-1", PremisesName: "1 Quay Street",
		Misuse: &event.Misuse{What: what, Detail: "It did so.", Count: count, From: "192.0.2.7"},
	}
}

// What the detector says, in words and in full.
func TestGolden(t *testing.T) {
	d := New()
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	for i, what := range []string{event.MisuseTopic, event.MisuseCredential, event.MisuseFlood, event.MisuseSize, event.MisuseReplay, "something new"} {
		for _, count := range []int{1, 12} {
			for _, a := range d.Observe(observe("hub-1", what, count, time.Duration(i+count)*time.Minute)) {
				if err := enc.Encode(a); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	const golden = "testdata/alerts.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("got\n%s", out.String())
	}
}

func TestRevisionsGrowByTens(t *testing.T) {
	d := New()
	var at []int
	for n := 1; n <= 2500; n++ {
		for _, a := range d.Observe(observe("hub-1", event.MisuseTopic, n, time.Duration(n)*time.Second)) {
			if a.Revision != len(at) || a.Cause == "" || a.Total != n {
				t.Errorf("at %d: %+v", n, a)
			}
			at = append(at, n)
		}
	}
	if fmt.Sprint(at) != "[1 10 100 1000]" {
		t.Errorf("alerts at %v", at)
	}
}

func TestACounterThatBeginsAnewAddsUp(t *testing.T) {
	d := New()
	n := 0
	for i := range 20 { // ten restarts, each time one and two
		n += len(d.Observe(observe("hub-1", event.MisuseTopic, 1+i%2, time.Duration(i)*time.Minute)))
	}
	if n != 2 { // 1, then 20 in sum
		t.Errorf("%d alerts", n)
	}
}

func TestQuietEndsACause(t *testing.T) {
	d := New()
	first := d.Observe(observe("hub-1", event.MisuseFlood, 1, 0))
	if len(d.Observe(observe("hub-1", event.MisuseFlood, 2, 59*time.Minute))) != 0 {
		t.Error("told again")
	}
	second := d.Observe(observe("hub-1", event.MisuseFlood, 1, 3*time.Hour))
	if len(first) != 1 || len(second) != 1 || first[0].Cause == second[0].Cause || second[0].Revision != 0 {
		t.Errorf("%+v\n%+v", first, second)
	}
	d.Advance(noon.Add(10 * time.Hour))
	if len(d.known) != 0 || len(d.due) != 0 {
		t.Errorf("still known: %v", d.known)
	}
}

func TestTheStateIsBounded(t *testing.T) {
	d := New()
	for i := range maxCauses + 100 {
		d.Observe(observe(fmt.Sprint("hub-", i), event.MisuseTopic, 1, time.Duration(i)*time.Millisecond))
	}
	if len(d.known) != maxCauses || len(d.due) != maxCauses {
		t.Errorf("%d known, %d due", len(d.known), len(d.due))
	}
	o := observe("hub-x", event.MisuseTopic, 5, time.Hour)
	for i := range 1000 {
		o.ID, o.Misuse.Count = event.NewID("x", fmt.Sprint(i)), 1+i%3
		d.Observe(o)
	}
	c := d.known[key{"hub-x", event.MisuseTopic}]
	if len(c.Refs) > maxRefs || len(c.Tallies) > maxTallies {
		t.Errorf("%d refs, %d tallies", len(c.Refs), len(c.Tallies))
	}
}

func TestOthersAreLeftAlone(t *testing.T) {
	d := New()
	for _, o := range []event.Observation{{Kind: event.KindAlarm}, {Kind: event.KindMisuse}, {Kind: event.KindMisuse, Misuse: &event.Misuse{}}} {
		if as := d.Observe(&o); len(as) != 0 {
			t.Errorf("%+v: %+v", o, as)
		}
	}
	for _, bad := range []string{"", "{", `{"causes":[null]}`, `{"causes":[{"device":"a"},{"device":"a"}]}`} {
		if err := d.UnmarshalBinary([]byte(bad)); err == nil {
			t.Errorf("took up %q", bad)
		}
	}
}

// A detector that is saved and taken up again at any point goes on as if nothing
// had been; alerts have ids of their own and revisions that follow one another.
func TestSavedAndTakenUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, saved := New(), New()
		ids, revisions := map[event.ID]bool{}, map[string]int{}
		var now time.Duration
		var last *event.Observation
		for i := range rapid.IntRange(1, 60).Draw(t, "observations") {
			now += rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 50 * time.Minute, 2 * time.Hour}).Draw(t, "step")
			o := observe(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "device"), rapid.SampledFrom([]string{event.MisuseTopic, event.MisuseReplay}).Draw(t, "what"),
				rapid.SampledFrom([]int{0, 1, 2, 9, 10, 11, 500}).Draw(t, "count"), now)
			o.ID = event.NewID("test", fmt.Sprint(i))
			if last != nil && rapid.IntRange(0, 9).Draw(t, "again") == 0 {
				o = last
			}
			again := o == last
			last = o
			if rapid.IntRange(0, 5).Draw(t, "save") == 0 {
				data, err := saved.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				saved = New()
				if err := saved.UnmarshalBinary(data); err != nil {
					t.Fatal(err)
				}
			}
			mark := o.Received.Add(-detect.Lateness)
			want := append(plain.Observe(o), plain.Advance(mark)...)
			got := append(saved.Observe(o), saved.Advance(mark)...)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("got  %+v\nwant %+v", got, want)
			}
			if again && len(got) > 0 {
				t.Fatalf("the same observation again: %+v", got)
			}
			for _, a := range got {
				if ids[a.ID] || a.Revision != revisions[a.Cause] || a.Reason == "" || a.Advice == "" || a.Clause == "" || len(a.Observations) == 0 || a.Total < 1 {
					t.Fatalf("unsound: %+v", a)
				}
				ids[a.ID] = true
				revisions[a.Cause]++
			}
		}
	})
}
