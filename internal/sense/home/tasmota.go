package home

import (
	"fmt"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// tasmota understands Tasmota's topics in both usual orders, prefix/topic/ and
// topic/prefix/, with or without "tasmota/" before them.
type tasmota struct{ tally tally }

var _ sense.Dialect = (*tasmota)(nil)

const tasmotaPrefix = "tasmota/"

// Name implements sense.Dialect.
func (d *tasmota) Name() string { return NameTasmota }

// Matches implements sense.Dialect.
func (d *tasmota) Matches(topic string) bool {
	_, _, _, ok := tasmotaTopic(topic)
	return ok || strings.HasPrefix(topic, tasmotaPrefix)
}

// tasmotaTopic takes a topic apart: "tele", "stat" or "cmnd", the device's name,
// and what it is about.
func tasmotaTopic(topic string) (prefix, name, about string, ok bool) {
	topic = strings.TrimPrefix(topic, tasmotaPrefix)
	i := strings.LastIndexByte(topic, '/')
	if i < 0 {
		return "", "", "", false
	}
	about, topic = topic[i+1:], topic[:i]
	if p, rest, cut := strings.Cut(topic, "/"); cut && isTasmota(p) && rest != "" {
		return p, rest, about, about != ""
	}
	if i := strings.LastIndexByte(topic, '/'); i > 0 && isTasmota(topic[i+1:]) {
		return topic[i+1:], topic[:i], about, about != ""
	}
	return "", "", "", false
}

func isTasmota(prefix string) bool { return prefix == "tele" || prefix == "stat" || prefix == "cmnd" }

// Observe implements sense.Dialect.
//
// Errors: sense.ErrUnreadable.
func (d *tasmota) Observe(m *sense.Message) ([]*event.Observation, error) {
	prefix, name, about, ok := tasmotaTopic(m.Topic)
	if !ok || prefix == "cmnd" || len(m.Payload) == 0 {
		return nil, nil
	}
	r := &report{m: m, source: NameTasmota, tally: d.tally, child: clean(name, maxText)}
	switch {
	case about == "LWT":
		present, ok := availability(m.Payload)
		if !ok {
			return nil, fmt.Errorf("%w: expected Online or Offline, got %.60q", sense.ErrUnreadable, m.Payload)
		}
		r.there(present)
	case isPower(about) && prefix == "stat":
		active, ok := truth(string(m.Payload))
		if !ok {
			return nil, fmt.Errorf("%w: expected ON or OFF, got %.60q", sense.ErrUnreadable, m.Payload)
		}
		r.reading(switched.say(active), powerChannel(about), "")
	case about == "STATE", about == "SENSOR", about == "RESULT", strings.HasPrefix(about, "INFO"), strings.HasPrefix(about, "STATUS"):
		o, err := object(m.Payload)
		if err != nil {
			return nil, err
		}
		d.report(r, about, o)
	default:
		d.tally.ignored.Inc()
	}
	return r.result()
}

func isPower(key string) bool {
	n, ok := strings.CutPrefix(key, "POWER")
	return ok && strings.Trim(n, "0123456789") == ""
}

// powerChannel tells the relays of a device apart: "POWER2" is the second.
func powerChannel(key string) string { return strings.TrimPrefix(key, "POWER") }

// inner are the objects that reports wrap what they say in.
var inner = map[string]string{
	"Info1": "INFO", "Info2": "INFO", "Info3": "INFO", "StatusFWR": "INFO", "StatusNET": "INFO",
	"StatusSTS": "STATE", "StatusSNS": "SENSOR",
}

// report reads a JSON report.
func (d *tasmota) report(r *report, about string, o map[string]any) {
	for _, key := range keys(o) {
		kind, wrapped := inner[key]
		if in, ok := o[key].(map[string]any); ok && wrapped {
			d.report(r, kind, in)
			return
		}
	}
	r.at, _ = clockTime(o["Time"]) // local time without a zone is of no use
	switch {
	case strings.HasPrefix(about, "INFO"):
		if v := text(o, "Version", maxWord); v != "" {
			r.sick().Firmware = v
		}
		if a := text(o, "IPAddress", maxWord); a != "" {
			r.sick().Address = a
		}
	case about == "STATE":
		d.state(r, o)
	case about == "SENSOR":
		d.sensor(r, o)
	case about == "RESULT":
		d.result(r, o)
	}
}

// state reads the regular report of relays, link and uptime.
func (d *tasmota) state(r *report, o map[string]any) {
	for _, key := range keys(o) {
		if active, ok := truth(o[key]); ok && isPower(key) {
			r.reading(switched.say(active), powerChannel(key), "")
		}
	}
	if up, ok := number(o["UptimeSec"]); ok && up >= 0 && up < 1e10 {
		d := time.Duration(up) * time.Second
		if d >= 0 {
			r.sick().Uptime = &d
		}
	}
	if wifi, ok := o["Wifi"].(map[string]any); ok {
		if q, ok := percent(wifi["RSSI"]); ok { // Tasmota's RSSI is a quality in per cent
			r.sick().LinkQuality = &q
		}
		if dbm, ok := number(wifi["Signal"]); ok {
			r.sick().RSSI = &dbm
		}
	}
}

// tasmotaFields are the quantities of Tasmota's sensors, as Home Assistant's
// classes.
var tasmotaFields = map[string]string{
	"Temperature": "temperature", "Humidity": "humidity", "Illuminance": "illuminance", "Pressure": "pressure", "Power": "power",
	"Total": "energy", "CarbonDioxide": "carbon_dioxide", "PM2.5": "pm25", "PM10": "pm10",
}

// sensor reads the regular report of sensors: an object each, and inputs.
func (d *tasmota) sensor(r *report, o map[string]any) {
	tempUnit, pressureUnit := text(o, "TempUnit", maxWord), text(o, "PressureUnit", maxWord)
	for _, name := range keys(o) {
		in, ok := o[name].(map[string]any)
		if !ok {
			if active, is := truth(o[name]); is && strings.HasPrefix(name, "Switch") {
				r.reading(other("").say(active), clean(name, maxWord), "")
			} else if name != "Time" && name != "TempUnit" && name != "PressureUnit" {
				d.tally.ignored.Inc()
			}
			continue
		}
		for _, key := range keys(in) {
			class, known := tasmotaFields[key]
			if !known {
				d.tally.ignored.Inc()
				continue
			}
			v, ok := number(in[key])
			if !ok {
				if in[key] != nil { // null: the sensor does not answer
					r.bad(name+"."+key, "a finite number", in[key])
				}
				continue
			}
			unit := ""
			switch class {
			case "temperature":
				unit = tempUnit
			case "pressure":
				unit = pressureUnit
			}
			r.reading(quantity(class, key, unit, v), clean(name, maxWord), "")
		}
	}
}

// result reads what buttons and inputs did. Relays are told by POWER as well.
func (d *tasmota) result(r *report, o map[string]any) {
	for _, key := range keys(o) {
		in, ok := o[key].(map[string]any)
		if !ok {
			continue
		}
		action := text(in, "Action", maxWord)
		switch {
		case action == "":
		case strings.HasPrefix(key, "Button"):
			press(r, clean(key, maxWord), r.child, "", strings.ToLower(action))
		case strings.HasPrefix(key, "Switch"):
			if active, ok := truth(action); ok {
				r.reading(other("").say(active), clean(key, maxWord), "")
			}
		}
	}
}
