package network

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Detector is a Scan that speaks the log's vocabulary.
type Detector struct{ scan *Scan }

// NewDetector returns a detector of attacks on networks and devices.
func NewDetector(cfg Config) *Detector { return &Detector{scan: New(cfg)} }

// Name names the detector in checkpoints and metrics.
func (d *Detector) Name() string { return "network" }

// Observe takes an observation and returns the alerts that it and those before
// it give. Kinds that are of no concern are passed over.
func (d *Detector) Observe(o *event.Observation) []event.Alert {
	switch {
	case o.Kind == event.KindFlow && o.Flow != nil:
		return alerts(d.scan.Add(FromFlow(o)))
	case o.Kind == event.KindLogin && o.Login != nil:
		return alerts(d.scan.Add(FromLogin(o)))
	}
	return nil
}

// Advance moves time on when there was nothing to observe; see Scan.Advance. A
// finding is told for the last time when its host has been silent for
// Config.Idle, so a run over a file ends with a watermark beyond that, or with
// Flush.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	return alerts(d.scan.Advance(watermark))
}

// Flush ends every episode and returns the last alerts. It is for the end of an
// offline run.
func (d *Detector) Flush() []event.Alert { return alerts(d.scan.Flush()) }

// Stats returns the counts so far.
func (d *Detector) Stats() Stats { return d.scan.Stats() }

// MarshalBinary saves the state; see Scan.MarshalBinary.
func (d *Detector) MarshalBinary() ([]byte, error) { return d.scan.MarshalBinary() }

// UnmarshalBinary puts a saved state back; see Scan.UnmarshalBinary.
func (d *Detector) UnmarshalBinary(b []byte) error { return d.scan.UnmarshalBinary(b) }

func alerts(found []Finding) []event.Alert {
	if len(found) == 0 {
		return nil
	}
	out := make([]event.Alert, len(found))
	for i := range found {
		out[i] = found[i].Alert()
	}
	return out
}

// FromFlow takes what the detector needs from an observed connection.
func FromFlow(o *event.Observation) Conn {
	f := o.Flow
	return Conn{
		Ref: o.Ref(), Time: o.Time, Received: o.Received,
		Orig: f.Orig, Resp: f.Resp, OrigPort: f.OrigPort, RespPort: f.RespPort,
		Proto: f.Proto, Service: f.Service, State: f.State, History: f.History,
		Duration:  time.Duration(f.Duration * float64(time.Second)),
		OrigBytes: f.OrigBytes, RespBytes: f.RespBytes, RespPkts: f.RespPkts,
		LocalOrig: isTrue(f.LocalOrig), LocalResp: isTrue(f.LocalResp),
	}
}

// FromLogin takes what the detector needs from observed attempts to log in.
func FromLogin(o *event.Observation) Conn {
	l := o.Login
	service := l.Service
	if service == "ssh" {
		service = "SSH"
	}
	return Conn{
		Ref: o.Ref(), Time: o.Time, Received: o.Received,
		Orig: l.Orig, Resp: l.Resp, OrigPort: l.OrigPort, RespPort: l.RespPort,
		Proto: "tcp", Service: service,
		Login: true, Attempts: l.Attempts, Known: l.Success != nil, Accepted: isTrue(l.Success), Spoke: l.Client != "",
	}
}

func isTrue(b *bool) bool { return b != nil && *b }
