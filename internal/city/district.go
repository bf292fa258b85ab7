package city

import "math"

// district is the character of a part of the town.
type district uint8

const (
	oldTown district = iota + 1
	terraces
	suburb
	estate // industrial
	country
)

// district returns what kind of neighbourhood p lies in.
func (n *network) district(p vec) district {
	q := p.minus(n.g.local(0, 0))
	switch {
	case within(q.minus(vec{520, 165}), 215, 125, 1):
		return estate
	case within(q.minus(vec{-35, 150}), 210, 150, 1):
		return oldTown
	case !n.builtUp(p):
		return country
	case math.Hypot((q.x+20)/1.45, q.y-230) < 215:
		return terraces
	default:
		return suburb
	}
}

// within reports whether q lies in the ellipse about the origin with the given
// half axes, swollen to the given edge.
func within(q vec, east, north, edge float64) bool {
	return q.x*q.x/(east*east)+q.y*q.y/(north*north) < edge
}
