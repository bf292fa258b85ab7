package sense

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// How devices' clocks are judged.
const (
	// ClockTolerance is the error up to which a device's time is taken as it is.
	ClockTolerance = 2 * time.Second
	// ClockLost is the error beyond which a device is taken to have no clock: it
	// says 1970, or 2000, until somebody sets it.
	ClockLost = 366 * 24 * time.Hour

	clockAgree   = 5 * time.Second // within which two halves of a window say the same
	clockHalf    = 5 * time.Minute // least time that half a window covers
	clockHalfful = 8               // least messages in it
	clockAhead   = 3               // messages in a row that show a clock set forward
	maxClocks    = 100_000         // devices of a generation; there are two
)

// drift estimates the error of one device's clock.
//
// Each message gives the lead: the device's time less the time at which it was
// heard, which is the clock's error less the message's delay. No delay is
// negative, so the largest lead of a window is the best estimate of the error:
// messages that waited somewhere only lie below it.
//
// The window is two halves, each of at least clockHalf and clockHalfful messages.
// A clock that was set back shows as leads that all lie lower; so do messages
// that come out of a buffer, for a while. They differ in this: a clock that was
// set back is wrong by the same in both halves of the window, while a buffer
// that empties comes nearer to the present. So a lower estimate is believed once
// both halves agree. A clock that was set forward shows at once, since nothing
// is heard before it was said; a few messages must agree, since one can be broken.
type drift struct {
	Error time.Duration `json:"e"` // by which the clock is ahead, as estimated; the rest is how it was found

	Last  half `json:"l"` // the half before this
	This  half `json:"t"`
	Ahead half `json:"a"` // leads beyond the estimate that agree, the latest

	Row int           `json:"r"` // how many came beyond the estimate in a row
	Top time.Duration `json:"o"` // the largest of them
}

// half is one half of the window.
type half struct {
	Lead  time.Duration `json:"l"` // the largest
	Low   time.Duration `json:"w"` // the smallest; only of drift.Ahead
	Since time.Time     `json:"s,omitzero"`
	Count int           `json:"n"`
}

// hear takes one message's lead.
func (d *drift) hear(lead time.Duration, at time.Time) {
	if lead > d.Error+ClockTolerance {
		d.ahead(lead, at)
		return
	}
	d.Ahead, d.Row = half{}, 0
	if d.This.Count > 0 && d.This.Count >= clockHalfful && at.Sub(d.This.Since) >= clockHalf {
		d.turn()
	}
	if d.This.Count == 0 {
		d.This = half{Lead: lead, Since: at}
	}
	d.This.Count++
	d.This.Lead = max(d.This.Lead, lead)
	if d.This.Lead > d.Error {
		d.Error = d.This.Lead
	}
}

// turn ends a half of the window.
func (d *drift) turn() {
	if d.Last.Count > 0 && (d.Last.Lead-d.This.Lead).Abs() <= clockAgree {
		d.Error = max(d.Last.Lead, d.This.Lead)
	}
	d.Last, d.This = d.This, half{}
}

// ahead takes a lead that is beyond the estimate.
func (d *drift) ahead(lead time.Duration, at time.Time) {
	a := &d.Ahead
	if a.Count == 0 || lead-a.Low > clockAgree || a.Lead-lead > clockAgree {
		*a = half{Lead: lead, Low: lead, Since: at}
	}
	a.Count++
	a.Lead, a.Low = max(a.Lead, lead), min(a.Low, lead)
	if d.Row++; d.Row == 1 {
		d.Top = lead
	}
	d.Top = max(d.Top, lead)
	switch {
	case a.Count >= clockAhead:
		*d = drift{Error: a.Lead}
	case d.Row >= clockHalfful: // their delays differ too much for them to agree
		*d = drift{Error: d.Top}
	}
}

// correct sets an observation's time from its device's clock, where the source
// has not set it otherwise.
func (d *drift) correct(o *event.Observation, lead time.Duration) {
	if !o.Time.Equal(*o.DeviceTime) {
		return
	}
	by := d.Error
	if by.Abs() <= ClockTolerance {
		by = 0
	}
	if lead-by > ClockTolerance {
		by = lead // it was heard, so it has been said
	}
	if by != 0 {
		o.Time, o.ClockError = o.DeviceTime.Add(-by), by.Seconds()
	}
}
