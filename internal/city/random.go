package city

import (
	"math"
	"math/rand/v2"
)

// draw returns a stream of random numbers that belongs to a label and numbers of
// one town. Streams are independent, so that a change in one part of the town's
// making, or another shop in a street, leaves the rest as it was.
func draw(seed uint64, label string, numbers ...uint64) *rand.Rand {
	h := mix(seed ^ 0x9e3779b97f4a7c15)
	for i := range len(label) {
		h = mix(h ^ uint64(label[i]))
	}
	for _, n := range numbers {
		h = mix(h + n)
	}
	return rand.New(rand.NewPCG(h, mix(h)))
}

// mix is the finaliser of SplitMix64: every bit of x changes half of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// between draws from [low, high).
func between(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }

// pick draws one of the choices.
func pick[T any](r *rand.Rand, choices []T) T { return choices[r.IntN(len(choices))] }

// poisson draws how many rare things happen where mean of them are expected.
// Knuth's method: mean stays far below the 700 at which exp underflows.
func poisson(r *rand.Rand, mean float64) int {
	limit, p, n := math.Exp(-mean), 1.0, 0
	for {
		p *= r.Float64()
		if p <= limit {
			return n
		}
		n++
	}
}

// noise is smooth noise on the plane, between -1 and 1, with features of about
// the unit length.
type noise uint64

func (n noise) at(p vec) float64 {
	x0, y0 := math.Floor(p.x), math.Floor(p.y)
	fx, fy := ease(p.x-x0), ease(p.y-y0)
	corner := func(dx, dy float64) float64 {
		h := mix(mix(uint64(n)^uint64(int64(x0+dx))) ^ uint64(int64(y0+dy)))
		return float64(h>>11)/(1<<52) - 1
	}
	low := corner(0, 0) + (corner(1, 0)-corner(0, 0))*fx
	high := corner(0, 1) + (corner(1, 1)-corner(0, 1))*fx
	return low + (high-low)*fy
}

func ease(t float64) float64 { return t * t * (3 - 2*t) }
