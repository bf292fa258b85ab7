package network

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/event"
)

// mixture draws traffic in which a few hosts do all that the rules look for.
func mixture(t *rapid.T) traffic {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	var tr traffic
	at := time.Duration(0)
	for range rapid.IntRange(1, 400).Draw(t, "conns") {
		at += time.Duration(rng.IntN(40)) * time.Second
		a, b := ip("192.168.1.%d", rng.IntN(3)), ip("203.0.113.%d", rng.IntN(30))
		if rng.IntN(2) == 0 {
			a, b = b, a
		}
		p := uint16(20 + rng.IntN(30))
		switch rng.IntN(9) {
		case 8:
			tr.add(at, refused(ip("203.0.113.2"), ip("192.168.1.1"), uint16(1000+rng.IntN(30))))
		case 0:
			tr.add(at, talked(a, b, 22, 900, time.Second))
		case 1:
			tr.add(at, login(ip("203.0.113.1"), b, rng.IntN(3) > 0, rng.IntN(10) == 0, rng.IntN(4), true))
		case 2:
			tr.add(at, datagram(a, b, p, rng.IntN(2) == 0))
		case 3:
			tr.add(at, Conn{Orig: a, Resp: b, RespPort: p, State: "OTH", History: "A"})
		case 4:
			tr.add(at, halfOpen(a, b, 23))
		default:
			tr.add(at, unanswered(a, b, []uint16{23, p}[rng.IntN(2)]))
		}
		if rng.IntN(100) == 0 {
			at += time.Duration(rng.IntN(4)) * time.Hour
		}
	}
	return tr
}

func smallConfig(t *rapid.T) Config {
	return Config{
		Lateness: 2 * time.Minute, VerticalPorts: 4, HorizontalHosts: 4, Guesses: 4, InboundSources: 3,
		MaxRefs: rapid.IntRange(2, 100).Draw(t, "refs"), MaxDoors: rapid.IntRange(3, 200).Draw(t, "doors"),
		MaxSources: rapid.IntRange(1, 40).Draw(t, "sources"), MaxTargets: rapid.IntRange(1, 5).Draw(t, "targets"),
		MaxPeers: rapid.IntRange(2, 100).Draw(t, "peers"), MaxHeld: rapid.IntRange(10, 2000).Draw(t, "held"),
	}
}

func feed(s *Scan, tr traffic) (out []Finding) {
	for _, c := range tr {
		out = append(out, s.Add(c)...)
	}
	return out
}

// Any order in which nothing is later than Lateness gives the same findings.
func TestOrderWithinLatenessDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg, tr := smallConfig(rt), mixture(rt)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "order"), 2))
		type arrival struct {
			at time.Time
			c  Conn
		}
		var late []arrival
		for _, c := range tr {
			late = append(late, arrival{c.Time.Add(time.Duration(rng.Int64N(int64(cfg.Lateness)))), c})
		}
		slices.SortStableFunc(late, func(a, b arrival) int { return a.at.Compare(b.at) })
		var shuffled traffic
		for _, a := range late {
			shuffled = append(shuffled, a.c)
		}
		one, two := New(cfg), New(cfg)
		want := append(feed(one, tr), one.Flush()...)
		got := append(feed(two, shuffled), two.Flush()...)
		if !reflect.DeepEqual(want, got) {
			rt.Fatalf("in order: %+v\nshuffled: %+v", want, got)
		}
		if st := two.Stats(); st.Late != 0 || st.Held != 0 || st.Doors != 0 || st.Sources != 0 || st.Targets != 0 || st.Pending != 0 {
			rt.Fatalf("left over after the end: %+v", st)
		}
	})
}

// A detector that is saved and put back at any moment goes on as if nothing had
// been.
func TestSnapshotChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg, tr := smallConfig(rt), mixture(rt)
		cut := rapid.IntRange(0, len(tr)).Draw(rt, "cut")
		one, two := New(cfg), New(cfg)
		want := append(feed(one, tr), one.Flush()...)
		got := feed(two, tr[:cut])
		saved, err := two.MarshalBinary()
		if err != nil {
			rt.Fatal(err)
		}
		before := two.Stats()
		three := New(cfg)
		if err := three.UnmarshalBinary(saved); err != nil {
			rt.Fatal(err)
		}
		if three.Stats() != before {
			rt.Fatalf("restored %+v, saved %+v", three.Stats(), before)
		}
		got = append(got, feed(three, tr[cut:])...)
		got = append(got, three.Flush()...)
		if !reflect.DeepEqual(want, got) {
			rt.Fatalf("unbroken: %+v\nrestored: %+v", want, got)
		}
		if one.Stats() != three.Stats() {
			rt.Fatalf("stats %+v, want %+v", three.Stats(), one.Stats())
		}
	})
}

// However many hosts and ports an attacker makes up, nothing grows beyond its
// bound, and every observation that a finding counts was given.
func TestHostileStreamIsBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := Config{MaxSources: 50, MaxTargets: 20, MaxDoors: 30, MaxDoorsIn: 500, MaxPending: 40, MaxPeers: 60, MaxRefs: 10, MaxHeld: 300}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		s := New(cfg)
		states := []string{"S0", "REJ", "SF", "OTH", "RSTO", "SH", "", "nonsense"}
		for i := range 2000 {
			any4 := func() netip.Addr {
				return netip.AddrFrom4([4]byte{[]byte{10, 203}[rng.IntN(2)], byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))})
			}
			c := Conn{
				Ref: event.Ref{Seq: uint64(i)}, Time: t0.Add(time.Duration(rng.Int64N(int64(time.Hour)))),
				Orig: any4(), Resp: any4(), RespPort: uint16(rng.Uint32()), Proto: []string{"tcp", "udp", "icmp", "x"}[rng.IntN(4)],
				State: states[rng.IntN(len(states))], OrigBytes: uint64(rng.IntN(2)), RespBytes: uint64(rng.IntN(2)), Login: rng.IntN(5) == 0, Spoke: true,
			}
			s.Add(c)
			st := s.Stats()
			if st.Sources > cfg.MaxSources || st.Targets > cfg.MaxTargets || st.Doors > cfg.MaxDoorsIn+cfg.MaxDoors ||
				st.Pending > cfg.MaxPending || st.Held > cfg.MaxHeld ||
				len(s.called.Young)+len(s.called.Old) > cfg.MaxPeers || len(s.answered.Young)+len(s.answered.Old) > cfg.MaxPeers {
				rt.Fatalf("beyond a bound: %+v", st)
			}
		}
		s.Flush()
		if st := s.Stats(); st.Held != 0 || st.Doors != 0 || st.Sources != 0 {
			rt.Fatalf("left over: %+v", st)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	s := New(Config{})
	feed(s, traffic{unanswered(camera, laptop, 23)})
	b, err := s.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{scanVersion, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := New(Config{})
		if err := s.UnmarshalBinary(in); err != nil && !errors.Is(err, ErrSnapshot) {
			t.Fatal(err)
		}
		feed(s, traffic{unanswered(camera, laptop, 23)})
	})
}
