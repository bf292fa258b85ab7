package alarm

import (
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Bounds of the state.
const (
	maxConditions = 200_000 // open at once; beyond it the oldest is forgotten
	maxRefs       = 64      // observations that a condition lists
	maxZones      = 64      // zones that a condition remembers
)

// Detector judges the signals of alarm panels.
type Detector struct {
	policy Policy
	open   map[key]*condition
	asked  time.Time // watermark of the last look for conditions to end
}

var _ detect.Detector = (*Detector)(nil)

// New returns a detector that judges by the given policy.
func New(p Policy) *Detector { return &Detector{policy: p, open: map[key]*condition{}} }

// family groups the signals that can be about one condition.
type family string

const (
	intruder family = "intruder"
	holdUp   family = "hold_up"
	tamper   family = "tamper"
	fire     family = "fire"
	medical  family = "medical"
	ambient  family = "environment"
	silence  family = "silence"
)

// key names a condition: one system has at most one of each family at a time.
// Confirmation never joins the detectors of two systems.
type key struct {
	system string // source and account
	family family
}

// condition is something that a panel has signalled and that has not ended.
type condition struct {
	Key      string    `json:"key"`
	Family   family    `json:"family"`
	First    event.ID  `json:"first"` // observation that began it: names the cause
	Premises string    `json:"premises"`
	Name     string    `json:"name"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"` // of the newest signal

	Zones     []zone      `json:"zones"` // in the order of their first activation
	Confirmed bool        `json:"confirmed,omitempty"`
	Refs      []event.Ref `json:"refs"`
	Total     int         `json:"total"`
	Said      int         `json:"said"` // alerts so far: the next revision
	Kind      event.Kind  `json:"kind"` // of the newest alert
	Tell      int         `json:"tell"` // Total at which repeats are told again

	at *event.Observation // the signal being judged
}

type zone struct {
	ID       string         `json:"id"`
	Name     string         `json:"name,omitempty"`
	Kind     event.ZoneKind `json:"kind,omitempty"`
	At       time.Time      `json:"at"`
	Restored bool           `json:"restored,omitempty"`
}

// Name implements detect.Detector.
func (d *Detector) Name() string { return "alarm" }

// Observe implements detect.Detector.
func (d *Detector) Observe(o *event.Observation) []event.Alert {
	switch {
	case o.Kind == event.KindSilent:
		return d.fellSilent(o)
	case o.Kind == event.KindReturned:
		return d.cameBack(o)
	case o.Kind == event.KindAlarm && o.Alarm != nil:
		return d.signal(o)
	}
	return nil
}

func (d *Detector) signal(o *event.Observation) []event.Alert {
	a := o.Alarm
	if a.Category == event.OpenClose {
		return d.unset(o)
	}
	f, known := families[a.Category]
	if !known {
		return nil // faults, power, tests: the health page shows them
	}
	if a.State == event.AlarmRestored {
		return d.restored(o, f)
	}
	if a.State == event.AlarmStatus {
		return nil
	}
	c, fresh := d.condition(o, f)
	if !c.take(o) {
		return nil // the same observation again
	}
	switch f {
	case intruder:
		return d.intruder(c, o, fresh)
	case holdUp:
		return d.holdUp(c, o, fresh)
	default:
		return d.direct(c, o, fresh)
	}
}

var families = map[event.AlarmCategory]family{
	event.Burglary:         intruder,
	event.BurglaryVerified: intruder,
	event.HoldUp:           holdUp,
	event.HoldUpVerified:   holdUp,
	event.Tamper:           tamper,
	event.Fire:             fire,
	event.Medical:          medical,
	event.Environment:      ambient,
}

// lasts is how long after its start a condition can still be the same one.
func (d *Detector) lasts(f family) time.Duration {
	switch f {
	case intruder:
		return d.policy.ConfirmWithin
	case holdUp:
		return d.policy.HoldUpWithin
	default:
		return d.policy.QuietAfter
	}
}

func system(o *event.Observation) string { return o.Source + "/" + o.Device }

// condition returns the open condition that o is about, or begins one.
func (d *Detector) condition(o *event.Observation, f family) (c *condition, fresh bool) {
	k := key{system(o), f}
	if c := d.open[k]; c != nil && o.Time.Sub(c.Start) <= d.lasts(f) {
		return c, false
	}
	if len(d.open) >= maxConditions {
		d.forgetOldest()
	}
	c = &condition{
		Key: k.system, Family: f, First: o.ID, Premises: o.Premises, Name: subject(o),
		Start: o.Time, End: o.Time, Tell: 2,
	}
	d.open[k] = c
	return c, true
}

func subject(o *event.Observation) string {
	if o.PremisesName != "" {
		return o.PremisesName
	}
	return "account " + o.Device
}

func (d *Detector) forgetOldest() {
	var oldest *condition
	for _, c := range d.open {
		if oldest == nil || c.Start.Before(oldest.Start) || c.Start.Equal(oldest.Start) && c.First < oldest.First {
			oldest = c
		}
	}
	delete(d.open, key{oldest.Key, oldest.Family})
}

// take counts a signal; it reports false for one that was counted already.
func (c *condition) take(o *event.Observation) bool {
	for _, r := range c.Refs {
		if r.ID == o.ID {
			return false
		}
	}
	c.at = o
	c.Total++
	if len(c.Refs) < maxRefs {
		c.Refs = append(c.Refs, o.Ref())
	}
	if o.Time.Before(c.Start) {
		c.Start = o.Time
	}
	if o.Time.After(c.End) {
		c.End = o.Time
	}
	return true
}

// Advance implements detect.Detector: it ends what has run out of time.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	if watermark.Sub(d.asked) < time.Second {
		return nil
	}
	d.asked = watermark
	var over []*condition
	for _, c := range d.open {
		if watermark.Sub(c.Start) > d.lasts(c.Family) && c.Family != silence {
			over = append(over, c)
		}
	}
	sort.Slice(over, func(i, j int) bool {
		if !over[i].Start.Equal(over[j].Start) {
			return over[i].Start.Before(over[j].Start)
		}
		return over[i].First < over[j].First
	})
	var out []event.Alert
	for _, c := range over {
		delete(d.open, key{c.Key, c.Family})
		if c.Family == intruder && !c.Confirmed && c.Said > 0 {
			c.at = nil
			out = append(out, c.alert(event.KindRestored, 0.1, "", clauseWindow, fmt.Sprintf(
				"No second detector at %s confirmed the intruder alarm of %s within %s.", c.Name, clockTime(c.Start), span(d.policy.ConfirmWithin))))
		}
	}
	return out
}

// alert makes the next alert of the condition.
func (c *condition) alert(kind event.Kind, score float64, advice, clause, reason string) event.Alert {
	rule := "alarm-" + string(c.Family)
	cause := "alarm/" + c.Key + "/" + string(c.First)
	a := event.Alert{
		ID: event.NewAlertID(rule, cause, c.Said), Rule: rule, Kind: kind, Cause: cause, Revision: c.Said,
		Start: c.Start, End: c.End, Subject: c.Name, Score: score, Reason: reason, Advice: advice, Clause: clause,
		Observations: append([]event.Ref(nil), c.Refs...), Total: c.Total, Premises: c.Premises,
	}
	if c.at != nil && c.at.Place != nil {
		p := *c.at.Place
		a.Place = &p
	}
	c.Said++
	c.Kind = kind
	return a
}

// repeat tells that a condition's signals go on: at the second, fourth, eighth
// and so on, so that a panel that stutters is seen and does not flood.
func (c *condition) repeat(score float64, advice, clause, what string) []event.Alert {
	if c.Total < c.Tell {
		return nil
	}
	c.Tell = 2 * c.Total
	return []event.Alert{c.alert(c.Kind, score, advice, clause, fmt.Sprintf("%s at %s, signalled %d times since %s.", what, c.Name, c.Total, clockTime(c.Start)))}
}

// MarshalBinary implements detect.Detector.
func (d *Detector) MarshalBinary() ([]byte, error) {
	cs := make([]*condition, 0, len(d.open))
	for _, c := range d.open {
		cs = append(cs, c)
	}
	sort.Slice(cs, func(i, j int) bool {
		return cs[i].Key < cs[j].Key || cs[i].Key == cs[j].Key && cs[i].Family < cs[j].Family
	})
	return json.Marshal(state{Asked: d.asked, Conditions: cs})
}

// UnmarshalBinary implements detect.Detector.
func (d *Detector) UnmarshalBinary(data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the alarm conditions: %w", err)
	}
	d.asked, d.open = s.Asked, make(map[key]*condition, len(s.Conditions))
	for _, c := range s.Conditions {
		d.open[key{c.Key, c.Family}] = c
	}
	return nil
}

type state struct {
	Asked      time.Time    `json:"asked"`
	Conditions []*condition `json:"conditions"`
}
