package home

import (
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
)

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
