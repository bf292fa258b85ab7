package place_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/place"
)

func TestDistance(t *testing.T) {
	// On a sphere of the mean radius, from the definition: a degree of a great
	// circle, a quarter and half of it; and a textbook pair, Paris and London.
	degree := place.EarthRadius * math.Pi / 180
	for _, c := range []struct {
		a, b place.Point
		want float64
		off  float64
	}{
		{place.Point{}, place.Point{}, 0, 0},
		{place.Point{}, place.Point{Lat: 1}, degree, 0.001},
		{place.Point{}, place.Point{Lon: 1}, degree, 0.001},
		{place.Point{Lat: 60}, place.Point{Lat: 60, Lon: 0.001}, degree / 2000, 0.001},
		{place.Point{Lat: 90}, place.Point{}, 90 * degree, 0.001},
		{place.Point{Lon: -90}, place.Point{Lon: 90}, 180 * degree, 0.001},
		{place.Point{Lon: 179.5}, place.Point{Lon: -179.5}, degree, 0.001},
		{place.Point{Lat: 48.8566, Lon: 2.3522}, place.Point{Lat: 51.5074, Lon: -0.1278}, 343_500, 200},
	} {
		if got := place.Distance(c.a, c.b); math.Abs(got-c.want) > c.off {
			t.Errorf("from %v to %v: %.3f m, want %.3f", c.a, c.b, got, c.want)
		}
	}
}

func TestDistanceIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := point(t, "a"), point(t, "b"), point(t, "c")
		ab, ba := place.Distance(a, b), place.Distance(b, a)
		if math.Abs(ab-ba) > 1e-6 || ab < 0 || ab > math.Pi*place.EarthRadius+1 || place.Distance(a, a) != 0 {
			t.Fatalf("%v to %v is %f, back %f", a, b, ab, ba)
		}
		if ac := place.Distance(a, c); ac > ab+place.Distance(b, c)+1e-3 {
			t.Fatalf("%v to %v is further than by way of %v", a, c, b)
		}
	})
}

func point(t *rapid.T, name string) place.Point {
	return place.Point{Lat: rapid.Float64Range(-90, 90).Draw(t, name+" lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, name+" lon")}
}

// near draws an origin that a force might have, and a point within d metres of
// it, on each axis.
func near(t *rapid.T, d float64) (origin place.Point, pr place.Projection, p place.Point) {
	origin = place.Point{Lat: rapid.Float64Range(-66, 66).Draw(t, "lat"), Lon: rapid.Float64Range(-175, 175).Draw(t, "lon")}
	pr = place.NewProjection(origin)
	return origin, pr, pr.Inverse(rapid.Float64Range(-d, d).Draw(t, "x"), rapid.Float64Range(-d, d).Draw(t, "y"))
}

func TestProjectionGoesBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, pr, p := near(t, 100_000)
		back := pr.Inverse(pr.Forward(p))
		if math.Abs(back.Lat-p.Lat) > 1e-9 || math.Abs(back.Lon-p.Lon) > 1e-9 {
			t.Fatalf("%v came back as %v", p, back)
		}
	})
}

// Within a town the plane is as good as the sphere.
func TestProjectionKeepsDistances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		origin, pr, p := near(t, 3000)
		x, y := pr.Forward(p)
		plane, sphere := math.Hypot(x, y), place.Distance(origin, p)
		if math.Abs(plane-sphere) > 0.001*sphere+0.01 {
			t.Fatalf("%v is %.3f m away on the plane, %.3f on the sphere", p, plane, sphere)
		}
	})
}

func TestGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		origin, _, p := near(t, 50_000)
		size := rapid.SampledFrom([]float64{1, 20, 200, 1000}).Draw(t, "size")
		g := place.NewGrid(origin, size)
		c := g.Cell(p)
		if got := g.Cell(g.Centre(c)); got != c {
			t.Fatalf("the centre of %v lies in %v", c, got)
		}
		pr := place.NewProjection(origin)
		px, py := pr.Forward(p)
		cx, cy := pr.Forward(g.Centre(c))
		if math.Abs(px-cx) > size/2+1e-6 || math.Abs(py-cy) > size/2+1e-6 {
			t.Fatalf("%v is %.3f, %.3f from the centre of its cell", p, px-cx, py-cy)
		}
	})
	if c := place.NewGrid(place.Point{Lat: 54, Lon: 2}, 100).Cell(place.Point{Lat: 53.9999, Lon: 1.9999}); c != (place.Cell{X: -1, Y: -1}) {
		t.Errorf("south-west of the origin is %v", c)
	}
}

func TestPoint(t *testing.T) {
	if s := (place.Point{Lat: 54.123456, Lon: -2.5}).String(); s != "54.12346, -2.50000" {
		t.Error(s)
	}
	for _, p := range []place.Point{{Lat: 90.1}, {Lat: -91}, {Lon: 180.5}, {Lon: -181}, {Lat: math.NaN()}, {Lon: math.Inf(1)}} {
		if p.Valid() {
			t.Errorf("%v is valid", p)
		}
	}
	if !(place.Point{Lat: 90, Lon: -180}).Valid() {
		t.Error("the corner of the map is not valid")
	}
}
