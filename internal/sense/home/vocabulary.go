package home

import (
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
)

// sensed is how one thing that an ecosystem can say becomes a reading: the words
// for when what the sensor watches for is there, and when not.
type sensed struct {
	property event.Property
	there    string
	gone     string
	channel  string // for event.Condition: which condition
}

var (
	contact   = sensed{event.Contact, "open", "closed", ""}
	motion    = sensed{event.Motion, "detected", "clear", ""}
	occupancy = sensed{event.Occupancy, "occupied", "clear", ""}
	glass     = sensed{event.Glass, "broken", "clear", ""}
	vibration = sensed{event.Vibration, "detected", "clear", ""}
	smoke     = sensed{event.Smoke, "detected", "clear", ""}
	co        = sensed{event.CO, "detected", "clear", ""}
	gas       = sensed{event.Gas, "detected", "clear", ""}
	water     = sensed{event.Water, "wet", "dry", ""}
	tamper    = sensed{event.Tampered, "detected", "clear", ""}
	panicked  = sensed{event.Panic, "pressed", "clear", ""}
	sound     = sensed{event.Sound, "detected", "clear", ""}
	siren     = sensed{event.Siren, "on", "off", ""}
	switched  = sensed{event.Switch, "on", "off", ""}
	unlocked  = sensed{event.Lock, "unlocked", "locked", ""}
	presence  = sensed{event.Presence, "home", "away", ""}
)

// other is a condition without a property of its own.
func other(channel string) sensed { return sensed{event.Condition, "on", "off", channel} }

// classes are the device classes of Home Assistant's binary sensors, which
// ESPHome and others use too. A class that is not here is a condition by its own
// name. "battery" is not here: it is a sign of health.
var classes = map[string]sensed{
	"door": contact, "window": contact, "opening": contact, "garage_door": contact, "garage": contact,
	"motion": motion, "moving": motion,
	"occupancy": occupancy, "presence": occupancy, // a room's: who is there is not said
	"vibration": vibration, "sound": sound, "smoke": smoke, "carbon_monoxide": co, "gas": gas,
	"moisture": water, "tamper": tamper, "lock": unlocked,
	"safety":       {event.Condition, "unsafe", "safe", "safety"},
	"problem":      {event.Condition, "problem", "fine", "problem"},
	"heat":         {event.Condition, "hot", "normal", "heat"},
	"cold":         {event.Condition, "cold", "normal", "cold"},
	"connectivity": {event.Condition, "connected", "disconnected", "connectivity"},
}

// classified returns how a binary sensor of a class and name is sensed. Home
// Assistant has no class for broken glass or panic buttons, so there the name
// decides.
func classified(class, name string) sensed {
	switch class {
	case "", "sound", "vibration", "safety", "problem", "None":
		switch lower := strings.ToLower(name); {
		case strings.Contains(lower, "glass"):
			return glass
		case strings.Contains(lower, "panic"), strings.Contains(lower, "hold-up"), strings.Contains(lower, "holdup"), strings.Contains(lower, "hold_up"):
			return panicked
		}
	}
	if s, ok := classes[class]; ok {
		return s
	}
	if class == "" || class == "None" {
		return other("")
	}
	return other(clean(class, maxWord))
}

// truths are the words, in lower case, that the ecosystems use for yes and no.
var truths = map[string]bool{
	"on": true, "true": true, "1": true, "yes": true, "open": true, "opened": true, "detected": true, "wet": true, "unlocked": true,
	"unlock": true, "problem": true, "occupied": true, "home": true, "triggered": true, "active": true, "broken": true, "pressed": true, "alarm": true,
	"off": false, "false": false, "0": false, "no": false, "closed": false, "close": false, "clear": false, "dry": false, "locked": false,
	"lock": false, "fine": false, "not_home": false, "away": false, "normal": false, "ok": false, "inactive": false, "not detected": false, "idle": false,
}

// truth reads a word or a JSON value that means yes or no.
func truth(v any) (active, ok bool) {
	if b, is := v.(bool); is {
		return b, true
	}
	w := word(v)
	if len(w) == 0 || len(w) > maxWord {
		return false, false
	}
	active, ok = truths[strings.ToLower(strings.TrimSpace(w))]
	return active, ok
}

// say gives the reading's words for a condition.
func (s sensed) say(active bool) *event.Reading {
	r := &event.Reading{Property: s.property, Channel: s.channel, State: s.gone, Active: &active}
	if active {
		r.State = s.there
	}
	if s.channel == "connectivity" { // what is watched for is a loss
		lost := !active
		r.Active = &lost
	}
	return r
}

// states are words of things that have more than two states. The value says
// whether what is watched for is there: something open or unlocked.
var states = map[event.Property]map[string]bool{
	event.Lock: {
		"locked": false, "unlocked": true, "locking": true, "unlocking": true, "jammed": true, "open": true, "opening": true,
		"not_fully_locked": true, "lock": false, "unlock": true,
	},
	event.Cover: {"open": true, "closed": false, "opening": true, "closing": true, "stopped": true, "close": false, "stop": true},
}

// stateWords says a state in our word where an ecosystem has another.
var stateWords = map[string]string{"lock": "locked", "unlock": "unlocked", "close": "closed", "stop": "stopped"}

// spoken gives the reading of a lock or a cover.
func spoken(p event.Property, state string) *event.Reading {
	state = strings.ToLower(clean(state, maxWord))
	r := &event.Reading{Property: p, State: state}
	if active, ok := states[p][state]; ok {
		r.Active = &active
		if w, ok := stateWords[state]; ok {
			r.State = w
		}
	}
	return r
}

// measured is a quantity and its unit, a UCUM code.
type measured struct {
	property event.Property
	unit     string
}

// quantities are Home Assistant's sensor classes that are measured. "battery" and
// "signal_strength" are signs of health.
var quantities = map[string]measured{
	"temperature": {event.Temperature, "Cel"}, "humidity": {event.Humidity, "%"}, "illuminance": {event.Illuminance, "lx"},
	"power": {event.ActivePower, "W"}, "energy": {event.Energy, "kW.h"}, "sound_pressure": {event.NoiseLevel, "dB[A]"},
	"pm25": {event.PM25, "ug/m3"}, "pm10": {event.PM10, "ug/m3"}, "nitrogen_dioxide": {event.NO2, "ug/m3"}, "ozone": {event.Ozone, "ug/m3"},
	"carbon_dioxide": {event.CO2, "ppm"}, "speed": {event.Speed, "km/h"}, "wind_speed": {event.Speed, "km/h"},
	"pressure": {event.Pressure, "hPa"}, "atmospheric_pressure": {event.Pressure, "hPa"},
}

// units turn what ecosystems write into UCUM: a*v+b in the unit.
var units = map[string]struct {
	ucum string
	a, b float64
}{
	"°C": {"Cel", 1, 0}, "C": {"Cel", 1, 0}, "°F": {"Cel", 5.0 / 9, -160.0 / 9}, "F": {"Cel", 5.0 / 9, -160.0 / 9}, "K": {"Cel", 1, -273.15},
	"%": {"%", 1, 0}, "lx": {"lx", 1, 0}, "lux": {"lx", 1, 0},
	"W": {"W", 1, 0}, "kW": {"W", 1000, 0}, "mW": {"W", 0.001, 0}, "kWh": {"kW.h", 1, 0}, "Wh": {"kW.h", 0.001, 0}, "MWh": {"kW.h", 1000, 0},
	"hPa": {"hPa", 1, 0}, "mbar": {"hPa", 1, 0}, "kPa": {"hPa", 10, 0}, "Pa": {"hPa", 0.01, 0}, "bar": {"hPa", 1000, 0},
	"inHg": {"hPa", 33.8639, 0}, "psi": {"hPa", 68.9476, 0}, "mmHg": {"hPa", 1.33322, 0},
	"µg/m³": {"ug/m3", 1, 0}, "μg/m³": {"ug/m3", 1, 0}, "mg/m³": {"ug/m3", 1000, 0}, "ppm": {"ppm", 1, 0}, "ppb": {"ppm", 0.001, 0},
	"dB": {"dB[A]", 1, 0}, "dBA": {"dB[A]", 1, 0},
	"km/h": {"km/h", 1, 0}, "m/s": {"km/h", 3.6, 0}, "mph": {"km/h", 1.609344, 0}, "kn": {"km/h", 1.852, 0},
	"V": {"V", 1, 0}, "mV": {"V", 0.001, 0}, "A": {"A", 1, 0}, "mA": {"A", 0.001, 0},
	"s": {"s", 1, 0}, "min": {"s", 60, 0}, "h": {"s", 3600, 0}, "dBm": {"dB[mW]", 1, 0},
}

// quantity gives the reading of a number. A class without a property of its own,
// or a unit that the class cannot have, makes it a quantity by name.
func quantity(class, name, unit string, v float64) *event.Reading {
	q, known := quantities[class]
	u, unitKnown := units[unit]
	switch {
	case known && unit == "":
		return &event.Reading{Property: q.property, Value: &v, Unit: q.unit}
	case known && unitKnown && u.ucum == q.unit:
		v = u.a*v + u.b
		return &event.Reading{Property: q.property, Value: &v, Unit: q.unit}
	}
	r := &event.Reading{Property: event.Quantity, Channel: class, Value: &v}
	if class == "" {
		r.Channel = name
	}
	switch {
	case unitKnown:
		v = u.a*v + u.b
		r.Unit = u.ucum
	case unit != "":
		r.Unit = "{" + clean(strings.Map(noBraces, unit), 20) + "}" // UCUM's way to annotate
	}
	return r
}

func noBraces(r rune) rune {
	if r == '{' || r == '}' {
		return -1
	}
	return r
}
