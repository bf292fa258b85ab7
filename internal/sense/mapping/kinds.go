package mapping

import (
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Kinds lists what a mapping may yield. Plates are not among them: a plate must
// not be kept, which the dialect of plate readers sees to; nor are alarms, which
// panels send under keys of their own.
func Kinds() []string {
	return []string{
		string(event.KindState), string(event.KindMeasure), string(event.KindCount), string(event.KindHealth),
		string(event.KindGone), string(event.KindPresent), string(event.KindDetection), string(event.KindGunshot),
	}
}

// Conditions lists the properties that have a state.
func Conditions() []event.Property {
	return []event.Property{
		event.Contact, event.Motion, event.Occupancy, event.Glass, event.Vibration, event.Smoke, event.CO, event.Gas, event.Water,
		event.Lock, event.Siren, event.Tampered, event.Panic, event.Switch, event.Cover, event.Sound, event.Presence, event.Button, event.Condition,
	}
}

// Measures lists the properties that have a value, each with its unit (UCUM).
func Measures() []event.Property {
	return []event.Property{
		event.Temperature, event.Humidity, event.Illuminance, event.ActivePower, event.Energy, event.NoiseLevel, event.PM25, event.PM10,
		event.NO2, event.Ozone, event.CO2, event.Fill, event.Speed, event.Pressure, event.Quantity,
	}
}

// unitOf is the unit of a property where the program names none.
func unitOf(p event.Property) string {
	switch p {
	case event.Temperature:
		return "Cel"
	case event.Humidity, event.Fill:
		return "%"
	case event.Illuminance:
		return "lx"
	case event.ActivePower:
		return "W"
	case event.Energy:
		return "kW.h"
	case event.NoiseLevel:
		return "dB[A]"
	case event.PM25, event.PM10, event.NO2, event.Ozone:
		return "ug/m3"
	case event.CO2:
		return "ppm"
	case event.Speed:
		return "km/h"
	case event.Pressure:
		return "hPa"
	}
	return ""
}

// detail reads what belongs to the observation's kind; false when a mapping may
// not yield that kind.
func (s *said) detail(o *event.Observation) bool {
	switch o.Kind {
	case event.KindState, event.KindMeasure:
		o.Reading = s.reading(o.Kind)
	case event.KindCount:
		o.Count = s.counted()
	case event.KindHealth:
		o.Health = s.health()
	case event.KindDetection:
		o.Detection = s.detection(o)
	case event.KindGunshot:
		o.Gunshot = s.gunshot()
	case event.KindGone, event.KindPresent:
	default:
		return false
	}
	return true
}

func (s *said) reading(k event.Kind) *event.Reading {
	r := &event.Reading{Property: event.Property(s.need("property")), Channel: s.text("channel"), Name: s.text("name")}
	known := Conditions()
	if k == event.KindMeasure {
		known = Measures()
		if r.Value = s.number("value"); r.Value == nil {
			s.fail("value", "missing")
		}
		if r.Unit = s.text("unit"); r.Unit == "" {
			r.Unit = unitOf(r.Property)
		}
	} else {
		r.State, r.Active = s.text("state"), s.yes("active")
		if r.State == "" && r.Active == nil {
			s.fail("state", "missing, and so is active")
		}
	}
	if !slices.Contains(known, r.Property) {
		s.fail("property", "%.40q is none of %v", r.Property, known)
	}
	return r
}

func (s *said) counted() *event.Count {
	c := &event.Count{Of: s.need("of"), Lane: s.text("lane"), Inside: s.count("inside")}
	in, out := s.count("in"), s.count("out")
	if in == nil && out == nil && c.Inside == nil {
		s.fail("in", "missing, and so are out and inside")
	}
	if in != nil {
		c.In = *in
	}
	if out != nil {
		c.Out = *out
	}
	if n := s.within("period_s", 0, 31*24*3600); n != nil {
		c.Period = time.Duration(*n * float64(time.Second))
	}
	if n := s.within("mean_speed_kmh", 0, 1000); n != nil {
		c.Speed = *n
	}
	return c
}

func (s *said) health() *event.Health {
	h := &event.Health{
		Battery: s.within("battery_pct", 0, 100), LowBattery: s.yes("low_battery"), Voltage: s.number("voltage_v"),
		LinkQuality: s.within("link_quality_pct", 0, 100), RSSI: s.number("rssi_dbm"), Firmware: s.text("firmware"), Problem: s.text("problem"),
	}
	if n := s.within("uptime_s", 0, 1e9); n != nil {
		up := time.Duration(*n * float64(time.Second))
		h.Uptime = &up
	}
	return h
}

func (s *said) detection(o *event.Observation) *event.Detection {
	d := &event.Detection{
		Label: s.need("label"), Camera: s.text("camera"), Track: s.text("track"), Phase: event.Phase(s.text("phase")),
		Zones: s.list("zones"), Entered: s.list("entered_zones"), End: s.time("end"),
	}
	switch d.Phase {
	case "":
		d.Phase = event.PhaseNew
	case event.PhaseNew, event.PhaseUpdate, event.PhaseEnd:
	default:
		s.fail("phase", "%.40q is none of new, update, end", d.Phase)
	}
	if n := s.within("score", 0, 1); n != nil {
		d.Score = *n
	}
	if b := s.yes("still"); b != nil {
		d.Still = *b
	}
	if t := s.time("start"); t != nil {
		d.Start = *t
	} else if o.DeviceTime != nil {
		d.Start = *o.DeviceTime
	}
	return d
}

func (s *said) gunshot() *event.Gunshot {
	g := &event.Gunshot{Number: s.need("number"), Zone: s.text("zone"), Rounds: s.text("rounds")}
	switch g.Rounds {
	case "":
		g.Rounds = "unknown"
	case "single", "multiple", "unknown":
	default:
		s.fail("rounds", "%.40q is none of single, multiple, unknown", g.Rounds)
	}
	if n := s.count("count"); n != nil {
		g.Count = int(*n)
	}
	if n := s.within("accuracy_m", 0, 100_000); n != nil {
		g.Accuracy = *n
	}
	return g
}
