package alarm

import (
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Advice that alerts give. People decide.
const (
	adviceKeyholder = "Call the keyholder; do not pass to police unless a person at the scene reports an offence"
	advicePolice    = "Pass to police"
	adviceUnset     = "Call the keyholder, and tell the police who were sent what was found"
	adviceFire      = "Pass to the fire and rescue service"
	adviceMedical   = "Call back, then the ambulance service"
	adviceEngineer  = "Call the keyholder and the alarm engineer"
)

// intruder judges an intruder signal: by itself unconfirmed, confirmed by a
// second independent detector of the same system or by the panel.
func (d *Detector) intruder(c *condition, o *event.Observation, act activation, fresh bool) []event.Alert {
	tell := func(kind event.Kind, score float64, advice, clause, reason string) []event.Alert {
		return []event.Alert{c.alert(o, kind, score, advice, clause, reason+detect.Late(o, "The signal"))}
	}
	switch {
	case c.Confirmed:
		return c.again(o, 0.95, advicePolice, clauseConfirmed, "The confirmed intruder alarm", "")
	case o.Alarm.Category == event.BurglaryVerified:
		c.Confirmed = true
		return tell(event.KindIntruderConfirmed, 0.95, advicePolice, clauseVerified,
			fmt.Sprintf("The panel at %s reports a verified intruder (%s).", c.Name, act))
	case act.isNew && act.contributes() && c.contributors() >= 2:
		c.Confirmed = true
		return tell(event.KindIntruderConfirmed, 0.9, advicePolice, clauseConfirmed,
			fmt.Sprintf("Second detector at %s: %s, %s. The alarm is confirmed.", c.Name, act, act.after(c.otherContributor(act.zone))))
	case act.isNew && act.Kind == event.ZoneExternal:
		score := 0.15
		if c.contributors() > 0 {
			score = 0.35 // an alarm that counts goes on
		}
		return tell(event.KindIntruderUnconfirmed, score, adviceKeyholder, clauseExternal,
			fmt.Sprintf("External detector at %s: %s. It does not count towards confirmation.", c.Name, act))
	case fresh && act.ID == "":
		return tell(event.KindIntruderUnconfirmed, 0.35, adviceKeyholder, clauseNoZone,
			fmt.Sprintf("Intruder alarm at %s without a zone number. It cannot count towards confirmation.", c.Name))
	case act.window:
		return tell(event.KindIntruderUnconfirmed, 0.35, adviceKeyholder, clauseFirst,
			fmt.Sprintf("First intruder alarm at %s: %s.%s", c.Name, act, c.awaits(o, d.policy.ConfirmWithin)))
	case c.contributors() == 0 && act.ID != "":
		return c.again(o, 0.15, adviceKeyholder, clauseExternal, "The alarm of external detectors", "")
	case act.ID == "":
		return c.again(o, 0.35, adviceKeyholder, clauseNoZone, "The intruder alarm", ", the newest without a zone number")
	default:
		return c.again(o, 0.35, adviceKeyholder, clauseSame, "The intruder alarm", ", but no second detector that counts")
	}
}

// awaits says until when a second detector would confirm, if that is still to
// come.
func (c *condition) awaits(o *event.Observation, within time.Duration) string {
	deadline := c.Window.Add(within)
	if o.Received.After(deadline) {
		return ""
	}
	return fmt.Sprintf(" A second, independent detector by %s would confirm it.", detect.When(deadline, deadline))
}

// holdUp judges a hold-up signal: it counts by itself, and a second device
// operated apart from the first confirms it.
func (d *Detector) holdUp(c *condition, o *event.Observation, act activation, fresh bool) []event.Alert {
	tell := func(kind event.Kind, score float64, clause, reason string) []event.Alert {
		return []event.Alert{c.alert(o, kind, score, advicePolice, clause, reason+detect.Late(o, "The signal"))}
	}
	first, apart := c.operatedApart(act, d.policy.HoldUpApart)
	switch {
	case c.Confirmed:
		return c.again(o, 0.95, advicePolice, clauseHoldUp2, "The confirmed hold-up", "")
	case o.Alarm.Category == event.HoldUpVerified:
		c.Confirmed = true
		return tell(event.KindHoldUpConfirmed, 0.95, clauseVerified,
			fmt.Sprintf("The panel at %s reports a verified hold-up (%s).", c.Name, act))
	case apart:
		c.Confirmed = true
		return tell(event.KindHoldUpConfirmed, 0.9, clauseHoldUp2,
			fmt.Sprintf("Second hold-up device at %s: %s, %s. The hold-up is confirmed.", c.Name, act, act.after(first)))
	case fresh:
		return tell(event.KindHoldUp, 0.6, clauseHoldUp, fmt.Sprintf("Hold-up at %s: %s.", c.Name, act))
	case act.isNew && act.ID != "":
		near := ""
		if first.ID != "" {
			near = fmt.Sprintf(", %s. Devices operated so near one another do not confirm", act.after(first))
		}
		return tell(event.KindHoldUp, 0.6, clauseHoldUp, fmt.Sprintf("Another hold-up device at %s: %s%s.", c.Name, act, near))
	default:
		return c.again(o, 0.6, advicePolice, clauseHoldUp, "The hold-up", "")
	}
}

// operatedApart returns another device, and whether it was operated well before
// or after this one. A device that goes on signalling has been operated once.
func (c *condition) operatedApart(act activation, apart time.Duration) (other zone, ok bool) {
	if !act.operated || act.ID == "" {
		return zone{}, false
	}
	for _, z := range c.Zones {
		if z.ID == "" || z.ID == act.ID {
			continue
		}
		if act.At.Sub(z.At).Abs() > apart {
			return z, true
		}
		if other.ID == "" {
			other = z
		}
	}
	return other, false
}

// direct passes on what needs no confirmation.
func (c *condition) direct(o *event.Observation, act activation, fresh bool) []event.Alert {
	j := directs[c.Family]
	if fresh || act.isNew && act.ID != "" {
		return []event.Alert{c.alert(o, j.kind, j.score, j.advice, j.clause,
			fmt.Sprintf("%s at %s: %s.%s", j.what, c.Name, act, detect.Late(o, "The signal")))}
	}
	return c.again(o, j.score, j.advice, j.clause, "The "+inWords[c.Family], "")
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

var inWords = map[family]string{
	intruder: "intruder alarm", holdUp: "hold-up", tamper: "tamper", fire: "fire alarm",
	medical: "medical alarm", ambient: "environmental alarm",
}

// restored tells that the last active zone of a condition has been restored.
func (c *condition) restored(o *event.Observation) []event.Alert {
	if c == nil || c.Ended || o.Time.Before(c.Start) {
		return nil
	}
	c.take(o, false)
	active := 0
	for i := range c.Zones {
		if o.Alarm.Zone == "" || c.Zones[i].ID == o.Alarm.Zone {
			c.Zones[i].Restored = true
		}
		if !c.Zones[i].Restored {
			active++
		}
	}
	switch {
	case active > 0:
		return nil
	case c.Over:
		c.OverAt = detect.Later(c.OverAt, o.Time)
		return nil
	}
	return []event.Alert{c.alert(o, event.KindRestored, 0.1, "", clauseDirect,
		fmt.Sprintf("The panel at %s reports that the %s has been restored, %s after it began.", c.Name, inWords[c.Family], detect.Span(o.Time.Sub(c.Start))))}
}

// unset tells that somebody with a code switched the system off during an
// intruder alarm: most often the keyholder.
func (d *Detector) unset(c *condition, o *event.Observation) []event.Alert {
	if c == nil || c.Ended || o.Alarm.State != event.AlarmNew || o.Time.Before(c.Start) {
		return nil
	}
	c.take(o, true)
	c.Ended = true
	advice, who := adviceKeyholder, "somebody with a code"
	if c.Confirmed {
		advice = adviceUnset
	}
	if o.Alarm.User != "" {
		who = "user " + o.Alarm.User
	}
	return []event.Alert{c.alert(o, event.KindRestored, 0.1, advice, clauseUnset,
		fmt.Sprintf("The system at %s was switched off by %s, %s after the intruder alarm began.", c.Name, who, detect.Span(o.Time.Sub(c.Start))))}
}

// silentThing names what fell silent.
func silentThing(o *event.Observation, where string) string {
	if o.Supervision != nil && o.Supervision.Class == event.ClassEnrolled {
		return fmt.Sprintf("Device %s at %s", o.Device, where)
	}
	return "The panel at " + where
}

func (d *Detector) fellSilent(c *condition, o *event.Observation) []event.Alert {
	c.take(o, true)
	since := "it was never heard"
	if h := o.Supervision.LastHeard; h != nil {
		since = "it was last heard at " + detect.When(*h, o.Time)
	}
	return []event.Alert{c.alert(o, event.KindDeviceSilent, 0.3, adviceEngineer, clauseSilent,
		fmt.Sprintf("%s is silent: it should report every %s (%s), and %s.", silentThing(o, c.Name), detect.Span(o.Supervision.Reporting), o.Supervision.Class, since))}
}

func (d *Detector) cameBack(c *condition, o *event.Observation) []event.Alert {
	if c == nil || c.Ended {
		return nil
	}
	c.take(o, true)
	c.Ended = true
	d.until(c, detect.Later(o.Time, o.Received).Add(d.policy.QuietAfter))
	return []event.Alert{c.alert(o, event.KindDeviceReturned, 0.1, "", clauseSilent,
		fmt.Sprintf("%s is heard again, %s after it was found silent.", silentThing(o, c.Name), detect.Span(o.Time.Sub(c.Start))))}
}
