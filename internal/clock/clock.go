// Package clock tells the time to those who must not read it for themselves,
// so that a demonstration can run faster than life and a test can hold still.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock gives the platform's time. The zero value is not useful; use [Wall],
// [Scaled], [Fixed] or [Held].
type Clock struct {
	real  func() time.Time
	from  time.Time // real time at which the platform's time was start
	start time.Time
	speed float64
}

// Wall returns the clock of real life.
func Wall() *Clock {
	return &Clock{real: time.Now, speed: 1}
}

// Scaled returns a clock that shows start now and runs speed times as fast as
// real life. Speed must be positive.
func Scaled(start time.Time, speed float64) *Clock {
	return &Clock{real: time.Now, from: time.Now(), start: start, speed: speed}
}

// Fixed returns a clock that always shows at.
func Fixed(at time.Time) *Clock {
	return &Clock{real: func() time.Time { return at }, speed: 1}
}

// Held returns a clock that shows at until it is set to another time.
func Held(at time.Time) (c *Clock, set func(time.Time)) {
	var now atomic.Pointer[time.Time]
	now.Store(&at)
	return &Clock{real: func() time.Time { return *now.Load() }, speed: 1}, func(t time.Time) { now.Store(&t) }
}

// Now returns the platform's time in UTC.
func (c *Clock) Now() time.Time {
	now := c.real()
	if c.start.IsZero() {
		return now.UTC().Round(0)
	}
	return c.start.Add(time.Duration(float64(now.Sub(c.from)) * c.speed)).UTC()
}

// Speed says how many seconds pass on this clock in one of real life.
func (c *Clock) Speed() float64 { return c.speed }

// Real returns how long d on this clock lasts in real life.
func (c *Clock) Real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.speed)
}
