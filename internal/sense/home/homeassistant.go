package home

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// homeAssistant understands Home Assistant's MQTT discovery and the topics that
// it names, and the topics of mqtt_statestream.
type homeAssistant struct {
	mem   *memory
	tally tally
}

var (
	_ sense.Dialect   = (*homeAssistant)(nil)
	_ sense.Secretive = (*homeAssistant)(nil)
	_ rememberer      = (*homeAssistant)(nil)
)

const (
	discoveryPrefix = "homeassistant/" // also where mqtt_statestream may publish
	streamPrefix    = "statestream/"
)

// maxGone bounds the children that one availability message speaks for; beyond
// it, it speaks for its topic.
const maxGone = 100

// noMessage stands for the message of what is recalled and not said.
var noMessage = &sense.Message{Device: &registry.Device{}}

// Name implements sense.Dialect.
func (d *homeAssistant) Name() string { return NameHomeAssistant }

// Matches implements sense.Dialect. It knows the topics that any hub's discovery
// has named; whose they are shows in Observe.
func (d *homeAssistant) Matches(topic string) bool {
	return strings.HasPrefix(topic, discoveryPrefix) || strings.HasPrefix(topic, streamPrefix) || d.mem.knows(topic)
}

// Secret implements sense.Secretive: where a person's tracker is, and who set an
// alarm panel, must not be kept. A panel's bare state says nothing of a person, and
// must be known after a restart.
func (d *homeAssistant) Secret(m *sense.Message) bool {
	if _, bare := panelMeaning[string(m.Payload)]; bare {
		return false
	}
	for _, domain := range [...]string{"device_tracker/", "person/", "alarm_control_panel/"} {
		if strings.HasPrefix(m.Topic, streamPrefix+domain) || strings.HasPrefix(m.Topic, discoveryPrefix+domain) && !strings.HasSuffix(m.Topic, "/config") {
			return true
		}
	}
	d.mem.mu.RLock()
	defer d.mem.mu.RUnlock()
	h := d.mem.hubs[m.Device.ID]
	return h != nil && slices.ContainsFunc(h.states[m.Topic], (*entity).private)
}

// Observe implements sense.Dialect.
//
// Errors: sense.ErrUnreadable; sense.ErrUnknownTopic where only another hub's
// discovery named the topic.
func (d *homeAssistant) Observe(m *sense.Message) ([]*event.Observation, error) {
	r := &report{m: m, source: NameHomeAssistant, tally: d.tally}
	if d.named(r) {
		return r.result()
	}
	rest, discovery := strings.CutPrefix(m.Topic, discoveryPrefix)
	if !discovery {
		var stream bool
		if rest, stream = strings.CutPrefix(m.Topic, streamPrefix); !stream {
			return nil, fmt.Errorf("%w: %.200q: no discovery of this hub named it", sense.ErrUnknownTopic, m.Topic)
		}
	}
	levels := strings.Split(rest, "/")
	last := len(levels) - 1
	switch {
	case discovery && rest == "status":
		return d.birth(r)
	case discovery && levels[last] == "config" && last >= 1:
		return nil, d.mem.learn(m.Device.ID, m.Topic, levels[:last], m.Payload)
	case len(levels) == 3:
		return d.stream(r, levels[0], levels[1], levels[2])
	}
	d.tally.ignored.Inc()
	return nil, nil
}

// Remember takes up what was retained; see Family.Remember.
func (d *homeAssistant) Remember(m *sense.Message) {
	d.mem.mu.Lock()
	var panels []*entity
	if h := d.mem.hubs[m.Device.ID]; h != nil {
		for _, e := range h.states[m.Topic] {
			if e.component == "alarm_control_panel" {
				panels = append(panels, e)
			}
		}
	}
	for _, e := range panels {
		e.recall(&payload{raw: m.Payload})
	}
	d.mem.mu.Unlock()
	if len(panels) == 0 && (strings.HasPrefix(m.Topic, discoveryPrefix) || strings.HasPrefix(m.Topic, streamPrefix)) {
		_, _ = d.Observe(m) // what it says was observed when it came
	}
}

// birth reads Home Assistant's own birth and will.
func (d *homeAssistant) birth(r *report) ([]*event.Observation, error) {
	present, ok := availability(r.m.Payload)
	if !ok {
		return nil, fmt.Errorf("%w: expected online or offline, got %.60q", sense.ErrUnreadable, r.m.Payload)
	}
	r.child = NameHomeAssistant
	r.there(present)
	return r.done(), nil
}

// named reads a message whose topic the hub's discovery named, and reports
// whether it is one.
func (d *homeAssistant) named(r *report) bool {
	d.mem.mu.Lock()
	defer d.mem.mu.Unlock()
	h := d.mem.hubs[r.m.Device.ID]
	if h == nil {
		return false
	}
	states, avail := h.states[r.m.Topic], h.avail[r.m.Topic]
	if len(states)+len(avail) == 0 {
		return false
	}
	p := &payload{raw: r.m.Payload}
	d.attended(r, avail, p)
	if len(r.m.Payload) == 0 { // a retained state was taken back
		return true
	}
	// What says one child's health says it together.
	for _, e := range states {
		if e.child != r.child {
			r.done()
		}
		e.observe(r, p)
	}
	if slices.ContainsFunc(states, (*entity).private) {
		r.done()
		for _, o := range r.out {
			o.Raw = []byte{}
		}
	}
	return true
}

// attended adds who is there and who has gone, each child once.
func (d *homeAssistant) attended(r *report, es []*entity, p *payload) {
	var children []string
	for _, e := range es {
		for i := range e.presence {
			a := &e.presence[i]
			if a.topic != r.m.Topic || slices.Contains(children, e.child) {
				continue
			}
			present, ok := a.read(p)
			if !ok {
				continue
			}
			if children = append(children, e.child); len(children) > maxGone {
				r.out = r.out[:0]
				r.child = clean(a.topic, maxText)
				r.there(present)
				return
			}
			r.child = e.child
			r.there(present)
		}
	}
}

func (a *attendance) read(p *payload) (present, ok bool) {
	w, ok := a.template.render(p)
	w = strings.TrimSpace(w)
	switch {
	case !ok:
		return false, false
	case a.yes != "" && w == a.yes:
		return true, true
	case a.no != "" && w == a.no:
		return false, true
	}
	return availability([]byte(w))
}
