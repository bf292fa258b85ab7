package cap

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// The languages in which the force reads, the best first.
func languages() []string { return []string{"en-GB", "en"} }

// Bounds of an observation.
const (
	maxParts   = 16   // of one message
	maxPoints  = 2000 // of all polygons together
	maxName    = 300  // characters of a name
	maxText    = 4000 // characters of a text
	maxListed  = 100  // references
	circleSide = 36   // corners of the polygon that stands for a circle
)

// observe returns what a message says, an observation for each part. Its time is
// when it was sent, or now where that lies ahead.
func observe(a *codec.Alert, signer string, now time.Time) []*event.Observation {
	w := event.Warning{
		Identifier: cut(a.Identifier, maxName), Sender: cut(a.Sender, maxName), Sent: a.Sent,
		Status: string(a.Status), MsgType: string(a.MsgType), Signed: signer,
	}
	for _, r := range a.References[:min(len(a.References), maxListed)] {
		w.References = append(w.References, r.String())
	}
	infos := a.InfosIn(languages()...)
	if len(infos) == 0 {
		w.Description = cut(a.Note, maxText)
		return []*event.Observation{observation(a, &w, 0, now)}
	}
	var out []*event.Observation
	for i, in := range infos[:min(len(infos), maxParts)] {
		part := w
		fill(&part, in)
		out = append(out, observation(a, &part, i, now))
	}
	return out
}

// observation makes one of part i. A message that was signed is not the same as
// one that only says the same: whoever sends a forgery first must not take the
// place of the real one.
func observation(a *codec.Alert, w *event.Warning, i int, now time.Time) *event.Observation {
	sent, at := a.Sent, a.Sent
	if at.After(now) {
		at = now
	}
	o := &event.Observation{
		ID:   event.NewID(Source, a.Sender, a.Identifier, codec.FormatTime(sent), w.Signed, strconv.Itoa(i)),
		Kind: event.KindWarning, Source: Source, Time: at, DeviceTime: &sent, Warning: w,
	}
	if c, ok := centre(w.Polygons); ok {
		o.Place = &c
	}
	return o
}

func fill(w *event.Warning, in *codec.Info) {
	w.Event, w.Headline = cut(in.Event, maxName), cut(in.Headline, maxName)
	w.Description, w.Instruction = cut(in.Description, maxText), cut(in.Instruction, maxText)
	w.Urgency, w.Severity, w.Certainty = string(in.Urgency), string(in.Severity), string(in.Certainty)
	for _, c := range in.Categories {
		if s := string(c); !slices.Contains(w.Categories, s) {
			w.Categories = append(w.Categories, s)
		}
	}
	w.Onset, w.Expires = optional(in.Onset), optional(in.Expires)
	var areas []string
	for _, x := range in.Areas {
		areas = append(areas, strings.TrimSpace(x.Desc))
	}
	w.Area = cut(strings.Join(areas, "; "), maxText)
	w.Polygons = polygons(in.Areas)
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// polygons returns the areas' polygons and circles. Where they have more points
// than an observation may, each polygon keeps every so many of its points.
func polygons(areas []codec.Area) [][]place.Point {
	var all []codec.Polygon
	points := 0
	for _, x := range areas {
		all = append(all, x.Polygons...)
		for _, c := range x.Circles {
			all = append(all, c.Polygon(circleSide))
		}
	}
	all = all[:min(len(all), maxPoints/4)]
	for _, p := range all {
		points += len(p)
	}
	every := (points + maxPoints - 1) / maxPoints
	var out [][]place.Point
	for _, p := range all {
		step := max(1, min(every, len(p)/4)) // four corners at least
		var ring []place.Point
		for i := 0; i < len(p)-1; i += step {
			ring = append(ring, place.Point{Lat: p[i].Lat, Lon: p[i].Lon})
		}
		out = append(out, append(ring, ring[0]))
	}
	return out
}

// centre is the middle of the box around the first polygon.
func centre(ps [][]place.Point) (place.Point, bool) {
	if len(ps) == 0 {
		return place.Point{}, false
	}
	low, high := ps[0][0], ps[0][0]
	for _, p := range ps[0] {
		low.Lat, low.Lon = min(low.Lat, p.Lat), min(low.Lon, p.Lon)
		high.Lat, high.Lon = max(high.Lat, p.Lat), max(high.Lon, p.Lon)
	}
	return place.Point{Lat: (low.Lat + high.Lat) / 2, Lon: (low.Lon + high.Lon) / 2}, true
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
