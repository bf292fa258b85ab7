package network

import (
	"net/netip"
	"time"
)

// Scan finds scans, probing and password guessing. It is not for use by several
// goroutines.
type Scan struct {
	cfg   Config
	order order
	heard time.Time // when the platform heard of the newest event time

	sources ring[netip.Addr, source]
	targets ring[netip.Addr, target]
	doors   int // over all sources
	held    int // references over all findings and tries

	answered recent[door] // doors that have answered
	called   recent[pair] // protected host, address that it called

	stats Stats
	out   []Finding
}

// Stats counts what the detector did; all but the gauges only grow.
type Stats struct {
	Seen     uint64 // connections and log-ins taken
	Late     uint64 // of those, later than Config.Lateness
	Hurried  uint64 // taken early because MaxPending were waiting
	Findings uint64 // findings told, revisions included
	Evicted  uint64 // hosts given up at a bound

	Pending, Sources, Targets, Doors, Held int // gauges
}

// New returns a detector.
func New(cfg Config) *Scan {
	s := &Scan{cfg: cfg.withDefaults()}
	s.sources, s.targets = newRing[netip.Addr, source](), newRing[netip.Addr, target]()
	s.answered, s.called = newRecent[door](s.cfg.MaxPeers), newRecent[pair](s.cfg.MaxPeers)
	return s
}

// Add takes an observation and returns what was found by it and by those that
// had waited for it.
func (s *Scan) Add(c Conn) []Finding {
	s.out = nil
	s.stats.Seen++
	if c.Time.Before(s.order.Newest.Add(-s.cfg.Lateness)) {
		s.stats.Late++
	}
	before := s.order.Newest
	s.order.advance(c.Time)
	if s.order.Newest.After(before) {
		s.heard = c.Received
	}
	s.order.push(&c)
	s.release(s.order.Newest.Add(-s.cfg.Lateness))
	return s.out
}

// Advance tells that the platform's watermark has come to a time. When that is
// later than the newest observation was heard, there was a silence: event time
// moves on by as much, and what was held is let go. Comparing the platform's
// times with each other, and not with the events', keeps a replay of an old file
// from looking like years of silence.
func (s *Scan) Advance(watermark time.Time) []Finding {
	s.out = nil
	if passed := watermark.Sub(s.heard); passed > 0 && !s.heard.IsZero() && !s.order.Newest.IsZero() {
		s.order.Newest, s.heard = s.order.Newest.Add(passed), watermark
		s.release(s.order.Newest.Add(1))
		s.expire(s.order.Newest)
	}
	return s.out
}

// settle takes all that still waits, and tells the newest state of every open
// finding.
func (s *Scan) settle() []Finding {
	s.out = nil
	s.drain()
	for o := range s.sources.all() {
		s.tellSource(o, true)
	}
	for t := range s.targets.all() {
		s.tellTarget(t, true)
	}
	s.order.Newest, s.heard = time.Time{}, time.Time{}
	return s.out
}

// Flush takes all that still waits, and ends every episode. It is for the end of
// an offline run: the next may be of another time.
func (s *Scan) Flush() []Finding {
	out := s.settle()
	for o := s.sources.oldest(); o != nil; o = s.sources.oldest() {
		s.endSource(o)
	}
	for t := s.targets.oldest(); t != nil; t = s.targets.oldest() {
		s.endTarget(t)
	}
	return out
}

// Stats returns the counts so far.
func (s *Scan) Stats() Stats {
	st := s.stats
	st.Pending, st.Sources, st.Targets = len(s.order.Held), s.sources.len(), s.targets.len()
	st.Doors, st.Held = s.doors, s.held
	return st
}

func (s *Scan) drain() {
	for len(s.order.Held) > 0 {
		s.next()
	}
}

// release takes what lies before t, and more when too much waits.
func (s *Scan) release(t time.Time) {
	for s.order.before(t) {
		s.next()
	}
	for len(s.order.Held) > s.cfg.MaxPending {
		s.stats.Hurried++
		s.next()
	}
}

func (s *Scan) next() {
	c := s.order.pop()
	s.judge(c)
	s.order.done(c)
}

// judge takes one observation, in order of time but for late ones.
func (s *Scan) judge(c *Conn) {
	s.expire(c.Time)
	if c.Login {
		s.login(c)
	} else {
		s.connection(c)
	}
}

func (s *Scan) connection(c *Conn) {
	what := classify(c)
	d := doorOf(c)
	ours := s.cfg.protected(c.Resp, c.LocalResp)
	foreign := !s.cfg.protected(c.Orig, c.LocalOrig)
	if ours && foreign {
		s.inbound(c, what, d)
	}
	if !foreign && !ours {
		s.called.add(pair{c.Orig, c.Resp})
	}
	if what == served {
		s.answered.add(d)
	}
	if what == noEvidence || what == carried {
		return
	}
	s.outbound(c, what, d)
}

// expire ends the episodes of hosts that have long been silent at time t.
func (s *Scan) expire(t time.Time) {
	limit := t.Add(-s.cfg.Idle)
	for o := s.sources.oldest(); o != nil && o.Last.Before(limit); o = s.sources.oldest() {
		s.endSource(o)
	}
	for o := s.targets.oldest(); o != nil && o.Last.Before(limit); o = s.targets.oldest() {
		s.endTarget(o)
	}
}

type pair struct{ Host, Peer netip.Addr }

// recent remembers keys in two generations of bounded size: when the young one is
// full, the old one is forgotten.
type recent[K comparable] struct {
	Young, Old map[K]struct{}
	max        int
}

func newRecent[K comparable](most int) recent[K] {
	return recent[K]{Young: make(map[K]struct{}), Old: make(map[K]struct{}), max: most}
}

func (r *recent[K]) has(k K) bool {
	if _, ok := r.Young[k]; ok {
		return true
	}
	_, ok := r.Old[k]
	return ok
}

func (r *recent[K]) add(k K) {
	if _, ok := r.Young[k]; ok {
		return
	}
	if len(r.Young) >= max(1, r.max/2) {
		r.Old, r.Young = r.Young, make(map[K]struct{})
	}
	r.Young[k] = struct{}{}
}
