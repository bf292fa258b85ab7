package home

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// streamed is an entity of Home Assistant's mqtt_statestream, which publishes the
// state and each attribute under a topic of its own, the state first.
type streamed struct {
	entity
	said string // the last state, so that a class that comes after it can be told with it
	lost bool   // it was unavailable
}

// stream reads <base>/<domain>/<entity>/<what>.
//
// Errors: sense.ErrUnreadable.
func (d *homeAssistant) stream(r *report, domain, id, attribute string) ([]*event.Observation, error) {
	if !understood[domain] || domain == "device_automation" || id == "" {
		return nil, nil
	}
	if len(r.m.Payload) > maxConfig {
		return nil, nil // a long attribute of no use
	}
	d.mem.mu.Lock()
	defer d.mem.mu.Unlock()
	h := d.mem.of(r.m.Device.ID)
	r.child = domain + "." + clean(id, maxText)
	s := h.streamed[r.child]
	if s == nil {
		if len(h.streamed) >= maxPerHub {
			return nil, fmt.Errorf("%w: %w: this hub streams %d entities already", sense.ErrUnreadable, errFull, maxPerHub)
		}
		if err := d.mem.room(h, 1, sizeOfStreamed); err != nil {
			return nil, err
		}
		s = &streamed{entity: entity{component: domain, child: r.child}}
		h.streamed[r.child] = s
	}
	value := attributeText(r.m.Payload)
	switch attribute {
	case "state":
		return d.streamState(r, s, value)
	case "friendly_name":
		s.name = clean(value, maxText)
	case "unit_of_measurement":
		s.unit = clean(value, maxWord)
	case "device_class":
		class := clean(value, maxWord)
		if class == s.class {
			return nil, nil
		}
		s.class = class
		if s.said != "" { // now it can be said what the state before meant
			s.say(r, s.said)
		}
		return r.done(), nil
	default:
		d.tally.ignored.Inc()
	}
	return nil, nil
}

// attributeText returns what an attribute's JSON, or plain text, says.
func attributeText(payload []byte) string {
	var s string
	if len(payload) > 0 && payload[0] == '"' && json.Unmarshal(payload, &s) == nil {
		return s
	}
	return string(payload)
}

func (d *homeAssistant) streamState(r *report, s *streamed, value string) ([]*event.Observation, error) {
	if value == "" {
		return nil, nil // taken back
	}
	if strings.EqualFold(value, "unavailable") {
		s.lost = true
		r.there(false)
		return r.done(), nil
	}
	state, ok := unquoted(value)
	if !ok {
		return nil, nil
	}
	if len(state) > 255 { // the most that Home Assistant gives a state
		return nil, fmt.Errorf("%w: expected a state of at most 255 bytes, got %d", sense.ErrUnreadable, len(state))
	}
	if s.lost {
		s.lost = false
		r.there(true)
	}
	if s.component == "alarm_control_panel" {
		s.signal(r, strings.ToLower(clean(state, maxWord)), panelDetail{})
		return r.done(), nil
	}
	if s.component != "device_tracker" {
		s.said = state
	}
	s.say(r, state)
	return r.result()
}
