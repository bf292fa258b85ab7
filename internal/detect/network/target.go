package network

import (
	"net/netip"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

const (
	maxProbers = 8192 // sources counted for one target
	maxProbed  = 8192 // ports counted for one target
)

// target is a protected host as one that is called from outside, over one
// episode.
type target struct {
	Addr        netip.Addr
	First, Last time.Time
	Sources     map[netip.Addr]int // attempts of each
	Ports       map[port]int       // attempts at each
	Answered    map[port]bool      // where a prober got an answer
	More        bool               // a bound was reached: the counts are of at least so many
	Tries       []try
	Finding     *growing
}

// target finds or begins the episode of a host.
func (s *Scan) target(a netip.Addr, at time.Time) *target {
	t := s.targets.get(a)
	if t != nil && at.Sub(t.First) > s.cfg.Longest {
		s.endTarget(t)
		t = nil
	}
	if t == nil {
		for s.targets.len() >= s.cfg.MaxTargets {
			s.endTarget(s.targets.oldest())
			s.stats.Evicted++
		}
		t = &target{
			Addr: a, First: at, Last: at, Sources: make(map[netip.Addr]int),
			Ports: make(map[port]int), Answered: make(map[port]bool),
		}
		s.targets.put(a, t)
	}
	if at.After(t.Last) {
		t.Last = at
	}
	return t
}

// inbound judges a connection from outside to a protected host. It is unsolicited
// when it comes to nothing at a door that offers no service, from an address that
// the host never called. Whatever else the same address tries is part of it.
func (s *Scan) inbound(c *Conn, what outcome, d door) {
	if s.called.has(pair{c.Resp, c.Orig}) {
		return
	}
	evidence := (what == shut || what == touched || what == stray) && !s.answered.has(d)
	if !evidence {
		t := s.targets.get(c.Resp)
		if t == nil || t.Sources[c.Orig] == 0 {
			return
		}
	}
	t := s.target(c.Resp, c.Time)
	s.probe(t, c, what, d)
	got := try{Ref: c.Ref, Time: c.Time, Door: d, From: c.Orig}
	switch {
	case t.Finding != nil:
		s.take(t.Finding, &got)
	case len(t.Sources) >= s.cfg.InboundSources:
		t.Finding = begin(event.KindScanInbound, t.Addr.String(), firstTime(t.Tries, c.Time))
		t.Finding.Raised = c.Received
		for i := range t.Tries {
			s.held--
			s.take(t.Finding, &t.Tries[i])
		}
		t.Tries = nil
		s.take(t.Finding, &got)
	default:
		if len(t.Tries) < s.cfg.MaxRefs && s.held < s.cfg.MaxHeld {
			t.Tries = append(t.Tries, got)
			s.held++
		}
		return
	}
	s.tellTarget(t, false)
}

// probe keeps the counts that the reason tells.
func (s *Scan) probe(t *target, c *Conn, what outcome, d door) {
	if n, ok := t.Sources[c.Orig]; ok || len(t.Sources) < maxProbers {
		t.Sources[c.Orig] = n + 1
	} else {
		t.More = true
	}
	if n, ok := t.Ports[d.Port]; ok || len(t.Ports) < maxProbed {
		t.Ports[d.Port] = n + 1
	} else {
		t.More = true
	}
	if c.Proto != "icmp" && (what == served || what == touched) && len(t.Answered) < maxProbed {
		t.Answered[d.Port] = true
	}
}

func (s *Scan) tellTarget(t *target, must bool) {
	s.tell(t.Finding, must, func() Finding { return s.describeInbound(t) })
}

func (s *Scan) endTarget(t *target) {
	s.tellTarget(t, true)
	s.drop(t.Finding)
	s.held -= len(t.Tries)
	s.targets.remove(t.Addr)
}
