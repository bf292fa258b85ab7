package warning

import "github.com/bluelamp/bluelamp/internal/place"

// touches reports whether two closed lines have any point of their insides in
// common. Lines are straight in degrees, which is exact enough for areas of a
// country's size; one across the antimeridian must be cut there.
func touches(a, b []place.Point) bool {
	if len(a) == 0 || len(b) == 0 || apart(a, b) {
		return false
	}
	if inside(a[0], b) || inside(b[0], a) {
		return true
	}
	for i := 1; i < len(a); i++ {
		for j := 1; j < len(b); j++ {
			if crosses(a[i-1], a[i], b[j-1], b[j]) {
				return true
			}
		}
	}
	return false
}

// apart reports whether the boxes around two lines do not touch.
func apart(a, b []place.Point) bool {
	al, ah := box(a)
	bl, bh := box(b)
	return al.Lat > bh.Lat || bl.Lat > ah.Lat || al.Lon > bh.Lon || bl.Lon > ah.Lon
}

func box(ps []place.Point) (low, high place.Point) {
	low, high = ps[0], ps[0]
	for _, p := range ps {
		low.Lat, low.Lon = min(low.Lat, p.Lat), min(low.Lon, p.Lon)
		high.Lat, high.Lon = max(high.Lat, p.Lat), max(high.Lon, p.Lon)
	}
	return low, high
}

// inside counts how often a ray to the east meets the line.
func inside(p place.Point, ring []place.Point) bool {
	in := false
	for i := 1; i < len(ring); i++ {
		a, b := ring[i-1], ring[i]
		if (a.Lat > p.Lat) != (b.Lat > p.Lat) && p.Lon < (b.Lon-a.Lon)*(p.Lat-a.Lat)/(b.Lat-a.Lat)+a.Lon {
			in = !in
		}
	}
	return in
}

// crosses reports whether the stretches a to b and c to d meet.
func crosses(a, b, c, d place.Point) bool {
	return side(c, d, a)*side(c, d, b) <= 0 && side(a, b, c)*side(a, b, d) <= 0
}

// side is positive for a point left of the line from a to b, negative right of it.
func side(a, b, p place.Point) float64 {
	v := (b.Lon-a.Lon)*(p.Lat-a.Lat) - (b.Lat-a.Lat)*(p.Lon-a.Lon)
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}
