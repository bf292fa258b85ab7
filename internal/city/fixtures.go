package city

import (
	"fmt"
	"strings"
	"time"
)

// Ids of what hears the town's own sensors, in the registry.
const (
	loraServer = "skarrow-lorawan" // ChirpStack
	counterBox = "skarrow-counters"
	plateBox   = "skarrow-anpr"
	gunshotNet = "skarrow-acoustic"
)

// fixtures are the town's own sensors.
type fixtures struct {
	radios   []*radio
	counters []counter
	cameras  []camera // that read plates
	shops    []*shopCamera
}

// radio is a LoRaWAN sensor.
type radio struct {
	index  int
	id     string // of its entry, "noise-03"
	kind   string // of its entry, "noise sensor"
	title  string
	eui    string
	what   radioKind
	at     vec
	every  time.Duration
	offset time.Duration // of its uplinks
	lasts  time.Duration // of a session
	joined time.Duration // of sessions, since the town's beginning
}

type radioKind uint8

const (
	radioNoise radioKind = iota
	radioAir
	radioBin
	radioLamp
	radioDoor
)

// radios of each kind, how often they speak, and how many there are.
var radioKinds = []struct {
	what       radioKind
	name, kind string
	title      string
	every      time.Duration
	many       int
}{
	{radioNoise, "noise", "noise sensor", "Noise", 5 * time.Minute, 14},
	{radioAir, "air", "air sensor", "Air", 10 * time.Minute, 8},
	{radioBin, "bin", "bin", "Bin", 30 * time.Minute, 14},
	{radioLamp, "lamp", "street light", "Lamp", 15 * time.Minute, 16},
	{radioDoor, "door", "door", "Cabinet door", 10 * time.Minute, 8},
}

// counter counts people or traffic and speaks SenML.
type counter struct {
	name, title string
	what        string // people, traffic
	at          vec
	busy        float64 // how many pass in five minutes at noon
	offset      time.Duration
}

const countEvery = 5 * time.Minute

// camera reads number plates.
type camera struct {
	name, title string
	at          vec
	hourly      float64 // reads in the busiest hour
}

// shopCamera is a Frigate camera at a shop.
type shopCamera struct {
	device string
	site   *site
	camera string
}

// settleFixtures puts up the town's own sensors.
func (t *Town) settleFixtures() {
	t.putRadios()
	r := draw(t.seed, "counters")
	for i, c := range []struct {
		street, what string
		busy         float64
	}{
		{"High Street", "people", 34},
		{"Marine Parade", "people", 26},
		{"Dock Street", "people", 14},
		{"Bridge Street", "people", 11},
		{"Quay Road", "traffic", 16},
		{"Bridge Street", "traffic", 22},
		{"Ropewalk Road", "traffic", 18},
		{"High Street", "traffic", 9},
	} {
		name := strings.ReplaceAll(strings.ToLower(c.street), " ", "-") + "-" + c.what
		t.fix.counters = append(t.fix.counters, counter{
			name: name, title: c.street + " " + c.what, what: c.what, at: t.kerbside(c.street, between(r, 0.25, 0.75)),
			busy: c.busy, offset: time.Duration(i) * 29 * time.Second,
		})
	}
	for _, c := range []struct {
		street string
		hourly float64
	}{{"Bridge Street", 60}, {"Quay Road", 45}, {"Ropewalk Road", 50}, {"Marine Parade", 55}} {
		name := strings.ReplaceAll(strings.ToLower(c.street), " ", "-")
		t.fix.cameras = append(t.fix.cameras, camera{name: name, title: c.street, at: t.kerbside(c.street, between(r, 0.1, 0.3)), hourly: c.hourly})
	}
	for _, s := range t.sites {
		if (tradesSet[s.kind] || s.kind == "jeweller" || s.kind == "supermarket") && s.neighbour < 0 && len(t.fix.shops) < 4 && s.index%7 == 0 {
			t.fix.shops = append(t.fix.shops, &shopCamera{device: fmt.Sprintf("frigate-%d", len(t.fix.shops)+1), site: s, camera: "entrance"})
		}
	}
}

func (t *Town) putRadios() {
	for _, k := range radioKinds {
		for n := range k.many {
			i := len(t.fix.radios)
			r := draw(t.seed, "radio", uint64(i))
			s := t.streets[r.IntN(len(t.streets))]
			for s.kind == footpath || s.name == "" {
				s = t.streets[r.IntN(len(t.streets))]
			}
			p, along := s.line.at(s.line.length() * between(r, 0.1, 0.9))
			t.fix.radios = append(t.fix.radios, &radio{
				index: i, id: fmt.Sprintf("%s-%02d", k.name, n+1), kind: k.kind, title: fmt.Sprintf("%s %d, %s", k.title, n+1, s.name),
				// The second bit of the first byte: an address that nobody was given.
				eui: fmt.Sprintf("02%06x%08x", r.Uint32N(1<<24), r.Uint32()), what: k.what,
				at: p.plus(along.left().times(s.kind.halfWidth())), every: k.every,
				offset: time.Duration(r.Int64N(int64(k.every))).Truncate(time.Millisecond),
				lasts:  time.Duration(20+r.IntN(30)) * 24 * time.Hour,
				joined: time.Duration(r.Int64N(int64(20 * 24 * time.Hour))).Truncate(time.Millisecond),
			})
		}
	}
}

// kerbside is a place beside a street, at a part of its length.
func (t *Town) kerbside(name string, part float64) vec {
	for _, s := range t.streets {
		if s.name == name {
			p, along := s.line.at(s.line.length() * part)
			return p.plus(along.left().times(s.kind.halfWidth()))
		}
	}
	return t.streets[0].line[0]
}

// beginning is before anything in the town: frame counters and sessions count
// from it, so that they follow from the time alone.
var beginning = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// session returns which session of a radio holds at a time, and since when.
func (x *radio) session(at time.Time) (n int, since time.Time) {
	d := at.Sub(beginning.Add(x.joined))
	if d < 0 {
		return 0, beginning
	}
	n = int(d/x.lasts) + 1
	return n, beginning.Add(x.joined + time.Duration(n-1)*x.lasts)
}

// frame returns the frame counter of the uplink at a time.
func (x *radio) frame(at time.Time) uint32 {
	_, since := x.session(at)
	return uint32(max(0, at.Sub(since)/x.every))
}

// address is what the network calls a radio in its nth session. Its first bits
// are of a private network (LoRaWAN backend interfaces, 13.1.1: type 0, id 0 or 1).
func (x *radio) address(n int) string {
	return fmt.Sprintf("%08x", mix(uint64(x.index)<<32|uint64(n))&0x03ffffff)
}
