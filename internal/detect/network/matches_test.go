package network

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// matched is what a sensor says of a rule that matched.
func matched(n int, at time.Duration, rule uint64, severity int, blocked bool) *event.Observation {
	return &event.Observation{
		ID: event.ID(fmt.Sprintf("m%06d", n)), Kind: event.KindNetNotice, Source: "suricata", Time: t0.Add(at), Received: t0.Add(at + time.Second),
		Notice: &event.Notice{
			UID: fmt.Sprint(n), Name: "TEST rule", Category: "Misc Attack", Src: outsider, Dst: camera, Port: 80, Proto: "tcp",
			Signature: rule, Severity: severity, Blocked: blocked,
		},
	}
}

func TestIntrusionGrowsByRevisions(t *testing.T) {
	run := detect.NewRun(NewDetector(Config{}))
	var got []event.Alert
	for i := range 100 {
		got = append(got, run.Observe(matched(i, time.Duration(i)*time.Second, 9000001, 1, false))...)
	}
	if len(got) != 7 { // 1, 2, 4 ... 64
		t.Fatalf("%d alerts, want 7", len(got))
	}
	got = append(got, run.Finish()...)
	for i, a := range got {
		if a.Revision != i || a.Cause != got[0].Cause || a.Kind != event.KindIntrusionDetected || a.ID == got[(i+1)%len(got)].ID {
			t.Errorf("revision %d: %+v", i, a)
		}
	}
	last := got[len(got)-1]
	want := `Rule 9000001 "TEST rule" (Misc Attack, severity 1) matched traffic from 203.0.113.66 to 192.168.1.20 port 80, 100 times in 2 min.`
	if last.Reason != want || last.Total != 100 || len(last.Observations) != 100 || last.Observations[0].ID != "m000000" || last.Score != 0.8 ||
		last.Subject != "203.0.113.66" || last.Target != "192.168.1.20" || !last.Start.Equal(t0) || !last.End.Equal(t0.Add(99*time.Second)) {
		t.Errorf("%+v", last)
	}
}

func TestIntrusions(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		make   func() []*event.Observation
		causes int
		check  func(t *testing.T, last event.Alert, st MatchStats)
	}{
		"below the severity it is counted": {make: func() []*event.Observation {
			return []*event.Observation{matched(0, 0, 1, 3, false), {Kind: event.KindAnomaly, Time: t0, Notice: &event.Notice{Name: "x"}}}
		}, check: func(t *testing.T, _ event.Alert, st MatchStats) {
			if st.Minor != 1 || st.Anomalies != 1 || st.Grave != 0 {
				t.Errorf("%+v", st)
			}
		}},
		"unless that is configured": {cfg: Config{Severity: 3}, causes: 1, make: func() []*event.Observation {
			return []*event.Observation{matched(0, 0, 1, 3, false)}
		}},
		"a monitor's own notice is no rule's": {make: func() []*event.Observation {
			return []*event.Observation{matched(0, 0, 0, 1, false)}
		}},
		"each rule is a cause, each pair of hosts too": {causes: 3, make: func() []*event.Observation {
			other := matched(3, 2*time.Second, 1, 1, false)
			other.Notice.Dst = laptop
			return []*event.Observation{matched(0, 0, 1, 1, false), matched(1, time.Second, 2, 2, false), matched(2, time.Second, 1, 1, false), other}
		}},
		"after a long silence it is another cause": {causes: 2, make: func() []*event.Observation {
			return []*event.Observation{matched(0, 0, 1, 1, false), matched(1, 3*time.Hour, 1, 1, false)}
		}},
		"what never ends is told anew each day": {causes: 2, make: func() (os []*event.Observation) {
			for i := range 30 {
				os = append(os, matched(i, time.Duration(i)*time.Hour, 1, 1, false))
			}
			return os
		}},
		"blocked": {causes: 1, make: func() []*event.Observation {
			return []*event.Observation{matched(0, 0, 1, 1, true)}
		}, check: func(t *testing.T, last event.Alert, _ MatchStats) {
			if last.Score != 0.4 || !strings.HasSuffix(last.Reason, "The sensor blocked it.") {
				t.Errorf("%.2f %s", last.Score, last.Reason)
			}
		}},
		"blocked in part": {causes: 1, make: func() []*event.Observation {
			return []*event.Observation{matched(0, 0, 1, 2, true), matched(1, time.Second, 1, 2, false)}
		}, check: func(t *testing.T, last event.Alert, _ MatchStats) {
			if last.Score != 0.45 || !strings.HasSuffix(last.Reason, "blocked 1 of these.") {
				t.Errorf("%.2f %s", last.Score, last.Reason)
			}
		}},
		"addresses that are not known": {causes: 1, make: func() []*event.Observation {
			o := matched(0, 0, 1, 1, false)
			o.Notice = &event.Notice{Name: strings.Repeat("é", 5000), Signature: 1, Severity: 1}
			return []*event.Observation{o}
		}, check: func(t *testing.T, last event.Alert, _ MatchStats) {
			if last.Subject != "an unknown address" || len(last.Reason) > 1000 {
				t.Errorf("%d bytes: %s", len(last.Reason), last.Reason)
			}
		}},
		"at the bound the oldest ends": {cfg: Config{MaxMatches: 2, MaxHeld: 3, MaxRefs: 2}, causes: 3, make: func() (os []*event.Observation) {
			for i := range 9 {
				os = append(os, matched(i, time.Duration(i)*time.Second, uint64(i/3+1), 1, false))
			}
			return os
		}, check: func(t *testing.T, last event.Alert, st MatchStats) {
			if st.Evicted != 1 || last.Total != 3 || len(last.Observations) > 2 {
				t.Errorf("%+v, %+v", st, last)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDetector(c.cfg)
			run := detect.NewRun(d)
			newest := map[string]event.Alert{}
			var last event.Alert
			keep := func(as []event.Alert) {
				for _, a := range as {
					newest[a.Cause], last = a, a
				}
			}
			for _, o := range c.make() {
				keep(run.Observe(o))
			}
			keep(run.Finish())
			st := d.MatchStats()
			if len(newest) != c.causes || st.Open != 0 {
				t.Errorf("%d causes, %d open, want %d and none: %v", len(newest), st.Open, c.causes, newest)
			}
			if c.check != nil {
				c.check(t, last, st)
			}
		})
	}
}

// A detector that takes up another's state goes on exactly as that would.
func TestMatchesAreSaved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := Config{MaxMatches: rapid.IntRange(1, 6).Draw(rt, "matches"), MaxHeld: rapid.IntRange(1, 50).Draw(rt, "held"), MaxRefs: 20}
		var os []*event.Observation
		at := time.Duration(0)
		for i := range rapid.IntRange(1, 80).Draw(rt, "n") {
			at += time.Duration(rapid.IntRange(-5, 200).Draw(rt, "step")) * time.Minute / 4
			os = append(os, matched(i, at, rapid.Uint64Range(1, 5).Draw(rt, "rule"), rapid.IntRange(1, 3).Draw(rt, "severity"), rapid.Bool().Draw(rt, "blocked")))
		}
		cut := rapid.IntRange(0, len(os)).Draw(rt, "cut")
		one, two := NewDetector(cfg), NewDetector(cfg)
		feed := func(d *Detector, os []*event.Observation) (out []event.Alert) {
			for _, o := range os {
				out = append(out, d.Observe(o)...)
				out = append(out, d.Advance(o.Received.Add(-detect.Lateness))...)
			}
			return out
		}
		feed(one, os[:cut])
		state, err := one.MarshalBinary()
		if err != nil {
			rt.Fatal(err)
		}
		if err := two.UnmarshalBinary(state); err != nil {
			rt.Fatal(err)
		}
		a, b := append(feed(one, os[cut:]), one.Flush()...), append(feed(two, os[cut:]), two.Flush()...)
		if !reflect.DeepEqual(a, b) || one.MatchStats() != two.MatchStats() || one.matches.held != 0 {
			rt.Fatalf("%d alerts, %d after restoring; %+v, %+v; %d held", len(a), len(b), one.MatchStats(), two.MatchStats(), one.matches.held)
		}
	})
}

// The state of a version that knew no matches is taken up.
func TestOldStateIsTakenUp(t *testing.T) {
	s := New(Config{})
	s.Add(refused(outsider, camera, 1))
	old, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	d := NewDetector(Config{})
	if err := d.UnmarshalBinary(old); err != nil || d.Stats().Seen != 1 {
		t.Errorf("%v, %+v", err, d.Stats())
	}
	if err := d.UnmarshalBinary([]byte{9, 9}); err == nil {
		t.Error("took a state that is none")
	}
}
