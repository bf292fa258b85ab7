package street

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Gunshots is the dialect of gunshot sensors: what one message located, or a list
// of them, as JSON under gunshot/<anything> or gunshot.
type Gunshots struct{}

var _ sense.Dialect = Gunshots{}

// Name implements sense.Dialect.
func (Gunshots) Name() string { return "gunshot" }

// Matches implements sense.Dialect.
func (Gunshots) Matches(topic string) bool { return under(topic, "gunshot") }

// under reports whether a topic is a name or below it, whatever is asked with it.
func under(topic, name string) bool {
	path, _, _ := strings.Cut(topic, "?")
	return path == name || strings.HasPrefix(path, name+"/")
}

// gunshotMessage is one report.
type gunshotMessage struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"` // single, multiple, fireworks, unknown
	Time     json.RawMessage `json:"time"` // RFC 3339, or seconds since 1970
	Lat      *float64        `json:"lat"`
	Lon      *float64        `json:"lon"`
	Accuracy float64         `json:"accuracy"` // metres
	Rounds   int             `json:"rounds"`
	Zone     string          `json:"zone"`
	Score    float64         `json:"confidence"` // 0 to 1
}

const (
	maxReports  = 100  // in one message
	maxRounds   = 1000 // in one report
	maxAccuracy = 20_000.0
)

// Observe implements sense.Dialect.
func (Gunshots) Observe(m *sense.Message) ([]*event.Observation, error) {
	reports, err := listOf[gunshotMessage](m.Payload, maxReports)
	if err != nil {
		return nil, err
	}
	out := make([]*event.Observation, 0, len(reports))
	for i := range reports {
		o, err := reports[i].observation(m)
		if err != nil {
			return nil, fmt.Errorf("%w: report %d: %w", sense.ErrUnreadable, i+1, err)
		}
		out = append(out, o)
	}
	return out, nil
}

func (g *gunshotMessage) observation(m *sense.Message) (*event.Observation, error) {
	switch {
	case g.ID == "" || len(g.ID) > maxName:
		return nil, fmt.Errorf("the id has %d bytes, want 1 to %d", len(g.ID), maxName)
	case len(g.Zone) > maxName:
		return nil, fmt.Errorf("the zone has %d bytes, at most %d", len(g.Zone), maxName)
	case g.Lat == nil || g.Lon == nil:
		return nil, fmt.Errorf("lat and lon are missing: a report without a position is of no use")
	case g.Rounds < 0 || g.Rounds > maxRounds:
		return nil, fmt.Errorf("%d rounds, want 0 (not counted) to %d", g.Rounds, maxRounds)
	case !(g.Accuracy >= 0 && g.Accuracy <= maxAccuracy):
		return nil, fmt.Errorf("an accuracy of %v m, want 0 (not stated) to %v", g.Accuracy, maxAccuracy)
	case !(g.Score >= 0 && g.Score <= 1):
		return nil, fmt.Errorf("a confidence of %v, want 0 to 1", g.Score)
	}
	at := place.Point{Lat: *g.Lat, Lon: *g.Lon}
	if err := onEarth(at); err != nil {
		return nil, err
	}
	when, err := timeOf(g.Time)
	if err != nil {
		return nil, err
	}
	o := &event.Observation{
		ID:   event.NewID("gunshot", m.Device.ID, g.Zone, g.ID),
		Kind: event.KindGunshot, Place: &at, Confidence: g.Score, DeviceTime: &when, Time: when,
	}
	if g.Zone != "" {
		o.Device = m.Device.ID + "/" + g.Zone
	}
	shot := &event.Gunshot{Zone: g.Zone, Number: g.ID, Accuracy: g.Accuracy, Count: g.Rounds, Rounds: "unknown"}
	switch typ := strings.ToLower(g.Type); {
	case strings.Contains(typ, "firework"):
		active := true
		o.Kind = event.KindState
		o.Reading = &event.Reading{Property: event.Sound, Channel: "fireworks", State: "detected", Active: &active}
		return o, nil
	case strings.Contains(typ, "single") || g.Rounds == 1:
		shot.Rounds = "single"
	case strings.Contains(typ, "multiple") || g.Rounds > 1:
		shot.Rounds = "multiple"
	}
	o.Gunshot = shot
	return o, nil
}

// onEarth complains about positions at which nothing was heard.
func onEarth(p place.Point) error {
	switch {
	case math.IsNaN(p.Lat) || math.IsNaN(p.Lon) || math.IsInf(p.Lat, 0) || math.IsInf(p.Lon, 0):
		return fmt.Errorf("the position %v is not a number", p)
	case !p.Valid() && (place.Point{Lat: p.Lon, Lon: p.Lat}).Valid():
		return fmt.Errorf("the position %v is not on the Earth: latitude and longitude are swapped, it seems", p)
	case !p.Valid():
		return fmt.Errorf("the position %v is not on the Earth", p)
	case math.Abs(p.Lat) < 0.01 && math.Abs(p.Lon) < 0.01:
		return fmt.Errorf("the position %v is where latitude and longitude are nought: that is no position", p)
	}
	return nil
}

// listOf reads a JSON object, or a list of at most limit of them.
func listOf[T any](payload []byte, limit int) ([]T, error) {
	payload = bytes.TrimSpace(payload)
	var list []T
	var err error
	switch {
	case len(payload) > 0 && payload[0] == '[':
		err = json.Unmarshal(payload, &list)
	case len(payload) > 0 && payload[0] == '{':
		list = make([]T, 1)
		err = json.Unmarshal(payload, &list[0])
	default:
		return nil, fmt.Errorf("%w: want a JSON object or a list of them", sense.ErrUnreadable)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", sense.ErrUnreadable, err)
	case len(list) == 0:
		return nil, fmt.Errorf("%w: the list is empty", sense.ErrUnreadable)
	case len(list) > limit:
		return nil, fmt.Errorf("%w: the list has %d entries, at most %d at once", sense.ErrUnreadable, len(list), limit)
	}
	return list, nil
}

// timeOf reads a time: RFC 3339, or seconds since 1970.
func timeOf(raw json.RawMessage) (time.Time, error) {
	var text string
	var sec float64
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return time.Time{}, fmt.Errorf("the time is missing")
	case json.Unmarshal(raw, &text) == nil:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || t.Year() < 1970 || t.Year() > 9999 {
			return time.Time{}, fmt.Errorf("the time is no time such as 2026-05-01T12:00:00Z")
		}
		return t.UTC(), nil
	case json.Unmarshal(raw, &sec) == nil && sec >= 0 && sec < 1<<36:
		whole, part := math.Modf(sec)
		return time.Unix(int64(whole), int64(part*1e9)).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("the time is neither text nor seconds since 1970")
}
