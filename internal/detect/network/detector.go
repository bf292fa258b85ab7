package network

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Detector finds attacks in what network monitors observed: by itself, from
// connections and log-ins (see Scan), and where an intrusion detection system has
// found one.
type Detector struct {
	scan    *Scan
	matches *matches
}

// NewDetector returns a detector of attacks on networks and devices.
func NewDetector(cfg Config) *Detector { return &Detector{scan: New(cfg), matches: newMatches(cfg)} }

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
	case o.Kind == event.KindNetNotice && o.Notice != nil && o.Notice.Signature != 0:
		return d.matches.observe(o)
	case o.Kind == event.KindAnomaly:
		d.matches.stats.Anomalies++
	}
	return nil
}

// Advance moves time on when there was nothing to observe; see Scan.Advance. A
// finding is told for the last time when its host has been silent for
// Config.Idle, so a run over a file ends with a watermark beyond that, or with
// Flush.
func (d *Detector) Advance(watermark time.Time) []event.Alert {
	return append(alerts(d.scan.Advance(watermark)), d.matches.advance(watermark)...)
}

// Flush ends every episode and returns the last alerts. It is for the end of an
// offline run.
func (d *Detector) Flush() []event.Alert {
	return append(alerts(d.scan.Flush()), d.matches.flush()...)
}

// Stats returns the counts so far.
func (d *Detector) Stats() Stats { return d.scan.Stats() }

// MatchStats returns the counts of what intrusion detection systems said.
func (d *Detector) MatchStats() MatchStats {
	st := d.matches.stats
	st.Open = d.matches.open.len()
	return st
}

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
