package home

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/sense"
)

// short are the abbreviations of Home Assistant's discovery, of the fields that
// are read here.
var short = map[string]string{
	"avty": "availability", "avty_t": "availability_topic", "avty_tpl": "availability_template",
	"pl_avail": "payload_available", "pl_not_avail": "payload_not_available",
	"cmps": "components", "p": "platform", "dev": "device", "dev_cla": "device_class",
	"stat_t": "state_topic", "val_tpl": "value_template", "stat_tpl": "state_template", "stat_val_tpl": "state_value_template",
	"t": "topic", "pl": "payload", "pl_on": "payload_on", "pl_off": "payload_off", "stat_on": "state_on", "stat_off": "state_off",
	"pl_home": "payload_home", "pl_not_home": "payload_not_home", "pl_prs": "payload_press",
	"stat_locked": "state_locked", "stat_unlocked": "state_unlocked", "stat_locking": "state_locking", "stat_unlocking": "state_unlocking",
	"stat_jam": "state_jammed", "stat_jammed": "state_jammed",
	"stat_open": "state_open", "stat_opening": "state_opening", "stat_clsd": "state_closed", "stat_closing": "state_closing", "stat_stopped": "state_stopped",
	"unit_of_meas": "unit_of_measurement", "atype": "automation_type", "stype": "subtype", "obj_id": "object_id", "uniq_id": "unique_id",
}

// understood are the components whose states say something here. Others are
// discovered and left.
var understood = map[string]bool{
	"alarm_control_panel": true, "binary_sensor": true, "sensor": true, "lock": true, "cover": true, "siren": true, "switch": true,
	"light": true, "fan": true, "button": true, "event": true, "device_automation": true, "device_tracker": true,
}

// config is one discovery object with its long names, the base topic put in and
// the hub's own id taken off.
type config struct {
	fields map[string]any
	base   string
	hub    string
}

func newConfig(o map[string]any, hub, base string) config {
	c := config{fields: make(map[string]any, len(o)), base: base, hub: hub}
	for k, v := range o {
		if long, ok := short[k]; ok {
			if _, both := o[long]; both {
				continue
			}
			k = long
		}
		c.fields[k] = v
	}
	if b, ok := c.fields["~"].(string); ok {
		c.base = b
	}
	return c
}

func (c *config) text(key string) string { return text(c.fields, key, maxText) }

// topic returns a topic of the discovery as the hub's messages have it.
//
// Errors: sense.ErrUnreadable.
func (c *config) topic(key string) (string, error) {
	v, ok := c.fields[key]
	if !ok || v == nil {
		return "", nil
	}
	t, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%w: %s: expected a topic, got %s", sense.ErrUnreadable, key, what(v))
	}
	if c.base != "" {
		if strings.HasPrefix(t, "~") {
			t = c.base + t[1:]
		} else if strings.HasSuffix(t, "~") {
			t = t[:len(t)-1] + c.base
		}
	}
	t = strings.TrimPrefix(t, c.hub+"/")
	if len(t) > maxTopic || strings.ContainsAny(t, "+#\x00") {
		return "", fmt.Errorf("%w: %s: %.60q is not a topic of at most %d bytes without + and #", sense.ErrUnreadable, key, t, maxTopic)
	}
	return t, nil
}

// place is where a discovery topic stands: <component>/[node/]object/config.
type discovered struct{ component, child, channel string }

// discoveredAt reads the levels between the prefix and "config".
func discoveredAt(levels []string) (discovered, bool) {
	d := discovered{component: levels[0]}
	switch len(levels) {
	case 2:
		d.child = levels[1]
	case 3:
		d.child, d.channel = levels[1], levels[2]
	default:
		return d, false
	}
	return d, d.component != "" && d.child != "" && len(d.child)+len(d.channel) <= maxText
}

// learn takes up a discovery message.
//
// Errors: sense.ErrUnreadable.
func (m *memory) learn(hubID, topic string, levels []string, payload []byte) error {
	at, ok := discoveredAt(levels)
	if !ok {
		return fmt.Errorf("%w: topic: expected <component>/[<node>/]<object>/config", sense.ErrUnreadable)
	}
	if len(payload) > maxConfig {
		return fmt.Errorf("%w: the discovery has %d bytes, at most %d", sense.ErrUnreadable, len(payload), maxConfig)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.of(hubID)
	if len(payload) == 0 { // Home Assistant's way to take it back
		m.drop(h, topic, nil)
		return nil
	}
	o, err := object(payload)
	if err != nil {
		return err
	}
	c := newConfig(o, hubID, "")
	if at.component == "device" {
		return m.learnDevice(h, topic, at, c)
	}
	e, err := c.entity(at)
	if err != nil || e == nil {
		return err
	}
	return m.put(hubID, h, topic, e)
}

// learnDevice takes up a device with its components, which inherit the device's
// availability, state topic and base.
func (m *memory) learnDevice(h *hub, topic string, at discovered, c config) error {
	cmps, ok := c.fields["components"].(map[string]any)
	if !ok {
		return fmt.Errorf("%w: components: expected an object, got %s", sense.ErrUnreadable, what(c.fields["components"]))
	}
	if len(cmps) > maxPerTopic {
		return fmt.Errorf("%w: components: %d of them, at most %d", sense.ErrUnreadable, len(cmps), maxPerTopic)
	}
	keep := map[string]bool{}
	var first error
	for _, key := range keys(cmps) {
		fields, ok := cmps[key].(map[string]any)
		if !ok {
			return fmt.Errorf("%w: components: %.60q: expected an object, got %s", sense.ErrUnreadable, key, what(cmps[key]))
		}
		cc := newConfig(fields, c.hub, c.base)
		for _, k := range [...]string{"state_topic", "availability", "availability_topic", "availability_template", "payload_available", "payload_not_available", "device"} {
			if _, own := cc.fields[k]; !own && c.fields[k] != nil {
				cc.fields[k] = c.fields[k]
			}
		}
		e, err := cc.entity(discovered{component: cc.text("platform"), child: childOf(at), channel: clean(key, maxWord)})
		if err == nil && e != nil {
			k := topic + "\x00" + key
			keep[k] = true
			err = m.put(c.hub, h, k, e)
		}
		if err != nil && first == nil {
			first = fmt.Errorf("components: %.60q: %w", key, err)
		}
	}
	m.drop(h, topic, keep)
	return first
}

// childOf names the child of a device's discovery.
func childOf(at discovered) string {
	if at.channel != "" {
		return at.channel
	}
	return at.child
}

// entity reads one component; nil for one that says nothing here.
//
// Errors: sense.ErrUnreadable.
func (c *config) entity(at discovered) (*entity, error) {
	if !understood[at.component] {
		return nil, nil
	}
	e := &entity{
		component: at.component, child: clean(at.child, maxText), channel: clean(at.channel, maxWord),
		class: c.text("device_class"), name: c.text("name"), unit: c.text("unit_of_measurement"),
	}
	if e.name == "" || e.name == "None" {
		if dev, ok := c.fields["device"].(map[string]any); ok {
			e.name = text(dev, "name", maxText)
		}
	}
	var err error
	if e.state, err = c.topic("state_topic"); err != nil {
		return nil, err
	}
	template := "value_template"
	switch at.component {
	case "device_automation":
		e.trigger = c.text("payload")
		if e.state, err = c.topic("topic"); err != nil {
			return nil, err
		}
		e.name = strings.TrimSpace(c.text("subtype") + " " + c.text("type"))
	case "switch", "light", "fan", "siren":
		e.on, e.off = first(c.text("state_on"), c.text("payload_on")), first(c.text("state_off"), c.text("payload_off"))
		if _, ok := c.fields[template]; !ok {
			template = "state_value_template"
		}
	case "binary_sensor":
		e.on, e.off = c.text("payload_on"), c.text("payload_off")
	case "device_tracker":
		e.on = c.text("payload_home")
	case "lock", "cover":
		e.words = c.words()
	}
	if c.fields["schema"] == "json" { // lights say their state so
		e.template = parseTemplate("{{ value_json.state }}")
	} else if t, ok := c.fields[template].(string); ok {
		e.template = parseTemplate(t)
	}
	return e, c.attendances(e)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// words are the entity's own words for its states.
func (c *config) words() map[string]string {
	var out map[string]string
	for _, w := range [...]string{"locked", "unlocked", "locking", "unlocking", "jammed", "open", "opening", "closed", "closing", "stopped"} {
		if own := c.text("state_" + w); own != "" && !strings.EqualFold(own, w) {
			if out == nil {
				out = map[string]string{}
			}
			out[strings.ToLower(own)] = w
		}
	}
	return out
}

// maxAttendance bounds the availability topics of an entity.
const maxAttendance = 8

// attendances reads how the entity's availability is told.
func (c *config) attendances(e *entity) error {
	add := func(c *config, key, template string) error {
		t, err := c.topic(key)
		if err != nil || t == "" || len(e.presence) >= maxAttendance {
			return err
		}
		a := attendance{topic: t, yes: c.text("payload_available"), no: c.text("payload_not_available")}
		if s, ok := c.fields[template].(string); ok {
			a.template = parseTemplate(s)
		}
		e.presence = append(e.presence, a)
		return nil
	}
	if err := add(c, "availability_topic", "availability_template"); err != nil {
		return err
	}
	list, ok := c.fields["availability"].([]any)
	if one, is := c.fields["availability"].(map[string]any); is {
		list, ok = []any{one}, true
	}
	if v := c.fields["availability"]; v != nil && !ok {
		return fmt.Errorf("%w: availability: expected a list of objects, got %s", sense.ErrUnreadable, what(v))
	}
	for _, v := range list {
		o, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%w: availability: expected a list of objects, got in it %s", sense.ErrUnreadable, what(v))
		}
		one := newConfig(o, c.hub, c.base)
		if err := add(&one, "topic", "value_template"); err != nil {
			return err
		}
	}
	return nil
}
