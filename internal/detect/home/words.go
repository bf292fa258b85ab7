package home

import (
	"fmt"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// lateFrom is how late an observation is when its alert says so.
const lateFrom = 2 * time.Minute

// late says that an observation came long after its event.
func late(o *event.Observation) string {
	by := o.Received.Sub(o.Time)
	if by < lateFrom {
		return ""
	}
	return fmt.Sprintf(" It came late: it happened at %s, %s before it was received.", when(o.Time, o.Received), span(by))
}

// subject names the premises as the control room does, or the hub.
func subject(o *event.Observation) string {
	switch {
	case o.PremisesName != "":
		return o.PremisesName
	case o.Premises != "":
		return o.Premises
	}
	hub, _, _ := strings.Cut(o.Device, "/")
	return "the home of " + hub
}

// sensorName names a sensor as its owner does.
func sensorName(o *event.Observation) string {
	_, child, ok := strings.Cut(o.Device, "/")
	if !ok {
		child = o.Device
	}
	name := o.Reading.Name
	switch {
	case name == "":
		name = child
	case !strings.EqualFold(name, child):
		name += " (" + child + ")"
	}
	if o.Reading.Channel != "" && !strings.Contains(name, o.Reading.Channel) {
		name += ", " + o.Reading.Channel
	}
	return name
}

// when says a time of day, with the date where it is not that of now.
func when(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05 UTC")
	}
	return t.Format("15:04:05 UTC on 2 January")
}

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
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute), " 0 min")
	default:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
}
