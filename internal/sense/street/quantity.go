package street

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// Bounds of what one message says.
const (
	maxQuantities = 50 // readings of one uplink; beyond them the rest is counted
	maxDepth      = 4  // of nested objects
	maxKey        = 100
	maxWord       = 60
)

// meaning is what a quantity's name stands for.
type meaning struct {
	property event.Property
	unit     string
	channel  string // which of the device's, where one property has several
	kind     quantityKind
}

// quantityKind says how a quantity's value is read.
type quantityKind int

const (
	measured  quantityKind = iota
	condition              // true, or a word of active
	charge                 // battery in %, or in V or mV where it cannot be %
	voltage
	lamp // on or off; a number is illuminance
)

// meanings are the names that codecs give to quantities, in lower case with only
// letters and digits left.
var meanings = meaningTable()

// meaningTable is written by property, which reads better than by name.
func meaningTable() map[string]meaning {
	table := map[string]meaning{}
	define := func(m meaning, names ...string) {
		for _, n := range names {
			table[n] = m
		}
	}
	define(meaning{property: event.Temperature, unit: "Cel"}, "temperature", "temp", "tempc", "tempcsht", "airtemperature", "temperaturesensor", "ambienttemperature")
	define(meaning{property: event.Humidity, unit: "%"}, "humidity", "hum", "humsht", "relativehumidity", "humiditysensor", "rh")
	define(meaning{property: event.Illuminance, unit: "lx"}, "illuminance", "illumination", "illuminancesensor", "lightintensity", "lightlevel", "lux", "illlx", "illum")
	define(meaning{property: event.CO2, unit: "ppm"}, "co2", "co2ppm", "carbondioxide")
	define(meaning{property: event.PM25, unit: "ug/m3"}, "pm25", "pm25ugm3")
	define(meaning{property: event.PM10, unit: "ug/m3"}, "pm10", "pm10ugm3")
	define(meaning{property: event.NO2, unit: "ug/m3"}, "no2", "no2ugm3")
	define(meaning{property: event.Ozone, unit: "ug/m3"}, "o3", "ozone", "o3ugm3")
	define(meaning{property: event.Pressure, unit: "hPa"}, "pressure", "barometer", "barometricpressure", "airpressure", "atmosphericpressure")
	define(meaning{property: event.NoiseLevel, unit: "dB[A]"}, "noise", "laeq", "leq", "soundlevel", "dba", "noiselevel")
	for _, most := range []string{"lamax", "lafmax", "lamin", "laf", "la10", "la90"} {
		define(meaning{property: event.NoiseLevel, unit: "dB[A]", channel: most}, most)
	}
	define(meaning{property: event.Fill, unit: "%"}, "fill", "filllevel", "fillpercent", "fillpct", "fillinglevel")
	define(meaning{property: event.Speed, unit: "km/h"}, "speed", "speedkmh", "meanspeed")
	define(meaning{property: event.ActivePower, unit: "W"}, "activepower", "powerw")
	define(meaning{property: event.Quantity, unit: "%", channel: "dim"}, "dim", "dimlevel", "dimming", "brightness")

	define(meaning{property: event.Contact, kind: condition}, "door", "dooropen", "dooropenstatus", "doorstatus", "open", "magnetstatus", "contactstate", "actioncontactstate", "lid", "lidopen", "window", "windowopen")
	define(meaning{property: event.Motion, kind: condition}, "motion", "motiondetected", "actionmotiondetected", "pir", "pirstatus", "pirtrigger", "presence")
	define(meaning{property: event.Occupancy, kind: condition}, "occupancy", "occupied", "parkingoccupied", "occupancystatus")
	define(meaning{property: event.Water, kind: condition}, "waterleak", "leak", "leakage", "leakagestatus", "waterleakstatus", "waterleakdetected", "flood")
	define(meaning{property: event.Smoke, kind: condition}, "smoke", "smokedetected", "smokealarm", "smokestatus")
	define(meaning{property: event.Glass, kind: condition}, "glassbreak", "glassbroken")
	define(meaning{property: event.Vibration, kind: condition}, "vibration", "vibrationdetected", "shock")
	define(meaning{property: event.Tampered, kind: condition}, "tamper", "tamperstatus", "tamperdetected", "tampered")
	define(meaning{property: event.Panic, kind: condition}, "panic", "sos", "sosstatus", "panicbutton")
	define(meaning{property: event.Switch, kind: lamp}, "light", "lamp", "lighton", "lampon", "lightstatus", "lampstatus", "relay", "relaystatus")

	define(meaning{kind: charge}, "battery", "bat", "batterylevel", "batterypercent", "batterypct", "batt")
	define(meaning{kind: voltage}, "batv", "vbat", "batteryvoltage", "batteryv", "vbattery", "vdd", "batmv", "batterymv")
	return table
}

// words of conditions, for those whose value is a word or a number.
var (
	activeWords = map[event.Property]string{
		event.Contact: "open", event.Motion: "detected", event.Occupancy: "occupied", event.Water: "wet", event.Smoke: "detected",
		event.Glass: "broken", event.Vibration: "detected", event.Tampered: "detected", event.Panic: "pressed", event.Switch: "on",
	}
	clearWords = map[event.Property]string{event.Contact: "closed", event.Water: "dry", event.Panic: "released", event.Switch: "off"}

	saysActive = words("open opened detected motion trigger triggered alarm leak leaking wet occupied broken tampered uninstalled pressed on yes true active 1")
	saysClear  = words("close closed clear normal none idle dry vacant unoccupied free intact installed released off no false inactive 0")
)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// said collects what one message says.
type said struct {
	readings []event.Reading
	counts   []event.Count
	health   event.Health
	anyOf    bool // health has something
	lat, lon float64
	located  bool // a position was named
	latSet   bool
	lonSet   bool
	left     int // quantities beyond the bound
}

// point returns the position that was named.
func (s *said) point() (place.Point, bool) {
	p := place.Point{Lat: s.lat, Lon: s.lon}
	return p, s.latSet && s.lonSet && p.Valid() && p != place.Point{}
}

// object takes the quantities of a decoded object, in the order of their names.
func (s *said) object(prefix string, obj map[string]any, depth int) {
	keys := make([]string, 0, len(obj))
	for k := range obj {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		full := k
		if prefix != "" {
			full = prefix + "." + k
		}
		if len(full) > maxKey {
			continue
		}
		s.value(full, obj[k], depth)
	}
}

func (s *said) value(key string, v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		if depth < maxDepth {
			s.object(key, v, depth+1)
		}
	case []any:
		if depth < maxDepth && len(v) <= maxQuantities {
			for i, e := range v {
				s.value(key+"."+strconv.Itoa(i), e, depth+1)
			}
		}
	case bool:
		n := 0.0
		if v {
			n = 1
		}
		s.quantity(key, n, "", true)
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			s.quantity(key, v, "", false)
		}
	case string:
		s.word(key, v)
	}
}

// quantity takes one quantity: a number with its unit, or a truth.
func (s *said) quantity(key string, n float64, unit string, truth bool) {
	if s.position(key, n) || !truth && s.counted(key, n) {
		return
	}
	m, ok := meant(key)
	if !ok {
		s.unknown(key, n, unit, truth)
		return
	}
	switch m.kind {
	case condition:
		s.reading(state(m, n != 0))
	case lamp:
		if truth || n == 0 || n == 1 {
			s.reading(state(m, n != 0))
		} else {
			s.reading(event.Reading{Property: event.Illuminance, Unit: "lx", Channel: m.channel, Value: &n})
		}
	case charge, voltage:
		s.battery(m.kind, n)
	default:
		if truth {
			s.unknown(key, n, "", true)
			return
		}
		n, unit = converted(n, unit, m.unit)
		s.reading(event.Reading{Property: m.property, Channel: m.channel, Value: &n, Unit: unit})
	}
}

// word takes a quantity that is told by a word, where it is a condition.
func (s *said) word(key, word string) {
	m, ok := meant(key)
	if !ok || len(word) > maxWord || m.kind != condition && m.kind != lamp {
		return
	}
	switch word = strings.ToLower(strings.TrimSpace(word)); {
	case saysActive[word]:
		s.reading(state(m, true))
	case saysClear[word]:
		s.reading(state(m, false))
	}
}

func state(m meaning, active bool) event.Reading {
	r := event.Reading{Property: m.property, Channel: m.channel, Active: &active, State: "clear"}
	if active {
		r.State = activeWords[m.property]
	} else if w := clearWords[m.property]; w != "" {
		r.State = w
	}
	return r
}

func (s *said) unknown(key string, n float64, unit string, truth bool) {
	r := event.Reading{Property: event.Quantity, Channel: key, Value: &n, Unit: unit}
	if truth {
		active := n != 0
		r = event.Reading{Property: event.Condition, Channel: key, Active: &active, State: strconv.FormatBool(active)}
	}
	s.reading(r)
}

// reading adds a reading, unless the same was said under another name already, or
// is beyond all numbers.
func (s *said) reading(r event.Reading) {
	if r.Value != nil && (math.IsInf(*r.Value, 0) || math.IsNaN(*r.Value)) {
		return
	}
	for _, old := range s.readings {
		if old.Property == r.Property && old.Channel == r.Channel {
			return
		}
	}
	if len(s.readings)+len(s.counts) >= maxQuantities {
		s.left++
		return
	}
	s.readings = append(s.readings, r)
}

// battery takes a battery's charge or voltage.
func (s *said) battery(kind quantityKind, n float64) {
	switch {
	case n < 0 || n > 6000:
		return
	case kind == charge && n <= 5 && n != math.Trunc(n): // V: nobody tells 3.1 % so exactly
		s.health.Voltage = &n
	case kind == charge && n <= 100:
		s.health.Battery = &n
	case n > 100: // mV
		n /= 1000
		fallthrough
	default:
		s.health.Voltage = &n
	}
	s.anyOf = true
}

// position takes latitudes and longitudes, which are never kept as readings.
func (s *said) position(key string, n float64) bool {
	switch last(key) {
	case "latitude", "lat", "gpslatitude":
		s.lat, s.latSet = n, true
	case "longitude", "lon", "lng", "long", "gpslongitude":
		s.lon, s.lonSet = n, true
	case "altitude", "alt":
	default:
		return false
	}
	s.located = true
	return true
}

// meant returns what a key stands for. Of a path such as "air.temperature" or
// "temperature_2" the known part counts, and the rest is the channel.
func meant(key string) (meaning, bool) {
	if m, ok := meanings[bare(key)]; ok {
		return m, true
	}
	if head, tail, ok := cutLast(key, "."); ok { // air.temperature, temperatureSensor.3
		if m, ok := meanings[bare(tail)]; ok {
			return m.of(head), true
		}
		if m, ok := meanings[bare(head)]; ok {
			return m.of(tail), true
		}
	}
	head, tail, ok := cutLast(key, "_") // temperature_2
	if _, err := strconv.Atoi(tail); ok && err == nil {
		if m, ok := meanings[bare(head)]; ok {
			return m.of(tail), true
		}
	}
	return meaning{}, false
}

// of returns the meaning with a channel; the air is where one measures.
func (m meaning) of(channel string) meaning {
	if channel != "air" && channel != "action" {
		m.channel = channel
	}
	return m
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// last returns the last part of a key's path, bare.
func last(key string) string {
	_, tail, ok := cutLast(key, ".")
	if !ok {
		tail = key
	}
	return bare(tail)
}

// bare returns a key in lower case with only letters and digits left.
func bare(key string) string {
	var b [maxKey]byte
	n := 0
	for i := 0; i < len(key) && n < len(b); i++ {
		c := key[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		default:
			continue
		}
		b[n] = c
		n++
	}
	return string(b[:n])
}
