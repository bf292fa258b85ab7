package city

import "math"

// streetKind is how important a street is.
type streetKind uint8

const (
	mainStreet streetKind = iota + 1
	sideStreet
	footpath
	lane // a country road, without houses in rows
)

// halfWidth is from the middle of the street to its kerb, in metres.
func (k streetKind) halfWidth() float64 {
	switch k {
	case mainStreet:
		return 5
	case footpath:
		return 1.2
	default:
		return 3.4
	}
}

type street struct {
	name string
	kind streetKind
	line path
}

// network is the town's streets while they are being laid out.
type network struct {
	seed    uint64
	g       *ground
	scale   float64 // of the built-up area
	streets []street
	wobble  noise
	near    [2]samples // what is laid already along and across the grain
}

// The spacing of side streets in metres. Blocks are long one way, as terraces
// want them.
const (
	blockDepth  = 74
	blockLength = 108
	traceStep   = 8
	longest     = 900 // metres of one side street
	shortest    = 55
	reachOut    = 62 // how far a street's end looks for another to join
)

func newNetwork(seed uint64, g *ground, scale float64) *network {
	n := &network{seed: seed, g: g, scale: scale, wobble: noise(mix(seed + 77))}
	n.near[0], n.near[1] = samples{}, samples{}
	n.layMain()
	n.layCrescents()
	n.laySide()
	n.join()
	n.layPaths()
	nameStreets(seed, n)
	return n
}

// warped moves a hand-set point by the seed's noise, neighbours together.
func (n *network) warped(x, y float64) vec {
	p := n.g.local(x, y)
	q := p.times(1.0 / 260)
	return p.plus(vec{n.wobble.at(q) * 34, n.wobble.at(q.plus(vec{91, 17})) * 34})
}

func (n *network) warpedAll(points ...[2]float64) path {
	var p path
	for _, q := range points {
		p = append(p, n.warped(q[0], q[1]))
	}
	return p
}

// layMain lays the roads that the town grew along: the seafront, the High
// Street, two roads over the river, the quays and the lanes out.
func (n *network) layMain() {
	n.add("Marine Parade", mainStreet, n.g.shoreline(-580, 60, 40))
	n.add("High Street", mainStreet, curve(append(path{n.onFront(-8)}, n.warpedAll([2]float64{-30, 130}, [2]float64{-45, 240},
		[2]float64{-98, 400}, [2]float64{-88, 590})...), 12))
	n.add("Bridge Street", mainStreet, curve(n.warpedAll([2]float64{-640, 330}, [2]float64{-470, 300}, [2]float64{-250, 262},
		[2]float64{-45, 240}, [2]float64{110, 244}, [2]float64{270, 256}, [2]float64{480, 300}, [2]float64{740, 350}), 12))
	n.add("Ropewalk Road", mainStreet, curve(n.warpedAll([2]float64{-470, 300}, [2]float64{-440, 450}, [2]float64{-285, 560},
		[2]float64{-88, 590}, [2]float64{150, 566}, [2]float64{420, 590}, [2]float64{590, 520}, [2]float64{600, 322}), 12))
	n.add("Quay Road", mainStreet, curve(n.warpedAll([2]float64{270, 256}, [2]float64{262, 130}, [2]float64{340, 72},
		[2]float64{480, 80}, [2]float64{640, 150}, [2]float64{690, 250}, [2]float64{740, 350}), 12))
	n.add("Dock Street", sideStreet, curve(append(path{n.onFront(34)}, n.warpedAll([2]float64{32, 100}, [2]float64{40, 150}, [2]float64{110, 244})...), 12))
	n.layBanks()
	n.lane("Lighthouse Road", [2]float64{-88, 590}, [2]float64{-140, 740}, [2]float64{-70, 1000}, [2]float64{-160, 1300}, [2]float64{-130, 1700}, [2]float64{-140, 2050})
	n.lane("West Ness Road", [2]float64{-640, 330}, [2]float64{-780, 430}, [2]float64{-960, 430}, [2]float64{-1120, 560}, [2]float64{-1350, 600})
	n.lane("Hagg Lane", [2]float64{-440, 450}, [2]float64{-560, 640}, [2]float64{-640, 900}, [2]float64{-560, 1180}, [2]float64{-330, 1400}, [2]float64{-130, 1480})
	n.lane("East Ness Road", [2]float64{740, 350}, [2]float64{870, 470}, [2]float64{1010, 640}, [2]float64{1150, 700}, [2]float64{1400, 760})
	n.lane("Common Road", [2]float64{420, 590}, [2]float64{520, 760}, [2]float64{480, 960}, [2]float64{640, 1330}, [2]float64{900, 1200}, [2]float64{1010, 640})
}

// onFront is a point of Marine Parade.
func (n *network) onFront(x float64) vec { return vec{x, n.g.shoreAt(x) + 40} }

// layBanks lays a street along each bank of the river through the town.
func (n *network) layBanks() {
	var line path
	for _, p := range n.g.river {
		if y := p.y - n.g.bay; y > 130 && y < 640 {
			line = append(line, p)
		}
	}
	n.add("Skarside", sideStreet, line.beside(30))
	n.add("Ferry Bank", sideStreet, line.beside(-30))
}

// lane lays a country road as far as the land goes.
func (n *network) lane(name string, through ...[2]float64) {
	line := curve(n.warpedAll(through...), 20)
	for i, p := range line {
		if n.g.shore.at(p) < 22 {
			line = line[:i]
			break
		}
	}
	if len(line) > 2 {
		n.add(name, lane, line)
	}
}

func (n *network) add(name string, kind streetKind, line path) {
	n.streets = append(n.streets, street{name, kind, line})
	for d := 0.0; d < line.length(); d += traceStep {
		p, along := line.at(d)
		grain := n.grainOfMain(p)
		family := 0
		if math.Abs(along.dot(grain)) < math.Sqrt2/2 {
			family = 1
		}
		n.near[family].add(p)
	}
}

// layCrescents puts a street round each park of the town.
func (n *network) layCrescents() {
	for _, k := range n.g.parks {
		if !k.inTown || !n.builtUp(k.middle) {
			continue
		}
		n.add("", sideStreet, k.outline.ring().beside(-9))
	}
}

// builtUp reports whether the town reaches p.
func (n *network) builtUp(p vec) bool {
	c := p.minus(n.g.local(45, 270))
	edge := 1 + 0.2*n.wobble.at(p.times(1.0/210).plus(vec{5, 5}))
	if c.y < 0 {
		c.y *= 0.62 // it clings to the sea
	}
	return within(c, 640*n.scale, 390*n.scale, edge)
}

// free reports whether a side street may run through p.
func (n *network) free(p vec) bool {
	if !n.builtUp(p) || n.g.shore.at(p) < 52 {
		return false
	}
	if n.g.bank.at(p) < 34 {
		return false
	}
	return !n.g.inPark(p) && !n.inHarbour(p)
}

// inHarbour reports whether p lies in the dock or on its quays.
func (n *network) inHarbour(p vec) bool {
	q := p.minus(n.g.local(0, 0))
	return q.x > 48 && q.x < 240 && q.y < 118
}

// grainOfMain is the direction in which the ground lies, before any street: with
// the shore near it, with slow turns inland.
func (n *network) grainOfMain(p vec) vec {
	slow := vec{1, 0}.turned(0.5 * n.wobble.at(p.times(1.0/520)))
	return blend(slow, 0.4, n.g.shore.slope(p).left(), math.Exp(-max(0, n.g.shore.at(p))/130))
}

// grain is the direction of long blocks at p: main streets and the river lay
// down the law in their neighbourhood.
func (n *network) grain(p vec) vec {
	var sum tensor
	sum.add(n.grainOfMain(p), 0.35)
	if gap := n.g.bank.at(p); gap < 250 {
		_, along := n.g.river.nearest(p)
		sum.add(along, 0.8*math.Exp(-gap/70))
	}
	for i := range n.streets {
		if s := &n.streets[i]; s.kind == mainStreet {
			d, along := s.line.nearest(p)
			sum.add(along, math.Exp(-d/75))
		}
	}
	return sum.direction()
}

// tensor averages directions in which a quarter turn makes no difference: a
// street and its cross street are one grain.
type tensor struct{ x, y float64 }

func (t *tensor) add(v vec, weight float64) {
	a := 4 * math.Atan2(v.y, v.x)
	t.x += weight * math.Cos(a)
	t.y += weight * math.Sin(a)
}

func (t tensor) direction() vec { return vec{1, 0}.turned(math.Atan2(t.y, t.x) / 4) }

func blend(a vec, wa float64, b vec, wb float64) vec {
	var t tensor
	t.add(a, wa)
	t.add(b, wb)
	return t.direction()
}

// laySide fills the town with side streets: lines that follow the grain, evenly
// spaced, and lines across it, farther apart.
func (n *network) laySide() {
	r := draw(n.seed, "side streets")
	fixed := append([]street(nil), n.streets...)
	for family := range 2 {
		for _, s := range fixed {
			if s.kind == mainStreet {
				n.growFrom(s.line, family)
			}
		}
		for range 500 {
			p := n.g.local(between(r, -800, 900), between(r, 20, 820))
			n.tryStreet(p, family)
		}
	}
}

// growFrom tries streets beside a line, then beside those, and so on.
func (n *network) growFrom(line path, family int) {
	queue := []path{line}
	for len(queue) > 0 && len(n.streets) < 400 {
		line, queue = queue[0], queue[1:]
		total := line.length()
		for d := 0.0; d <= total; d += 24 {
			p, along := line.at(d)
			for _, side := range []float64{1, -1} {
				for _, step := range []vec{along.left(), along} {
					q := p.plus(step.times(side * n.spacing(p, family) * 1.02))
					if s := n.tryStreet(q, family); s != nil {
						queue = append(queue, s)
					}
				}
			}
		}
	}
}

// spacing is the distance between side streets: close in the old town, wide
// among the sheds.
func (n *network) spacing(p vec, family int) float64 {
	base := float64(blockDepth)
	if family == 1 {
		base = blockLength
	}
	switch n.district(p) {
	case oldTown:
		return base * 0.68
	case estate:
		return base * 1.35
	default:
		return base * (1 + 0.14*n.wobble.at(p.times(1.0/170)))
	}
}

func (n *network) tryStreet(p vec, family int) path {
	if !n.free(p) || n.near[family].within(p, n.spacing(p, family)*0.98) {
		return nil
	}
	back := n.trace(p, family, -1)
	line := path{}
	for i := len(back) - 1; i >= 0; i-- {
		line = append(line, back[i])
	}
	line = append(append(line, p), n.trace(p, family, 1)...)
	if line.length() < shortest {
		return nil
	}
	n.streets = append(n.streets, street{kind: sideStreet, line: line})
	for _, q := range line {
		n.near[family].add(q)
	}
	return line
}

// trace follows the grain, or the direction across it, until the town ends or
// another street of the family comes too near.
func (n *network) trace(p vec, family int, sign float64) path {
	heading := n.heading(p, family).times(sign)
	var out path
	for length := 0.0; length < longest/2; length += traceStep {
		half := n.aligned(p.plus(heading.times(traceStep/2)), family, heading)
		next := p.plus(half.times(traceStep))
		if half.dot(heading) < 0.9 || !n.free(next) || n.near[family].within(next, n.spacing(next, family)*0.56) {
			break
		}
		out = append(out, next)
		p, heading = next, half
	}
	return out
}

func (n *network) heading(p vec, family int) vec {
	h := n.grain(p)
	// The grain is known up to quarter turns; long blocks run with the shore.
	if math.Abs(h.dot(n.grainOfMain(p))) < math.Sqrt2/2 {
		h = h.left()
	}
	if family == 1 {
		h = h.left()
	}
	return h
}

// aligned is the heading at p that continues the one before.
func (n *network) aligned(p vec, family int, before vec) vec {
	h := n.heading(p, family)
	best := h
	for range 3 {
		h = h.left()
		if h.dot(before) > best.dot(before) {
			best = h
		}
	}
	return best
}

// samples are points in a hash grid.
type samples map[[2]int][]vec

const sampleCell = 50

func (s samples) cell(p vec) [2]int {
	return [2]int{int(math.Floor(p.x / sampleCell)), int(math.Floor(p.y / sampleCell))}
}

func (s samples) add(p vec) { c := s.cell(p); s[c] = append(s[c], p) }

func (s samples) within(p vec, d float64) bool {
	c, reach := s.cell(p), int(d/sampleCell)+1
	for i := -reach; i <= reach; i++ {
		for j := -reach; j <= reach; j++ {
			for _, q := range s[[2]int{c[0] + i, c[1] + j}] {
				if p.distance(q) < d {
					return true
				}
			}
		}
	}
	return false
}
