package mapping

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// maxText bounds each text of an observation, in bytes.
const maxText = 200

// observations makes observations of what a program has yielded.
func observations(out ref.Val, in *Input) ([]*event.Observation, error) {
	if o, ok := out.(*types.Optional); ok {
		if !o.HasValue() {
			return nil, nil
		}
		out = o.GetValue()
	}
	switch v := out.(type) {
	case types.Null:
		return nil, nil
	case traits.Mapper:
		o, err := observation(v, in, 0)
		if err != nil {
			return nil, err
		}
		return []*event.Observation{o}, nil
	case traits.Lister:
		n, ok := v.Size().(types.Int)
		if !ok || n > MaxSaid {
			return nil, fmt.Errorf("it yields %v things, at most %d", v.Size(), MaxSaid)
		}
		var os []*event.Observation
		for i := range int(n) {
			item := v.Get(types.Int(i))
			if _, ok := item.(types.Null); ok {
				continue
			}
			m, ok := item.(traits.Mapper)
			if !ok {
				return nil, fmt.Errorf("item %d is a %s: it must be a map", i+1, kindOf(native(item)))
			}
			o, err := observation(m, in, len(os))
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i+1, err)
			}
			os = append(os, o)
		}
		return os, nil
	}
	return nil, fmt.Errorf("it yields a %s: it must yield a map, or a list of maps", kindOf(native(out)))
}

// said reads one map's keys, and notes which it was asked for.
type said struct {
	values map[string]any
	asked  []string
	err    error
}

func newSaid(m traits.Mapper) (*said, error) {
	s := &said{values: map[string]any{}}
	if n, ok := m.Size().(types.Int); !ok || n > 60 {
		return nil, fmt.Errorf("a map of %v keys", m.Size())
	}
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, ok := native(k).(string)
		if !ok {
			return nil, fmt.Errorf("a key is a %s: keys are text", kindOf(native(k)))
		}
		v, _ := m.Find(k)
		if e, ok := v.(*types.Err); ok {
			return nil, e
		}
		if n := native(v); n != nil {
			s.values[key] = n
		}
	}
	return s, nil
}

func (s *said) fail(key, format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...))
	}
}

func (s *said) get(key string) (any, bool) {
	s.asked = append(s.asked, key)
	v, ok := s.values[key]
	return v, ok
}

func (s *said) text(key string) string {
	v, ok := s.get(key)
	if !ok {
		return ""
	}
	switch v := v.(type) {
	case string:
		if len(v) > maxText {
			s.fail(key, "%d bytes of text, at most %d", len(v), maxText)
			return ""
		}
		return strings.ToValidUTF8(v, "\uFFFD")
	case float64: // a number of a lane, a channel
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	s.fail(key, "a %s, want text", kindOf(v))
	return ""
}

func (s *said) need(key string) string {
	v := s.text(key)
	if v == "" {
		s.fail(key, "missing")
	}
	return v
}

func (s *said) number(key string) *float64 {
	v, ok := s.get(key)
	if !ok {
		return nil
	}
	n, ok := v.(float64)
	if !ok {
		s.fail(key, "a %s, want a number: number(x) makes one of text", kindOf(v))
		return nil
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		s.fail(key, "%g is no measure", n)
		return nil
	}
	return &n
}

// within is number for what has bounds.
func (s *said) within(key string, low, high float64) *float64 {
	n := s.number(key)
	if n != nil && (*n < low || *n > high) {
		s.fail(key, "%g is not from %g to %g", *n, low, high)
		return nil
	}
	return n
}

func (s *said) count(key string) *int64 {
	n := s.within(key, 0, 1e9)
	if n == nil {
		return nil
	}
	whole := int64(*n)
	if float64(whole) != *n {
		s.fail(key, "%g is no whole number", *n)
	}
	return &whole
}

func (s *said) yes(key string) *bool {
	v, ok := s.get(key)
	if !ok {
		return nil
	}
	b, ok := v.(bool)
	if !ok {
		s.fail(key, "a %s, want true or false", kindOf(v))
		return nil
	}
	return &b
}

func (s *said) time(key string) *time.Time {
	v, ok := s.get(key)
	if !ok {
		return nil
	}
	t, err := timeOf(v)
	if err != nil {
		s.fail(key, "%v", err)
		return nil
	}
	return &t
}

func (s *said) list(key string) []string {
	v, ok := s.get(key)
	if !ok {
		return nil
	}
	l, ok := v.(traits.Lister)
	if !ok {
		s.fail(key, "a %s, want a list of text", kindOf(v))
		return nil
	}
	if n, ok := l.Size().(types.Int); !ok || n > 50 {
		s.fail(key, "%v items, at most 50", l.Size())
		return nil
	}
	var out []string
	for it := l.Iterator(); it.HasNext() == types.True; {
		item, ok := native(it.Next()).(string)
		if !ok || len(item) > maxText {
			s.fail(key, "want a list of short texts")
			return nil
		}
		out = append(out, item)
	}
	return out
}

// rest reports what was said and not asked for: most likely a slip.
func (s *said) rest(kind event.Kind) error {
	if s.err != nil {
		return s.err
	}
	var unknown []string
	for k := range s.values {
		if !slices.Contains(s.asked, k) {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	sort.Strings(unknown)
	sort.Strings(s.asked)
	return fmt.Errorf("%.40q is no key of %s: use %s", unknown[0], kind, strings.Join(slices.Compact(s.asked), ", "))
}

// observation makes an observation of one map.
func observation(m traits.Mapper, in *Input, i int) (*event.Observation, error) {
	s, err := newSaid(m)
	if err != nil {
		return nil, err
	}
	o := &event.Observation{Kind: event.Kind(s.text("kind")), DeviceTime: s.time("time")}
	if sensor := s.text("sensor"); sensor != "" {
		if strings.ContainsAny(sensor, "\x00\n\r") {
			s.fail("sensor", "a name without line breaks")
		}
		o.Device = in.Device + "/" + sensor
	}
	if n := s.within("confidence", 0, 1); n != nil {
		o.Confidence = *n
	}
	if lat, lon := s.within("lat", -90, 90), s.within("lon", -180, 180); lat != nil && lon != nil {
		o.Place = &place.Point{Lat: *lat, Lon: *lon}
	} else if lat != nil || lon != nil {
		s.fail("lat", "lat and lon belong together")
	}
	if id := s.text("id"); id != "" {
		o.ID = event.NewID("mapping", in.Mapping, in.Device, o.Device, id, strconv.Itoa(i))
	}
	if o.Kind == "" {
		o.Kind = s.guess()
	}
	if !s.detail(o) {
		return nil, fmt.Errorf("kind: %.40q is nothing that a mapping may yield: use one of %s", o.Kind, strings.Join(Kinds(), ", "))
	}
	return o, s.rest(o.Kind)
}

// guess finds the kind that goes without saying.
func (s *said) guess() event.Kind {
	has := func(key string) bool { _, ok := s.values[key]; return ok }
	switch {
	case has("value"):
		return event.KindMeasure
	case has("of"):
		return event.KindCount
	case has("battery_pct"), has("low_battery"), has("firmware"), has("problem"):
		return event.KindHealth
	}
	return event.KindState
}
