package alarm

import (
	"fmt"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// condition is something that a panel has signalled: what goes on, and for a
// while what has ended, so that a signal delivered again changes nothing.
type condition struct {
	Key      string    `json:"key"`
	Family   family    `json:"family"`
	First    event.ID  `json:"first"` // observation that began it: names the cause
	Premises string    `json:"premises,omitempty"`
	Name     string    `json:"name"`
	Start    time.Time `json:"start"`  // event time of the earliest signal
	End      time.Time `json:"end"`    // event time of the newest signal
	Window   time.Time `json:"window"` // event time at which the time to confirm began
	Until    time.Time `json:"until"`  // watermark that ends it

	Zones     []zone      `json:"zones,omitempty"` // in the order of their first activation
	Confirmed bool        `json:"confirmed,omitempty"`
	Refs      []event.Ref `json:"refs"`
	Decisive  int         `json:"decisive"`       // of Refs, at their head
	Past      []event.ID  `json:"past,omitempty"` // observations of conditions before
	Total     int         `json:"total"`          // observations
	Signals   int         `json:"signals"`        // activations: observations but for restores
	Said      int         `json:"said"`           // alerts so far: the next revision
	Kind      event.Kind  `json:"kind"`           // of the newest alert, restores apart

	Over   bool      `json:"over,omitempty"` // the newest alert says that it is over
	OverAt time.Time `json:"over_at,omitzero"`
	Back   int       `json:"back,omitempty"`  // activations since it was over the first time
	Ended  bool      `json:"ended,omitempty"` // the next signal begins another

	index int // place in the heap, -1 when it is not kept
}

// zone is what a condition knows of one of its zones.
type zone struct {
	ID       string         `json:"id"`
	Name     string         `json:"name,omitempty"`
	Kind     event.ZoneKind `json:"kind,omitempty"`
	At       time.Time      `json:"at"` // event time of its first activation
	Restored bool           `json:"restored,omitempty"`
}

func newCondition(o *event.Observation, f family) *condition {
	name := o.PremisesName
	if name == "" {
		name = "account " + o.Device
	}
	return &condition{
		Key: system(o), Family: f, First: o.ID, Premises: o.Premises, Name: name,
		Start: o.Time, End: o.Time, Window: o.Time, index: -1,
	}
}

// has reports whether an observation is among those that the condition lists,
// or to one before.
func (c *condition) has(id event.ID) bool {
	return slices.Contains(c.Past, id) || slices.ContainsFunc(c.Refs, func(r event.Ref) bool { return r.ID == id })
}

func (c *condition) size() int {
	if c == nil {
		return 0
	}
	return len(c.Refs) + len(c.Zones) + len(c.Past)
}

// follow makes c the successor of a condition.
func (c *condition) follow(old *condition) {
	c.Past = old.Past
	for _, r := range old.Refs[max(0, len(old.Refs)-maxPast):] {
		c.remember(r.ID)
	}
}

// remember notes an observation that is known but does not belong to c.
func (c *condition) remember(id event.ID) {
	c.Past = append(c.Past, id)
	if len(c.Past) > maxPast {
		c.Past = slices.Delete(c.Past, 0, 1)
	}
}

// settles reports whether the condition is over once it has been restored for a
// while. An intruder alarm and a hold-up go on to the end of their window.
func (c *condition) settles() bool { return c.Family != intruder && c.Family != holdUp }

// take counts an observation. What decides stands at the head of the list; of the
// rest the oldest gives way.
func (c *condition) take(o *event.Observation, decisive bool) {
	c.Total++
	if o.Time.Before(c.Start) {
		c.Start = o.Time
	}
	if o.Time.After(c.End) {
		c.End = o.Time
	}
	at := len(c.Refs)
	if decisive && c.Decisive < maxRefs/2 {
		at = c.Decisive
		c.Decisive++
	}
	c.Refs = slices.Insert(c.Refs, at, o.Ref())
	if len(c.Refs) > maxRefs {
		c.Refs = slices.Delete(c.Refs, c.Decisive, c.Decisive+1)
	}
}

// activation is what a signal does to a condition's zones.
type activation struct {
	zone
	isNew    bool // the zone's first in this condition
	operated bool // the zone was not active
	window   bool // it is the first that may contribute: the time to confirm begins
}

// activate takes a signal that something is active.
func (c *condition) activate(o *event.Observation) activation {
	act := activation{zone: zone{ID: o.Alarm.Zone, Name: o.Alarm.ZoneName, Kind: o.Alarm.ZoneKind, At: o.Time}}
	i := slices.IndexFunc(c.Zones, func(z zone) bool { return z.ID == act.ID })
	switch {
	case i >= 0:
		act.operated = c.Zones[i].Restored
		c.Zones[i].Restored = false
		act.Kind, act.Name = c.Zones[i].Kind, c.Zones[i].Name
	case len(c.Zones) < maxZones:
		act.isNew, act.operated = true, true
		act.window = act.contributes() && c.contributors() == 0
		c.Zones = append(c.Zones, act.zone)
	}
	c.Signals++
	if c.Over {
		c.Back++
	}
	verified := o.Alarm.Category == event.BurglaryVerified || o.Alarm.Category == event.HoldUpVerified
	c.take(o, act.isNew || verified && !c.Confirmed)
	return act
}

// alert makes the next alert of the condition, about o if it is given.
func (c *condition) alert(o *event.Observation, kind event.Kind, score float64, advice, clause, reason string) event.Alert {
	rule := "alarm-" + string(c.Family)
	cause := "alarm/" + c.Key + "/" + string(c.First)
	a := event.Alert{
		ID: event.NewAlertID(rule, cause, c.Said), Rule: rule, Kind: kind, Cause: cause, Revision: c.Said,
		Start: c.Start, End: c.End, Subject: c.Name, Score: score, Reason: reason, Advice: advice, Clause: clause,
		Observations: slices.Clone(c.Refs), Total: c.Total, Premises: c.Premises,
	}
	if o != nil && o.Place != nil {
		p := *o.Place
		a.Place = &p
	}
	c.Said++
	if c.Over = kind == event.KindRestored || kind == event.KindDeviceReturned; c.Over {
		c.OverAt = a.End
	} else {
		c.Kind = kind
	}
	return a
}

// again tells that a condition goes on: at the second signal, the fourth, the
// eighth and so on, and likewise when it comes back after it was restored, so
// that a panel that stutters is seen and does not flood.
func (c *condition) again(o *event.Observation, score float64, advice, clause, what, more string) []event.Alert {
	if !isPowerOf2(c.Signals) && (!c.Over || !isPowerOf2(c.Back)) {
		return nil
	}
	how := "goes on"
	if c.Over {
		how = fmt.Sprintf("is back %s after it was restored", detect.Span(o.Time.Sub(c.OverAt)))
	}
	return []event.Alert{c.alert(o, c.Kind, score, advice, clause,
		fmt.Sprintf("%s at %s %s: %d signals since %s%s.", what, c.Name, how, c.Signals, detect.When(c.Start, o.Time), more))}
}

func isPowerOf2(n int) bool { return n&(n-1) == 0 }

// contributors counts the zones that may confirm: numbered, and not outside.
func (c *condition) contributors() int {
	n := 0
	for _, z := range c.Zones {
		if z.contributes() {
			n++
		}
	}
	return n
}

// otherContributor returns the first zone that may confirm with z.
func (c *condition) otherContributor(z zone) zone {
	for _, other := range c.Zones {
		if other.ID != z.ID && other.contributes() {
			return other
		}
	}
	return zone{}
}

func (z zone) contributes() bool { return z.ID != "" && z.Kind != event.ZoneExternal }
