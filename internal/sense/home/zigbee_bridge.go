package home

import (
	"fmt"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// zigbee is what the bridge's list says of one device.
type zigbee struct {
	name     string // its description, as its owner wrote it
	ieee     string
	firmware string
	model    string // "vendor model"
	siren    bool   // its state is a siren's
}

// noZigbee stands for a device that the bridge has not listed.
var noZigbee = &zigbee{}

// known returns what the bridge's list says of a device.
func (d *zigbee2MQTT) known(hub, name string) *zigbee {
	d.mem.mu.RLock()
	defer d.mem.mu.RUnlock()
	if h := d.mem.hubs[hub]; h != nil {
		if z := h.zigbee[name]; z != nil {
			return z
		}
	}
	return noZigbee
}

// bridge reads the bridge's own messages.
func (d *zigbee2MQTT) bridge(r *report, topic string) ([]*event.Observation, error) {
	switch topic {
	case "state":
		present, ok := availability(r.m.Payload)
		if !ok {
			return nil, fmt.Errorf(`%w: expected online, offline or {"state": one of these}, got %.60q`, sense.ErrUnreadable, r.m.Payload)
		}
		r.child = NameZigbee2MQTT
		r.there(present)
		return r.done(), nil
	case "devices":
		return d.devices(r)
	case "event":
		return d.event(r)
	}
	return nil, nil // logging, info, groups, requests, responses
}

// event reads what happened to a device on the Zigbee network.
func (d *zigbee2MQTT) event(r *report) ([]*event.Observation, error) {
	o, err := object(r.m.Payload)
	if err != nil {
		return nil, err
	}
	data, _ := o["data"].(map[string]any)
	kind := text(o, "type", maxWord)
	if r.child = text(data, "friendly_name", maxText); r.child == "" {
		r.child = text(data, "ieee_address", maxText)
	}
	switch kind {
	case "device_joined", "device_announce", "device_leave":
		if r.child == "" {
			return nil, fmt.Errorf("%w: data: expected friendly_name or ieee_address", sense.ErrUnreadable)
		}
		r.there(kind != "device_leave")
	case "device_interview":
		if text(data, "status", maxWord) == "failed" && r.child != "" {
			r.sick().Problem = "The bridge could not find out what this device is"
		}
	}
	return r.done(), nil
}

// devices takes up the list of devices, and tells the address and firmware of
// those where it has changed.
func (d *zigbee2MQTT) devices(r *report) ([]*event.Observation, error) {
	if len(r.m.Payload) > maxDevices {
		return nil, fmt.Errorf("%w: the list of devices has %d bytes, at most %d", sense.ErrUnreadable, len(r.m.Payload), maxDevices)
	}
	if len(r.m.Payload) == 0 {
		return nil, nil
	}
	v, err := decode(r.m.Payload)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok || len(list) > maxPerHub {
		return nil, fmt.Errorf("%w: expected a list of at most %d devices, got %s", sense.ErrUnreadable, maxPerHub, what(v))
	}
	d.mem.mu.Lock()
	defer d.mem.mu.Unlock()
	h := d.mem.of(r.m.Device.ID)
	fresh := make(map[string]*zigbee, len(list))
	for _, v := range list {
		o, _ := v.(map[string]any)
		name := text(o, "friendly_name", maxText)
		if name == "" || fresh[name] != nil || text(o, "type", maxWord) == "Coordinator" {
			continue
		}
		z := zigbeeOf(o)
		fresh[name] = &z
		r.child = name
		if old := h.zigbee[name]; (old == nil || *old != z) && z.ieee != "" && len(r.out) < maxListed {
			r.health = &event.Health{Address: z.ieee, Firmware: z.firmware}
			r.done()
		}
	}
	if err := d.mem.room(h, len(fresh)-len(h.zigbee), sizeOfZigbee); err != nil {
		return nil, err
	}
	h.zigbee = fresh
	for _, o := range r.out {
		o.Raw = []byte{} // the list is long, and says more than is needed
	}
	return r.out, nil
}

// maxListed bounds the devices of which one list tells.
const maxListed = 400

func zigbeeOf(o map[string]any) zigbee {
	z := zigbee{
		name: text(o, "description", maxText), ieee: text(o, "ieee_address", maxWord), firmware: text(o, "software_build_id", maxWord),
	}
	def, _ := o["definition"].(map[string]any)
	z.model = clean(text(def, "vendor", maxWord)+" "+text(def, "model", maxWord), maxText)
	exposes, _ := def["exposes"].([]any)
	for _, v := range exposes {
		e, _ := v.(map[string]any)
		if n := text(e, "name", maxWord); n == "warning" || n == "alarm" || text(e, "type", maxWord) == "siren" {
			z.siren = true
		}
	}
	return z
}
