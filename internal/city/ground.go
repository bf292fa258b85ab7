package city

import "math"

// ground is the island before anybody built on it, with its harbour works.
//
// It is laid out with the bay to the south; [Town] turns it as the seed says.
type ground struct {
	coast path // outline
	river path // from the lake to the sea
	lake  path // outline
	dock  path // outline of the basin beside the river's mouth
	piers []pier
	beach path
	parks []park

	bay   float64 // y of the shore in the middle of the bay
	shore field   // distance to the coast, positive on land
	bank  field   // distance to the river's nearer bank, negative in the water
}

type pier struct {
	name    string
	outline path
}

type park struct {
	name    string
	outline path
	middle  vec
	reach   float64 // no point of the outline is farther from the middle
	inTown  bool    // a street runs round it
}

// holds reports whether q lies in the park.
func (k *park) holds(q vec) bool {
	return q.distance(k.middle) < k.reach && k.outline.contains(q)
}

// inPark reports whether q lies in one of the parks.
func (g *ground) inPark(q vec) bool {
	for i := range g.parks {
		if g.parks[i].holds(q) {
			return true
		}
	}
	return false
}

// The island's size, in metres from its middle to the coast.
const (
	islandEast  = 1330
	islandNorth = 1000
	coastPoints = 480
)

func newGround(seed uint64) *ground {
	g := &ground{coast: newCoast(seed)}
	g.bay = g.shoreAt(0)
	g.river = g.newRiver(seed)
	g.shore = newField(g.coast, g.toCoast)
	g.bank = newField(g.coast, g.toBank)
	g.lake = g.newLake(seed)
	g.dock = g.newDock()
	g.piers = g.newPiers()
	g.beach = g.newBeach()
	g.parks = g.newParks(seed)
	return g
}

// newCoast draws the outline of an island with a bay in its south: rough where
// the sea beats, smooth in the bay.
func newCoast(seed uint64) path {
	r := draw(seed, "coast")
	const waves = 42
	var height, phase [waves]float64
	for k := 2; k < waves; k++ {
		height[k] = between(r, 0.3, 1) * 0.15 / math.Pow(float64(k), 1.08)
		phase[k] = between(r, 0, 2*math.Pi)
	}
	var out path
	for i := range coastPoints {
		a := 2 * math.Pi * float64(i) / coastPoints
		fromBay := math.Remainder(a+math.Pi/2, 2*math.Pi)
		bay := math.Exp(-math.Pow(fromBay/0.75, 4))
		radius := 1.0
		for k := 2; k < waves; k++ {
			radius += height[k] * math.Cos(float64(k)*a+phase[k]) * (1 - 0.93*bay)
		}
		radius *= 1 + 0.07*bay - 0.3*math.Exp(-4*fromBay*fromBay)
		out = append(out, vec{islandEast * radius * math.Cos(a), islandNorth * radius * math.Sin(a)})
	}
	return out
}

// shoreAt returns the y of the southern shore at x.
func (g *ground) shoreAt(x float64) float64 {
	low := 0.0
	for i, a := range g.coast {
		b := g.coast[(i+1)%len(g.coast)]
		if (a.x > x) != (b.x > x) {
			low = min(low, a.y+(b.y-a.y)*(x-a.x)/(b.x-a.x))
		}
	}
	return low
}

// local gives a point by its distance east of the bay's middle and north of its shore.
func (g *ground) local(x, y float64) vec { return vec{x, g.bay + y} }

func (g *ground) newRiver(seed uint64) path {
	r := draw(seed, "river")
	through := path{
		g.local(between(r, 380, 560), 1420), g.local(between(r, 300, 420), 1180), g.local(between(r, 380, 480), 960),
		g.local(between(r, 270, 340), 760), g.local(between(r, 300, 360), 560), g.local(between(r, 205, 245), 380),
		g.local(between(r, 195, 215), 220), g.local(172, 90), g.local(172, 0),
	}
	mouth := g.shoreAt(172)
	through = append(through, vec{172, min(mouth, g.bay) - 45})
	return curve(through, 12)
}

// riverWidth is the river's width in metres at point i: a stream in the hills,
// a harbour's mouth at the sea.
func (g *ground) riverWidth(i int) float64 {
	t := float64(i) / float64(len(g.river)-1)
	t4 := t * t * t * t
	return 5 + 22*t + 34*t4*t4*t4
}

// toBank returns the distance from q to the river's nearer bank.
func (g *ground) toBank(q vec) float64 {
	gap := math.Inf(1)
	for i := 1; i < len(g.river); i++ {
		gap = min(gap, q.distance(foot(g.river[i-1], g.river[i], q))-g.riverWidth(i)/2)
	}
	return gap
}

// toCoast returns the distance from q to the coast, negative at sea.
func (g *ground) toCoast(q vec) float64 {
	d := q.distance(foot(g.coast[len(g.coast)-1], g.coast[0], q))
	for i := 1; i < len(g.coast); i++ {
		d = min(d, q.distance(foot(g.coast[i-1], g.coast[i], q)))
	}
	if g.coast.contains(q) {
		return d
	}
	return -d
}

// newLake fills the hollow from which the river springs.
func (g *ground) newLake(seed uint64) path {
	shape := noise(mix(seed + 5))
	var p path
	for i := range 60 {
		dir := vec{1, 0}.turned(2 * math.Pi * float64(i) / 60)
		f := 1 + 0.4*shape.at(dir.times(1.3))
		p = append(p, g.river[0].plus(vec{dir.x * 105 * f, dir.y*62*f + 40}))
	}
	return p
}

func (g *ground) newDock() path {
	return path{
		g.local(58, 40), g.local(128, 34), g.local(129, 48), g.local(168, 46), g.local(168, 66),
		g.local(130, 66), g.local(132, 104), g.local(62, 108),
	}
}

// newPiers builds two breakwaters round the harbour's mouth, a marina's
// pontoons between them, and a pleasure pier off the promenade.
func (g *ground) newPiers() []pier {
	band := func(name string, width float64, through path) pier {
		return pier{name, curve(through, 10).ribbon(func(int) float64 { return width })}
	}
	at := func(x, out float64) vec { return vec{x, g.shoreAt(x) - out} }
	piers := []pier{
		band("West Mole", 9, path{at(18, -8), at(22, 70), at(48, 135), at(100, 178)}),
		band("East Mole", 9, path{at(362, -8), at(352, 95), at(300, 180), at(205, 222), at(150, 224)}),
	}
	for i := range 4 {
		x := 232 + 28*float64(i)
		piers = append(piers, pier{"", path{at(x, 0), at(x, 92)}.thick(3)})
		for k := range 5 {
			y := 22 + 16*float64(k)
			piers = append(piers, pier{"", path{at(x-8, 0).plus(vec{0, -y}), at(x+8, 0).plus(vec{0, -y})}.thick(1.6)})
		}
	}
	root, along := g.frontage(-330)
	out := along.left().times(-1)
	head := root.plus(out.times(225))
	piers = append(piers,
		pier{"Victory Pier", path{root.minus(out.times(10)), head}.thick(11)},
		pier{"", path{head.minus(out.times(24)), head.plus(out.times(14))}.thick(30)},
	)
	return piers
}

// thick returns the outline of a straight band from the line's first point to
// its second.
func (p path) thick(width float64) path {
	return path{p[0], p[1]}.ribbon(func(int) float64 { return width })
}

// frontage returns the shore at x and its direction, with the land to the left.
func (g *ground) frontage(x float64) (shore, along vec) {
	a, b := vec{x - 15, g.shoreAt(x - 15)}, vec{x + 15, g.shoreAt(x + 15)}
	return vec{x, g.shoreAt(x)}, b.minus(a).unit()
}

// shoreline follows the bay's shore from one x to another, moved inland.
func (g *ground) shoreline(from, to, inland float64) path {
	var p path
	for x := from; x <= to; x += 20 {
		p = append(p, vec{x, g.shoreAt(x)})
	}
	return curve(p, 15).beside(inland)
}

func (g *ground) newBeach() path {
	line := g.shoreline(-640, -20, 0)
	return line.beside(-7).ribbon(func(i int) float64 {
		t := float64(i) / float64(len(line)-1)
		return 6 + 30*math.Sin(math.Pi*t)
	})
}

func (g *ground) newParks(seed uint64) []park {
	r := draw(seed, "parks")
	blob := func(name string, inTown bool, middle vec, rx, ry float64) park {
		turn, phase, lobes := between(r, 0, math.Pi), between(r, 0, 6), 2+r.IntN(2)
		var p path
		for i := range 44 {
			a := 2 * math.Pi * float64(i) / 44
			f := 1 + 0.09*math.Sin(float64(lobes)*a+phase) + 0.05*math.Sin(5*a+2*phase)
			p = append(p, middle.plus(vec{rx * f * math.Cos(a), ry * f * math.Sin(a)}.turned(turn)))
		}
		return park{name, p, middle, 1.15 * max(rx, ry), inTown}
	}
	near := func(x, y float64) vec { return g.local(x+between(r, -25, 25), y+between(r, -20, 20)) }
	return []park{
		blob("Jubilee Park", true, near(-325, 385), 88, 66),
		blob("Minster Green", true, g.local(-118, 168), 32, 27),
		blob("Weavers' Field", true, near(505, 455), 62, 46),
		blob("The Links", false, near(-905, 640), 190, 120),
		blob("Skarrow Common", false, near(620, 1130), 210, 130),
		blob("Hagg Wood", false, near(-420, 1190), 150, 95),
		blob("Seal Wood", false, near(-860, 1080), 105, 70),
		blob("Fallow Wood", false, near(930, 900), 90, 75),
		blob("Lantern Plantation", false, near(140, 1560), 130, 60),
		blob("Northfield Cemetery", false, near(-20, 880), 58, 42),
	}
}

// fieldCell is the spacing of a field's samples in metres.
const fieldCell = 16

// field is a quantity sampled over the island, for quick look-ups.
type field struct {
	columns, rows int
	origin        vec
	values        []float64
}

// newField samples a quantity over the outline's surroundings.
func newField(over path, quantity func(vec) float64) field {
	low, high := vec{math.Inf(1), math.Inf(1)}, vec{math.Inf(-1), math.Inf(-1)}
	for _, p := range over {
		low = vec{min(low.x, p.x), min(low.y, p.y)}
		high = vec{max(high.x, p.x), max(high.y, p.y)}
	}
	f := field{origin: low.minus(vec{50, 50})}
	f.columns = int((high.x-low.x+100)/fieldCell) + 2
	f.rows = int((high.y-low.y+100)/fieldCell) + 2
	f.values = make([]float64, f.columns*f.rows)
	for i := range f.values {
		f.values[i] = quantity(f.origin.plus(vec{float64(i%f.columns) * fieldCell, float64(i/f.columns) * fieldCell}))
	}
	return f
}

func (f *field) at(q vec) float64 {
	x, y := (q.x-f.origin.x)/fieldCell, (q.y-f.origin.y)/fieldCell
	i, j := int(math.Floor(x)), int(math.Floor(y))
	if i < 0 || j < 0 || i >= f.columns-1 || j >= f.rows-1 {
		return -1000
	}
	fx, fy := x-float64(i), y-float64(j)
	k := j*f.columns + i
	low := f.values[k] + (f.values[k+1]-f.values[k])*fx
	high := f.values[k+f.columns] + (f.values[k+f.columns+1]-f.values[k+f.columns])*fx
	return low + (high-low)*fy
}

// slope is the direction in which the field grows.
func (f *field) slope(q vec) vec {
	return vec{
		f.at(q.plus(vec{10, 0})) - f.at(q.minus(vec{10, 0})),
		f.at(q.plus(vec{0, 10})) - f.at(q.minus(vec{0, 10})),
	}.unit()
}
