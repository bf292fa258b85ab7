package place

import "math"

// Projection is a local plane: an equirectangular projection about an origin,
// x east and y north, in metres.
type Projection struct {
	origin Point
	cosLat float64
}

// NewProjection returns the plane that touches the Earth at origin.
func NewProjection(origin Point) Projection {
	return Projection{origin: origin, cosLat: math.Cos(radians(origin.Lat))}
}

// Forward returns p on the plane, in metres east and north of the origin.
func (pr Projection) Forward(p Point) (x, y float64) {
	return radians(p.Lon-pr.origin.Lon) * pr.cosLat * EarthRadius, radians(p.Lat-pr.origin.Lat) * EarthRadius
}

// Inverse returns the position of the point x metres east and y metres north of
// the origin.
func (pr Projection) Inverse(x, y float64) Point {
	return Point{
		Lat: pr.origin.Lat + degrees(y/EarthRadius),
		Lon: pr.origin.Lon + degrees(x/(EarthRadius*pr.cosLat)),
	}
}

// Cell is a square of a [Grid], counted east and north from its origin.
type Cell struct {
	X, Y int32
}

// Grid divides a local plane into squares.
type Grid struct {
	pr   Projection
	size float64
}

// NewGrid returns a grid of squares of the given size in metres about origin.
func NewGrid(origin Point, size float64) Grid {
	return Grid{pr: NewProjection(origin), size: size}
}

// Cell returns the square that holds p.
func (g Grid) Cell(p Point) Cell {
	x, y := g.pr.Forward(p)
	return Cell{X: int32(math.Floor(x / g.size)), Y: int32(math.Floor(y / g.size))}
}

// Centre returns the middle of c.
func (g Grid) Centre(c Cell) Point {
	return g.pr.Inverse((float64(c.X)+0.5)*g.size, (float64(c.Y)+0.5)*g.size)
}
