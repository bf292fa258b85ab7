package street

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Streets is the dialect of sensors that speak SenML (RFC 8428, JSON): counters,
// noise, air, lamps, bins, doors, under street/<what>/<sensor>.
type Streets struct{}

var _ sense.Dialect = Streets{}

// whats are the second levels of the topic, and what a count without a word for
// it counts there.
var whats = map[string]string{
	"people": "person", "traffic": "vehicle", "parking": "vehicle",
	"noise": "", "air": "", "light": "", "bin": "", "door": "", "weather": "", "water": "", "other": "",
}

// Name implements sense.Dialect.
func (Streets) Name() string { return "street" }

// Matches implements sense.Dialect.
func (Streets) Matches(topic string) bool { return under(topic, "street") }

// Observe implements sense.Dialect.
func (Streets) Observe(m *sense.Message) ([]*event.Observation, error) {
	path, _, _ := strings.Cut(m.Topic, "?")
	parts := strings.Split(path, "/")
	if len(parts) != 3 || parts[2] == "" || len(parts[2]) > maxName {
		return nil, fmt.Errorf("%w: the topic is %.200q, want street/<what>/<sensor>", sense.ErrUnreadable, m.Topic)
	}
	of, known := whats[parts[1]]
	if !known {
		return nil, fmt.Errorf("%w: the topic says %.40q, want one of %s", sense.ErrUnreadable, parts[1], strings.Join(sortedWhats(), ", "))
	}
	records, err := senml(m.Payload, m.Received)
	if err != nil {
		return nil, err
	}
	device := m.Device.ID + "/" + parts[2]
	var out []*event.Observation
	for i := 0; i < len(records); {
		n := i + 1
		for n < len(records) && records[n].at.Equal(records[i].at) {
			n++
		}
		os, err := moment(m, device, of, records[i:n])
		if err != nil {
			return nil, err
		}
		out = append(out, os...)
		i = n
	}
	return out, nil
}

// moment returns what records of one time say.
func moment(m *sense.Message, device, of string, records []senmlResolved) ([]*event.Observation, error) {
	var s said
	for _, r := range records {
		s.record(r, of)
	}
	if s.left > 0 {
		return nil, fmt.Errorf("%w: it has %d quantities of one time, at most %d: spread them over several messages", sense.ErrUnreadable, maxQuantities+s.left, maxQuantities)
	}
	out := s.observations()
	for i, o := range out {
		o.Device = device
		if !records[0].at.IsZero() {
			at := records[0].at
			o.Time, o.DeviceTime = at, &at
			// The same measurement sent twice is one.
			o.ID = event.NewID("street", m.Topic, device, at.String(), strconv.Itoa(i), fingerprint(o))
		}
		if s.located {
			o.Raw = []byte{} // where a sensor is, its entry says; a position may be a person's
		}
	}
	return out, nil
}

// fingerprint tells apart measurements of one moment.
func fingerprint(o *event.Observation) string {
	switch {
	case o.Reading != nil && o.Reading.Value != nil:
		return string(o.Reading.Property) + o.Reading.Channel + strconv.FormatFloat(*o.Reading.Value, 'g', -1, 64)
	case o.Reading != nil:
		return string(o.Reading.Property) + o.Reading.Channel + o.Reading.State
	case o.Count != nil:
		return fmt.Sprint(o.Count.Of, o.Count.Lane, o.Count.In, o.Count.Out, o.Count.Inside != nil)
	}
	return string(o.Kind)
}

// record takes a SenML record. of is what a bare "in" or "out" counts.
func (s *said) record(r senmlResolved, of string) {
	key := r.name[strings.LastIndexAny(r.name, ":/")+1:]
	if key == "" {
		return
	}
	if of != "" && (key == "in" || key == "out" || key == "inside" || key == "count") {
		key = of + "_" + key
	}
	switch {
	case r.value != nil:
		s.quantity(key, *r.value, unitOf(r.unit), false)
	case r.truth != nil:
		n := 0.0
		if *r.truth {
			n = 1
		}
		s.quantity(key, n, "", true)
	case r.word != nil:
		s.word(key, *r.word)
	}
	if r.sum != nil {
		s.unknown(key+" sum", *r.sum, unitOf(r.unit), false)
	}
}

// ucum gives SenML's units (RFC 8428, section 12.1; RFC 8798) their UCUM code,
// where that is another.
var ucum = map[string]string{
	"%RH": "%RH", "lat": "deg", "lon": "deg", "count": "{count}", "beats/min": "{beats}/min", "EL": "%", "EV": "V",
	"dBA": "dB[A]", "Lden": "dB[A]", "/": "/", "m3": "m3", "degC": "Cel",
}

// unitOf returns a unit to keep.
func unitOf(u string) string {
	if len(u) > 20 {
		return ""
	}
	if c, ok := ucum[u]; ok {
		return c
	}
	return u
}

func sortedWhats() []string {
	out := make([]string, 0, len(whats))
	for w := range whats {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}
