package detect

import (
	"encoding"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Lateness is how far behind the platform's time an observation's own time may
// lie and still be in order: the watermark trails the newest Received by it.
const Lateness = 30 * time.Second

// Detector finds alerts in observations. It is used by one goroutine, keeps
// bounded state, and reads no clock.
type Detector interface {
	// Name says what is saved under: it never changes.
	Name() string
	// Observe takes the next observation and returns what follows from it.
	// It must not keep o.
	Observe(o *event.Observation) []event.Alert
	// Advance says that what comes from now on has an event time of at least
	// watermark, but for stragglers, and returns what follows from that.
	// Watermarks never go back.
	Advance(watermark time.Time) []event.Alert

	// The state. A detector that takes up the state of another goes on exactly
	// as that one would.
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// Run gives observations to detectors one at a time and collects the alerts, in
// a definite order. It is the whole of detection but for the log around it, and
// what replays use.
type Run struct {
	detectors []Detector
	received  time.Time // of the newest observation
}

// NewRun returns a run over the given detectors.
func NewRun(ds ...Detector) *Run { return &Run{detectors: ds} }

// Observe gives an observation to every detector, and moves the watermark on.
func (r *Run) Observe(o *event.Observation) []event.Alert {
	var out []event.Alert
	if o.Kind != event.KindClockTick {
		for _, d := range r.detectors {
			out = append(out, raisedAt(d.Observe(o), o.Received)...)
		}
	}
	if o.Received.After(r.received) {
		r.received = o.Received
		out = append(out, r.advance(o.Received.Add(-Lateness))...)
	}
	return out
}

// Finish ends a run over files: the watermark passes all that detectors wait for.
func (r *Run) Finish() []event.Alert { return r.advance(r.received.Add(forever)) }

// forever is longer than any time that a detector waits.
const forever = 10 * 365 * 24 * time.Hour

func (r *Run) advance(watermark time.Time) []event.Alert {
	var out []event.Alert
	for _, d := range r.detectors {
		out = append(out, raisedAt(d.Advance(watermark), r.received)...)
	}
	return out
}

func raisedAt(as []event.Alert, at time.Time) []event.Alert {
	for i := range as {
		as[i].Raised = at
	}
	return as
}
