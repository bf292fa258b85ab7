package home

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// How far a time of a message's own may lie from ours to be the event's. A
// retained message may be of any age.
const (
	maxAhead = time.Minute
	maxLate  = 30 * 24 * time.Hour
)

// report gathers what one message says of one child of a hub.
type report struct {
	m      *sense.Message
	source string
	child  string    // "" is the hub itself
	at     time.Time // of the message's own, zero where it has none
	out    []*event.Observation
	health *event.Health
	tally  tally
	wrong  error // the first field that is not of its expected form
}

// bad notes a field that is not of its expected form. The rest of the message
// counts all the same: smoke must not be lost with a battery that says nonsense.
func (r *report) bad(field, expected string, v any) {
	r.tally.unreadable.Inc()
	if r.wrong == nil {
		r.wrong = fmt.Errorf("%w: %s: expected %s, got %s", sense.ErrUnreadable, field, expected, what(v))
	}
}

// result returns all that was said, or what is wrong where there is nothing else.
func (r *report) result() ([]*event.Observation, error) {
	if out := r.done(); len(out) > 0 || r.wrong == nil {
		return out, nil
	}
	return nil, r.wrong
}

// device names the child.
func (r *report) device() string {
	if r.child == "" {
		return r.m.Device.ID
	}
	return r.m.Device.ID + "/" + r.child
}

// add adds an observation. key tells apart what one message says at one time.
func (r *report) add(kind event.Kind, key string) *event.Observation {
	o := &event.Observation{Kind: kind, Source: r.source, Device: r.device()}
	if !r.at.IsZero() {
		at := r.at
		o.DeviceTime = &at
		if plausible(r.m, at) {
			o.ID = event.NewID("home", r.source, o.Device, r.m.Topic, at.UTC().Format(time.RFC3339Nano), string(kind), key)
		} else {
			o.Time = r.m.Received
		}
	}
	r.out = append(r.out, o)
	return o
}

func plausible(m *sense.Message, at time.Time) bool {
	off := m.Received.Sub(at)
	return off >= -maxAhead && (off <= maxLate || m.Retained && at.Year() >= 2000)
}

// reading adds a reading: a condition, or a quantity where it has a value.
func (r *report) reading(rd *event.Reading, channel, name string) {
	kind, said := event.KindState, rd.State
	if rd.Value != nil {
		kind, said = event.KindMeasure, strconv.FormatFloat(*rd.Value, 'g', -1, 64)
	}
	if channel != "" {
		rd.Channel = channel
	}
	rd.Name = name
	o := r.add(kind, string(rd.Property)+"\x00"+rd.Channel+"\x00"+said)
	o.Reading = rd
}

// there adds that the child is there, or has gone.
func (r *report) there(present bool) {
	kind := event.KindGone
	if present {
		kind = event.KindPresent
	}
	r.add(kind, "")
}

// sick returns the health that the message speaks of.
func (r *report) sick() *event.Health {
	if r.health == nil {
		r.health = &event.Health{}
	}
	return r.health
}

// done returns all that was said, its health last.
func (r *report) done() []*event.Observation {
	if r.health != nil {
		r.add(event.KindHealth, "").Health = r.health
		r.health = nil
	}
	return r.out
}

// availability reads a word, or a JSON object with the word in "state", that says
// whether something is there.
func availability(payload []byte) (present, ok bool) {
	w := strings.TrimSpace(string(payload))
	if strings.HasPrefix(w, "{") {
		o, err := object(payload)
		if err != nil {
			return false, false
		}
		w = text(o, "state", maxWord)
	}
	switch strings.ToLower(strings.Trim(w, `"`)) {
	case "online", "true", "on", "connected", "available":
		return true, true
	case "offline", "false", "off", "disconnected", "unavailable", "lost":
		return false, true
	}
	return false, false
}

// clockTime reads a time as the ecosystems write it: RFC 3339 in its kinds, or
// seconds or milliseconds since 1970.
func clockTime(v any) (time.Time, bool) {
	if s, ok := v.(string); ok {
		for _, form := range [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00"} {
			if t, err := time.Parse(form, s); err == nil {
				return t.UTC(), t.Year() > 0 && t.Year() < 10_000
			}
		}
	}
	f, ok := number(v)
	switch {
	case !ok || f < 1e8 || f > 1e14:
		return time.Time{}, false
	case f < 1e11: // seconds
		sec := int64(f)
		return time.Unix(sec, int64((f-float64(sec))*1e6)*1000).UTC(), true
	default:
		return time.UnixMilli(int64(f)).UTC(), true
	}
}
