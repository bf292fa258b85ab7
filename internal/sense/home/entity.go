package home

import (
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
)

// entity is one thing that Home Assistant's discovery named.
type entity struct {
	component string // "binary_sensor", "lock" ...
	class     string // device_class
	child     string // of "hub/child"
	channel   string // which of the child's
	name      string
	unit      string

	state    string // topic
	template *template
	on, off  string            // payloads, where they are not the usual words
	words    map[string]string // the entity's own words for locks and covers -> ours
	trigger  string            // device_automation: the payload that means it

	presence []attendance

	panelState
}

// attendance is a topic that says whether the entity is available.
type attendance struct {
	topic, yes, no string
	template       *template
}

// topics are the state topic, then the topics of availability.
func (e *entity) topics() []string {
	out := make([]string, 1, 1+len(e.presence))
	out[0] = e.state
	for i := range e.presence {
		out = append(out, e.presence[i].topic)
	}
	return out
}

// size is roughly how many bytes the entity takes.
func (e *entity) size() int {
	n := sizeOfEntity + len(e.component) + len(e.class) + len(e.child) + len(e.channel) + len(e.name) + len(e.unit) +
		2*len(e.state) + e.template.size() + len(e.on) + len(e.off) + len(e.trigger) + 200*len(e.words)
	for i := range e.presence {
		a := &e.presence[i]
		n += 100 + 2*len(a.topic) + len(a.yes) + len(a.no) + a.template.size()
	}
	return n
}

// observe adds what a payload of the state topic says of the entity.
func (e *entity) observe(r *report, p *payload) {
	r.child = e.child
	if e.component == "alarm_control_panel" {
		e.panel(r, p)
		return
	}
	state, ok := e.template.render(p)
	if ok {
		state, ok = unquoted(state)
	}
	if !ok {
		return
	}
	e.say(r, state)
}

// unquoted returns a state without the quotes of JSON; not ok where it stands for
// nothing.
func unquoted(state string) (string, bool) {
	state = strings.TrimSpace(state)
	if n := len(state); n >= 2 && state[0] == '"' && state[n-1] == '"' {
		state = state[1 : n-1]
	}
	switch strings.ToLower(state) {
	case "", "none", "unknown", "null", "unavailable", "nan":
		return "", false
	}
	return state, true
}

// say adds what a state, in Home Assistant's words, says of the entity.
func (e *entity) say(r *report, state string) {
	switch e.component {
	case "binary_sensor":
		e.binary(r, state)
	case "sensor":
		e.sensor(r, state)
	case "lock":
		r.reading(spoken(event.Lock, e.word(state)), e.channel, e.name)
	case "cover":
		r.reading(spoken(event.Cover, e.word(state)), e.channel, e.name)
	case "siren":
		e.onOff(r, siren, state)
	case "switch", "light", "fan":
		e.onOff(r, switched, state)
	case "button", "event", "device_automation":
		e.pressed(r, state)
	case "device_tracker":
		e.tracked(r, state)
	}
}

// active reads the entity's own word for on and off, then the usual ones.
func (e *entity) active(state string) (active, ok bool) {
	switch {
	case e.on != "" && strings.EqualFold(state, e.on):
		return true, true
	case e.off != "" && strings.EqualFold(state, e.off):
		return false, true
	}
	return truth(state)
}

func (e *entity) binary(r *report, state string) {
	active, ok := e.active(state)
	if e.class == "battery" {
		if ok {
			r.sick().LowBattery = &active
		}
		return
	}
	s := classified(e.class, e.name+" "+e.channel+" "+e.child)
	rd := &event.Reading{Property: s.property, Channel: s.channel, State: clean(state, maxWord)}
	if ok {
		rd = s.say(active)
	}
	r.reading(rd, e.named(rd), e.name)
}

// named is the channel of a reading: the entity's, which tells it from the
// child's others, but of a named condition the condition's where there is no other.
func (e *entity) named(rd *event.Reading) string {
	if e.channel != "" {
		return e.channel
	}
	return rd.Channel
}

func (e *entity) sensor(r *report, state string) {
	v, ok := number(state)
	switch {
	case e.class == "battery" && ok:
		if v < 0 || v > 100 {
			r.bad(join(e.child, e.channel), "a number from 0 to 100", state)
			return
		}
		r.sick().Battery = &v
	case e.class == "signal_strength" && ok:
		r.sick().RSSI = &v
	case ok && (e.class != "" || e.unit != ""):
		rd := quantity(e.class, e.channel, e.unit, v)
		r.reading(rd, e.named(rd), e.name)
	case ok:
		r.reading(&event.Reading{Property: event.Quantity, Value: &v}, e.channel, e.name)
	case e.measures():
		r.bad(join(e.child, e.channel), "a finite number", state)
	default:
		r.reading(&event.Reading{Property: event.Condition, State: clean(state, maxWord)}, e.channel, e.name)
	}
}

// measures reports whether the entity's state must be a number.
func (e *entity) measures() bool {
	_, known := quantities[e.class]
	return known || e.unit != "" || e.class == "battery" || e.class == "signal_strength"
}

func (e *entity) onOff(r *report, s sensed, state string) {
	if active, ok := e.active(state); ok {
		r.reading(s.say(active), e.channel, e.name)
	}
}

// pressed adds a press. A button that calls for help is a panic button, by name.
func (e *entity) pressed(r *report, state string) {
	if e.trigger != "" && state != e.trigger {
		return
	}
	if strings.HasPrefix(state, "{") { // an event entity's JSON
		if o, err := object([]byte(state)); err == nil {
			state = text(o, "event_type", maxWord)
		}
	}
	press(r, e.channel, e.name+" "+e.child, e.name, state)
}

// press adds the press of a button, and a call for help where it is one.
func press(r *report, channel, about, name, action string) {
	action = clean(action, maxWord)
	if action == "" {
		return
	}
	if help(action) || classified("", about+" "+channel).property == event.Panic {
		r.reading(panicked.say(true), channel, name)
		return
	}
	active := true
	r.reading(&event.Reading{Property: event.Button, State: action, Active: &active}, channel, name)
}

// help reports whether an action of a button or keypad asks for help.
func help(action string) bool {
	switch strings.ToLower(action) {
	case "panic", "emergency", "sos", "hold_up", "duress":
		return true
	}
	return false
}

// tracked adds whether a tracker is at home. Where else it is, is nobody's
// business, so the message itself is not kept.
func (e *entity) tracked(r *report, state string) {
	home := strings.EqualFold(state, "home") || e.on != "" && strings.EqualFold(state, e.on)
	r.reading(presence.say(home), e.channel, e.name)
	r.out[len(r.out)-1].Raw = []byte{}
}

// private reports whether the entity's messages may say who or where somebody is.
func (e *entity) private() bool {
	return e.component == "device_tracker" || e.component == "alarm_control_panel"
}

// word says the entity's own word for a state in ours.
func (e *entity) word(state string) string {
	if w, ok := e.words[strings.ToLower(state)]; ok {
		return w
	}
	return state
}
