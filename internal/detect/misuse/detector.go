package misuse

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// Rule is the name of the rule in alerts.
const Rule = "device misuse"

// Bounds of the detector.
const (
	// Quiet ends a cause: what comes after it is a new one.
	Quiet = time.Hour
	// Step is by how much a count must have grown for another revision.
	Step = 10

	maxCauses  = 20_000 // at once; beyond it the one that would end soonest is forgotten
	maxRefs    = 16     // observations that a cause lists
	maxTallies = 32     // counts of one cause that are told apart
)

// Detector tells of devices that do what they may not.
type Detector struct {
	known map[key]*cause
	due   dueHeap
}

var _ detect.Detector = (*Detector)(nil)

// New returns a detector that knows of nothing.
func New() *Detector { return &Detector{known: map[key]*cause{}} }

// key names a cause: one device does one kind of thing at a time.
type key struct{ device, what string }

// cause is one device's misuse of one kind, until it is quiet. Its fields are the
// saved state.
type cause struct {
	Device  string      `json:"device"`
	What    string      `json:"what"`
	Name    string      `json:"name"` // of the cause, in alerts
	Start   time.Time   `json:"start"`
	End     time.Time   `json:"end"`
	Heard   time.Time   `json:"heard"`   // newest event or platform time
	Tallies []tally     `json:"tallies"` // an observation says a count; the sum of all counts
	Said    int         `json:"said"`    // alerts raised
	Next    int         `json:"next"`    // count of the next
	Refs    []event.Ref `json:"refs"`
	Total   int         `json:"total"` // observations

	Premises     string       `json:"premises,omitempty"`
	PremisesName string       `json:"premises_name,omitempty"`
	Place        *place.Point `json:"place,omitempty"`

	index int
}

// tally is what one counter says, since whoever counts may begin anew: after a
// restart, say.
type tally struct {
	Count int      `json:"count"`
	Last  event.ID `json:"last"`
}

// Name implements detect.Detector.
func (d *Detector) Name() string { return "misuse" }

// Observe implements detect.Detector.
func (d *Detector) Observe(o *event.Observation) []event.Alert {
	if o.Kind != event.KindMisuse || o.Misuse == nil || o.Misuse.What == "" {
		return nil
	}
	k := key{o.Device, o.Misuse.What}
	c := d.known[k]
	if c != nil && c.has(o.ID) {
		return nil // the same observation again
	}
	if at := detect.Later(o.Time, o.Received); c == nil || at.Sub(c.Heard) > Quiet {
		c = d.begin(k, o)
	}
	c.take(o)
	c.Heard = detect.Later(c.Heard, detect.Later(o.Time, o.Received))
	heap.Fix(&d.due, c.index)
	count := c.count()
	if c.Said > 0 && count < c.Next {
		return nil
	}
	for c.Next = max(c.Next, 1); c.Next <= count && c.Next < 1<<40; {
		c.Next *= Step
	}
	return []event.Alert{c.alert(o, count)}
}

// begin begins a cause in the place of an older one.
func (d *Detector) begin(k key, o *event.Observation) *cause {
	if old := d.known[k]; old != nil {
		d.forget(old)
	}
	if len(d.known) >= maxCauses {
		d.forget(d.due[0])
	}
	c := &cause{
		Device: o.Device, What: o.Misuse.What, Start: o.Time, End: o.Time,
		Name: fmt.Sprintf("%s/%s/%s", o.Device, o.Misuse.What, o.ID),
	}
	d.known[k] = c
	heap.Push(&d.due, c)
	return c
}

func (d *Detector) forget(c *cause) {
	delete(d.known, key{c.Device, c.What})
	heap.Remove(&d.due, c.index)
}

// Advance implements detect.Detector: it forgets what has been quiet.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	for len(d.due) > 0 && watermark.Sub(d.due[0].Heard) > Quiet {
		d.forget(d.due[0])
	}
	return nil
}

func (c *cause) has(id event.ID) bool {
	return slices.ContainsFunc(c.Refs, func(r event.Ref) bool { return r.ID == id }) ||
		slices.ContainsFunc(c.Tallies, func(t tally) bool { return t.Last == id })
}

// take notes an observation. A count that is not larger than the last is that of
// a counter that began anew.
func (c *cause) take(o *event.Observation) {
	n := max(o.Misuse.Count, 1)
	last := len(c.Tallies) - 1
	switch {
	case last >= 0 && n > c.Tallies[last].Count:
		c.Tallies[last] = tally{n, o.ID}
	case len(c.Tallies) < maxTallies:
		c.Tallies = append(c.Tallies, tally{n, o.ID})
	default:
		c.Tallies[last] = tally{c.Tallies[last].Count + n, o.ID}
	}
	if c.Total++; len(c.Refs) < maxRefs {
		c.Refs = append(c.Refs, o.Ref())
	}
	if o.Time.Before(c.Start) {
		c.Start = o.Time
	}
	c.End = detect.Later(c.End, o.Time)
	if o.Premises != "" {
		c.Premises, c.PremisesName = o.Premises, o.PremisesName
	}
	if o.Place != nil {
		at := *o.Place
		c.Place = &at
	}
}

func (c *cause) count() (sum int) {
	for _, t := range c.Tallies {
		sum += t.Count
	}
	return sum
}

// alert tells of the cause as it is now. The observation that decided comes first.
func (c *cause) alert(o *event.Observation, count int) event.Alert {
	w := wording(c.What)
	refs := append([]event.Ref{o.Ref()}, slices.DeleteFunc(slices.Clone(c.Refs), func(r event.Ref) bool { return r.ID == o.ID })...)
	a := event.Alert{
		ID: event.NewAlertID(Rule, c.Name, c.Said), Rule: Rule, Kind: w.kind, Cause: c.Name, Revision: c.Said,
		Start: c.Start, End: c.End, Subject: cmp.Or(c.PremisesName, c.Device), Score: w.score,
		Reason: c.reason(&w, o, count), Advice: w.advice, Clause: w.clause,
		Observations: refs, Total: c.Total, Premises: c.Premises, Place: c.Place,
	}
	c.Said++
	return a
}

// errState: the saved causes contradict themselves.
var errState = errors.New("the saved state is damaged")

type state struct {
	Causes []*cause `json:"causes"`
}

// MarshalBinary implements detect.Detector.
func (d *Detector) MarshalBinary() ([]byte, error) {
	return json.Marshal(state{Causes: slices.SortedFunc(slices.Values(d.due), func(a, b *cause) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.What, b.What))
	})})
}

// UnmarshalBinary implements detect.Detector. It changes nothing when it fails.
func (d *Detector) UnmarshalBinary(data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the misuse of devices: %w", err)
	}
	fresh := New()
	for _, c := range s.Causes {
		if c == nil || len(c.Refs) > maxRefs || len(c.Tallies) > maxTallies || len(fresh.known) >= maxCauses || fresh.known[key{c.Device, c.What}] != nil {
			return fmt.Errorf("reading the misuse of devices: %w", errState)
		}
		fresh.known[key{c.Device, c.What}] = c
		heap.Push(&fresh.due, c)
	}
	*d = *fresh
	return nil
}

// dueHeap orders causes by when they were heard of last, the longest ago first.
type dueHeap []*cause

// Len implements heap.Interface.
func (h dueHeap) Len() int { return len(h) }

// Less implements heap.Interface. The order is total, so that it does not depend
// on what the heap went through.
func (h dueHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(a.Heard.Compare(b.Heard), cmp.Compare(a.Device, b.Device), cmp.Compare(a.What, b.What)) < 0
}

// Swap implements heap.Interface.
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) { c := x.(*cause); c.index = len(*h); *h = append(*h, c) }

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return c
}
