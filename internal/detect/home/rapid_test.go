package home

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// history draws what two homes may say.
func history(t *rapid.T) []*event.Observation {
	var out []*event.Observation
	at := 0
	for i := range rapid.IntRange(1, 60).Draw(t, "length") {
		at += rapid.SampledFrom([]int{1, 20, 70, 400, 900}).Draw(t, "seconds")
		what := rapid.SampledFrom([]string{"smoke", "panic", "tamper", "water", "armed", "disarmed", "gone", "present", "tick"}).Draw(t, "what")
		hub := rapid.SampledFrom([]string{"hub-7", "hub-8"}).Draw(t, "hub")
		line := fmt.Sprintf("%ds %s %s hub=%s device=%s%s sensor=%s late=%ds id=%d", at, what,
			rapid.SampledFrom([]string{"+", "-"}).Draw(t, "state"), hub, hub, rapid.SampledFrom([]string{"", "/panel", "/zigbee2mqtt", "/x"}).Draw(t, "child"),
			rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "sensor"), rapid.SampledFrom([]int{0, 0, 0, 100}).Draw(t, "late"), i)
		out = append(out, observe(t, line))
		if rapid.IntRange(0, 9).Draw(t, "again") == 0 {
			again := *out[rapid.IntRange(0, len(out)-1).Draw(t, "which")]
			again.Received = noon.Add(time.Duration(at) * time.Second)
			out = append(out, &again)
		}
	}
	return out
}

func text(t *rapid.T, as []event.Alert) string {
	data, err := json.Marshal(as)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A detector that takes up the state of another goes on exactly as it would.
func TestStateIsTakenUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, saved := New(), New()
		for _, o := range history(t) {
			if rapid.IntRange(0, 4).Draw(t, "save") == 0 {
				data, err := saved.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				saved = New()
				if err := saved.UnmarshalBinary(data); err != nil {
					t.Fatal(err)
				}
				again, err := saved.MarshalBinary()
				if err != nil || !bytes.Equal(again, data) {
					t.Fatalf("saved again: %s\nwas %s", again, data)
				}
			}
			mark := o.Received.Add(-detect.Lateness)
			want := append(plain.Observe(o), plain.Advance(mark)...)
			got := append(saved.Observe(o), saved.Advance(mark)...)
			if text(t, got) != text(t, want) {
				t.Fatalf("after %s:\ngot  %s\nwant %s", o.ID, text(t, got), text(t, want))
			}
		}
	})
}

// Every alert is another, its revisions follow one another, what it lists was
// said, an end follows a beginning, and what is there for long has been told.
func TestAlertsAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := detect.NewRun(New())
		ids, next, over, seen := map[event.ID]bool{}, map[string]int{}, map[string]bool{}, map[event.ID]bool{}
		check := func(as []event.Alert) {
			for _, a := range as {
				if ids[a.ID] && a.Revision == 0 {
					continue // long forgotten and sent again: the alert that everyone knows
				}
				end := a.Kind == event.KindRestored || a.Kind == event.KindDeviceReturned
				switch {
				case ids[a.ID]:
					t.Fatalf("again: %s", a.Reason)
				case a.Revision != next[a.Cause]:
					t.Fatalf("revision %d of %s, want %d", a.Revision, a.Cause, next[a.Cause])
				case end && (a.Revision == 0 || over[a.Cause]):
					t.Fatalf("it ends and had not begun: %s", a.Reason)
				case len(a.Observations) == 0 || len(a.Observations) > maxRefs || a.Total < len(a.Observations) || a.End.Before(a.Start) || a.Reason == "":
					t.Fatalf("unsound: %+v", a)
				}
				ids[a.ID], over[a.Cause] = true, end
				next[a.Cause]++
				for _, r := range a.Observations {
					if !seen[r.ID] {
						t.Fatalf("it lists what nobody said: %+v", a)
					}
				}
			}
		}
		for _, o := range history(t) {
			seen[o.ID] = true
			check(run.Observe(o))
		}
		check(run.Finish())
	})
}

// What lasts is told, however it began: a sensor that fluttered and then stays
// active raises an alert that stands.
func TestWhatStaysIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := detect.NewRun(New())
		told := false
		take := func(as []event.Alert) {
			for _, a := range as {
				told = a.Kind == event.KindFire
			}
		}
		flutters := rapid.IntRange(0, 40).Draw(t, "flutters")
		for i := range 2*flutters + 1 {
			sign := "+"
			if i%2 == 1 {
				sign = "-"
			}
			take(run.Observe(observe(t, fmt.Sprintf("%ds smoke %s", 5*i, sign))))
		}
		take(run.Observe(observe(t, fmt.Sprintf("%ds tick", 5*2*flutters+120))))
		if !told {
			t.Fatalf("smoke after %d flutters is not told", flutters)
		}
	})
}

func TestFlutterIsQuiet(t *testing.T) {
	for _, what := range []string{"smoke", "panic", "tamper"} {
		run := detect.NewRun(New())
		alerts := 0
		for i := range 4000 {
			sign := "+"
			if i%2 == 1 {
				sign = "-"
			}
			alerts += len(run.Observe(observe(t, fmt.Sprintf("%ds %s %s", i, what, sign))))
		}
		if alerts > 30 {
			t.Errorf("%s: %d alerts", what, alerts)
		}
	}
}

// largestState is well below what one value of the log may hold (31 MiB), with
// room for other detectors beside it.
const largestState = 12 << 20

func TestStateIsBounded(t *testing.T) {
	d := New()
	for i := range maxConditions + 2000 {
		o := observe(t, "0s smoke + sensor="+strconv.Itoa(i))
		o.Time = o.Time.Add(time.Duration(i) * time.Millisecond)
		if len(d.Observe(o)) != 1 {
			t.Fatal("not told")
		}
		for n := range 3 {
			o.ID = event.NewID("test", strconv.Itoa(i), strconv.Itoa(n))
			d.Observe(o)
		}
	}
	for i := range maxHubs + 2000 {
		d.Observe(observe(t, "0s armed hub=h"+strconv.Itoa(i)))
	}
	if len(d.known) != maxConditions || len(d.queue.items) != maxConditions || len(d.hubs) != maxHubs || len(d.set.items) != maxHubs {
		t.Errorf("%d conditions, %d hubs", len(d.known), len(d.hubs))
	}
	data, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d conditions and %d hubs are saved in %d bytes", len(d.known), len(d.hubs), len(data))
	if len(data) > largestState {
		t.Errorf("the saved state has %d bytes", len(data))
	}
	d.Advance(noon.Add(1000 * 24 * time.Hour))
	if len(d.known)+len(d.hubs)+len(d.queue.items)+len(d.set.items) != 0 {
		t.Error("something is never forgotten")
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	d := New()
	for _, line := range []string{"0s smoke +", "1s panic +", "2s armed", "3s gone device=hub-7", "4s smoke -"} {
		d.Observe(observe(f, line))
	}
	data, err := d.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"conditions":[null]}`))
	f.Add([]byte(`{"conditions":[{"key":"a","family":"smoke","refs":[{"id":"x"}],"active":true}],"hubs":[{"id":"h","panels":["p"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := New()
		if d.UnmarshalBinary(data) != nil && len(d.known)+len(d.hubs) != 0 {
			t.Fatal("a state that cannot be read was taken in part")
		}
		for _, line := range []string{"0s smoke +", "1s smoke -", "2s smoke +", "3s armed", "4s gone device=hub-7", "5s present device=hub-7", "6s disarmed"} {
			d.Observe(observe(t, line))
			d.Advance(noon.Add(time.Hour))
		}
		if _, err := d.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	d := New()
	os := []*event.Observation{observe(b, "0s contact + sensor=door"), observe(b, "0s smoke + sensor=landing"), observe(b, "0s smoke - sensor=hall")}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Observe(os[i%len(os)])
		i++
	}
}
