package cli

import (
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// attached returns a copy of an observation as it is kept: the platform hears it
// now, it happened when the file says, and it belongs to whom the command names.
func (k *replayKeeper) attached(o *event.Observation) *event.Observation {
	c := *o
	c.Received, c.Recorded = time.Time{}, true
	// A recorded time is no sign of how a device's clock goes today, and must not
	// be corrected by it.
	if c.DeviceTime != nil && c.DeviceTime.Equal(c.Time) {
		c.DeviceTime = nil
	}
	device, premises := k.cmd.Device, k.cmd.Premises
	if device != "" || premises != "" {
		c.ID = event.NewID("kept", device, premises, string(o.ID)) // one file may be kept for two homes
	}
	if device != "" {
		c.Device, c.Via = deviceNamed(k.cmd.Format, device, o), device
	}
	if premises != "" {
		c.Premises, c.PremisesName = premises, ""
	}
	return &c
}

// deviceNamed is what an observation's device is called where the file's own
// device stands for a registered one.
func deviceNamed(format, device string, o *event.Observation) string {
	_, sensor, inner := strings.Cut(o.Device, "/")
	switch {
	case o.Via != "" && o.Device == o.Via:
		return device
	case o.Via != "" && strings.HasPrefix(o.Device, o.Via+"/"):
		return device + strings.TrimPrefix(o.Device, o.Via)
	case format == "contact-sensor" && inner:
		return device + "/" + sensor
	case format == "zeek", format == "eve", format == "cap": // the file is named after itself
		return device
	}
	return o.Device
}

// account attaches an alarm to the account's premises as the registry knows them,
// and reports whether it knows the account.
func (k *replayKeeper) account(o *event.Observation) bool {
	found, ok := k.reg.Account(o.Alarm.Account)
	if !ok {
		return k.cmd.Premises != ""
	}
	if k.cmd.Premises == "" {
		o.Premises, o.PremisesName = found.Premises.ID, ""
	}
	for number, z := range found.Account.Zones {
		if o.Alarm.Zone != "" && strings.TrimLeft(number, "0") == strings.TrimLeft(o.Alarm.Zone, "0") {
			a := *o.Alarm
			a.ZoneName, a.ZoneKind = z.Name, z.Kind
			o.Alarm = &a
		}
	}
	return true
}
