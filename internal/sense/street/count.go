package street

import (
	"math"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
)

// maxCount bounds what a damaged message may claim to have counted.
const maxCount = 1 << 32

// counted names what is counted, by the words that codecs use for it.
var counted = map[string]string{
	"people": "person", "person": "person", "persons": "person", "pedestrian": "person", "pedestrians": "person", "visitor": "person", "visitors": "person",
	"car": "car", "cars": "car", "bicycle": "bicycle", "bicycles": "bicycle", "bike": "bicycle", "bikes": "bicycle",
	"truck": "truck", "trucks": "truck", "lorry": "truck", "lorries": "truck", "bus": "bus", "buses": "bus", "vehicle": "vehicle", "vehicles": "vehicle",
}

// counted takes a quantity that counts passers-by, and reports whether it did:
// people_in, cars_out, people_inside, line_1_in, line_1_period_out, bicycles. A
// running total is no count of passers-by since the last message; it stays a
// quantity.
func (s *said) counted(key string, n float64) bool {
	if n < 0 || n > maxCount || n != math.Trunc(n) {
		return false
	}
	c := event.Count{}
	parts := strings.FieldsFunc(strings.ToLower(key), func(r rune) bool { return r == '_' || r == '.' || r == '-' || r == ' ' })
	what := ""
	for i := 0; i < len(parts); i++ {
		p := parts[i]
		switch {
		case counted[p] != "" && c.Of == "":
			c.Of = counted[p]
		case (p == "line" || p == "lane") && i+1 < len(parts) && c.Lane == "":
			c.Lane = p + "_" + parts[i+1]
			i++
		case (p == "in" || p == "out" || p == "inside") && what == "":
			what = p
		case p == "period" || p == "count" || p == "counter":
		default:
			return false
		}
	}
	switch {
	case c.Of == "" && (c.Lane == "" || what == ""):
		return false
	case c.Of == "":
		c.Of = "person" // line counters count people unless they say otherwise
	}
	s.count(c, what, int64(n))
	return true
}

// count adds a count; in and out of one line are one.
func (s *said) count(c event.Count, what string, n int64) {
	at := -1
	for i := range s.counts {
		if s.counts[i].Of == c.Of && s.counts[i].Lane == c.Lane {
			at = i
		}
	}
	if at < 0 {
		if len(s.readings)+len(s.counts) >= maxQuantities {
			s.left++
			return
		}
		at = len(s.counts)
		s.counts = append(s.counts, c)
	}
	switch k := &s.counts[at]; what {
	case "out":
		k.Out = n
	case "inside":
		k.Inside = &n
	default:
		k.In = n
	}
}

// converted returns a measurement in the unit that the vocabulary has for it,
// where the one that was given is another of the same quantity.
func converted(n float64, from, to string) (float64, string) {
	switch {
	case from == "" || from == to:
		return n, to
	case to == "Cel" && from == "K":
		return n - 273.15, to
	case to == "hPa" && from == "Pa":
		return n / 100, to
	case to == "%" && from == "/":
		return n * 100, to
	case to == "%" && from == "%RH", to == "dB[A]" && from == "dB":
		return n, to
	case to == "km/h" && from == "m/s":
		return n * 3.6, to
	case to == "ug/m3" && from == "kg/m3":
		return n * 1e9, to
	}
	return n, from
}
