package web

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Measures of a timeline's drawing, in its own units.
const (
	chartWidth  = 1440
	chartLeft   = 210 // of the names
	chartRight  = 16
	chartTop    = 34
	laneHeight  = 26
	barHeight   = 14
	leastBar    = 3.0 // of what was too short to see
	maxLanes    = 100
	nameLetters = 28
)

// chart is a day as it is drawn: a lane for each sensor, what calls for help on
// top.
type chart struct {
	Width, Height int
	Left, Right   int
	Bottom        int
	Hours         []hourMark
	Lanes         []*lane
	Hidden        int // lanes that did not fit
	Now           float64
	ShowNow       bool
	Words         string // what the picture shows, for who does not see it
}

// hourMark is a line at an hour.
type hourMark struct {
	X     float64
	Label string
}

// lane is one sensor's day.
type lane struct {
	Name, Short, What string
	Class             string // "alarm", "motion", "contact", "measure", "mark"
	Y, Middle, BarY   float64
	Bars              []bar
	Marks             []mark
	Line              string // points of a measured quantity
	Total             string // how long, how often, or from what to what
	order             int
}

// bar is a span for which a condition held.
type bar struct {
	X, W float64
	Says string
}

// mark is an instant.
type mark struct {
	X    float64
	Says string
}

// drawer draws one day.
type drawer struct {
	from, to, known time.Time
	zone            *time.Location
}

// drawChart draws what was sensed from one time to another; known is until when
// anything can be known.
func drawChart(from, to, known time.Time, zone *time.Location, before, during []sense.Value, name func(*sense.Value) string) *chart {
	d := drawer{from, to, known, zone}
	c := &chart{Width: chartWidth, Left: chartLeft, Right: chartWidth - chartRight}
	for _, l := range d.lanes(before, during, name) {
		if len(c.Lanes) == maxLanes {
			c.Hidden++
			continue
		}
		l.Y = float64(chartTop + len(c.Lanes)*laneHeight)
		l.Middle, l.BarY = l.Y+laneHeight/2, l.Y+(laneHeight-barHeight)/2
		c.Lanes = append(c.Lanes, l)
	}
	c.Bottom = chartTop + len(c.Lanes)*laneHeight
	c.Height = c.Bottom + 8
	c.Hours = d.hours()
	if known.Before(to) && known.After(from) {
		c.Now, c.ShowNow = d.x(known), true
	}
	c.Words = fmt.Sprintf("Timeline of %s with %s and %s.", from.Format("2 January 2006"), plural(len(c.Lanes), "sensor", "sensors"), plural(len(during), "event", "events"))
	return c
}

// x is where a time lies.
func (d *drawer) x(t time.Time) float64 {
	part := float64(t.Sub(d.from)) / float64(d.to.Sub(d.from))
	return tenths(chartLeft + min(max(part, 0), 1)*(chartWidth-chartLeft-chartRight))
}

// tenths keeps a drawing's numbers short.
func tenths(x float64) float64 { return math.Round(x*10) / 10 }

// hours are the day's: 23 or 25 of them when the clocks change.
func (d *drawer) hours() []hourMark {
	var out []hourMark
	for t := d.from; !t.After(d.to); t = t.Add(time.Hour) {
		label := ""
		if h := t.In(d.zone).Hour(); h%2 == 0 && t.Before(d.to) {
			label = fmt.Sprintf("%02d", h)
		}
		out = append(out, hourMark{d.x(t), label})
	}
	return out
}

// sensorKey tells sensors apart.
type sensorKey struct {
	source, device, channel string
	property                event.Property
}

// lanes sorts what was sensed into lanes, and draws each.
func (d *drawer) lanes(before, during []sense.Value, name func(*sense.Value) string) []*lane {
	type sensor struct {
		before *sense.Value
		during []*sense.Value
	}
	sensors := map[sensorKey]*sensor{}
	at := func(v *sense.Value) *sensor {
		k := sensorKey{v.Source, v.Device, v.Channel, v.Property}
		if sensors[k] == nil {
			sensors[k] = &sensor{}
		}
		return sensors[k]
	}
	for i := range before {
		if b := &before[i]; b.Active != nil && *b.Active && pairs(b.Property) {
			at(b).before = b // it goes on into this day
		}
	}
	for i := range during {
		s := at(&during[i])
		s.during = append(s.during, &during[i])
	}
	var out []*lane
	for _, s := range sensors {
		all := s.during
		if s.before != nil {
			all = append([]*sense.Value{s.before}, all...)
		}
		out = append(out, d.lane(all, name(all[len(all)-1])))
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.order != b.order {
			return a.order < b.order
		}
		if a.Name != b.Name {
			return naturally(a.Name, b.Name)
		}
		return a.What < b.What
	})
	return out
}

// pairs reports whether readings of a property begin and end a span. Alarms and
// gunshots are instants, whether or not something ends them.
func pairs(p event.Property) bool {
	switch p {
	case sense.PropertyAlarm, sense.PropertyGunshot, event.Panic, event.Button:
		return false
	}
	return true
}

// lane draws one sensor's values, in their order.
func (d *drawer) lane(vs []*sense.Value, name string) *lane {
	last := vs[len(vs)-1]
	l := &lane{Name: name, Short: shorten(nameLetters, name), What: inWords(last.What())}
	l.Class, l.order = laneClass(last)
	switch {
	case last.Value != nil && last.State == "":
		d.line(l, vs)
	case last.Active != nil && pairs(last.Property):
		d.bars(l, vs)
	default:
		d.marks(l, vs)
	}
	return l
}

// laneClass is a lane's style and its place: what calls for help first.
func laneClass(v *sense.Value) (string, int) {
	switch v.Property {
	case sense.PropertyAlarm, sense.PropertyGunshot, event.Panic, event.Smoke, event.CO, event.Gas, event.Glass, event.Tampered, event.Siren, event.Water:
		return "alarm", 0
	case sense.PropertyDevice:
		return "device", 1
	case event.Contact, event.Lock, event.Cover:
		return "contact", 2
	case event.Motion, event.Occupancy, event.Presence, event.Vibration, event.Sound, sense.PropertyDetection:
		return "motion", 3
	}
	if v.Value != nil && v.State == "" {
		return "measure", 5
	}
	return "mark", 4
}

// bars draws the spans for which a condition held.
func (d *drawer) bars(l *lane, vs []*sense.Value) {
	var since *sense.Value
	var total time.Duration
	end := func(at time.Time, how string) {
		from := since.Time
		if from.Before(d.from) {
			from = d.from
		}
		total += at.Sub(from)
		x := d.x(from)
		w := tenths(max(d.x(at)-x, leastBar))
		x = tenths(min(x, chartWidth-chartRight-w))
		l.Bars = append(l.Bars, bar{x, w, fmt.Sprintf("%s %s %s, %s%s", l.Name, since.Words(), d.clock(since.Time), how, lasting(at.Sub(since.Time)))})
		since = nil
	}
	for _, v := range vs {
		on := v.Active != nil && *v.Active
		switch {
		case on && since == nil:
			since = v
		case !on && since != nil:
			end(v.Time, "to "+d.clock(v.Time)+", ")
		}
	}
	if since != nil && since.Time.Before(d.known) {
		end(d.known, "and still at "+d.clock(d.known)+", ")
	}
	l.Total = plural(len(l.Bars), "time", "times") + ", " + lasting(total)
}

// lasting says a span in short words.
func lasting(d time.Duration) string { return ageWords(d.Round(time.Second)) }

// clock says a time of the day, or the date too where it is another.
func (d *drawer) clock(t time.Time) string {
	layout := "15:04:05"
	if t.Before(d.from) || t.After(d.to) {
		layout = "2 Jan 15:04:05"
	}
	return t.In(d.zone).Format(layout)
}

func (d *drawer) marks(l *lane, vs []*sense.Value) {
	for _, v := range vs {
		if v.Time.Before(d.from) {
			continue
		}
		l.Marks = append(l.Marks, mark{d.x(v.Time), fmt.Sprintf("%s %s %s", l.Name, v.Words(), d.clock(v.Time))})
	}
	l.Total = plural(len(l.Marks), "time", "times")
}

// line draws a measured quantity between its own least and most.
func (d *drawer) line(l *lane, vs []*sense.Value) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range vs {
		if v.Value != nil {
			low, high = min(low, *v.Value), max(high, *v.Value)
		}
	}
	var points strings.Builder
	for _, v := range vs {
		if v.Value == nil {
			continue
		}
		part := 0.5
		if high > low {
			part = (*v.Value - low) / (high - low)
		}
		fmt.Fprintf(&points, "%.1f,%.1f ", d.x(v.Time), (1-part)*barHeight)
	}
	l.Line = strings.TrimSpace(points.String())
	least, most := *vs[0], *vs[0]
	least.Value, most.Value = &low, &high
	if l.Total = least.Words(); high > low {
		l.Total += " to " + most.Words()
	}
}

// naturally orders names by the numbers in them: sensor 9 before sensor 12.
func naturally(a, b string) bool {
	cut := func(s string) (string, int, string) {
		i := strings.IndexAny(s, "0123456789")
		if i < 0 {
			return s, -1, ""
		}
		n, j := 0, i
		for j < len(s) && s[j] >= '0' && s[j] <= '9' && n < 1<<40 {
			n = n*10 + int(s[j]-'0')
			j++
		}
		return s[:i], n, s[j:]
	}
	pa, na, ra := cut(a)
	pb, nb, rb := cut(b)
	switch {
	case pa != pb:
		return pa < pb
	case na != nb:
		return na < nb
	case na < 0 || ra == "" || rb == "":
		return len(ra) < len(rb)
	}
	return naturally(ra, rb)
}

// NameX is where lanes' names begin.
func (*chart) NameX() int { return 8 }

// Top is where the lanes begin.
func (*chart) Top() int { return chartTop }

// BarHeight is the height of a bar.
func (*chart) BarHeight() int { return barHeight }

// LaneHeight is the height of a lane.
func (*chart) LaneHeight() int { return laneHeight }
