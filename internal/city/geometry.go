package city

import "math"

// vec is a point or a step on the town's plane, in metres east and north of the
// island's middle.
type vec struct{ x, y float64 }

func (a vec) plus(b vec) vec         { return vec{a.x + b.x, a.y + b.y} }
func (a vec) minus(b vec) vec        { return vec{a.x - b.x, a.y - b.y} }
func (a vec) times(f float64) vec    { return vec{a.x * f, a.y * f} }
func (a vec) dot(b vec) float64      { return a.x*b.x + a.y*b.y }
func (a vec) cross(b vec) float64    { return a.x*b.y - a.y*b.x }
func (a vec) length() float64        { return math.Sqrt(a.dot(a)) }
func (a vec) distance(b vec) float64 { return a.minus(b).length() }

// left is a turned by a quarter against the clock.
func (a vec) left() vec { return vec{-a.y, a.x} }

func (a vec) unit() vec {
	if l := a.length(); l > 0 {
		return vec{a.x / l, a.y / l}
	}
	return vec{1, 0}
}

func (a vec) turned(angle float64) vec {
	s, c := math.Sincos(angle)
	return vec{a.x*c - a.y*s, a.x*s + a.y*c}
}

// path is a line through points; where it is an outline, the last point joins
// the first.
type path []vec

func (p path) length() float64 {
	var l float64
	for i := 1; i < len(p); i++ {
		l += p[i].distance(p[i-1])
	}
	return l
}

// at returns the point and direction at a distance along the line.
func (p path) at(d float64) (point, along vec) {
	for i := 1; i < len(p); i++ {
		step := p[i].minus(p[i-1])
		l := step.length()
		if d <= l || i == len(p)-1 {
			return p[i-1].plus(step.unit().times(min(d, l))), step.unit()
		}
		d -= l
	}
	return p[0], vec{1, 0}
}

// nearest returns the distance from q to the line and the line's direction there.
func (p path) nearest(q vec) (distance float64, along vec) {
	distance = math.Inf(1)
	for i := 1; i < len(p); i++ {
		if d := q.distance(foot(p[i-1], p[i], q)); d < distance {
			distance, along = d, p[i].minus(p[i-1])
		}
	}
	return distance, along.unit()
}

// foot is the point of the segment ab that is nearest to q.
func foot(a, b, q vec) vec {
	ab := b.minus(a)
	l := ab.dot(ab)
	if l == 0 {
		return a
	}
	return a.plus(ab.times(min(1, max(0, q.minus(a).dot(ab)/l))))
}

// beside returns the line moved d metres to its left.
func (p path) beside(d float64) path {
	out := make(path, len(p))
	for i := range p {
		along := p[min(i+1, len(p)-1)].minus(p[max(i-1, 0)]).unit()
		out[i] = p[i].plus(along.left().times(d))
	}
	return out
}

// ribbon returns the outline of a band along the line, of the given width at
// each of its points.
func (p path) ribbon(width func(i int) float64) path {
	var left, right path
	for i := range p {
		side := p[min(i+1, len(p)-1)].minus(p[max(i-1, 0)]).unit().left().times(width(i) / 2)
		left = append(left, p[i].plus(side))
		right = append(right, p[i].minus(side))
	}
	for i := len(right) - 1; i >= 0; i-- {
		left = append(left, right[i])
	}
	return left
}

// contains reports whether q lies within the outline.
func (p path) contains(q vec) bool {
	in := false
	for i, j := 0, len(p)-1; i < len(p); j, i = i, i+1 {
		a, b := p[i], p[j]
		if (a.y > q.y) != (b.y > q.y) && q.x < (b.x-a.x)*(q.y-a.y)/(b.y-a.y)+a.x {
			in = !in
		}
	}
	return in
}

// curve returns a smooth line through the points (Catmull-Rom), with a point
// about every step metres.
func curve(through path, step float64) path {
	out := path{through[0]}
	get := func(i int) vec { return through[min(max(i, 0), len(through)-1)] }
	for i := range len(through) - 1 {
		a, b, c, d := get(i-1), get(i), get(i+1), get(i+2)
		n := max(1, int(b.distance(c)/step))
		for k := 1; k <= n; k++ {
			t := float64(k) / float64(n)
			out = append(out, vec{
				catmullRom(a.x, b.x, c.x, d.x, t),
				catmullRom(a.y, b.y, c.y, d.y, t),
			})
		}
	}
	return out
}

func catmullRom(a, b, c, d, t float64) float64 {
	return 0.5 * (2*b + (c-a)*t + (2*a-5*b+4*c-d)*t*t + (3*b-a-3*c+d)*t*t*t)
}

// ring returns the outline with its first point repeated at its end.
func (p path) ring() path {
	out := make(path, len(p), len(p)+1)
	copy(out, p)
	return append(out, p[0])
}

// simplified drops points that lie within tolerance of the line without them
// (Douglas and Peucker).
func (p path) simplified(tolerance float64) path {
	if len(p) < 3 {
		return p
	}
	far, at := 0.0, 0
	for i := 1; i < len(p)-1; i++ {
		if d := p[i].distance(foot(p[0], p[len(p)-1], p[i])); d > far {
			far, at = d, i
		}
	}
	if far <= tolerance {
		return path{p[0], p[len(p)-1]}
	}
	head := p[:at+1].simplified(tolerance)
	return append(head[:len(head)-1:len(head)-1], p[at:].simplified(tolerance)...)
}

// meet returns where the segments ab and cd cross, as the part of ab before it.
func meet(a, b, c, d vec) (part float64, ok bool) {
	r, s := b.minus(a), d.minus(c)
	den := r.cross(s)
	if math.Abs(den) < 1e-9 {
		return 0, false
	}
	t := c.minus(a).cross(s) / den
	u := c.minus(a).cross(r) / den
	return t, t >= 0 && t <= 1 && u >= 0 && u <= 1
}

// box is a rectangle: its middle, the direction of its front, its width along
// the front, and its depth.
type box struct {
	middle, front vec
	width, depth  float64
}

func (b box) corners() path {
	u, v := b.front.times(b.width/2), b.front.left().times(b.depth/2)
	return path{
		b.middle.minus(u).minus(v), b.middle.plus(u).minus(v),
		b.middle.plus(u).plus(v), b.middle.minus(u).plus(v),
	}
}

func (b box) reach() float64 { return vec{b.width, b.depth}.length() / 2 }

// overlaps reports whether two rectangles share ground (separating axes).
func (b box) overlaps(o box) bool {
	if b.middle.distance(o.middle) > b.reach()+o.reach() {
		return false
	}
	p, q := b.corners(), o.corners()
	for _, axis := range []vec{b.front, b.front.left(), o.front, o.front.left()} {
		pl, ph := span(p, axis)
		ql, qh := span(q, axis)
		if ph <= ql+0.05 || qh <= pl+0.05 {
			return false
		}
	}
	return true
}

func span(p path, axis vec) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, q := range p {
		d := q.dot(axis)
		low, high = min(low, d), max(high, d)
	}
	return low, high
}
