package home

import (
	"slices"
	"strings"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
)

// hub is one whose alarm is set.
type hub struct {
	due
	ID     string   `json:"id"`
	Panels []string `json:"panels"` // that are set; at most maxPanels
}

func (h *hub) key() string { return h.ID }

// parts are what besides the hub itself and its panels must be there for the
// alarm to be heard: the programs that speak for all sensors.
var parts = []string{"homeassistant", "zigbee2mqtt"}

// panel notes whether a hub's panel is set.
func (d *Detector) panel(o *event.Observation) {
	if o.Alarm.Category != event.OpenClose || o.Recorded { // what was set once says nothing of now
		return
	}
	h := d.hubs[o.Via]
	switch set := strings.HasPrefix(o.Alarm.Code, "armed_"); {
	case set && h == nil:
		if len(d.hubs) >= maxHubs {
			d.unwatch(d.set.items[0])
		}
		h = &hub{ID: o.Via, Panels: []string{o.Device}}
		h.Until = detect.Later(o.Time, o.Received).Add(forgets)
		d.hubs[h.ID] = h
		d.set.push(h)
	case set:
		if !slices.Contains(h.Panels, o.Device) && len(h.Panels) < maxPanels {
			h.Panels = append(h.Panels, o.Device)
		}
		d.set.until(h, detect.Later(o.Time, o.Received).Add(forgets))
	case h != nil && o.Alarm.State == event.AlarmNew: // unset
		h.Panels = slices.DeleteFunc(h.Panels, func(p string) bool { return p == o.Device })
		if len(h.Panels) == 0 {
			d.unwatch(h)
		}
	}
}

func (d *Detector) unwatch(h *hub) {
	delete(d.hubs, h.ID)
	d.set.remove(h)
}

// vital reports whether the alarm of a hub cannot be heard without a device.
func vital(h *hub, device string) bool {
	part, ok := strings.CutPrefix(device, h.ID+"/")
	return device == h.ID || ok && slices.Contains(parts, part) || slices.Contains(h.Panels, device)
}

func lostKey(o *event.Observation) string { return "hub/" + o.Via }

// gone takes that a device went away. What belongs to one hub is one loss.
func (d *Detector) gone(o *event.Observation) []event.Alert {
	h := d.hubs[o.Via]
	if h == nil || !vital(h, o.Device) {
		return nil
	}
	key := lostKey(o)
	if c := d.known[key]; c != nil && c.Active {
		if !c.has(o.ID) && c.away(o.Device) {
			c.take(o)
		}
		return nil
	}
	out := d.there(key, lost, o, o.Device)
	if c := d.known[key]; c != nil && c.Active {
		c.Away = []string{o.Device}
	}
	return out
}

// present takes that a device is there. A hub that is lost is back when all of
// it is.
func (d *Detector) present(o *event.Observation) []event.Alert {
	key := lostKey(o)
	c := d.known[key]
	if c == nil || !c.Active || o.Time.Before(c.Changed) {
		return nil
	}
	c.Away = slices.DeleteFunc(c.Away, func(a string) bool { return a == o.Device })
	if len(c.Away) > 0 {
		return nil
	}
	return d.over(key, o)
}
