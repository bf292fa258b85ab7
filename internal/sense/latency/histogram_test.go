package latency

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramIsWithinItsPrecision(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var a, b Histogram
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
		all = append(all, d)
		if i%2 == 0 {
			a.Add(d)
		} else {
			b.Add(d)
		}
	}
	a.Merge(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := a.Quantile(q); got < want || got > want+want/30+time.Microsecond {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if a.max != all[len(all)-1] || a.total != int64(len(all)) {
		t.Errorf("max %v, total %d", a.max, a.total)
	}
	var none Histogram
	if none.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a quantile")
	}
	for _, d := range []time.Duration{-1, 0, 1<<63 - 1} { // never out of range
		none.Add(d)
	}
	if none.Quantile(1) != 1<<63-1 {
		t.Errorf("max %v", none.Quantile(1))
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	last := -1
	for us := range 1 << 16 {
		b := bucket(time.Duration(us) * time.Microsecond)
		if b != last && b != last+1 {
			t.Fatalf("%d µs falls into bucket %d after %d", us, b, last)
		}
		if c := ceiling(b); c < time.Duration(us)*time.Microsecond || ceiling(b-1) >= time.Duration(us)*time.Microsecond && b > 0 {
			t.Fatalf("%d µs falls into bucket %d up to %v", us, b, c)
		}
		last = b
	}
}
