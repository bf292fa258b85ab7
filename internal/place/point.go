// Package place says where: points on WGS 84, distances in metres, local metric
// projections and square cells.
//
// Distances within a force area are computed on a local plane (see
// [Projection]), which is exact to better than 0.1 % within 100 km of its
// origin; [Distance] uses the sphere and holds anywhere.
package place

import (
	"fmt"
	"math"
)

// EarthRadius is the mean radius of the Earth in metres (IUGG).
const EarthRadius = 6371008.8

// Point is a position on WGS 84 in degrees.
type Point struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

// Valid reports whether p is a position on the Earth.
func (p Point) Valid() bool {
	return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180
}

// String gives latitude and longitude to about a metre.
func (p Point) String() string { return fmt.Sprintf("%.5f, %.5f", p.Lat, p.Lon) }

// Distance returns the great-circle distance between a and b in metres.
func Distance(a, b Point) float64 {
	la, lb := radians(a.Lat), radians(b.Lat)
	dLat, dLon := lb-la, radians(b.Lon-a.Lon)
	h := sq(math.Sin(dLat/2)) + math.Cos(la)*math.Cos(lb)*sq(math.Sin(dLon/2))
	return 2 * EarthRadius * math.Asin(math.Min(1, math.Sqrt(h)))
}

func radians(deg float64) float64 { return deg * math.Pi / 180 }
func degrees(rad float64) float64 { return rad * 180 / math.Pi }
func sq(x float64) float64        { return x * x }
