package city

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// building is a footprint with an address.
type building struct {
	box
	outline path
	street  int // index into the town's streets
	number  int // house number
	kind    string
	name    string // for what has a name of its own
	public  bool
}

// address is how the post finds it.
func (b *building) address(streets []street) string {
	return fmt.Sprintf("%d %s, %s", b.number, streets[b.street].name, TownName)
}

// builder puts up buildings along the streets.
type builder struct {
	n         *network
	buildings []building
	grid      map[[2]int][]int
	kerbs     map[[2]int][]kerb
}

// kerb is a piece of street with its half width.
type kerb struct {
	a, b   vec
	half   float64
	street int
}

const plotCell = 40 // metres; the largest building reaches over less than two

func newBuilder(n *network) *builder {
	b := &builder{n: n, grid: map[[2]int][]int{}, kerbs: map[[2]int][]kerb{}}
	for i, s := range n.streets {
		for d := 0.0; d < s.line.length(); d += 12 {
			p, _ := s.line.at(d)
			q, _ := s.line.at(d + 12.5)
			c := plotOf(p)
			b.kerbs[c] = append(b.kerbs[c], kerb{p, q, s.kind.halfWidth(), i})
		}
	}
	return b
}

func plotOf(p vec) [2]int {
	return [2]int{int(math.Floor(p.x / plotCell)), int(math.Floor(p.y / plotCell))}
}

// around calls f with the cells that something at p of the given reach may touch.
func around(p vec, reach float64, f func(cell [2]int) bool) bool {
	c, k := plotOf(p), int(reach/plotCell)+1
	for i := -k; i <= k; i++ {
		for j := -k; j <= k; j++ {
			if !f([2]int{c[0] + i, c[1] + j}) {
				return false
			}
		}
	}
	return true
}

// fits reports whether x stands on dry, free ground, off every street.
func (b *builder) fits(x box, margin float64) bool {
	for _, p := range append(x.corners(), x.middle) {
		if b.n.g.bank.at(p) < 6 || b.n.g.shore.at(p) < 20 || b.n.g.dock.contains(p) || b.n.g.inPark(p) {
			return false
		}
	}
	wide := x
	wide.width += 2 * margin
	wide.depth += 2 * margin
	return around(x.middle, x.reach()+8, func(c [2]int) bool {
		for _, k := range b.kerbs[c] {
			road := box{k.a.plus(k.b).times(0.5), k.b.minus(k.a).unit(), k.a.distance(k.b), 2*k.half + 1.6}
			if x.overlaps(road) {
				return false
			}
		}
		for _, i := range b.grid[c] {
			if wide.overlaps(b.buildings[i].box) {
				return false
			}
		}
		return true
	})
}

func (b *builder) put(x building) {
	c := plotOf(x.middle)
	b.grid[c] = append(b.grid[c], len(b.buildings))
	b.buildings = append(b.buildings, x)
}

// plot describes how a district builds.
type plot struct {
	width, depth [2]float64 // least and most, in metres
	setback      float64    // from kerb to front
	gap          [2]float64 // between neighbours
	row          int        // houses that share walls
	vacant       float64    // part of the plots left empty
}

var plots = map[district]plot{
	oldTown:  {width: [2]float64{6.5, 10}, depth: [2]float64{9, 13}, setback: 1.6, gap: [2]float64{0.8, 3}, row: 6, vacant: 0.03},
	terraces: {width: [2]float64{6, 7.2}, depth: [2]float64{8.5, 10}, setback: 3.2, gap: [2]float64{2.5, 4}, row: 5, vacant: 0.04},
	suburb:   {width: [2]float64{7.2, 9}, depth: [2]float64{8.5, 11}, setback: 6.5, gap: [2]float64{4, 7}, row: 2, vacant: 0.08},
	estate:   {width: [2]float64{26, 48}, depth: [2]float64{18, 30}, setback: 8, gap: [2]float64{9, 16}, row: 1, vacant: 0.1},
	country:  {width: [2]float64{10, 16}, depth: [2]float64{8, 11}, setback: 12, gap: [2]float64{50, 260}, row: 1, vacant: 0.5},
}

// buildRows lines both sides of every street.
func (b *builder) buildRows(seed uint64) {
	order := make([]int, len(b.n.streets))
	for i := range order {
		order[i] = i
	}
	// Main streets first: they get the corners.
	sort.SliceStable(order, func(i, j int) bool { return b.n.streets[order[i]].kind < b.n.streets[order[j]].kind })
	for _, i := range order {
		if s := b.n.streets[i]; s.kind != footpath {
			b.buildSide(draw(seed, "row", uint64(i), 0), i, 1)
			b.buildSide(draw(seed, "row", uint64(i), 1), i, -1)
		}
	}
}

func (b *builder) buildSide(r *rand.Rand, i int, side float64) {
	s := b.n.streets[i]
	total := s.line.length()
	inRow := 0
	var width, depth float64
	for d := 5.0; d < total-4; {
		p, _ := s.line.at(d)
		kind := b.n.district(p)
		if s.kind == lane && kind != country {
			kind = suburb
		}
		k := plots[kind]
		if inRow == 0 { // a row is built to one plan
			inRow = 1 + r.IntN(k.row)
			if kind == suburb {
				inRow = 2
			}
			width, depth = between(r, k.width[0], k.width[1]), between(r, k.depth[0], k.depth[1])
		}
		p, along := s.line.at(d + width/2)
		out := along.left().times(side)
		x := box{p.plus(out.times(s.kind.halfWidth() + k.setback + depth/2)), along.times(side), width, depth}
		if r.Float64() < k.vacant || !b.fits(x, -0.3) {
			inRow = 0
			d += 4
			continue
		}
		b.put(building{box: x, outline: footprint(r, x, kind), street: i})
		inRow--
		d += width
		if inRow == 0 {
			d += between(r, k.gap[0], k.gap[1])
		}
	}
}

// footprint gives houses of suburbs their wings, sheds their annexes.
func footprint(r *rand.Rand, x box, kind district) path {
	c := x.corners()
	if (kind != suburb && kind != estate && kind != country) || r.Float64() < 0.45 {
		return c
	}
	u, v := x.front.times(x.width*between(r, 0.3, 0.55)), x.front.left().times(x.depth*between(r, 0.2, 0.38))
	// Cut one of the two corners at the back, so that the front stays straight.
	if r.IntN(2) == 0 {
		return path{c[0], c[1], c[2].minus(v), c[2].minus(v).minus(u), c[2].minus(u), c[3]}
	}
	return path{c[0], c[1], c[2], c[3].plus(u), c[3].plus(u).minus(v), c[3].minus(v)}
}
