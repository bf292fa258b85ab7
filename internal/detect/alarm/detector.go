package alarm

import (
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Bounds of the state. They also keep what is saved well below what one value of
// the log may hold.
const (
	maxConditions = 25_000  // at once; beyond it the one that would end soonest is forgotten
	maxKept       = 100_000 // references and zones of all conditions; beyond it the same
	maxRefs       = 32      // observations that a condition lists
	maxZones      = 32      // zones that a condition remembers
	maxPast       = 8       // observations that it remembers of the one before
)

// Detector judges the signals of alarm panels.
type Detector struct {
	policy Policy
	known  map[key]*condition
	due    dueHeap
	kept   int // references and zones of the known conditions
}

var _ detect.Detector = (*Detector)(nil)

// New returns a detector that judges by the given policy.
func New(p Policy) *Detector { return &Detector{policy: p, known: map[key]*condition{}} }

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

// key names a condition: one system has at most one of each family at a time.
// Confirmation never joins the detectors of two systems.
type key struct {
	system string // source and account
	family family
}

func system(o *event.Observation) string { return o.Source + "/" + o.Device }

// Name implements detect.Detector.
func (d *Detector) Name() string { return "alarm" }

// Observe implements detect.Detector.
func (d *Detector) Observe(o *event.Observation) []event.Alert {
	f := silence
	switch {
	case o.Supervision != nil && o.Supervision.Class == event.ClassEnrolled && o.Premises == "":
		return nil // a lamp or a bin guards nobody: the devices' page shows it
	case o.Kind == event.KindSilent && o.Supervision != nil, o.Kind == event.KindReturned:
	case o.Kind != event.KindAlarm || o.Alarm == nil || o.Alarm.State == event.AlarmStatus:
		return nil
	case o.Alarm.Category == event.OpenClose:
		f = intruder
	default:
		var ok bool
		if f, ok = families[o.Alarm.Category]; !ok {
			return nil // faults, power, tests: the health page shows them
		}
	}
	c := d.known[key{system(o), f}]
	if c != nil && c.has(o.ID) {
		return nil // the same observation again
	}
	var out []event.Alert
	before := c.size()
	switch {
	case o.Kind == event.KindSilent:
		if c == nil || c.Ended {
			c = d.begin(o, f)
			before = c.size()
			out = d.fellSilent(c, o)
		}
	case o.Kind == event.KindReturned:
		out = d.cameBack(c, o)
	case o.Alarm.Category == event.OpenClose:
		out = d.unset(c, o)
	case o.Alarm.State == event.AlarmRestored:
		out = c.restored(o)
	default:
		return d.activated(c, o, f)
	}
	d.keep(c.size() - before)
	return out
}

// activated takes a signal that a condition begins, or goes on.
func (d *Detector) activated(c *condition, o *event.Observation, f family) []event.Alert {
	var out []event.Alert
	fresh := c == nil || c.Ended
	if !fresh {
		switch since := o.Time.Sub(c.Window); {
		case since < -d.lasts(f):
			// Sent late, about a time before the condition that is known: a
			// condition by itself, over already.
			before := c.size()
			c.remember(o.ID)
			d.keep(c.size() - before)
			return d.judge(newCondition(o, f), o, true)
		case since > d.lasts(f):
			out = d.runOut(c)
			fresh = true
		default:
			fresh = c.Over && c.settles() && o.Time.Sub(c.OverAt) > d.policy.Settle
		}
	}
	if fresh {
		c = d.begin(o, f)
	}
	before := c.size()
	out = append(out, d.judge(c, o, fresh)...)
	d.keep(c.size() - before)
	return out
}

func (d *Detector) judge(c *condition, o *event.Observation, fresh bool) []event.Alert {
	act := c.activate(o)
	if act.window {
		c.Window = o.Time
		d.until(c, detect.Later(o.Time, o.Received).Add(d.lasts(c.Family)))
	}
	switch c.Family {
	case intruder:
		return d.intruder(c, o, act, fresh)
	case holdUp:
		return d.holdUp(c, o, act, fresh)
	default:
		return c.direct(o, act, fresh)
	}
}

// lasts is how long after the beginning of its window a condition can still be
// the same one.
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

// lingers is how long an ended condition is remembered at least, for senders that
// try again.
const lingers = 15 * time.Minute

// never is when a panel's silence ends by itself.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// begin begins a condition, in the place of one that has ended.
func (d *Detector) begin(o *event.Observation, f family) *condition {
	c := newCondition(o, f)
	k := key{c.Key, f}
	if old := d.known[k]; old != nil {
		c.follow(old)
		d.kept += len(c.Past)
		d.forget(old)
	}
	if len(d.known) >= maxConditions {
		d.forget(d.due[0])
	}
	c.Until = never
	if f != silence {
		c.Until = detect.Later(o.Time, o.Received).Add(d.lasts(f))
	}
	d.known[k] = c
	d.due.push(c)
	return c
}

func (d *Detector) forget(c *condition) {
	d.kept -= c.size()
	delete(d.known, key{c.Key, c.Family})
	d.due.remove(c)
}

// keep notes how much more a condition remembers, and holds the bound.
func (d *Detector) keep(more int) {
	d.kept += more
	for d.kept > maxKept {
		d.forget(d.due[0])
	}
}

// until sets when a condition ends, if it is one that is kept.
func (d *Detector) until(c *condition, t time.Time) {
	c.Until = t
	if c.index >= 0 {
		d.due.fix(c)
	}
}

// Advance implements detect.Detector: it ends what has run out of time, and
// forgets what ended a while ago.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	var out []event.Alert
	for len(d.due) > 0 && d.due[0].Until.Before(watermark) && d.due[0].Until.Before(never) {
		c := d.due[0]
		if c.Ended {
			d.forget(c)
			continue
		}
		out = append(out, d.runOut(c)...)
		c.Ended = true
		d.until(c, c.Until.Add(lingers))
	}
	return out
}

// runOut says, of an intruder alarm whose time has run out, that it stayed
// unconfirmed.
func (d *Detector) runOut(c *condition) []event.Alert {
	if c.Family != intruder || c.Confirmed || c.Ended || c.Said == 0 {
		return nil
	}
	return []event.Alert{c.alert(nil, event.KindRestored, 0.1, "", clauseWindow, fmt.Sprintf(
		"No second detector at %s confirmed the intruder alarm of %s within %s; the next alarm counts as a first.",
		c.Name, detect.When(c.Start, c.End), detect.Span(d.policy.ConfirmWithin)))}
}
