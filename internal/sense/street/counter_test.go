package street

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// frames plays a script of frames against a fresh memory: what a device sends,
// and what becomes of it.
type step struct {
	session string
	counter uint32
	after   time.Duration // since noon, by the network server's clock
	id      string        // "": its own
	want    verdict
	missed  uint32
	reset   bool
	join    bool
}

func TestFrameCounters(t *testing.T) {
	const minute = time.Minute
	for name, steps := range map[string][]step{
		"rising": {
			{counter: 0}, {counter: 1, after: minute}, {counter: 2, after: 2 * minute}, {counter: 7, after: 3 * minute, missed: 4},
		},
		"first seen in mid-life": {{counter: 4000}, {counter: 4001, after: minute}},
		"the same message again": {
			{counter: 5, id: "a"},
			{counter: 9, after: minute, id: "b", missed: 3},
			{counter: 9, after: minute, id: "b", want: repeated, missed: 3},
			{counter: 5, id: "a", want: repeated},
		},
		"another gateway, a little later": {
			{counter: 5}, {counter: 5, after: 2 * time.Second, want: echoed}, {counter: 5, after: minute, want: refused},
		},
		"recorded and played again": {
			{counter: 5},
			{counter: 6, after: minute},
			{counter: 5, after: time.Hour, want: refused},
			{counter: 6, after: time.Hour, want: refused},
			{counter: 7, after: time.Hour},
		},
		"overtaken on its way": {
			{counter: 5}, {counter: 7, after: 2 * time.Second, missed: 1}, {counter: 6, after: time.Second}, {counter: 6, after: minute, want: refused},
		},
		"an old frame that never arrived": {
			{counter: 5}, {counter: 7, after: minute, missed: 1}, {counter: 6, after: time.Hour, want: refused},
		},
		"a join begins anew": {
			{session: "a", counter: 900},
			{session: "b", join: true, after: minute},
			{session: "b", counter: 0, after: 2 * minute},
			{session: "a", counter: 901, after: 3 * minute, want: refused},
			{session: "b", counter: 1, after: 4 * minute},
		},
		"a join of an ended session": {
			{session: "a", join: true},
			{session: "a", counter: 0},
			{session: "b", join: true},
			{session: "b", counter: 0},
			{session: "a", join: true, id: "again", want: refused},
			{session: "b", counter: 1, after: minute},
		},
		"the same join told twice": {
			{session: "a", join: true, id: "j"},
			{session: "a", counter: 0},
			{session: "a", join: true, id: "j", want: repeated},
			{session: "a", counter: 0, after: time.Hour, want: refused},
		},
		"a join told of after its first frame": {
			{session: "a", counter: 900},
			{session: "b", counter: 0, after: minute},
			{session: "b", join: true, after: minute},
			{session: "b", counter: 0, after: 2 * minute, want: refused},
			{session: "b", counter: 1, after: 2 * minute},
		},
		"joins that nobody tells of": {{session: "a", counter: 900}, {session: "b", counter: 0, after: minute}, {session: "a", counter: 901, want: refused}},
		"switched off and on, without joins": {
			{counter: 900},
			{counter: 0, after: time.Hour, want: refused},
			{counter: 1, after: time.Hour + minute, want: refused},
			{counter: 2, after: time.Hour + 2*minute, reset: true},
			{counter: 3, after: time.Hour + 3*minute},
		},
		"a recording from its first days, among what it sends": {
			{counter: 900},
			{counter: 0, after: minute, want: refused},
			{counter: 901, after: 2 * minute},
			{counter: 1, after: 3 * minute, want: refused},
			{counter: 902, after: 4 * minute},
			{counter: 2, after: 5 * minute, want: refused},
		},
		"anew twice in a day": {
			{counter: 900},
			{counter: 0, want: refused},
			{counter: 1, want: refused},
			{counter: 2, reset: true, after: minute},
			{counter: 0, after: time.Hour, want: refused},
			{counter: 1, after: time.Hour, want: refused},
			{counter: 2, after: time.Hour, want: refused},
			{counter: 3, after: 2 * time.Hour},
		},
		"who joins does not begin anew without": {
			{session: "a", join: true},
			{session: "a", counter: 900},
			{session: "a", counter: 0, after: minute, want: refused},
			{session: "a", counter: 1, after: 2 * minute, want: refused},
			{session: "a", counter: 2, after: 3 * minute, want: refused},
			{session: "a", counter: 3, after: 4 * minute, want: refused},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewCounters()
			for i, s := range steps {
				if s.id == "" {
					s.id = fmt.Sprint("step ", i)
				}
				sight := sighting{key: radioKey{"lns", eui}, session: s.session, counter: s.counter, at: noon.Add(s.after), id: event.ID(s.id)}
				judge := c.judge
				if s.join {
					judge = c.join
				}
				got := judge(sight)
				if got.verdict != s.want || got.missed != s.missed || got.reset != s.reset || (got.why != "") != (s.want == refused) {
					t.Fatalf("step %d (%+v): %+v", i, s, got)
				}
			}
		})
	}
}

// Two servers that name one device do not disturb each other.
func TestServersAreApart(t *testing.T) {
	c := NewCounters()
	for i, server := range []string{"a", "b"} {
		if j := c.judge(sighting{key: radioKey{server, eui}, counter: uint32(100 - i), at: noon, id: event.ID(server)}); j.verdict != accepted {
			t.Errorf("%s: %+v", server, j)
		}
	}
}

// A server that names devices without end forgets its own.
func TestMemoryIsBounded(t *testing.T) {
	c := NewCounters()
	c.max = 100
	for i := range 10 {
		c.judge(sighting{key: radioKey{"quiet", fmt.Sprint(i)}, counter: 5, at: noon, id: "x"})
	}
	for i := range 1000 {
		c.judge(sighting{key: radioKey{"loud", fmt.Sprint(i)}, counter: 5, at: noon, id: "x"})
	}
	if c.Len() != 100 || c.servers["quiet"].Len() != 10 {
		t.Errorf("%d devices, %d of the quiet server", c.Len(), c.servers["quiet"].Len())
	}
	if j := c.judge(sighting{key: radioKey{"quiet", "0"}, counter: 5, at: noon.Add(time.Hour), id: "y"}); j.verdict != refused {
		t.Errorf("%+v", j)
	}
}

// history draws what a network server tells of a few devices: frames in order,
// some lost, some twice, some overtaken, some recorded and played again.
func history(t *rapid.T) (out []sighting, replayed []bool) {
	counters, sessionsOf := map[string]uint32{}, map[string]int{}
	now := noon
	for i := range rapid.IntRange(1, 80).Draw(t, "frames") {
		now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, 20 * time.Second, 10 * time.Minute}).Draw(t, "step"))
		dev := rapid.SampledFrom([]string{"one", "two"}).Draw(t, "device")
		if i > 0 && rapid.IntRange(0, 4).Draw(t, "replay") == 0 {
			s := out[rapid.IntRange(0, len(out)-1).Draw(t, "which")]
			if now.Sub(s.at) > 2*lateAtMost {
				s.at, s.id = now, event.ID(fmt.Sprint("replay ", i))
				out, replayed = append(out, s), append(replayed, true)
			}
			continue
		}
		if rapid.IntRange(0, 15).Draw(t, "new session") == 0 {
			sessionsOf[dev]++
			counters[dev] = 0
		}
		counters[dev] += 1 + uint32(rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(t, "lost"))
		out = append(out, sighting{
			key: radioKey{"lns", dev}, session: fmt.Sprint("session ", sessionsOf[dev]), counter: counters[dev] + resetFrom, at: now, id: event.ID(fmt.Sprint("frame ", i)),
		})
		replayed = append(replayed, false)
	}
	return out, replayed
}

// Every frame that is sent once is taken, and none that is played again, unless
// the session it belongs to is so long ago that it is forgotten.
func TestReplaysAreTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCounters()
		all, replayed := history(t)
		begun := map[radioKey][]string{}
		for i, s := range all {
			of := begun[s.key]
			if len(of) == 0 || !replayed[i] && of[len(of)-1] != s.session {
				of = append(of, s.session)
				begun[s.key] = of
			}
			old := 0
			for old < len(of) && of[len(of)-1-old] != s.session {
				old++
			}
			if old > sessions {
				return // from here on its memory is another
			}
			j := c.judge(s)
			if (j.verdict == refused) != replayed[i] {
				t.Fatalf("frame %d %+v, played again %v: %+v", i, s, replayed[i], j)
			}
		}
	})
}

// A memory that is saved and taken up at any point goes on as if nothing had been.
func TestMemoryIsSaved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, saved := NewCounters(), NewCounters()
		all, _ := history(t)
		for i, s := range all {
			if i > 0 && rapid.IntRange(0, 5).Draw(t, "save") == 0 {
				packed, err := saved.pack(uint64(i))
				if err != nil || packed == nil {
					t.Fatal(packed, err)
				}
				saved = NewCounters()
				if at, err := saved.unpack(packed); err != nil || at != uint64(i) {
					t.Fatal(at, err)
				}
			}
			if got, want := saved.judge(s), plain.judge(s); got != want {
				t.Fatalf("frame %d: %+v, want %+v", i, got, want)
			}
		}
	})
}

func FuzzCountersState(f *testing.F) {
	c := NewCounters()
	for i := range 5 {
		c.judge(sighting{key: radioKey{"lns", fmt.Sprint(i)}, session: "a", counter: uint32(i), at: noon, id: "x"})
	}
	packed, err := c.pack(7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := NewCounters()
		if _, err := c.unpack(data); err != nil {
			if c.Len() != 0 {
				t.Fatal("a state that cannot be read was taken in part")
			}
			return
		}
		for i := range 3 {
			c.judge(sighting{key: radioKey{"lns", fmt.Sprint(i)}, session: "a", counter: 3, at: noon, id: "y"})
		}
	})
}

// full returns a memory in which every device has all that is remembered of one.
func full() *Counters {
	c := NewCounters()
	for n := range maxRadios * ringSize {
		c.judge(sighting{
			key: radioKey{"city-network-server", fmt.Sprintf("%016x", n%maxRadios)}, session: fmt.Sprint("session ", n%maxRadios),
			counter: uint32(n), at: noon.Add(time.Duration(n) * time.Millisecond), id: event.ID(fmt.Sprint(n)),
		})
	}
	return c
}

// A full memory fits into what one value of the log may hold.
func TestFullMemoryFits(t *testing.T) {
	c := full()
	packed, err := c.pack(1 << 60)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d devices are saved in %d bytes", c.Len(), len(packed))
	if len(packed) > bus.MaxMessage/2 {
		t.Error("that is more than half of what a value may have")
	}
	if at, err := NewCounters().unpack(packed); err != nil || at != 1<<60 {
		t.Error(at, err)
	}
}

func BenchmarkCounters(b *testing.B) {
	c := full()
	keys := make([]radioKey, maxRadios)
	for i := range keys {
		keys[i] = radioKey{"city-network-server", fmt.Sprintf("%016x", i)}
	}
	b.Run("judge", func(b *testing.B) {
		b.ReportAllocs()
		i := maxRadios * ringSize
		for b.Loop() {
			i++
			n := i % maxRadios
			c.judge(sighting{key: keys[n], session: "session 1", counter: uint32(i), at: noon, id: "x"})
		}
	})
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.dirty = true
			if _, err := c.pack(1); err != nil {
				b.Fatal(err)
			}
		}
	})
}
