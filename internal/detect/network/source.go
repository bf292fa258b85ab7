package network

import (
	"net/netip"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// source is a host as one that opens connections, over one episode.
type source struct {
	Addr        netip.Addr
	First, Last time.Time
	Doors       map[door]outcome // shut, touched or served: the best that came of it
	Ports       map[port]*tally  // over hosts
	Hosts       map[netip.Addr]*tally
	Tries       []try // not yet part of every finding they may belong to

	Vertical   *growing
	Horizontal *growing
	Guesses    map[door]*guess
}

const (
	udpMore    = 3     // a lost datagram is weaker evidence than a refused connection
	traceFirst = 33434 // ports of traceroute, which tries many on one host
	traceLast  = 33534
)

// source finds or begins the episode of a host.
func (s *Scan) source(a netip.Addr, at time.Time) *source {
	o := s.sources.get(a)
	if o != nil && at.Sub(o.First) > s.cfg.Longest {
		s.endSource(o)
		o = nil
	}
	if o == nil {
		for s.sources.len() >= s.cfg.MaxSources || s.doors > s.cfg.MaxDoorsIn {
			s.endSource(s.sources.oldest())
			s.stats.Evicted++
		}
		o = &source{
			Addr: a, First: at, Last: at, Doors: make(map[door]outcome),
			Ports: make(map[port]*tally), Hosts: make(map[netip.Addr]*tally),
		}
		s.sources.put(a, o)
	}
	if at.After(o.Last) {
		o.Last = at
	}
	return o
}

// outbound judges a connection as an act of its originator.
func (s *Scan) outbound(c *Conn, what outcome, d door) {
	o := s.source(c.Orig, c.Time)
	s.session(o, c, what, d)
	if what == stray {
		if !probeFlags(c) {
			return
		}
		what = shut
	}
	if what == shut && s.answered.has(d) {
		return // a server that has answered before is down or busy
	}
	if c.Proto == "udp" && d.Port.Number >= traceFirst && d.Port.Number <= traceLast {
		return
	}
	s.count(o, c, what, d)
	if what == served {
		return
	}
	t := try{Ref: c.Ref, Time: c.Time, Door: d, From: c.Orig}
	s.attempt(o, c, &t)
}

// probeFlags reports a packet such as scanners send alone: an ACK, a FIN, or no
// flag, never answered. A lone SYN-ACK or RST is the echo of somebody else's
// forged packets.
func probeFlags(c *Conn) bool {
	return c.RespPkts == 0 && strings.Trim(c.History, "AF") == "" && c.OrigBytes == 0
}

// count keeps the tallies by door: each door counts once, as the best that came
// of it.
func (s *Scan) count(o *source, c *Conn, what outcome, d door) {
	was, known := o.Doors[d]
	if known && was >= what || !known && len(o.Doors) >= s.cfg.MaxDoors {
		return
	}
	if !known {
		s.doors++
	}
	o.Doors[d] = what
	p, h := entry(o.Ports, d.Port), entry(o.Hosts, d.Addr)
	if was == shut && known {
		p.Shut, h.Shut = p.Shut-1, h.Shut-1
	}
	switch what {
	case shut:
		p.shutAt(c.Time, s.needHosts(d.Port))
		if d.Port.Proto != "icmp" {
			h.shutAt(c.Time, s.cfg.VerticalPorts)
		}
	case served:
		p.Open, h.Open = p.Open+1, h.Open+1
	}
}

func entry[K comparable](m map[K]*tally, k K) *tally {
	t := m[k]
	if t == nil {
		t = new(tally)
		m[k] = t
	}
	return t
}

func (s *Scan) needHosts(p port) int {
	if p.Proto == "udp" {
		return s.cfg.HorizontalHosts * udpMore
	}
	return s.cfg.HorizontalHosts
}

// attempt adds t to the findings that it belongs to, and opens them.
func (s *Scan) attempt(o *source, c *Conn, t *try) {
	// Beyond MaxDoors a new host or port has no tally: it can belong to what has
	// been found, and begin nothing.
	p, h := o.Ports[t.Door.Port], o.Hosts[t.Door.Addr]
	if p == nil {
		p = new(tally)
	}
	if h == nil {
		h = new(tally)
	}
	if p.Hit {
		s.take(o.Horizontal, t)
	}
	if h.Hit {
		s.take(o.Vertical, t)
	}
	if (!p.Hit || !h.Hit) && len(o.Tries) < s.cfg.MaxRefs && s.held < s.cfg.MaxHeld {
		o.Tries = append(o.Tries, *t)
		s.held++
	}
	if !p.Hit && p.scans(&s.cfg, s.needHosts(t.Door.Port)) {
		p.Hit = true
		o.Horizontal = s.gather(o.Horizontal, event.KindScanHorizontal, o, c, func(d door) bool { return d.Port == t.Door.Port })
	}
	if !h.Hit && h.scans(&s.cfg, s.cfg.VerticalPorts) {
		h.Hit = true
		o.Vertical = s.gather(o.Vertical, event.KindScanVertical, o, c, func(d door) bool { return d.Addr == t.Door.Addr })
	}
	s.tellSource(o, false)
}

// gather adds the tries so far that belong to what has just been found.
func (s *Scan) gather(g *growing, kind event.Kind, o *source, c *Conn, belongs func(door) bool) *growing {
	for i := range o.Tries {
		t := &o.Tries[i]
		if !belongs(t.Door) {
			continue
		}
		if g == nil {
			g = begin(kind, o.Addr.String(), t.Time)
		}
		s.take(g, t)
	}
	if g == nil { // no try could be kept: memory was short
		g = begin(kind, o.Addr.String(), c.Time)
		s.take(g, &try{Ref: c.Ref, Time: c.Time})
	}
	if g.Told == 0 {
		g.Raised = c.Received
	}
	return g
}

func (s *Scan) tellSource(o *source, must bool) {
	s.tell(o.Horizontal, must, func() Finding { return s.describeHorizontal(o) })
	s.tell(o.Vertical, must, func() Finding { return s.describeVertical(o) })
	if must {
		for _, d := range sortedDoors(o.Guesses) {
			s.tell(o.Guesses[d].Finding, true, func() Finding { return s.describeGuess(o, d) })
		}
	}
}

// endSource tells what there is to tell and forgets the host.
func (s *Scan) endSource(o *source) {
	s.tellSource(o, true)
	s.drop(o.Horizontal)
	s.drop(o.Vertical)
	for _, g := range o.Guesses {
		s.drop(g.Finding)
		s.held -= len(g.Tries)
	}
	s.held -= len(o.Tries)
	s.doors -= len(o.Doors)
	s.sources.remove(o.Addr)
}
