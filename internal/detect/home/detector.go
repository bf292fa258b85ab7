package home

import (
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Bounds of the state. They also keep what is saved well below what one value of
// the log may hold. Beyond them, what would run out soonest is forgotten.
const (
	maxConditions = 10_000
	maxRefs       = 16     // observations that a condition lists
	maxHubs       = 50_000 // whose alarm is set
	maxPanels     = 8      // of a hub
	maxAway       = 8      // parts of a hub that are missed
)

// How long things last.
const (
	// settle is how long something must have been over for its next beginning to
	// be a new one; sooner, it is a sensor that flutters.
	settle = 10 * time.Minute
	// steady is how long something that fluttered must stay to be told.
	steady = time.Minute
	// quiet ends a condition whose sensor has said no more of it.
	quiet = 7 * 24 * time.Hour
	// lingers is how long what is over is remembered, for senders that repeat what
	// they said before.
	lingers = 24 * time.Hour
	// forgets is when a hub whose alarm is set, and of which nothing more is
	// heard, is no longer watched.
	forgets = 60 * 24 * time.Hour
)

// Detector watches the readings of homes.
type Detector struct {
	known map[string]*condition
	queue queue[*condition]
	hubs  map[string]*hub
	set   queue[*hub]
}

var _ detect.Detector = (*Detector)(nil)

// New returns a detector that knows of nothing.
func New() *Detector { return &Detector{known: map[string]*condition{}, hubs: map[string]*hub{}} }

// Name implements detect.Detector.
func (d *Detector) Name() string { return "home" }

// Observe implements detect.Detector.
func (d *Detector) Observe(o *event.Observation) []event.Alert {
	switch {
	case o.Kind == event.KindState && o.Reading != nil && o.Reading.Active != nil:
		f, ok := families[o.Reading.Property]
		if !ok {
			return nil
		}
		key := strings.Join([]string{o.Source, o.Device, string(o.Reading.Property), o.Reading.Channel}, "/")
		if *o.Reading.Active {
			return d.there(key, f, o, sensorName(o))
		}
		return d.over(key, o)
	case o.Kind == event.KindAlarm && o.Alarm != nil && o.Via != "":
		d.panel(o)
	case o.Kind == event.KindGone && o.Via != "":
		return d.gone(o)
	case o.Kind == event.KindPresent && o.Via != "":
		return d.present(o)
	}
	return nil
}

// there takes an observation that a condition is there.
func (d *Detector) there(key string, f family, o *event.Observation, sensor string) []event.Alert {
	c := d.known[key]
	switch {
	case c == nil:
	case c.has(o.ID):
		return nil
	case o.Time.Before(c.Changed): // it came late, and what came after it is known
		if !o.Time.Before(c.First) {
			c.take(o)
		}
		return nil
	case c.Active && f != panicF:
		c.take(o)
		d.queue.until(c, detect.Later(c.Until, detect.Later(o.Time, o.Received).Add(d.lasts(c))))
		return nil
	case o.Time.Sub(c.Changed) <= settle:
		return d.again(c, o)
	}
	if c != nil {
		d.forget(c)
	}
	c = d.begin(key, f, o, sensor)
	return []event.Alert{c.begun(o)}
}

// lasts is how long nothing more need be heard of a condition before it is
// forgotten.
func (d *Detector) lasts(c *condition) time.Duration {
	if c.Active && c.Family != panicF {
		return quiet
	}
	return lingers
}

// again takes that something is there again soon after it was over, or that a
// button is pressed again.
func (d *Detector) again(c *condition, o *event.Observation) []event.Alert {
	c.Active, c.Changed = true, o.Time
	c.Back++
	c.take(o)
	at := detect.Later(o.Time, o.Received)
	if isPowerOf2(c.Back) {
		d.queue.until(c, at.Add(d.lasts(c)))
		return []event.Alert{c.back("")}
	}
	if c.Family == panicF {
		d.queue.until(c, at.Add(lingers))
		return nil
	}
	d.queue.until(c, at.Add(steady)) // told then, if it stays
	return nil
}

// over takes an observation that a condition is over.
func (d *Detector) over(key string, o *event.Observation) []event.Alert {
	c := d.known[key]
	if c == nil || !c.Active || c.has(o.ID) || o.Time.Before(c.Changed) {
		return nil
	}
	c.take(o)
	if c.Family == panicF {
		return nil // the button is let go; the call for help stands
	}
	c.Active, c.Changed = false, o.Time
	d.queue.until(c, detect.Later(o.Time, o.Received).Add(d.lasts(c)))
	if !c.Told {
		return nil
	}
	return []event.Alert{c.restored()}
}

func (d *Detector) begin(key string, f family, o *event.Observation, sensor string) *condition {
	c := &condition{
		Key: key, Family: f, First: o.Time, Premises: o.Premises, Subject: subject(o), Sensor: sensor,
		Start: o.Time, End: o.Time, Changed: o.Time, Active: true,
	}
	if o.Place != nil {
		at := *o.Place
		c.Place = &at
	}
	c.take(o)
	if len(d.known) >= maxConditions {
		d.forget(d.queue.items[0])
	}
	c.Until = detect.Later(o.Time, o.Received).Add(d.lasts(c))
	d.known[key] = c
	d.queue.push(c)
	return c
}

func (d *Detector) forget(c *condition) {
	delete(d.known, c.Key)
	d.queue.remove(c)
}

// Advance implements detect.Detector: it tells of what fluttered and has stayed,
// and forgets what is long over.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	var out []event.Alert
	for len(d.queue.items) > 0 && d.queue.items[0].Until.Before(watermark) {
		c := d.queue.items[0]
		if c.Active && !c.Told {
			out = append(out, c.back(", and now it stays"))
			d.queue.until(c, c.Until.Add(d.lasts(c)))
			continue
		}
		d.forget(c)
	}
	for len(d.set.items) > 0 && d.set.items[0].Until.Before(watermark) {
		d.unwatch(d.set.items[0])
	}
	return out
}

func isPowerOf2(n int) bool { return n&(n-1) == 0 }

// away notes that a part of a hub is missed, and reports whether it was not.
func (c *condition) away(device string) bool {
	if slices.Contains(c.Away, device) || len(c.Away) >= maxAway {
		return false
	}
	c.Away = append(c.Away, device)
	return true
}
