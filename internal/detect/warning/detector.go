package warning

import (
	"slices"
	"sort"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Bounds of the state.
const (
	maxChains  = 2000 // warnings at once; beyond it the one that would end soonest is forgotten
	maxMembers = 32   // messages of a warning that are remembered
	maxRefs    = 16   // observations that an alert lists
	// remember is how long the end of a warning is remembered: a late or repeated
	// message of it does not begin it again.
	remember = 24 * time.Hour
)

// Detector follows the warnings of other authorities.
type Detector struct {
	cfg    Config
	chains map[string]*chain // by cause
	by     map[string]string // cause of each message that is known
	next   time.Time         // when to look for what has ended; zero: never
}

var _ detect.Detector = (*Detector)(nil)

// New returns a detector.
func New(cfg Config) *Detector {
	return &Detector{cfg: cfg.withDefaults(), chains: map[string]*chain{}, by: map[string]string{}}
}

// chain is a warning: all messages that are about one thing.
type chain struct {
	Cause   string      `json:"cause"`
	Sender  string      `json:"sender"`
	Signed  string      `json:"signed,omitempty"`
	Members []string    `json:"members"` // keys of messages, referred-to ones among them
	Head    string      `json:"head"`    // the message that stands
	Sent    time.Time   `json:"sent"`    // of the head
	Start   time.Time   `json:"start"`
	End     time.Time   `json:"end"`
	Until   time.Time   `json:"until"` // when it ends, or is forgotten once it is over
	Rank    int         `json:"rank"`  // of its severity, 0 the worst
	Refs    []event.Ref `json:"refs"`
	Total   int         `json:"total"`
	Said    int         `json:"said"`
	Over    bool        `json:"over,omitempty"`

	Subject string       `json:"subject"`
	Place   *place.Point `json:"place,omitempty"`
}

// Name implements detect.Detector.
func (*Detector) Name() string { return "warning" }

// keyOf names a message: sender, identifier and when it was sent.
func keyOf(w *event.Warning) string {
	return refKey(codec.Reference{Sender: w.Sender, Identifier: w.Identifier, Sent: w.Sent}.String())
}

// refKey is keyOf for a reference. It is short, whatever the sender calls things.
func refKey(ref string) string { return string(event.NewID("warning", ref)) }

// Observe implements detect.Detector.
func (d *Detector) Observe(o *event.Observation) []event.Alert {
	w := o.Warning
	if o.Kind != event.KindWarning || w == nil || codec.Status(w.Status) != codec.Actual {
		return nil
	}
	switch codec.MsgType(w.MsgType) {
	case codec.MsgAlert, codec.MsgUpdate:
	case codec.MsgCancel:
		return d.cancel(o)
	default:
		return nil // acknowledgements and errors are between machines
	}
	c := d.find(w)
	counts := d.counts(w, o.Received)
	key := keyOf(w)
	switch {
	case c == nil && !counts:
		return nil
	case c == nil:
		return d.begin(o)
	case c.Signed == "" && w.Signed != "" && counts:
		// The first that somebody vouches for: nothing unsigned has overtaken it.
		return d.stand(c, o, "")
	case slices.ContainsFunc(c.Refs, func(r event.Ref) bool { return r.ID == o.ID }):
		return nil
	case key == c.Head:
		// Another part of the message that stands, or the same by another way.
		if c.Over || !counts || !c.takes(w) || d.rank(w) >= c.Rank {
			return nil
		}
		return d.stand(c, o, "")
	case !c.takes(w), slices.Contains(c.Members, key), !w.Sent.After(c.Sent):
		return nil // overtaken
	case counts:
		return d.stand(c, o, "updated")
	case c.Over:
		return nil
	}
	c.head(w)
	return d.over(c, o, reasonLowered(c, w))
}

// counts reports whether a warning is one to tell of.
func (d *Detector) counts(w *event.Warning, now time.Time) bool {
	if !slices.Contains(d.cfg.Severities, w.Severity) || !d.until(w).After(now) {
		return false
	}
	if len(d.cfg.Area) == 0 || len(w.Polygons) == 0 {
		return true // an area in words only: people must read it
	}
	return slices.ContainsFunc(w.Polygons, func(p []place.Point) bool { return touches(p, d.cfg.Area) })
}

// until is when a warning ends by itself.
func (d *Detector) until(w *event.Warning) time.Time {
	if w.Expires != nil {
		return *w.Expires
	}
	return w.Sent.Add(d.cfg.Lasts)
}

func (d *Detector) rank(w *event.Warning) int {
	return slices.Index(codec.Severities(), codec.Severity(w.Severity))
}

// find returns the warning that a message belongs to: its own, or that of a
// message which it refers to and may change.
func (d *Detector) find(w *event.Warning) *chain {
	if c := d.chains[d.by[keyOf(w)]]; c != nil && c.Sender == w.Sender {
		return c
	}
	for _, ref := range w.References {
		if c := d.chains[d.by[refKey(ref)]]; c != nil && c.takes(w) {
			return c
		}
	}
	return nil
}

// takes reports whether a message may change the warning: only who warned may,
// and once it was signed, only that signer.
func (c *chain) takes(w *event.Warning) bool {
	return c.Sender == w.Sender && (c.Signed == "" || c.Signed == w.Signed)
}

// begin begins a warning. Its cause is named after the first message: the oldest
// that it refers to, should that one not have come.
func (d *Detector) begin(o *event.Observation) []event.Alert {
	w := o.Warning
	first, sent := keyOf(w), w.Sent
	var known []string
	for _, s := range w.References {
		r, err := codec.ParseReference(s)
		k := refKey(s)
		if err != nil || r.Sender != w.Sender || d.by[k] != "" { // of others, or a warning that it may not change
			continue
		}
		known = append(known, k)
		if r.Sent.Before(sent) {
			first, sent = k, r.Sent
		}
	}
	cause := "warning/" + string(event.NewID("warning", first, w.Signed))
	if c := d.chains[cause]; c != nil { // its messages between have been forgotten
		return d.stand(c, o, "updated")
	}
	c := &chain{Cause: cause, Sender: w.Sender, Start: o.Time, End: o.Time}
	d.chains[cause] = c
	for _, k := range known {
		d.join(c, k)
	}
	out := d.stand(c, o, "")
	d.bound(c)
	return out
}

// join notes that a message belongs to a warning.
func (d *Detector) join(c *chain, key string) {
	if slices.Contains(c.Members, key) {
		return
	}
	if len(c.Members) == maxMembers { // the second: the first names the warning
		delete(d.by, c.Members[1])
		c.Members = slices.Delete(c.Members, 1, 2)
	}
	c.Members = append(c.Members, key)
	d.by[key] = c.Cause
}

// head makes a message the one that stands.
func (c *chain) head(w *event.Warning) { c.Head, c.Sent = keyOf(w), w.Sent }

// take counts an observation, the decisive first.
func (c *chain) take(o *event.Observation) {
	c.Total++
	if o.Time.Before(c.Start) {
		c.Start = o.Time
	}
	if o.Time.After(c.End) {
		c.End = o.Time
	}
	c.Refs = slices.Insert(c.Refs, 0, o.Ref())
	c.Refs = c.Refs[:min(len(c.Refs), maxRefs)]
}

// stand makes a message the one that stands, and tells of it.
func (d *Detector) stand(c *chain, o *event.Observation, how string) []event.Alert {
	w := o.Warning
	back := c.Over
	c.head(w)
	if c.Signed == "" {
		c.Signed = w.Signed
	}
	c.Over, c.Until, c.Rank = false, d.until(w), d.rank(w)
	c.Subject = subject(w)
	if o.Place != nil {
		p := *o.Place
		c.Place = &p
	}
	d.join(c, c.Head)
	for _, ref := range w.References {
		if r, err := codec.ParseReference(ref); err == nil && r.Sender == c.Sender && d.by[refKey(ref)] == "" {
			d.join(c, refKey(ref))
		}
	}
	c.take(o)
	d.soon(c.Until)
	if back {
		how = "back"
	}
	a := c.alert(event.KindWarningReceived, score(w), reason(c, w, how, len(d.cfg.Area) > 0))
	a.Advice = advice(w)
	return []event.Alert{a}
}

// cancel ends the warnings that a message refers to and may change.
func (d *Detector) cancel(o *event.Observation) []event.Alert {
	w := o.Warning
	var out []event.Alert
	for _, ref := range w.References {
		c := d.chains[d.by[refKey(ref)]]
		if c == nil || c.Over || !c.takes(w) || w.Sent.Before(c.Sent) {
			continue
		}
		c.head(w)
		out = append(out, d.over(c, o, reasonCancelled(c, w))...)
	}
	return out
}

// over ends a warning, by a message or by itself.
func (d *Detector) over(c *chain, o *event.Observation, why string) []event.Alert {
	if o != nil {
		c.take(o)
		d.join(c, keyOf(o.Warning))
		c.Until = o.Received.Add(remember)
	} else {
		c.End = c.Until
		c.Until = c.Until.Add(remember)
	}
	c.Over = true
	d.soon(c.Until)
	return []event.Alert{c.alert(event.KindRestored, 1, why)}
}

// alert makes the next alert of the warning.
func (c *chain) alert(kind event.Kind, score float64, reason string) event.Alert {
	const rule = "warning"
	a := event.Alert{
		ID: event.NewAlertID(rule, c.Cause, c.Said), Rule: rule, Kind: kind, Cause: c.Cause, Revision: c.Said,
		Start: c.Start, End: c.End, Subject: c.Subject, Score: score, Reason: reason,
		Clause: "OASIS CAP 1.2", Observations: slices.Clone(c.Refs), Total: c.Total, Place: c.Place,
	}
	c.Said++
	return a
}

// soon sees to it that what ends at a time is looked at then.
func (d *Detector) soon(at time.Time) {
	if d.next.IsZero() || at.Before(d.next) {
		d.next = at
	}
}

// Advance implements detect.Detector: it ends what has expired, and forgets what
// ended long ago.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	if d.next.IsZero() || d.next.After(watermark) {
		return nil
	}
	var ended []*chain
	for _, c := range d.chains {
		if !c.Until.After(watermark) {
			ended = append(ended, c)
		}
	}
	sort.Slice(ended, func(i, j int) bool {
		return ended[i].Until.Before(ended[j].Until) || ended[i].Until.Equal(ended[j].Until) && ended[i].Cause < ended[j].Cause
	})
	var out []event.Alert
	for _, c := range ended {
		if c.Over {
			d.forget(c)
			continue
		}
		out = append(out, d.over(c, nil, reasonExpired(c))...)
	}
	d.next = time.Time{}
	for _, c := range d.chains {
		d.soon(c.Until)
	}
	return out
}

func (d *Detector) forget(c *chain) {
	delete(d.chains, c.Cause)
	for _, k := range c.Members {
		delete(d.by, k)
	}
}

// bound forgets what would end soonest, other than the newest, when there are too
// many warnings.
func (d *Detector) bound(newest *chain) {
	if len(d.chains) <= maxChains {
		return
	}
	var soonest *chain
	for _, c := range d.chains {
		if c != newest && (soonest == nil || c.Until.Before(soonest.Until) || c.Until.Equal(soonest.Until) && c.Cause < soonest.Cause) {
			soonest = c
		}
	}
	d.forget(soonest)
}
