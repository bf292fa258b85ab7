package home

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// espHome understands ESPHome's own topics, <node>/<component>/<object>/state and
// <node>/status, with or without "esphome/" before them. Where the node's
// discovery has come, it says what each object is; else the object's name does.
type espHome struct {
	ha    *homeAssistant
	tally tally
}

var (
	_ sense.Dialect = (*espHome)(nil)
	_ rememberer    = (*espHome)(nil)
)

const espPrefix = "esphome/"

// espComponents are the components that ESPHome has in its topics.
var espComponents = map[string]bool{
	"binary_sensor": true, "sensor": true, "text_sensor": true, "switch": true, "light": true, "fan": true, "cover": true, "lock": true,
	"alarm_control_panel": true, "button": true, "event": true, "climate": true, "number": true, "select": true, "valve": true,
	"text": true, "date": true, "time": true, "datetime": true, "update": true, "siren": true,
}

// Name implements sense.Dialect.
func (d *espHome) Name() string { return NameESPHome }

// Matches implements sense.Dialect.
func (d *espHome) Matches(topic string) bool {
	if strings.HasPrefix(topic, espPrefix) {
		return true
	}
	if strings.HasPrefix(topic, discoveryPrefix) || strings.HasPrefix(topic, streamPrefix) {
		return false
	}
	node, rest, ok := strings.Cut(topic, "/")
	if !ok || node == "" {
		return false
	}
	if rest == "status" || rest == "debug" {
		return true
	}
	component, rest, ok := strings.Cut(rest, "/")
	return ok && espComponents[component] && strings.Contains(rest, "/")
}

// Observe implements sense.Dialect.
//
// Errors: sense.ErrUnreadable.
func (d *espHome) Observe(m *sense.Message) ([]*event.Observation, error) {
	r := &report{m: m, source: NameESPHome, tally: d.tally}
	if d.ha.named(r) {
		return r.result()
	}
	topic := strings.TrimPrefix(m.Topic, espPrefix)
	levels := strings.Split(topic, "/")
	last := len(levels) - 1
	if len(m.Payload) == 0 {
		return nil, nil
	}
	switch {
	case last == 1 && levels[1] == "status":
		present, ok := availability(m.Payload)
		if !ok {
			return nil, fmt.Errorf("%w: expected online or offline, got %.60q", sense.ErrUnreadable, m.Payload)
		}
		r.child = clean(levels[0], maxText)
		r.there(present)
		return r.done(), nil
	case last == 3 && levels[3] == "state" && espComponents[levels[1]]:
		return d.state(r, levels[0], levels[1], levels[2])
	}
	return nil, nil // debug, commands, discover, and the finer states of lights and fans
}

// Remember takes up what was retained; see Family.Remember.
func (d *espHome) Remember(m *sense.Message) {
	if !d.ha.mem.knows(m.Topic) && strings.Contains(m.Topic, "/alarm_control_panel/") {
		_, _ = d.Observe(m) // what it says was observed when it came
	}
}

func (d *espHome) state(r *report, node, component, object string) ([]*event.Observation, error) {
	e := entity{component: component, child: clean(node, maxText), channel: clean(object, maxWord)}
	switch component {
	case "text_sensor":
		e.component = "sensor"
	case "light":
		e.template = espLight
	case "binary_sensor", "sensor":
		e.class = guess(component, object)
	case "alarm_control_panel":
		if err := d.ha.mem.adopt(r.m.Device.ID, r.m.Topic, &e); err != nil {
			return nil, err
		}
		d.ha.named(r)
		return r.result()
	}
	if !understood[e.component] {
		d.tally.ignored.Inc()
		return nil, nil
	}
	p := &payload{raw: r.m.Payload}
	if component == "binary_sensor" {
		if _, ok := truth(string(r.m.Payload)); !ok {
			return nil, fmt.Errorf("%w: expected ON or OFF, got %.60q", sense.ErrUnreadable, r.m.Payload)
		}
	}
	e.observe(r, p)
	return r.result()
}

var espLight = parseTemplate("{{ value_json.state }}")

// guesses are words in the names of objects that say what they are, in the order
// in which they are tried.
var guesses = []struct {
	component, class string
	words            []string
}{
	{"binary_sensor", "tamper", []string{"tamper"}},
	{"binary_sensor", "garage_door", []string{"garage"}},
	{"binary_sensor", "window", []string{"window"}},
	{"binary_sensor", "door", []string{"door", "gate", "reed", "contact"}},
	{"binary_sensor", "motion", []string{"motion", "pir", "movement"}},
	{"binary_sensor", "occupancy", []string{"occupancy", "presence"}},
	{"binary_sensor", "smoke", []string{"smoke"}},
	{"binary_sensor", "carbon_monoxide", []string{"co", "monoxide"}},
	{"binary_sensor", "gas", []string{"gas"}},
	{"binary_sensor", "moisture", []string{"leak", "water", "flood", "moisture"}},
	{"binary_sensor", "vibration", []string{"vibration", "shock"}},
	{"binary_sensor", "connectivity", []string{"connection", "connectivity"}},
	{"sensor", "temperature", []string{"temperature", "temp"}},
	{"sensor", "humidity", []string{"humidity"}},
	{"sensor", "illuminance", []string{"illuminance", "lux"}},
	{"sensor", "battery", []string{"battery"}},
	{"sensor", "signal_strength", []string{"rssi", "signal"}},
	{"sensor", "carbon_dioxide", []string{"co2"}},
	{"sensor", "pressure", []string{"pressure"}},
	{"sensor", "power", []string{"power"}},
	{"sensor", "energy", []string{"energy"}},
}

// guess returns the device class that an object's name suggests.
func guess(component, object string) string {
	words := strings.FieldsFunc(strings.ToLower(object), func(c rune) bool { return c == '_' || c == '-' || c == ' ' || c == '.' })
	if component == "binary_sensor" && classified("", object).property != event.Condition {
		return "" // glass and panic: their names decide anyway
	}
	for _, g := range guesses {
		if g.component == component && slices.ContainsFunc(g.words, func(w string) bool { return slices.Contains(words, w) }) {
			return g.class
		}
	}
	return ""
}
