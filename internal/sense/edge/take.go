package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// take puts on the log what of the lines is new, and notes it.
func (r *Receiver) take(ctx context.Context, l *link, gw *registry.Device, lines []line, ahead time.Duration) error {
	var fresh []line
	for _, ln := range lines {
		if !l.has(ln.Position) {
			fresh = append(fresh, ln)
		}
	}
	var err error
	if l.key.stream == bus.Quarantine.Name {
		err = r.takeQuarantined(ctx, l, gw, fresh)
	} else {
		err = r.takeObservations(ctx, l, gw, fresh, ahead)
	}
	if err == nil && len(lines) > 0 {
		l.reached(lines[len(lines)-1].Position)
	}
	return err
}

// A round is what goes to the log at once: all in which no device appears with
// two retention classes. The log commits each class apart, and may put the frame
// of one before that of another that was handed to it earlier; within a round
// that does not touch the order of any device.
type round struct {
	groups map[group][]*event.Observation
	order  []group          // as they first came
	of     map[string]group // by device
	size   int              // bytes
}

// group is what commits together or not at all.
type group struct {
	class  event.Retention
	source string
}

// roundBytes bounds what a group can come to when it is encoded for the log: each
// byte as much as six.
const roundBytes = bus.MaxMessage / 7

func newRound() *round {
	return &round{groups: map[group][]*event.Observation{}, of: map[string]group{}}
}

// add reports false, and adds nothing, when the observation must wait until the
// round is on disk.
func (r *round) add(o *event.Observation, size int) bool {
	dev := o.Via
	if dev == "" {
		dev = o.Device
	}
	g := group{o.Retain, o.Source}
	if is, ok := r.of[dev]; ok && is != g || len(r.of) > 0 && r.size+size > roundBytes {
		return false
	}
	if r.groups[g] == nil {
		r.order = append(r.order, g)
	}
	r.of[dev], r.size = g, r.size+size
	r.groups[g] = append(r.groups[g], o)
	return true
}

// takeObservations puts observations on the log, and waits for all.
func (r *Receiver) takeObservations(ctx context.Context, l *link, gw *registry.Device, lines []line, ahead time.Duration) error {
	now := newRound()
	for _, ln := range lines {
		o, bad := r.observation(ln, l, gw, ahead)
		if bad != nil {
			if err := r.refuse(ctx, gw, ln, bad); err != nil {
				return err
			}
			l.note(ln.Position)
			continue
		}
		if now.add(o, len(ln.Record)) {
			continue
		}
		if err := r.commit(ctx, l, now); err != nil {
			return err
		}
		now = newRound()
		now.add(o, len(ln.Record))
	}
	return r.commit(ctx, l, now)
}

// commit puts a round on the log and waits for it. What of it is on disk is noted
// even when another part failed.
func (r *Receiver) commit(ctx context.Context, l *link, now *round) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, g := range now.order {
		var positions []uint64
		for _, o := range now.groups[g] {
			positions = append(positions, o.Edge.Position)
		}
		wait.Add(1)
		err := r.in.ObserveTogether(ctx, func(_ uint64, err error) {
			defer wait.Done()
			if err == nil {
				l.note(positions...)
				return
			}
			mu.Lock()
			failed = errors.Join(failed, err)
			mu.Unlock()
		}, now.groups[g]...)
		if err == nil {
			continue
		}
		wait.Done()
		if errors.Is(err, sense.ErrRefused) {
			l.note(positions...) // it is in the quarantine
			continue
		}
		mu.Lock()
		failed = errors.Join(failed, err)
		mu.Unlock()
	}
	wait.Wait()
	return failed
}

// observation reads a line, and checks that the gateway may say so. What it
// returns can be put on the log: one that never can would hold up all behind it.
func (r *Receiver) observation(ln line, l *link, gw *registry.Device, ahead time.Duration) (*event.Observation, error) {
	if len(ln.Record) > maxRecord {
		return nil, fmt.Errorf("it has %d bytes, at most %d may come this way", len(ln.Record), maxRecord)
	}
	o := &event.Observation{}
	if err := json.Unmarshal(ln.Record, o); err != nil {
		return nil, fmt.Errorf("not an observation: %w", err)
	}
	switch {
	case o.ID == "" || o.Kind == "" || o.Source == "" || o.Received.IsZero():
		return nil, errors.New("not an observation: it lacks its id, kind, source or time of receipt")
	case local(o.Kind):
		return nil, fmt.Errorf("only the centre itself observes %s", o.Kind)
	case o.Retain == event.RetainUntilReview || !o.Retain.Valid():
		return nil, fmt.Errorf("it is of no retention class that expires: %q", o.Retain)
	}
	if err := r.speaksFor(gw, o); err != nil {
		return nil, err
	}
	o.Edge = &event.Edge{Gateway: gw.ID, Log: l.key.log, Position: ln.Position, Received: o.Received.Add(-ahead)}
	if ahead != 0 {
		correct(o, ahead)
	}
	if !sane(o.Time) || !sane(o.Edge.Received) || o.DeviceTime != nil && !sane(*o.DeviceTime) {
		return nil, errors.New("its times are beyond those that can be kept")
	}
	// Why it may be kept and whose it is, the centre's registry says.
	o.Basis, o.Purpose, o.Premises, o.PremisesName, o.Enrolled = event.BasisNone, "", "", "", ""
	return o, nil
}

// speaksFor checks that the gateway brings what an observation's device says, and
// names the gateway's own sources.
func (r *Receiver) speaksFor(gw *registry.Device, o *event.Observation) error {
	d := r.reg.Sensor(o.Device)
	if o.Via != "" {
		named := d
		if d, _ = r.reg.Device(o.Via); d == nil {
			return fmt.Errorf("device %s, which %s is said to come by, is not in the registry", o.Via, o.Device)
		}
		// An alias that begins with a network server's id names a sensor that it may
		// speak for, whatever way that sensor's own messages take.
		if named != nil && named != d && !through(named, gw) && (o.Device == named.ID || !strings.HasPrefix(o.Device, d.ID+"/")) {
			return fmt.Errorf("device %s does not come through gateway %s: set its gateway in the registry", named.ID, gw.ID)
		}
	}
	switch {
	case d != nil && through(d, gw):
		return nil
	case o.Via == "" && (d == nil || o.Kind == event.KindMisuse):
		// One of the gateway's own sources, such as a log that it follows; or a
		// stranger at its door, who may have an enrolled device's name.
		o.Device, o.Via = gw.ID+"/"+o.Device, gw.ID
		return nil
	default:
		return fmt.Errorf("device %s does not come through gateway %s: set its gateway in the registry", d.ID, gw.ID)
	}
}

// through reports whether a device is a gateway or comes through it.
func through(d, gw *registry.Device) bool { return d.ID == gw.ID || d.Gateway == gw.ID }

// correct takes the error of a gateway's clock out of an observation's time. Where
// that was found from the device's own clock, and so by comparing it with the
// wrong one, it is found again.
func correct(o *event.Observation, ahead time.Duration) {
	off := time.Duration(math.Round(o.ClockError * float64(time.Second)))
	if o.DeviceTime != nil && o.Time.Sub(o.DeviceTime.Add(-off)).Abs() <= time.Microsecond {
		o.Time, o.ClockError = *o.DeviceTime, 0
		return
	}
	o.Time = o.Time.Add(-ahead)
	o.ClockError += ahead.Seconds()
}

// sane reports whether a time, and those within a year of it, can be written.
func sane(t time.Time) bool { return t.Year() > 0 && t.Year() < 9998 }

// refuse puts a line in quarantine. It waits for the disk even when the gateway has
// gone: an entry that was written and not noted would be written again.
func (r *Receiver) refuse(ctx context.Context, gw *registry.Device, ln line, why error) error {
	return r.in.QuarantineMessage(context.WithoutCancel(ctx), event.Quarantined{
		Source: Source, From: fmt.Sprintf("%s:%d", gw.ID, ln.Position), Device: gw.ID,
		Reason: "not accepted from a gateway", Detail: why.Error(), Bytes: ln.Record,
	})
}

// takeQuarantined keeps the entries of a gateway's quarantine as they are, but for
// what the gateway may not say: an entry is replayed as the device's own words.
func (r *Receiver) takeQuarantined(ctx context.Context, l *link, gw *registry.Device, lines []line) error {
	for _, ln := range lines {
		var q event.Quarantined
		if err := json.Unmarshal(ln.Record, &q); err != nil || q.ID == "" {
			continue // what became of an entry there; it is worked here
		}
		if err := r.pace.Wait(ctx); err != nil {
			return err
		}
		q.From = fmt.Sprintf("%s%s%d", q.From, viaMark(gw.ID), ln.Position)
		if d, _ := r.reg.Device(q.Device); d == nil || !through(d, gw) {
			q.Device, q.Topic = gw.ID, ""
		} else if !d.Kept(r.clock.Now()) {
			q.Bytes = nil
		}
		if err := r.in.QuarantineMessage(context.WithoutCancel(ctx), q); err != nil { // see refuse
			return err
		}
		l.note(ln.Position)
	}
	return nil
}

// viaMark stands between where an entry of a gateway's quarantine came from, and
// its position there.
func viaMark(gateway string) string { return " via " + gateway + ":" }
