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
	case math.Pow((q.x-520)/215, 2)+math.Pow((q.y-165)/125, 2) < 1:
		return estate
	case math.Pow((q.x+35)/210, 2)+math.Pow((q.y-150)/150, 2) < 1:
		return oldTown
	case !n.builtUp(p):
		return country
	case math.Hypot((q.x+20)/1.45, q.y-230) < 215:
		return terraces
	default:
		return suburb
	}
}
