package home

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// zigbee2MQTT understands what Zigbee2MQTT publishes below "zigbee2mqtt/": each
// device's JSON, availability, and the bridge's own messages.
type zigbee2MQTT struct {
	mem   *memory
	tally tally
}

var (
	_ sense.Dialect = (*zigbee2MQTT)(nil)
	_ rememberer    = (*zigbee2MQTT)(nil)
)

const zigbeePrefix = "zigbee2mqtt/"

// Name implements sense.Dialect.
func (d *zigbee2MQTT) Name() string { return NameZigbee2MQTT }

// Matches implements sense.Dialect.
func (d *zigbee2MQTT) Matches(topic string) bool { return strings.HasPrefix(topic, zigbeePrefix) }

// Observe implements sense.Dialect.
//
// Errors: sense.ErrUnreadable.
func (d *zigbee2MQTT) Observe(m *sense.Message) ([]*event.Observation, error) {
	r := &report{m: m, source: NameZigbee2MQTT, tally: d.tally}
	name := strings.TrimPrefix(m.Topic, zigbeePrefix)
	if own, ok := strings.CutPrefix(name, "bridge/"); ok {
		return d.bridge(r, own)
	}
	if len(m.Payload) == 0 || command(name) {
		return nil, nil // taken back, or said to a device and not by it
	}
	if child, ok := strings.CutSuffix(name, "/availability"); ok {
		present, known := availability(m.Payload)
		if !known {
			return nil, fmt.Errorf(`%w: expected online, offline or {"state": one of these}, got %.60q`, sense.ErrUnreadable, m.Payload)
		}
		r.child = clean(child, maxText)
		r.there(present)
		return r.done(), nil
	}
	return d.device(r, name)
}

// Remember takes up what was retained; see Family.Remember.
func (d *zigbee2MQTT) Remember(m *sense.Message) {
	if m.Topic == zigbeePrefix+"bridge/devices" {
		_, _ = d.Observe(m)
	}
}

// command reports whether a topic is one by which devices are told to do
// something.
func command(name string) bool {
	return strings.HasSuffix(name, "/set") || strings.HasSuffix(name, "/get") || strings.Contains(name, "/set/") || strings.Contains(name, "/get/")
}

// device reads what one device, or group, says.
func (d *zigbee2MQTT) device(r *report, name string) ([]*event.Observation, error) {
	fields, err := d.fields(r.m.Payload, &name)
	if err != nil {
		return nil, err
	}
	r.child = clean(name, maxText)
	known := d.known(r.m.Device.ID, name)
	r.at, _ = clockTime(fields["last_seen"])
	for _, key := range keys(fields) {
		v := fields[key]
		if v == nil || key == "last_seen" {
			continue
		}
		switch d.field(r, known, fields, key, v) {
		case passed:
			d.tally.ignored.Inc()
		case unread:
			r.bad(key, form(key), v)
		}
	}
	return r.result()
}

// fields reads the device's JSON. Where the bridge is set to publish each
// attribute by itself, the topic's last level names it.
func (d *zigbee2MQTT) fields(payload []byte, name *string) (map[string]any, error) {
	if i := strings.LastIndexByte(*name, '/'); i > 0 && payload[0] != '{' {
		key := (*name)[i+1:]
		if _, known := zigbeeFields[key]; known {
			v, err := decode(payload)
			if err != nil {
				v = string(payload)
			}
			*name = (*name)[:i]
			return map[string]any{key: v}, nil
		}
	}
	return object(payload)
}

// outcome is what became of a field.
type outcome int

const (
	read   outcome = iota
	passed         // nothing is known of it
	unread         // it is not of the expected form
)

// zigbeeKind is how a field is read.
type zigbeeKind int

const (
	isCondition zigbeeKind = iota
	isQuantity
	isHealth
	isOwn // has a case of its own
)

type zigbeeField struct {
	kind     zigbeeKind
	sensed   sensed
	inverted bool   // true means that what is watched for is not there
	class    string // of a quantity, as Home Assistant has it
}

// zigbeeFields are the fields that are read. See the Exposes of the devices'
// pages in Zigbee2MQTT's documentation.
var zigbeeFields = map[string]zigbeeField{
	"contact":   {sensed: contact, inverted: true}, // true: the contact is made, the door is closed
	"occupancy": {sensed: occupancy}, "presence": {sensed: occupancy}, "motion": {sensed: motion}, "moving": {sensed: vibration},
	"vibration": {sensed: vibration}, "tamper": {sensed: tamper}, "smoke": {sensed: smoke}, "carbon_monoxide": {sensed: co},
	"gas": {sensed: gas}, "water_leak": {sensed: water}, "glass_break": {sensed: glass}, "glass_breakage": {sensed: glass},
	"sos": {sensed: panicked}, "panic": {sensed: panicked}, "emergency": {sensed: panicked}, "alarm": {sensed: siren}, "noise_detected": {sensed: sound},
	"test":        {sensed: sensed{event.Condition, "on", "off", "test"}},
	"temperature": {kind: isQuantity, class: "temperature"}, "humidity": {kind: isQuantity, class: "humidity"},
	"illuminance": {kind: isQuantity, class: "illuminance"}, "illuminance_lux": {kind: isQuantity, class: "illuminance"},
	"pressure": {kind: isQuantity, class: "pressure"}, "power": {kind: isQuantity, class: "power"}, "energy": {kind: isQuantity, class: "energy"},
	"co2": {kind: isQuantity, class: "carbon_dioxide"}, "pm25": {kind: isQuantity, class: "pm25"}, "pm10": {kind: isQuantity, class: "pm10"},
	"noise": {kind: isQuantity, class: "sound_pressure"}, "current": {kind: isQuantity, class: "current"}, "soil_moisture": {kind: isQuantity, class: "soil_moisture"},
	"battery": {kind: isHealth}, "battery_low": {kind: isHealth}, "linkquality": {kind: isHealth}, "voltage": {kind: isHealth},
	"state": {kind: isOwn}, "lock_state": {kind: isOwn}, "action": {kind: isOwn},
}

// ownUnits are units of fields that have no class of their own.
var ownUnits = map[string]string{"current": "A", "soil_moisture": "%"}

// form says what a field must be, for error messages.
func form(key string) string {
	switch f := zigbeeFields[key]; {
	case key == "battery":
		return "a number from 0 to 100"
	case key == "linkquality":
		return "a number from 0 to 255"
	case key == "battery_low" || f.kind == isCondition:
		return "true or false"
	case f.kind == isOwn:
		return "a text"
	}
	return "a finite number"
}

// field adds what one field says.
func (d *zigbee2MQTT) field(r *report, dev *zigbee, all map[string]any, key string, v any) outcome {
	f, ok := zigbeeFields[key]
	channel := ""
	if !ok {
		base, end, cut := cutEndpoint(key)
		if f, ok = zigbeeFields[base]; !cut || !ok {
			return passed
		}
		key, channel = base, end
	}
	switch f.kind {
	case isCondition:
		active, ok := truth(v)
		if !ok {
			return unread
		}
		rd := f.sensed.say(active != f.inverted)
		if testing, _ := truth(all["test"]); testing && (key == "smoke" || key == "gas" || key == "carbon_monoxide") {
			quiet := false // somebody holds the test button
			rd.State, rd.Active = "test", &quiet
		}
		if channel == "" {
			channel = rd.Channel
		}
		r.reading(rd, channel, dev.name)
	case isQuantity:
		if _, better := all["illuminance_lux"]; better && key == "illuminance" {
			return passed // the sensor's own scale
		}
		x, ok := number(v)
		if !ok {
			return unread
		}
		rd := quantity(f.class, f.class, ownUnits[key], x)
		if channel == "" {
			channel = rd.Channel
		}
		r.reading(rd, channel, dev.name)
	case isHealth:
		return d.health(r, key, channel, v)
	default:
		return d.own(r, dev, all, key, channel, v)
	}
	return read
}

// health reads the signs of health.
func (d *zigbee2MQTT) health(r *report, key, channel string, v any) outcome {
	x, ok := number(v)
	switch key {
	case "battery_low":
		low, is := truth(v)
		if !is {
			return unread
		}
		r.sick().LowBattery = &low
		return read
	case "battery":
		if !ok || x < 0 || x > 100 {
			return unread
		}
		r.sick().Battery = &x
	case "linkquality":
		if !ok || x < 0 || x > 255 {
			return unread
		}
		x = x / 255 * 100
		r.sick().LinkQuality = &x
	case "voltage":
		switch {
		case !ok:
			return unread
		case x >= 1000: // a battery's, in millivolts
			x /= 1000
			r.sick().Voltage = &x
		default: // the mains', in volts
			r.reading(quantity("voltage", "voltage", "V", x), join("voltage", channel), "")
		}
	}
	return read
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

// own reads the fields whose meaning depends on their words.
func (d *zigbee2MQTT) own(r *report, dev *zigbee, all map[string]any, key, channel string, v any) outcome {
	s, ok := v.(string)
	if !ok {
		return unread
	}
	switch key {
	case "lock_state":
		r.reading(spoken(event.Lock, s), channel, dev.name)
	case "action":
		press(r, channel, dev.name+" "+r.child, dev.name, s)
	default:
		switch strings.ToUpper(s) {
		case "ON", "OFF":
			c := switched
			if dev.siren {
				c = siren
			}
			r.reading(c.say(strings.EqualFold(s, "ON")), channel, dev.name)
		case "LOCK", "UNLOCK", "LOCKED", "UNLOCKED", "NOT_FULLY_LOCKED":
			if _, better := all["lock_state"]; better {
				return read // which says the same, and more
			}
			r.reading(spoken(event.Lock, s), channel, dev.name)
		case "OPEN", "CLOSE", "CLOSED", "STOP", "OPENING", "CLOSING":
			r.reading(spoken(event.Cover, s), channel, dev.name)
		default:
			return unread
		}
	}
	return read
}

// cutEndpoint cuts the endpoint from a field's name: "state_l1", "contact_left".
func cutEndpoint(key string) (base, endpoint string, ok bool) {
	i := strings.LastIndexByte(key, '_')
	if i < 1 {
		return key, "", false
	}
	base, endpoint = key[:i], key[i+1:]
	switch endpoint {
	case "left", "right", "center", "top", "bottom": //nolint:misspell // as Zigbee2MQTT spells it
		return base, endpoint, true
	}
	digits := strings.TrimPrefix(endpoint, "l")
	ok = digits != "" && len(digits) <= 2 && strings.Trim(digits, "0123456789") == ""
	return base, endpoint, ok
}
