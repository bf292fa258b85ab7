package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
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

	mu     sync.Mutex
	book   *book
	number int // of the newest incident
}

// NewDesk returns a desk; its stage must run for it to take alerts, and has
// recovered the open incidents once it is ready. reg may be nil.
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
	var changes []*event.IncidentChange
	for _, rec := range records {
		var a event.Alert
		if err := json.Unmarshal(rec.Data, &a); err != nil {
			d.logger.Error("an alert cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		a.Seq = rec.Seq
		changes = append(changes, d.fuse(&a)...)
	}
	for len(changes) > 0 {
		n := min(len(changes), bus.MaxBatch)
		err := bus.Insist(ctx, d.logger, "incidents", func() error { return d.write(ctx, changes[:n]) })
		if err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}

// fuse returns the changes that follow from an alert, and applies them.
func (d *Desk) fuse(a *event.Alert) []*event.IncidentChange {
	if d.book.alerts[a.ID] {
		return nil
	}
	in := d.book.match(a)
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
	out := []*event.IncidentChange{d.apply(in, &event.IncidentChange{Type: event.ChangeAlertAdded, Alert: a})}
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
	c.Version = in.Version + 1
	c.ID = event.NewID("change", string(c.Incident), fmt.Sprint(c.Version), string(c.Type))
	c.Time = d.clock.Now()
	if c.By == "" {
		c.By = event.System
	}
	d.take(in, c)
	return c
}

func (d *Desk) take(in *Incident, c *event.IncidentChange) {
	if err := in.Apply(c); err != nil {
		d.logger.Error("a change was left out", "err", err)
		return
	}
	d.book.index(in, c.Alert)
	d.number = max(d.number, in.Number)
}

func (d *Desk) write(ctx context.Context, changes []*event.IncidentChange) error {
	records := make([][]byte, len(changes))
	for i, c := range changes {
		data, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("encoding a change of incident %s: %w", c.Incident, err)
		}
		records[i] = data
	}
	if _, err := d.log.Append(ctx, bus.Incidents, records...); err != nil {
		return fmt.Errorf("writing %d changes of incidents: %w", len(changes), err)
	}
	return nil
}

func (d *Desk) recover(rec bus.Record) error {
	var c event.IncidentChange
	if err := json.Unmarshal(rec.Data, &c); err != nil {
		return fmt.Errorf("reading a change of an incident at position %d: %w", rec.Seq, err)
	}
	c.Seq = rec.Seq
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.book.incidents[c.Incident]
	if in == nil {
		in = &Incident{}
	}
	d.take(in, &c)
	return nil
}

// saved is the desk's state.
type saved struct {
	Number    int         `json:"number"`
	Incidents []*Incident `json:"incidents"`
	Alerts    []event.Ref `json:"alerts,omitempty"`
}

func (d *Desk) save() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.book.forget(d.clock.Now())
	clear(d.book.alerts) // the saved position is past them
	s := saved{Number: d.number}
	for _, in := range d.book.incidents {
		s.Incidents = append(s.Incidents, in)
	}
	return json.Marshal(s)
}

func (d *Desk) load(state []byte) error {
	var s saved
	if err := json.Unmarshal(state, &s); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.number = s.Number
	for _, in := range s.Incidents {
		d.book.load(in)
	}
	return nil
}

// Do takes an action and returns the incident after it, once it is on the log.
//
// Errors: ErrNotFound, ErrChanged, ErrNotAllowed.
func (d *Desk) Do(ctx context.Context, a Action) (Incident, error) {
	if err := d.log.Ready(); err != nil {
		return Incident{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.book.incidents[a.Incident]
	if in == nil {
		return Incident{}, fmt.Errorf("%w: %s", ErrNotFound, a.Incident)
	}
	if a.Version != 0 && a.Version != in.Version {
		return Incident{}, ErrChanged
	}
	if err := a.check(in); err != nil {
		return Incident{}, err
	}
	c := &event.IncidentChange{
		Incident: in.ID, Version: in.Version + 1, Type: a.Type, Time: d.clock.Now(), By: a.By, Why: a.Why,
		Grade: a.Grade, Factors: a.Factors, AssignedTo: a.AssignedTo, Code: a.Code,
	}
	c.ID = event.NewID("change", string(c.Incident), fmt.Sprint(c.Version), string(c.Type))
	if err := d.write(ctx, []*event.IncidentChange{c}); err != nil {
		return Incident{}, err
	}
	d.take(in, c)
	return in.copy(), nil
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
