package network

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// matches gathers what intrusion detection systems found: one finding for each
// rule and pair of hosts, that grows while the rule goes on matching. Whether the
// system is right is not judged again.
type matches struct {
	cfg   Config
	open  ring[matchKey, match]
	order order     // event time; nothing is held in it
	heard time.Time // when the platform heard of the newest event time
	held  int       // references over all findings
	stats MatchStats
	out   []event.Alert
}

// MatchStats counts what intrusion detection systems said; all but Open only grow.
type MatchStats struct {
	Grave     uint64 // alerts of Config.Severity or graver
	Minor     uint64 // alerts below
	Anomalies uint64 // anomalies
	Evicted   uint64 // findings ended at a bound
	Open      int    // findings that may still grow
}

// matchKey tells findings apart.
type matchKey struct {
	Rule     uint64
	Src, Dst netip.Addr
}

// match is a rule that matched between two hosts, over one episode.
type match struct {
	Key      matchKey
	Growing  growing
	Name     string
	Category string
	Sensor   string
	Severity int
	Port     uint16
	Proto    string
	Blocked  int
}

func newMatches(cfg Config) *matches {
	return &matches{cfg: cfg.withDefaults(), open: newRing[matchKey, match]()}
}

// observe takes a notice that names the rule behind it.
func (m *matches) observe(o *event.Observation) []event.Alert {
	m.out = nil
	n := o.Notice
	if n.Severity > m.cfg.Severity {
		m.stats.Minor++
		return nil
	}
	m.stats.Grave++
	m.pass(o)
	g := m.match(o)
	g.take(o, n)
	if more := m.cfg.MaxRefs - len(g.Growing.Refs); more > 0 && m.held < m.cfg.MaxHeld {
		g.Growing.Refs = append(g.Growing.Refs, o.Ref())
		m.held++
	}
	m.tell(g, false)
	return m.out
}

// pass moves event time on.
func (m *matches) pass(o *event.Observation) {
	before := m.order.Newest
	m.order.advance(o.Time)
	if m.order.Newest.After(before) {
		m.heard = o.Received
		m.expire()
	}
}

// advance is Scan.Advance for matches: a silence of the platform's time moves
// event time on by as much.
func (m *matches) advance(watermark time.Time) []event.Alert {
	m.out = nil
	if passed := watermark.Sub(m.heard); passed > 0 && !m.heard.IsZero() {
		m.order.Newest, m.heard = m.order.Newest.Add(passed), watermark
		m.expire()
	}
	return m.out
}

// flush ends every episode.
func (m *matches) flush() []event.Alert {
	m.out = nil
	for g := m.open.oldest(); g != nil; g = m.open.oldest() {
		m.end(g)
	}
	m.order.Newest, m.heard = time.Time{}, time.Time{}
	return m.out
}

// match finds or begins the episode of a rule between two hosts.
func (m *matches) match(o *event.Observation) *match {
	n := o.Notice
	key := matchKey{n.Signature, n.Src, n.Dst}
	g := m.open.get(key)
	if g != nil && (o.Time.Sub(g.Growing.First) > m.cfg.Longest || o.Time.Sub(g.Growing.Last) > m.cfg.Idle) {
		m.end(g)
		g = nil
	}
	if g != nil {
		return g
	}
	for m.open.len() >= m.cfg.MaxMatches {
		m.end(m.open.oldest())
		m.stats.Evicted++
	}
	about := fmt.Sprintf("%d %s %s", n.Signature, addrWords(n.Src), addrWords(n.Dst))
	g = &match{
		Key: key, Growing: *begin(event.KindIntrusionDetected, about, o.Time),
		Name: clip(n.Name), Category: clip(n.Category), Sensor: o.Source, Severity: n.Severity, Port: n.Port, Proto: n.Proto,
	}
	g.Growing.Raised = o.Received
	m.open.put(key, g)
	return g
}

// take counts a match.
func (g *match) take(o *event.Observation, n *event.Notice) {
	w := &g.Growing
	if o.Time.Before(w.First) {
		w.First = o.Time
	}
	if o.Time.After(w.Last) {
		w.Last = o.Time
	}
	w.Total++
	if n.Blocked {
		g.Blocked++
	}
}

// expire ends the episodes that have been silent for Config.Idle.
func (m *matches) expire() {
	limit := m.order.Newest.Add(-m.cfg.Idle)
	for g := m.open.oldest(); g != nil && g.Growing.Last.Before(limit); g = m.open.oldest() {
		m.end(g)
	}
}

func (m *matches) end(g *match) {
	m.tell(g, true)
	m.held -= len(g.Growing.Refs)
	m.open.remove(g.Key)
}

// tell reports a finding when it is new, when it has doubled, or when it must be
// told.
func (m *matches) tell(g *match, must bool) {
	w := &g.Growing
	if w.Total == w.Told || !must && w.Told > 0 && w.Total < 2*w.Told {
		return
	}
	rule := ruleOf(event.KindIntrusionDetected)
	m.out = append(m.out, event.Alert{
		ID: event.NewAlertID(rule, w.Cause, w.Revision), Rule: rule, Kind: event.KindIntrusionDetected,
		Cause: w.Cause, Revision: w.Revision, Start: w.First, End: w.Last, Raised: w.Raised,
		Subject: addrWords(g.Key.Src), Target: addrWords(g.Key.Dst), Score: g.score(), Reason: g.reason(), Advice: g.advice(),
		Clause: fmt.Sprintf("%s rule %d", g.Sensor, g.Key.Rule), Observations: append([]event.Ref(nil), w.Refs...), Total: w.Total,
	})
	w.Revision++
	w.Told = w.Total
}

// Scores of a rule's match. A system that is well kept is right more often than
// not; published experience is that many alerts of class 2 are policy or noise.
const (
	scoreGravest = 0.8
	scoreGrave   = 0.6
	blockedShare = 0.5 // of the score that is left when all was blocked
)

func (g *match) score() float64 {
	s := scoreGrave
	if g.Severity == 1 {
		s = scoreGravest
	}
	if share := float64(g.Blocked) / float64(max(1, g.Growing.Total)); share > 0 {
		s *= 1 - (1-blockedShare)*share
	}
	return math.Round(100*s) / 100
}

func (g *match) reason() string {
	class := g.Category
	if class == "" {
		class = "no category"
	}
	times := ""
	if n := g.Growing.Total; n > 1 {
		times = fmt.Sprintf(", %d times in %s", n, span(&g.Growing))
	}
	at := ""
	if g.Port != 0 {
		at = fmt.Sprintf(" port %d", g.Port)
	}
	text := fmt.Sprintf("Rule %d %q (%s, severity %d) matched traffic from %s to %s%s%s.",
		g.Key.Rule, g.Name, class, g.Severity, addrWords(g.Key.Src), addrWords(g.Key.Dst), at, times)
	switch {
	case g.Blocked == 0:
	case g.Blocked == g.Growing.Total:
		text += " The sensor blocked it."
	default:
		text += fmt.Sprintf(" The sensor blocked %d of these.", g.Blocked)
	}
	return text
}

func (g *match) advice() string {
	if g.Blocked == g.Growing.Total {
		return "It did not get through. See whether the source tried anything else."
	}
	return "Read what the rule looks for, and see whether the target answered. If it did, treat it as taken over."
}

func addrWords(a netip.Addr) string {
	if !a.IsValid() {
		return "an unknown address"
	}
	return a.String()
}

// clip bounds a text that the sensor's rules supply.
func clip(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
