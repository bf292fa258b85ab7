package city

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// jsonOf encodes what cannot fail to encode: maps and structures of plain values.
func jsonOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("city: " + err.Error()) // a value of the town's own that JSON has no form for
	}
	return b
}

// says returns what a thing says when it does, or does not, feel what it watches
// for.
func (t *Town) says(h *household, th *thing, at time.Time, feels bool) utterance {
	return utterance{at: at, device: h.hub, topic: h.topicOf(th), body: func(at time.Time) []byte {
		return jsonOf(t.fields(h, th, at, feels, th.battery(midnight(at))))
	}}
}

// saysBattery is says with a charge that is not what it should be.
func (t *Town) saysBattery(h *household, th *thing, at time.Time, percent int) utterance {
	return utterance{at: at, device: h.hub, topic: h.topicOf(th), body: func(at time.Time) []byte {
		m := t.fields(h, th, at, false, percent)
		m["battery_low"] = percent < 15
		return jsonOf(m)
	}}
}

func (h *household) topicOf(th *thing) string {
	if h.zigbee {
		return "zigbee2mqtt/" + th.name
	}
	return "home/" + th.name
}

// fields are a thing's JSON, as its ecosystem forms it.
func (t *Town) fields(h *household, th *thing, at time.Time, feels bool, battery int) map[string]any {
	m := map[string]any{"battery": battery}
	if th.what == climate {
		m["temperature"], m["humidity"] = t.indoors(h, at)
	}
	if !h.zigbee {
		if th.what != climate {
			m["state"] = map[bool]string{true: "ON", false: "OFF"}[feels]
		}
		return m
	}
	m["last_seen"] = at.UTC().Format("2006-01-02T15:04:05.000Z")
	m["linkquality"] = max(10, min(255, th.link+int(mix(t.seed^uint64(at.UnixNano()))%21)-10))
	switch th.what {
	case contact:
		m["contact"], m["tamper"] = !feels, false
	case movement:
		m["occupancy"] = feels
	case smoke:
		m["smoke"], m["test"] = feels, false
	case leak:
		m["water_leak"] = feels
	}
	return m
}

// indoors is a home's climate: warmer by day, a little different in each.
func (t *Town) indoors(h *household, at time.Time) (celsius, humidity float64) {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	own := float64(mix(t.seed+uint64(h.site.index))%30)/10 - 1.5
	c := 19 + own + 1.8*math.Sin((hour-9)/24*2*math.Pi)
	return math.Round(c*10) / 10, math.Round(52 - 3*own - 4*math.Sin((hour-8)/24*2*math.Pi))
}

// saysPanel is the household's alarm panel.
func (h *household) saysPanel(at time.Time, state, zone string) utterance {
	m := map[string]string{"state": state}
	if zone != "" {
		m["zone_name"] = zone
	}
	return utterance{at: at, device: h.hub, topic: panelTopic, retain: true, body: func(time.Time) []byte { return jsonOf(m) }}
}

// Topics of a Home Assistant hub that its own discovery names, and of its state.
const (
	panelTopic = "home/alarm"
	haStatus   = "homeassistant/status"
	zigbeeUp   = "zigbee2mqtt/bridge/state"
	frigateUp  = "frigate/available"
)

// retained is what a hub publishes when it connects, or leaves as its last will.
type retained struct {
	topic string
	body  []byte
}

// introduction is what a device publishes each time it connects, at a time.
func (t *Town) introduction(device string, at time.Time) []retained {
	for _, h := range t.households {
		switch {
		case h.hub != device:
		case h.zigbee:
			return h.introduceZigbee()
		default:
			return t.introduceHome(h, at)
		}
	}
	for _, c := range t.fix.shops {
		if c.device == device {
			return []retained{{frigateUp, []byte("online")}}
		}
	}
	return nil
}

// will is the last will of a device; none for what has no such habit.
func (t *Town) will(device string) (retained, bool) {
	for _, h := range t.households {
		switch {
		case h.hub != device:
		case h.zigbee:
			return retained{zigbeeUp, []byte(`{"state":"offline"}`)}, true
		default:
			return retained{haStatus, []byte("offline")}, true
		}
	}
	for _, c := range t.fix.shops {
		if c.device == device {
			return retained{frigateUp, []byte("offline")}, true
		}
	}
	return retained{}, false
}

func (h *household) introduceZigbee() []retained {
	out := []retained{{zigbeeUp, []byte(`{"state":"online"}`)}}
	for i := range h.things {
		out = append(out, retained{h.topicOf(&h.things[i]) + "/availability", []byte(`{"state":"online"}`)})
	}
	return out
}

// haClass is Home Assistant's name for what a detector feels.
var haClass = map[detector]string{contact: "door", movement: "motion", smoke: "smoke", leak: "moisture"}

// introduceHome is Home Assistant's discovery of all that the household has, and
// the state of its alarm.
func (t *Town) introduceHome(h *household, at time.Time) []retained {
	var out []retained
	config := func(component, node, object string, m map[string]any) {
		m["unique_id"] = fmt.Sprintf("%s-%s-%s", h.hub, node, object)
		out = append(out, retained{fmt.Sprintf("homeassistant/%s/%s/%s/config", component, node, object), jsonOf(m)})
	}
	for i := range h.things {
		th := &h.things[i]
		sensor := func(class, unit string) {
			config("sensor", th.name, class, map[string]any{
				"name": th.title + " " + class, "state_topic": h.topicOf(th), "device_class": class, "unit_of_measurement": unit,
				"value_template": "{{ value_json." + class + " }}",
			})
		}
		if class, ok := haClass[th.what]; ok {
			config("binary_sensor", th.name, class, map[string]any{
				"name": th.title, "state_topic": h.topicOf(th), "device_class": class, "value_template": "{{ value_json.state }}",
			})
		} else {
			sensor("temperature", "°C")
			sensor("humidity", "%")
		}
		sensor("battery", "%")
	}
	config("alarm_control_panel", "alarm", "panel", map[string]any{"name": "House alarm", "state_topic": panelTopic})
	return append(out, retained{haStatus, []byte("online")}, retained{panelTopic, jsonOf(map[string]string{"state": t.panelAt(h, at)})})
}
