package city

import (
	"math"
	"sort"

	"github.com/bluelamp/bluelamp/internal/place"
)

// Centre is the island's middle: open sea, some 200 km from the nearest coast.
var centre = place.Point{Lat: 55.6, Lon: 3.2}

// How many buildings the town is to have.
const (
	wantBuildings = 1200
	mostBuildings = 1260
)

// Town is the fictional town of one seed. It never changes once made; what
// happens in it is told by [Town.Script], [Town.Messages] and [Town.Traffic].
type Town struct {
	seed      uint64
	g         *ground
	net       *network
	streets   []street
	buildings []building
	sites     []*site
	panels    []*panelPlan

	households []*household
	fix        fixtures

	onEarth place.Projection
	turn    float64 // of the whole island, radians
}

// New makes the town of a seed. The same seed makes the same town.
func New(seed uint64) *Town {
	t := &Town{seed: seed, g: newGround(seed), onEarth: place.NewProjection(centre)}
	t.turn = between(draw(seed, "turn"), -0.4, 0.4)
	t.build()
	t.settle()
	t.settleHouseholds()
	t.settleFixtures()
	return t
}

// build lays out streets and buildings, stretching the built-up area until it
// holds about as many buildings as it should.
func (t *Town) build() {
	scale := 1.0
	for range 5 {
		n := newNetwork(t.seed, t.g, scale)
		b := newBuilder(n)
		b.buildLandmarks(draw(t.seed, "landmarks"))
		b.buildRows(t.seed)
		t.net, t.streets, t.buildings = n, n.streets, b.buildings
		if len(b.buildings) >= wantBuildings && len(b.buildings) <= mostBuildings {
			break
		}
		scale *= math.Pow(float64(wantBuildings+25)/float64(len(b.buildings)), 0.55)
	}
	t.number()
}

// number gives houses their numbers: odd on the left, even on the right, from
// the street's beginning.
func (t *Town) number() {
	type house struct {
		index, street, side int
		along               float64
	}
	var houses []house
	for i := range t.buildings {
		b := &t.buildings[i]
		line := t.streets[b.street].line
		side, along := 0, 0.0
		best := math.Inf(1)
		walked := 0.0
		for k := 1; k < len(line); k++ {
			f := foot(line[k-1], line[k], b.middle)
			if d := f.distance(b.middle); d < best {
				best, along = d, walked+f.distance(line[k-1])
				side = 0
				if line[k].minus(line[k-1]).cross(b.middle.minus(line[k-1])) < 0 {
					side = 1
				}
			}
			walked += line[k].distance(line[k-1])
		}
		houses = append(houses, house{i, b.street, side, along})
	}
	sort.SliceStable(houses, func(i, j int) bool { return houses[i].along < houses[j].along })
	next := map[[2]int]int{}
	for _, h := range houses {
		key := [2]int{h.street, h.side}
		t.buildings[h.index].number = 2*next[key] + 1 + h.side
		next[key]++
	}
}

// point is where a place of the plan lies on the Earth.
func (t *Town) point(v vec) place.Point {
	w := v.turned(t.turn)
	return t.onEarth.Inverse(w.x, w.y)
}
