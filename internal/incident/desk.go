package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Desk is where incidents are run: it holds those that are open, fuses alerts
// into them, and takes what people do. Every change is on the log before it
// shows. A log has one desk at a time.
type Desk struct {
	log    *bus.Log
	clock  *clock.Clock
	logger *slog.Logger
	opened *prometheus.CounterVec

	mu      sync.Mutex
	book    *book
	number  int                   // of the newest incident
	unsure  *event.IncidentChange // a person's change of which the log has not said whether it has it
	stopped bool                  // the stage ended with changes that are not on the log
}

// NewDesk returns a desk; its stage must run, once, for it to take alerts, and
// has recovered the open incidents once it is ready. reg may be nil.
func NewDesk(log *bus.Log, clk *clock.Clock, logger *slog.Logger, reg prometheus.Registerer) *Desk {
	d := &Desk{log: log, clock: clk, logger: logger, book: newBook(), opened: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bluelamp_incidents_opened_total", Help: "Incidents opened.",
	}, []string{"kind"})}
	if reg != nil {
		reg.MustRegister(d.opened)
	}
	return d
}

// Stage returns the desk's stage of the log.
func (d *Desk) Stage() bus.Stage {
	return bus.Stage{
		Name: "incidents", In: bus.Alerts, Out: bus.Incidents,
		Handle: d.handle, Recover: d.recover, Save: d.save, Load: d.load,
	}
}

// handle takes alerts. The desk is held until their changes are on the log, so
// that a person's action never comes between a decision and its record.
func (d *Desk) handle(ctx context.Context, records []bus.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return ErrStopped
	}
	if err := bus.Insist(ctx, d.logger, "writing incidents", func() error { return d.settle(ctx) }); err != nil {
		return err
	}
	var dr draft
	for _, rec := range records {
		var a event.Alert
		if err := json.Unmarshal(rec.Data, &a); err != nil {
			d.logger.Error("an alert cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		a.Seq = rec.Seq
		// What follows from one alert stays in one commit: after a crash, either
		// all of it is on the log or none.
		n := len(dr.changes)
		if err := dr.add(d.fuse(&a)); err != nil {
			return err
		}
		if dr.full() && n > 0 {
			if err := d.insist(ctx, dr.cut(n)); err != nil {
				return err
			}
		}
	}
	return d.insist(ctx, dr)
}

// insist writes a draft, whatever it takes. The book is ahead of the log when it
// fails, and takes nothing more.
func (d *Desk) insist(ctx context.Context, dr draft) error {
	err := bus.Insist(ctx, d.logger, "writing incidents", func() error { return d.write(ctx, dr) })
	d.stopped = err != nil
	return err
}

func (d *Desk) write(ctx context.Context, dr draft) error {
	if len(dr.records) == 0 {
		return nil
	}
	last, err := d.log.Append(ctx, bus.Incidents, dr.records...)
	if err != nil {
		return fmt.Errorf("writing %d changes of incidents: %w", len(dr.changes), err)
	}
	for i, c := range dr.changes {
		if in := d.book.incidents[c.Incident]; in != nil {
			in.Seq = max(in.Seq, last-uint64(len(dr.changes)-1-i))
		}
	}
	return nil
}

// fuse returns the changes that follow from an alert, and applies them.
func (d *Desk) fuse(a *event.Alert) []*event.IncidentChange {
	if d.book.alerts[a.ID] {
		return nil
	}
	in, why := d.book.match(a)
	if in == nil {
		if ends(a.Kind) {
			return nil
		}
		d.number++
		c := &event.IncidentChange{
			Incident: event.NewID("incident", string(a.ID)), Version: 1, Type: event.ChangeOpened,
			Alert: a, Number: d.number, Place: a.Place, Premises: a.Premises,
		}
		d.opened.WithLabelValues(weightOf(a.Kind).family).Inc()
		return []*event.IncidentChange{d.apply(&Incident{}, c)}
	}
	if c, ok := in.Causes[a.Cause]; ok && a.Revision <= c.Revision {
		return nil // written twice, or overtaken by a newer word of the same cause
	}
	out := []*event.IncidentChange{d.apply(in, &event.IncidentChange{Type: event.ChangeAlertAdded, Alert: a, Why: why})}
	if in.State == Closed && !ends(a.Kind) && weightOf(a.Kind).base >= reopenFrom {
		out = append(out, d.apply(in, &event.IncidentChange{
			Type: event.ChangeReopened, Why: "After it was closed: " + a.Reason,
		}))
	}
	return out
}

// reopenFrom is the weight from which an alert reopens a closed incident: what
// is confirmed, or about a person in danger.
const reopenFrom = 80

// apply completes a change by the system, and applies it.
func (d *Desk) apply(in *Incident, c *event.IncidentChange) *event.IncidentChange {
	if c.Incident == "" {
		c.Incident = in.ID
	}
	d.complete(in, c)
	c.By = event.System
	d.take(in, c)
	return c
}

func (d *Desk) complete(in *Incident, c *event.IncidentChange) {
	c.Version = in.Version + 1
	c.ID = event.NewID("change", string(c.Incident), fmt.Sprint(c.Version), string(c.Type))
	c.Time = d.clock.Now()
}

func (d *Desk) take(in *Incident, c *event.IncidentChange) {
	if err := in.Apply(c); err != nil {
		d.logger.Error("a change was left out", "err", err)
		return
	}
	d.book.index(in, c.Alert)
	d.number = max(d.number, in.Number)
}

// Check says whether Do would take an action now, and writes nothing: what is
// recorded of an action can be decided before it is taken. Do may still refuse
// it, when the incident changes in between.
//
// Errors: those of Do.
func (d *Desk) Check(a Action) error {
	if err := d.log.Ready(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stopped:
		return ErrStopped
	case d.unsure != nil:
		return nil // the book may be behind the log; Do settles that before it decides
	}
	_, err := d.allowed(&a)
	return err
}

// allowed returns the incident of an action that fits it, and trims what the
// person wrote.
func (d *Desk) allowed(a *Action) (*Incident, error) {
	in := d.book.incidents[a.Incident]
	if in == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, a.Incident)
	}
	if a.Version != 0 && a.Version != in.Version {
		return nil, ErrChanged
	}
	a.Why, a.AssignedTo = strings.TrimSpace(a.Why), strings.TrimSpace(a.AssignedTo)
	return in, a.check(in)
}

// Do takes an action and returns the incident after it, once it is on the log.
//
// Errors: ErrNotFound, ErrChanged, ErrNotAllowed. On any other the action may
// still take effect; it shows when it has.
func (d *Desk) Do(ctx context.Context, a Action) (Incident, error) {
	if err := d.log.Ready(); err != nil {
		return Incident{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.settle(ctx); err != nil {
		return Incident{}, err
	}
	in, err := d.allowed(&a)
	if err != nil {
		return Incident{}, err
	}
	c := &event.IncidentChange{
		Incident: in.ID, Type: a.Type, By: a.By, Why: a.Why,
		Grade: a.Grade, Factors: a.Factors, AssignedTo: a.AssignedTo, Code: a.Code,
	}
	d.complete(in, c)
	if err := d.commit(ctx, c); err != nil {
		return Incident{}, err
	}
	return in.copy(), nil
}

// commit writes a person's change and takes it. Once the change is on its way
// its outcome is waited for, even if the person has gone: were it on the log but
// not in the book, the next change would have the same version.
func (d *Desk) commit(ctx context.Context, c *event.IncidentChange) error {
	var dr draft
	if err := dr.add([]*event.IncidentChange{c}); err != nil {
		return err
	}
	done := make(chan error, 1)
	err := d.log.AppendAsync(ctx, bus.Incidents, func(last uint64, err error) {
		c.Seq = last
		done <- err
	}, dr.records...)
	if err == nil {
		if err = <-done; err != nil && !errors.Is(err, bus.ErrFull) {
			d.unsure = c
		}
	}
	if err != nil {
		return fmt.Errorf("writing %q of incident %s: %w", c.Type, c.Incident, err)
	}
	d.unsure = nil
	d.take(d.book.incidents[c.Incident], c)
	return nil
}

// settle makes sure that the book and the log agree, before anything is decided.
// A change that was on the log already is there twice then, which Apply ignores.
func (d *Desk) settle(ctx context.Context) error {
	if d.stopped {
		return ErrStopped
	}
	if d.unsure != nil {
		return d.commit(ctx, d.unsure)
	}
	return nil
}

// Get returns an incident of the desk as it is now.
//
// Errors: ErrNotFound.
func (d *Desk) Get(id event.ID) (Incident, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if in := d.book.incidents[id]; in != nil {
		return in.copy(), nil
	}
	return Incident{}, fmt.Errorf("%w: %s", ErrNotFound, id)
}
