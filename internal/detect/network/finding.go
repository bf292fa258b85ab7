package network

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Finding is an attack found, as far as it is known. A later one of the same
// Cause and a higher Revision replaces it.
type Finding struct {
	Kind     event.Kind
	Cause    string // the kind, the subject and when it began
	Revision int

	Start, End time.Time // of the first and last attempt
	Raised     time.Time // when the platform heard of the attempt that decided

	Subject netip.Addr // who attacks; for KindScanInbound, who is attacked
	Target  netip.Addr // who is attacked, when it is one host
	Sources int        // attacking addresses
	Targets int        // hosts attacked
	Ports   int        // ports tried
	Score   float64    // 0 to 1, how sure
	Reason  string
	Advice  string

	Refs  []event.Ref // observations, the earliest first, at most Config.MaxRefs
	Total int         // observations in all
}

// Covers reports whether c belongs to the finding by who, whom and when. Unlike
// Refs it needs no list, so it holds for findings of any size; it also takes in
// what else the attacker did to the target in that time.
func (f *Finding) Covers(c *Conn) bool {
	if c.Time.Before(f.Start) || c.Time.After(f.End) {
		return false
	}
	if f.Target.IsValid() && c.Resp != f.Target {
		return false
	}
	if f.Kind == event.KindScanInbound {
		return !c.LocalOrig && !c.Orig.IsPrivate()
	}
	return c.Orig == f.Subject
}

// Rules that raise findings, by kind.
func ruleOf(k event.Kind) string { return "network." + string(k) }

// Alert returns the finding in the vocabulary of the log.
func (f *Finding) Alert() event.Alert {
	rule := ruleOf(f.Kind)
	target := ""
	switch {
	case f.Kind == event.KindScanInbound:
		target = f.Subject.String()
	case f.Target.IsValid():
		target = f.Target.String()
	}
	return event.Alert{
		ID: event.NewAlertID(rule, f.Cause, f.Revision), Rule: rule, Kind: f.Kind,
		Cause: f.Cause, Revision: f.Revision, Start: f.Start, End: f.End, Raised: f.Raised,
		Subject: f.Subject.String(), Target: target, Score: f.Score, Reason: f.Reason, Advice: f.Advice,
		Observations: f.Refs, Total: f.Total,
	}
}

// door is a port of a host.
type door struct {
	Addr netip.Addr
	Port port
}

// port is a port number and its protocol, or an ICMP message type.
type port struct {
	Proto  string
	Number uint16
}

func (p port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Proto) }

func doorOf(c *Conn) door {
	n := c.RespPort
	if c.Proto == "icmp" {
		n = c.OrigPort
	}
	return door{Addr: c.Resp, Port: port{Proto: c.Proto, Number: n}}
}

// try is one attempt: an observation that is evidence.
type try struct {
	Ref  event.Ref
	Time time.Time
	Door door
	From netip.Addr
}

// growing is a finding while its episode lasts.
type growing struct {
	Cause       string
	Revision    int
	First, Last time.Time
	Raised      time.Time
	Refs        []event.Ref
	Total, Told int
}

func begin(kind event.Kind, about string, first time.Time) *growing {
	cause := fmt.Sprintf("%s %s %s", kind, about, first.UTC().Format(time.RFC3339Nano))
	return &growing{Cause: cause, First: first, Last: first}
}

// take counts an attempt, and lists it while there is room.
func (s *Scan) take(g *growing, t *try) {
	if t.Time.Before(g.First) {
		g.First = t.Time
	}
	if t.Time.After(g.Last) {
		g.Last = t.Time
	}
	g.Total++
	if len(g.Refs) < s.cfg.MaxRefs && s.held < s.cfg.MaxHeld {
		g.Refs = append(g.Refs, t.Ref)
		s.held++
	}
}

// tell reports g when it is new, when it has doubled, or when it must be told.
func (s *Scan) tell(g *growing, must bool, describe func() Finding) {
	if g == nil || g.Total == g.Told || !must && g.Told > 0 && g.Total < 2*g.Told {
		return
	}
	f := describe()
	f.Cause, f.Revision, f.Start, f.End, f.Raised = g.Cause, g.Revision, g.First, g.Last, g.Raised
	f.Refs, f.Total = append([]event.Ref(nil), g.Refs...), g.Total
	g.Revision++
	g.Told = g.Total
	s.stats.Findings++
	s.out = append(s.out, f)
}

func (s *Scan) drop(g *growing) {
	if g != nil {
		s.held -= len(g.Refs)
	}
}

// tally counts doors that stayed shut and doors that opened, for one port over
// hosts or for one host over ports.
type tally struct {
	Shut, Open int
	Recent     []time.Time // when the last few shut doors were first tried
	Hit        bool        // it belongs to a finding
}

// shutAt counts a shut door, and remembers the times of the last need.
func (t *tally) shutAt(at time.Time, need int) {
	t.Shut++
	if len(t.Recent) == need {
		copy(t.Recent, t.Recent[1:])
		t.Recent[need-1] = at
		return
	}
	t.Recent = append(t.Recent, at)
}

// scans reports whether so many shut doors, and so few open ones, are a scan.
func (t *tally) scans(cfg *Config, need int) bool {
	if float64(t.Shut) < cfg.Shut*float64(t.Shut+t.Open) {
		return false
	}
	if t.Shut >= need*cfg.Slow {
		return true
	}
	n := len(t.Recent)
	return n == need && t.Recent[n-1].Sub(t.Recent[0]) <= cfg.Window
}

func (t *tally) share() float64 { return float64(t.Shut) / float64(max(1, t.Shut+t.Open)) }
