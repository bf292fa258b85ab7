package city

import (
	"math"
	"math/rand/v2"
)

// landmark is a building of which the town has one, or a few.
type landmark struct {
	kind, name   string
	x, y         float64 // wanted place, by the bay
	width, depth float64
	setback      float64
	public       bool
}

// landmarks are put up first and get the ground they want, or the nearest that
// is free.
var landmarks = []landmark{
	{"minster", "Skarrow Minster", -118, 205, 24, 52, 3, true},
	{"town hall", "Town Hall", -20, 165, 34, 20, 4, true},
	{"bank", "North Sea Savings Bank", -46, 205, 18, 20, 2, false},
	{"post office", "Skarrow Post Office", -80, 300, 18, 16, 2, true},
	{"police station", "Skarrow Police Station", -110, 262, 30, 20, 6, true},
	{"fire station", "Skarrow Fire Station", 330, 265, 34, 20, 10, true},
	{"school", "Gull Rock Primary School", -260, 470, 62, 26, 14, true},
	{"school", "Skarrow Academy", 330, 480, 82, 36, 18, true},
	{"hospital", "Bellbuoy Cottage Hospital", -420, 330, 58, 30, 14, true},
	{"surgery", "Halyard Surgery", 110, 280, 22, 16, 5, true},
	{"library", "Skarrow Library", -90, 235, 26, 18, 4, true},
	{"museum", "Museum of the Sea", 30, 60, 30, 18, 4, true},
	{"hotel", "The Grand Breakers Hotel", -210, 60, 54, 20, 6, false},
	{"hotel", "Kittiwake Hotel", -430, 70, 40, 18, 6, false},
	{"supermarket", "Harbour Fare Supermarket", 160, 300, 56, 36, 12, false},
	{"cinema", "The Lantern Cinema", -160, 90, 26, 32, 4, false},
	{"marina", "Skarrow Marina Office", 300, 90, 22, 14, 5, false},
	{"boatyard", "Mizzen Boatyard", 380, 90, 56, 28, 8, false},
	{"substation", "Quay Road Substation", 560, 110, 22, 18, 6, false},
	{"exchange", "Skarrow Fibre Exchange", -150, 320, 22, 16, 6, false},
	{"brewery", "Dogwatch Brewery", 560, 220, 44, 30, 8, false},
	{"ice works", "Skarrow Ice & Cold Store", 470, 120, 52, 28, 8, false},
	{"depot", "Island Bus Depot", 600, 240, 50, 30, 10, false},
	{"lifeboat station", "Lifeboat Station", 250, 60, 16, 28, 4, true},
	{"church", "Chapel of the Bar", 440, 390, 14, 28, 5, true},
	{"church", "Netmakers' Chapel", -360, 250, 12, 24, 5, true},
	{"jeweller", "Amber & Jet", -62, 265, 9, 12, 1.6, false},
	{"filling station", "Ropewalk Filling Station", 150, 566, 26, 14, 10, false},
}

// buildLandmarks finds each landmark a plot along a street.
func (b *builder) buildLandmarks(r *rand.Rand) {
	for _, m := range landmarks {
		want := b.n.warped(m.x, m.y)
		best, at, found := math.Inf(1), building{}, false
		for i, s := range b.n.streets {
			if s.kind == footpath || s.kind == lane {
				continue
			}
			total := s.line.length()
			for d := m.width / 2; d < total-m.width/2; d += 7 {
				p, along := s.line.at(d)
				if p.distance(want) >= best {
					continue
				}
				for _, side := range []float64{1, -1} {
					out := along.left().times(side)
					x := box{p.plus(out.times(s.kind.halfWidth() + m.setback + m.depth/2)), along.times(side), m.width, m.depth}
					if b.fits(x, 3) {
						best, found = p.distance(want), true
						at = building{box: x, street: i, kind: m.kind, name: m.name, public: m.public}
					}
				}
			}
		}
		if found {
			at.outline = landmarkOutline(r, at.box, m.kind)
			b.put(at)
		}
	}
	b.buildPierhead()
}

// landmarkOutline gives churches their transepts and schools their courts.
func landmarkOutline(r *rand.Rand, x box, kind string) path {
	u, v := x.front.times(x.width/2), x.front.left().times(x.depth/2)
	at := func(a, b float64) vec { return x.middle.plus(u.times(a)).plus(v.times(b)) }
	switch kind {
	case "minster", "church":
		return path{
			at(-0.5, -1), at(0.5, -1), at(0.5, 0.1), at(1, 0.1), at(1, 0.5), at(0.5, 0.5),
			at(0.5, 1), at(-0.5, 1), at(-0.5, 0.5), at(-1, 0.5), at(-1, 0.1), at(-0.5, 0.1),
		}
	case "school", "hospital":
		return path{at(-1, -1), at(1, -1), at(1, 1), at(0.55, 1), at(0.55, -0.1), at(-0.5, -0.1), at(-0.5, 0.8), at(-1, 0.8)}
	case "town hall", "hotel":
		return path{
			at(-1, -1), at(-0.3, -1), at(-0.3, -0.75), at(0.3, -0.75), at(0.3, -1), at(1, -1),
			at(1, 1), at(0.6, 1), at(0.6, 0.5), at(-0.6, 0.5), at(-0.6, 1), at(-1, 1),
		}
	}
	if r.IntN(2) == 0 {
		return footprint(r, x, estate)
	}
	return x.corners()
}

// buildPierhead puts the pavilion on the pleasure pier, and the light on its ness.
func (b *builder) buildPierhead() {
	root, along := b.n.g.frontage(-330)
	out := along.left().times(-1)
	pavilion := box{root.plus(out.times(219)), along, 24, 22}
	var oval path
	for i := range 16 {
		s, c := math.Sincos(2 * math.Pi * float64(i) / 16)
		oval = append(oval, pavilion.middle.plus(along.times(12*c)).plus(out.times(12*s)))
	}
	b.put(building{box: pavilion, outline: oval, street: 0, kind: "amusements", name: "Pier Pavilion", public: true})
	for i, s := range b.n.streets {
		if s.name == "Lighthouse Road" {
			end := s.line[len(s.line)-1]
			p := end.plus(vec{10, 4})
			b.put(building{
				box: box{p, vec{1, 0}, 9, 9}, outline: box{p, vec{1, 0}, 9, 9}.corners(), street: i,
				kind: "lighthouse", name: "North Ness Lighthouse", public: true,
			})
		}
	}
}
