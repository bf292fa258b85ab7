package alarm

import (
	"fmt"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Advice that alerts give. People decide.
const (
	adviceKeyholder = "Call the keyholder; do not pass to police unless a person at the scene reports an offence"
	advicePolice    = "Pass to police"
	adviceFire      = "Pass to the fire and rescue service"
	adviceMedical   = "Call back, then the ambulance service"
	adviceEngineer  = "Call the keyholder and the alarm engineer"
)

// intruder judges an intruder signal: by itself unconfirmed, confirmed by a
// second independent detector of the same system or by the panel.
func (d *Detector) intruder(c *condition, o *event.Observation, fresh bool) []event.Alert {
	z, isNew := c.zone(o)
	deadline := c.Start.Add(d.policy.ConfirmWithin)
	switch {
	case c.Confirmed:
		return c.repeat(0.95, advicePolice, clauseConfirmed, "Confirmed intruder alarm")
	case o.Alarm.Category == event.BurglaryVerified:
		c.Confirmed = true
		return []event.Alert{c.alert(event.KindIntruderConfirmed, 0.95, advicePolice, clauseVerified,
			fmt.Sprintf("The panel at %s reports a verified intruder (%s).", c.Name, z))}
	case z.Kind == event.ZoneExternal && isNew:
		return []event.Alert{c.alert(event.KindIntruderUnconfirmed, 0.15, adviceKeyholder, clauseExternal,
			fmt.Sprintf("External detector at %s: %s. It does not count towards confirmation.", c.Name, z))}
	case isNew && z.ID != "" && c.contributors() >= 2:
		c.Confirmed = true
		first := c.Zones[c.firstContributor()]
		return []event.Alert{c.alert(event.KindIntruderConfirmed, 0.9, advicePolice, clauseConfirmed,
			fmt.Sprintf("Second detector at %s: %s, %s after %s. The alarm is confirmed.", c.Name, z, span(z.At.Sub(first.At)), first))}
	case fresh || isNew && z.ID != "" && c.contributors() == 1:
		return []event.Alert{c.alert(event.KindIntruderUnconfirmed, 0.35, adviceKeyholder, clauseFirst,
			fmt.Sprintf("First intruder alarm at %s: %s. A second, independent detector before %s would confirm it.", c.Name, z, clockTime(deadline)))}
	case z.ID == "":
		return c.repeat(0.35, adviceKeyholder, clauseNoZone, "Intruder alarm without a zone number")
	default:
		return c.repeat(0.35, adviceKeyholder, clauseSame, "The same detector ("+z.String()+")")
	}
}

// holdUp judges a hold-up signal: it counts by itself, and a second device
// operated apart from the first confirms it.
func (d *Detector) holdUp(c *condition, o *event.Observation, fresh bool) []event.Alert {
	z, isNew := c.zone(o)
	switch {
	case c.Confirmed:
		return c.repeat(0.95, advicePolice, clauseHoldUp2, "Confirmed hold-up")
	case o.Alarm.Category == event.HoldUpVerified:
		c.Confirmed = true
		return []event.Alert{c.alert(event.KindHoldUpConfirmed, 0.95, advicePolice, clauseVerified,
			fmt.Sprintf("The panel at %s reports a verified hold-up (%s).", c.Name, z))}
	case fresh:
		return []event.Alert{c.alert(event.KindHoldUp, 0.6, advicePolice, clauseHoldUp,
			fmt.Sprintf("Hold-up at %s: %s.", c.Name, z))}
	case isNew && z.ID != "" && c.Zones[0].ID != "" && z.At.Sub(c.Zones[0].At) > d.policy.HoldUpApart:
		c.Confirmed = true
		return []event.Alert{c.alert(event.KindHoldUpConfirmed, 0.9, advicePolice, clauseHoldUp2,
			fmt.Sprintf("Second hold-up device at %s: %s, %s after %s. The hold-up is confirmed.", c.Name, z, span(z.At.Sub(c.Zones[0].At)), c.Zones[0]))}
	default:
		return c.repeat(0.6, advicePolice, clauseHoldUp, "Hold-up")
	}
}

// direct passes on what needs no confirmation.
func (d *Detector) direct(c *condition, o *event.Observation, fresh bool) []event.Alert {
	z, isNew := c.zone(o)
	j := directs[c.Family]
	if fresh || isNew && z.ID != "" {
		return []event.Alert{c.alert(j.kind, j.score, j.advice, j.clause, fmt.Sprintf("%s at %s: %s.", j.what, c.Name, z))}
	}
	return c.repeat(j.score, j.advice, j.clause, j.what)
}

var directs = map[family]struct {
	kind           event.Kind
	score          float64
	advice, clause string
	what           string
}{
	tamper:  {event.KindTamper, 0.3, adviceEngineer, clauseTamper, "Tamper"},
	fire:    {event.KindFire, 0.7, adviceFire, clauseDirect, "Fire alarm"},
	medical: {event.KindMedical, 0.7, adviceMedical, clauseDirect, "Medical alarm"},
	ambient: {event.KindAlarmOther, 0.3, adviceEngineer, clauseDirect, "Environmental alarm"},
}

// restored ends a condition when its last active zone is restored.
func (d *Detector) restored(o *event.Observation, f family) []event.Alert {
	k := key{system(o), f}
	c := d.open[k]
	if c == nil || !c.take(o) {
		return nil
	}
	active := 0
	for i := range c.Zones {
		if o.Alarm.Zone == "" || c.Zones[i].ID == o.Alarm.Zone {
			c.Zones[i].Restored = true
		}
		if !c.Zones[i].Restored {
			active++
		}
	}
	if active > 0 || c.Kind == event.KindRestored {
		return nil
	}
	if f != intruder && f != holdUp {
		delete(d.open, k) // the next signal is a new condition
	}
	return []event.Alert{c.alert(event.KindRestored, 0.1, "", clauseDirect,
		fmt.Sprintf("The panel at %s reports that the %s has been restored, %s after it began.", c.Name, inWords[f], span(o.Time.Sub(c.Start))))}
}

var inWords = map[family]string{
	intruder: "intruder alarm", holdUp: "hold-up", tamper: "tamper", fire: "fire alarm",
	medical: "medical alarm", ambient: "environmental alarm", silence: "silence",
}

// unset tells that somebody with a code switched the system off during an
// intruder alarm: most often the keyholder.
func (d *Detector) unset(o *event.Observation) []event.Alert {
	if o.Alarm.State != event.AlarmNew {
		return nil
	}
	k := key{system(o), intruder}
	c := d.open[k]
	if c == nil || !c.take(o) {
		return nil
	}
	delete(d.open, k)
	who := "somebody with a code"
	if o.Alarm.User != "" {
		who = "user " + o.Alarm.User
	}
	return []event.Alert{c.alert(event.KindRestored, 0.1, adviceKeyholder, clauseDirect,
		fmt.Sprintf("The system at %s was switched off by %s, %s after the intruder alarm began.", c.Name, who, span(o.Time.Sub(c.Start))))}
}

func (d *Detector) fellSilent(o *event.Observation) []event.Alert {
	if o.Supervision == nil {
		return nil
	}
	c, fresh := d.condition(o, silence)
	if !fresh || !c.take(o) {
		return nil
	}
	since := "it was never heard"
	if h := o.Supervision.LastHeard; h != nil {
		since = "it was last heard at " + clockTime(*h)
	}
	return []event.Alert{c.alert(event.KindDeviceSilent, 0.3, adviceEngineer, clauseSilent,
		fmt.Sprintf("The panel at %s is silent: it should report every %s (%s) and %s.", c.Name, span(o.Supervision.Reporting), o.Supervision.Class, since))}
}

func (d *Detector) cameBack(o *event.Observation) []event.Alert {
	k := key{system(o), silence}
	c := d.open[k]
	if c == nil || !c.take(o) {
		return nil
	}
	delete(d.open, k)
	return []event.Alert{c.alert(event.KindDeviceReturned, 0.1, "", clauseSilent,
		fmt.Sprintf("The panel at %s is heard again after %s.", c.Name, span(o.Time.Sub(c.Start))))}
}

// zone returns the zone of a signal, and whether this is its first activation
// in the condition.
func (c *condition) zone(o *event.Observation) (z zone, isNew bool) {
	id := o.Alarm.Zone
	for i := range c.Zones {
		if c.Zones[i].ID == id {
			c.Zones[i].Restored = false
			return c.Zones[i], false
		}
	}
	z = zone{ID: id, Name: o.Alarm.ZoneName, Kind: o.Alarm.ZoneKind, At: o.Time}
	if len(c.Zones) >= maxZones {
		return z, false
	}
	c.Zones = append(c.Zones, z)
	return z, true
}

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

func (c *condition) firstContributor() int {
	for i, z := range c.Zones {
		if z.contributes() {
			return i
		}
	}
	return 0
}

func (z zone) contributes() bool { return z.ID != "" && z.Kind != event.ZoneExternal }

// String names a zone as an operator would.
func (z zone) String() string {
	var parts []string
	if z.ID != "" {
		parts = append(parts, "zone "+z.ID)
	}
	switch {
	case z.Name != "":
		parts = append(parts, z.Name)
	case z.Kind != event.ZoneUnknown:
		parts = append(parts, strings.ReplaceAll(string(z.Kind), "_", "-"))
	}
	if len(parts) == 0 {
		return "no zone given"
	}
	return strings.Join(parts, ", ")
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05") + " UTC" }

// span says how long in words.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second), " 0 s")
	default:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute), " 0 min")
	}
}
