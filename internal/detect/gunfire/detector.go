package gunfire

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// Rule is the name of the rule that alerts give.
const Rule = "gunfire"

// Bounds of the state.
const (
	maxBursts = 2000   // open at once; beyond it the one that would end soonest is ended
	maxCauses = 2000   // the same
	maxPlaces = 24     // positions that a burst remembers, its first among them
	maxRefs   = 200    // observations that a cause lists, and by which it knows repeats
	maxKept   = 50_000 // of all causes together; beyond it each lists fewRefs
	fewRefs   = 8
	maxZones  = 16
	maxStarts = 4096 // beginnings of bursts that are remembered to tell a celebration
)

// Detector joins reports into bursts, and says what they are.
type Detector struct {
	policy Policy
	bursts []*burst // by when they were last heard
	causes map[string]*cause
	starts []time.Time // of bursts within FloodWithin, in order
	flood  bool
	newest time.Time         // event time of the newest report
	refs   map[event.ID]bool // of all causes
}

var _ detect.Detector = (*Detector)(nil)

// New returns a detector that joins by the given policy.
func New(p Policy) *Detector {
	return &Detector{policy: p, causes: map[string]*cause{}, refs: map[event.ID]bool{}}
}

// burst is reports that are near each other.
type burst struct {
	Cause  string        `json:"cause"` // that it belongs to
	Places []place.Point `json:"places"`
	Start  time.Time     `json:"start"`
	End    time.Time     `json:"end"`
	Heard  time.Time     `json:"heard"` // platform time of its newest report
}

// cause is what has one alert: a burst, or the bursts of a square during a
// celebration.
type cause struct {
	Name     string      `json:"name"`
	Flood    bool        `json:"flood,omitempty"`
	City     int         `json:"city,omitempty"` // bursts all over the city when it began
	At       place.Point `json:"at"`             // of the first report
	Start    time.Time   `json:"start"`
	End      time.Time   `json:"end"`
	Heard    time.Time   `json:"heard"`
	Refs     []event.Ref `json:"refs"`
	Zones    []string    `json:"zones,omitempty"`
	Total    int         `json:"total"`
	Bursts   int         `json:"bursts"`
	Multiple int         `json:"multiple,omitempty"` // reports of more than one round
	Rounds   int         `json:"rounds,omitempty"`   // the most that one report counted
	Score    float64     `json:"score,omitempty"`    // the surest report
	Accuracy float64     `json:"accuracy,omitempty"`
	Far      float64     `json:"far,omitempty"` // metres of the farthest report from the first

	Revision int `json:"revision"` // of the next alert
	Said     int `json:"said"`     // reports that the newest alert knows of
}

// Name implements detect.Detector.
func (d *Detector) Name() string { return Rule }

// Observe implements detect.Detector.
func (d *Detector) Observe(o *event.Observation) []event.Alert {
	if o.Kind != event.KindGunshot || o.Gunshot == nil || o.Place == nil {
		return nil
	}
	if d.refs[o.ID] {
		return nil // the same report again
	}
	b := d.find(o)
	fresh := b == nil
	var out []event.Alert
	if fresh {
		b, out = d.begin(o)
	}
	c := d.causes[b.Cause]
	b.take(o)
	d.sort(b)
	c.take(o, fresh)
	if len(c.Refs) < fewRefs || len(c.Refs) < maxRefs && len(d.refs) < maxKept {
		c.Refs = append(c.Refs, event.Ref{ID: o.ID, Seq: o.Seq, Name: short(o.Gunshot.Number)})
		d.refs[o.ID] = true
	}
	if c.due() {
		out = append(out, d.alert(c))
	}
	return out
}

// find returns the burst that a report belongs to: of those that are near enough,
// the nearest.
func (d *Detector) find(o *event.Observation) *burst {
	var best *burst
	near := 0.0
	for _, b := range d.bursts {
		if o.Time.Sub(b.End) > d.policy.Quiet || b.Start.Sub(o.Time) > d.policy.Quiet || d.causes[b.Cause] == nil {
			continue
		}
		// A degree of latitude has 110.6 km at least; most bursts are told by that.
		if math.Abs(b.Places[0].Lat-o.Place.Lat)*110_000 > d.policy.Spread || place.Distance(b.Places[0], *o.Place) > d.policy.Spread {
			continue
		}
		for _, p := range b.Places {
			if m := place.Distance(p, *o.Place); m <= d.policy.Reach && (best == nil || m < near) {
				best, near = b, m
			}
		}
	}
	return best
}

// begin begins a burst, and the cause that it belongs to where that is new.
func (d *Detector) begin(o *event.Observation) (*burst, []event.Alert) {
	d.celebrate(earlier(o.Time, o.Received))
	name := string(o.ID)
	if d.flood {
		name = d.square(o)
	}
	var out []event.Alert
	if d.causes[name] == nil {
		for len(d.causes) >= maxCauses {
			out = append(out, d.end(d.oldest())...)
		}
		d.causes[name] = &cause{
			Name: name, Flood: d.flood, City: len(d.starts), At: *o.Place, Start: o.Time, End: o.Time,
		}
	}
	if len(d.bursts) >= maxBursts {
		d.bursts = slices.Delete(d.bursts, 0, 1)
	}
	b := &burst{Cause: name, Start: o.Time, End: o.Time, Heard: o.Received}
	d.bursts = append(d.bursts, b)
	return b, out
}

// celebrate counts the bursts of the last while. A celebration begins when they
// are many, and ends when they are half as many again.
func (d *Detector) celebrate(at time.Time) {
	i, _ := slices.BinarySearchFunc(d.starts, at, time.Time.Compare)
	d.starts = slices.Insert(d.starts, i, at)
	if at.After(d.newest) {
		d.newest = at
	}
	since := d.newest.Add(-d.policy.FloodWithin)
	old, _ := slices.BinarySearchFunc(d.starts, since, time.Time.Compare)
	d.starts = slices.Delete(d.starts, 0, max(old, len(d.starts)-maxStarts))
	switch n := len(d.starts); {
	case n >= d.policy.FloodBursts:
		d.flood = true
	case n <= d.policy.FloodBursts/2:
		d.flood = false
	}
}

// square names the cause of a square during a celebration: one that goes on, or a
// new one after quiet.
func (d *Detector) square(o *event.Observation) string {
	lat, lon := int(o.Place.Lat), int(o.Place.Lon)
	cell := place.NewGrid(place.Point{Lat: float64(lat), Lon: float64(lon)}, d.policy.FloodSquare).Cell(*o.Place)
	prefix := fmt.Sprintf("celebration %d %d %d %d ", lat, lon, cell.X, cell.Y)
	var on *cause
	for name, c := range d.causes {
		if strings.HasPrefix(name, prefix) && o.Time.Sub(c.End) <= d.policy.FloodWithin && (on == nil || compare(on, c) < 0) {
			on = c
		}
	}
	if on != nil {
		return on.Name
	}
	return prefix + string(o.ID)
}

// take adds a report to a burst.
func (b *burst) take(o *event.Observation) {
	b.Start, b.End = earlier(b.Start, o.Time), detect.Later(b.End, o.Time)
	b.Heard = detect.Later(b.Heard, o.Received)
	if len(b.Places) < maxPlaces && !slices.Contains(b.Places, *o.Place) {
		b.Places = append(b.Places, *o.Place)
	}
}

// sort moves a burst to where it belongs by when it ends.
func (d *Detector) sort(b *burst) {
	i := slices.Index(d.bursts, b)
	for ; i+1 < len(d.bursts) && d.bursts[i+1].ends().Before(b.ends()); i++ {
		d.bursts[i], d.bursts[i+1] = d.bursts[i+1], b
	}
	for ; i > 0 && d.bursts[i-1].ends().After(b.ends()); i-- {
		d.bursts[i], d.bursts[i-1] = d.bursts[i-1], b
	}
}

// ends is when a burst was last heard, by its own time or, where it was told of
// late, by ours.
func (b *burst) ends() time.Time { return detect.Later(b.End, b.Heard) }

func (c *cause) ends() time.Time { return detect.Later(c.End, c.Heard) }

// take adds a report to a cause.
func (c *cause) take(o *event.Observation, burst bool) {
	g := o.Gunshot
	c.Total++
	if burst {
		c.Bursts++
	}
	c.Start, c.End, c.Heard = earlier(c.Start, o.Time), detect.Later(c.End, o.Time), detect.Later(c.Heard, o.Received)
	if zone := short(g.Zone); zone != "" && len(c.Zones) < maxZones && !slices.Contains(c.Zones, zone) {
		c.Zones = append(c.Zones, zone)
	}
	if g.Rounds == "multiple" {
		c.Multiple++
	}
	c.Rounds = max(c.Rounds, g.Count)
	c.Score = max(c.Score, o.Confidence)
	c.Accuracy = max(c.Accuracy, g.Accuracy)
	c.Far = max(c.Far, place.Distance(c.At, *o.Place))
}

// due reports whether what was reported since the newest alert is worth another:
// each of the first few, then every third as much again.
func (c *cause) due() bool {
	if c.Flood {
		return c.Total >= 2*c.Said || c.Said == 0
	}
	return c.Total <= 4 || c.Total >= c.Said+(c.Said+2)/3
}

// Advance implements detect.Detector: it ends what was quiet for long enough.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	n := 0
	for n < len(d.bursts) && watermark.Sub(d.bursts[n].ends()) > d.policy.Quiet {
		n++
	}
	if n == 0 && len(d.bursts) > 0 {
		return nil
	}
	d.bursts = slices.Delete(d.bursts, 0, n)
	var over []*cause
	for _, c := range d.causes {
		quiet := d.policy.Quiet
		if c.Flood {
			quiet = d.policy.FloodWithin
		}
		if watermark.Sub(c.ends()) > quiet {
			over = append(over, c)
		}
	}
	slices.SortFunc(over, compare)
	var out []event.Alert
	for _, c := range over {
		out = append(out, d.end(c)...)
	}
	return out
}

// end forgets a cause, and says what its last alert did not know of yet.
func (d *Detector) end(c *cause) []event.Alert {
	delete(d.causes, c.Name)
	for _, r := range c.Refs {
		delete(d.refs, r.ID)
	}
	d.bursts = slices.DeleteFunc(d.bursts, func(b *burst) bool { return b.Cause == c.Name })
	if c.Said == c.Total {
		return nil
	}
	return []event.Alert{d.alert(c)}
}

// oldest returns the cause that would end soonest.
func (d *Detector) oldest() *cause {
	var first *cause
	for _, c := range d.causes {
		if first == nil || compare(c, first) < 0 {
			first = c
		}
	}
	return first
}

func compare(a, b *cause) int {
	if c := a.ends().Compare(b.ends()); c != 0 {
		return c
	}
	if a.Name < b.Name {
		return -1
	}
	return 1
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
