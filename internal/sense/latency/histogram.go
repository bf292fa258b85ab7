// Package latency sums up how long acknowledgements take, for the clients that
// load the platform: in a fixed space, whatever their number.
package latency

import (
	"math/bits"
	"time"
)

// Histogram counts durations in 32 steps for each doubling, from a microsecond
// up: within 3.2 % of the true value, in a fixed space.
type Histogram struct {
	counts [64 * steps]int64
	total  int64
	max    time.Duration
}

const (
	stepBits = 5
	steps    = 1 << stepBits
)

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
	h.max = max(h.max, d)
}

// Merge adds what another counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// Max is the longest duration.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns a duration that the fraction q of all does not exceed, to
// the histogram's precision; 0 when it is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	want := int64(q*float64(h.total)) + 1
	for i, n := range h.counts {
		if want -= n; want <= 0 {
			return min(ceiling(i), h.max)
		}
	}
	return h.max
}

func bucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < steps {
		return int(us)
	}
	shift := bits.Len64(us) - stepBits - 1
	return shift*steps + int(us>>shift)
}

// ceiling is the longest duration of a bucket.
func ceiling(i int) time.Duration {
	if i < 2*steps {
		return time.Duration(i+1)*time.Microsecond - 1
	}
	shift := i/steps - 1
	return time.Duration((uint64(i%steps)+steps+1)<<shift)*time.Microsecond - 1
}
