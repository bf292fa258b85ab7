package cap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParsePoint reads "lat,lon" in degrees.
func ParsePoint(s string) (Point, error) {
	lat, lon, ok := strings.Cut(s, ",")
	p := Point{}
	var errLat, errLon error
	p.Lat, errLat = parseNumber(lat)
	p.Lon, errLon = parseNumber(lon)
	switch {
	case !ok || errLat != nil || errLon != nil:
		return Point{}, fmt.Errorf("%w: %s is no position: it is written latitude,longitude in degrees", ErrInvalid, excerpt(s))
	case math.Abs(p.Lat) > 90:
		return Point{}, fmt.Errorf("%w: the latitude of %s is not from -90 to 90 (latitude comes first)", ErrInvalid, excerpt(s))
	case math.Abs(p.Lon) > 180:
		return Point{}, fmt.Errorf("%w: the longitude of %s is not from -180 to 180", ErrInvalid, excerpt(s))
	}
	return p, nil
}

const maxDigits = 80 // of a number

// parseNumber reads a decimal number, without the exponents, signs of infinity
// and hexadecimal digits that strconv takes.
func parseNumber(s string) (float64, error) {
	if len(s) > maxDigits || strings.Trim(s, "0123456789.+-") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

// ParsePolygon reads points apart by white space: at least four, of which the
// last is the first.
func ParsePolygon(s string) (Polygon, error) {
	fields := strings.Fields(s)
	if len(fields) > MaxPoints {
		return nil, fmt.Errorf("%w: the polygon has %d points, at most %d", ErrInvalid, len(fields), MaxPoints)
	}
	p := make(Polygon, 0, len(fields))
	for _, f := range fields {
		pt, err := ParsePoint(f)
		if err != nil {
			return nil, err
		}
		p = append(p, pt)
	}
	return p, p.check()
}

func (p Polygon) check() error {
	switch {
	case len(p) < 4:
		return fmt.Errorf("%w: the polygon has %d points, at least 4 are needed", ErrInvalid, len(p))
	case len(p) > MaxPoints:
		return fmt.Errorf("%w: the polygon has %d points, at most %d", ErrInvalid, len(p), MaxPoints)
	case p[0] != p[len(p)-1]:
		return fmt.Errorf("%w: the polygon is not closed: its last point must be its first, %s", ErrInvalid, p[0])
	}
	for _, pt := range p {
		if !pt.valid() {
			return fmt.Errorf("%w: the polygon's point %s is not on the Earth", ErrInvalid, pt)
		}
	}
	return nil
}

func (p Point) valid() bool { return math.Abs(p.Lat) <= 90 && math.Abs(p.Lon) <= 180 }

// ParseCircle reads "lat,lon radius", the radius in kilometres.
func ParseCircle(s string) (Circle, error) {
	fields := strings.Fields(s)
	if len(fields) != 2 {
		return Circle{}, fmt.Errorf("%w: %s is no circle: it is written latitude,longitude radius, the radius in kilometres", ErrInvalid, excerpt(s))
	}
	centre, err := ParsePoint(fields[0])
	if err != nil {
		return Circle{}, err
	}
	radius, err := parseNumber(fields[1])
	if err != nil {
		return Circle{}, fmt.Errorf("%w: the radius %s is no number of kilometres", ErrInvalid, excerpt(fields[1]))
	}
	c := Circle{Centre: centre, Radius: radius}
	return c, c.check()
}

// maxRadius is half the way around the Earth, in kilometres.
const maxRadius = 20038

func (c Circle) check() error {
	if !c.Centre.valid() || !(c.Radius >= 0) || c.Radius > maxRadius {
		return fmt.Errorf("%w: the circle %s is not on the Earth", ErrInvalid, c)
	}
	return nil
}

// String writes the position as messages do.
func (p Point) String() string { return number(p.Lat) + "," + number(p.Lon) }

// String writes the polygon as messages do.
func (p Polygon) String() string {
	words := make([]string, len(p))
	for i, pt := range p {
		words[i] = pt.String()
	}
	return strings.Join(words, " ")
}

// String writes the circle as messages do.
func (c Circle) String() string { return c.Centre.String() + " " + number(c.Radius) }

// number writes at most seven decimals: of a degree that is a centimetre.
func number(v float64) string {
	s := strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 7, 64), "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// earth is the mean radius of the Earth in kilometres (IUGG).
const earth = 6371.0088

// Polygon returns a polygon of n sides, at least 3, whose corners lie on the
// circle. A circle without a radius is a point; it gives a polygon of 1 m.
func (c Circle) Polygon(n int) Polygon {
	n = max(n, 3)
	d := max(c.Radius, 0.001) / earth
	lat, lon := c.Centre.Lat*math.Pi/180, c.Centre.Lon*math.Pi/180
	p := make(Polygon, 0, n+1)
	for i := range n {
		b := 2 * math.Pi * float64(i) / float64(n)
		la := math.Asin(math.Sin(lat)*math.Cos(d) + math.Cos(lat)*math.Sin(d)*math.Cos(b))
		lo := lon + math.Atan2(math.Sin(b)*math.Sin(d)*math.Cos(lat), math.Cos(d)-math.Sin(lat)*math.Sin(la))
		p = append(p, Point{round(la * 180 / math.Pi), round(math.Remainder(lo*180/math.Pi, 360))})
	}
	return append(p, p[0])
}

// round leaves a tenth of a metre.
func round(deg float64) float64 { return math.Round(deg*1e6) / 1e6 }

// sameLanguage and samePrimary compare language tags, which know no case.
func sameLanguage(have, want string) bool { return strings.EqualFold(have, want) }

func samePrimary(have, want string) bool {
	h, _, _ := strings.Cut(have, "-")
	w, _, _ := strings.Cut(want, "-")
	return strings.EqualFold(h, w)
}
