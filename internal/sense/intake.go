package sense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Bounds of the quarantine: a hostile sender must not fill the disk with it.
// What exceeds them is counted, and the count is said in the log and metrics.
const (
	quarantineRate  = 200  // entries a second, for all sources together
	quarantineBurst = 2000 // entries at once
)

// Admission decides whether an observation may be kept.
type Admission interface {
	// Admit completes an observation from what is known of its device, or
	// returns why it may not be kept.
	Admit(o *event.Observation) error
}

// ErrRefused: an observation may not be kept. What was refused, and why, is in
// the quarantine without its content.
var ErrRefused = errors.New("refused")

// Intake puts what was sensed on the log.
type Intake struct {
	log    *bus.Log
	clock  *clock.Clock
	admit  Admission
	logger *slog.Logger

	clocks *Clocks

	labels labels

	mu       sync.Mutex // keeps Received in the order of the log
	received time.Time
	entries  uint64

	allow   *rate.Limiter
	say     *rate.Limiter
	heard   *prometheus.CounterVec
	refused *prometheus.CounterVec
	dropped prometheus.Counter
}

// NewIntake returns an intake. admit may be nil, and then everything is kept; so
// may reg.
func NewIntake(log *bus.Log, clk *clock.Clock, admit Admission, logger *slog.Logger, reg prometheus.Registerer) *Intake {
	in := &Intake{
		log: log, clock: clk, admit: admit, logger: logger, clocks: newClocks(log, logger),
		allow: rate.NewLimiter(quarantineRate, quarantineBurst),
		say:   rate.NewLimiter(rate.Every(5*time.Second), 1),
		heard: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_observations_total", Help: "Observations handed to the log.",
		}, []string{"source"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_quarantined_total", Help: "Arrivals that could not be accepted.",
		}, []string{"source", "reason"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bluelamp_quarantine_dropped_total", Help: "Arrivals that could not be accepted and that the quarantine had no room for.",
		}),
	}
	if reg != nil {
		reg.MustRegister(in.heard, in.refused, in.dropped)
	}
	return in
}

// Clocks is what is known of the devices' clocks.
func (in *Intake) Clocks() *Clocks { return in.clocks }

// Now is the platform's time.
func (in *Intake) Now() time.Time { return in.clock.Now() }

// Observe puts an observation on the log, and calls done when it is on disk or
// has failed; done must not block. It sets o.Received, and o.Time where that is
// not set; where o.Time is what the device's clock said, it is corrected by that
// clock's error (see Clocks). It returns an error, without calling done, when the
// observation could not be queued.
//
// Errors: ErrRefused, when it may not be kept.
func (in *Intake) Observe(ctx context.Context, o *event.Observation, done func(seq uint64, err error)) error {
	return in.ObserveTogether(ctx, done, o)
}

// ObserveTogether is Observe for observations that belong together, such as all
// that one message says: they commit together or not at all, and are kept as
// long as the first. There may be at most bus.MaxBatch of them, and all have the
// same source. done gets the position of the last. What may not be kept is left
// out; ErrRefused says that nothing may.
func (in *Intake) ObserveTogether(ctx context.Context, done func(last uint64, err error), os ...*event.Observation) error {
	if len(os) == 0 {
		done(0, nil)
		return nil
	}
	os, err := in.admitted(ctx, os)
	if err != nil {
		return err
	}
	return in.put(ctx, done, os)
}

// put queues observations that were admitted.
func (in *Intake) put(ctx context.Context, done func(last uint64, err error), os []*event.Observation) error {
	records := make([][]byte, len(os))
	in.mu.Lock()
	defer in.mu.Unlock()
	if now := in.clock.Now(); now.After(in.received) {
		in.received = now
	}
	for i, o := range os {
		o.Received, o.Retain = in.received, os[0].Retain
		if o.Time.IsZero() {
			o.Time = o.Received
		}
		in.clocks.take(o, o.Received)
		data, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("%w: encoding an observation of %s %s: %w", ErrUnreadable, o.Source, o.Device, err)
		}
		records[i] = data
	}
	if err := in.log.AppendAsync(ctx, bus.Observations.Kept(string(os[0].Retain)), done, records...); err != nil {
		return err
	}
	in.heard.WithLabelValues(in.labels.of(os[0].Source)).Add(float64(len(os)))
	return nil
}

// admitted returns the observations that may be kept, each with its retention.
//
// Errors: ErrRefused, when none may.
func (in *Intake) admitted(ctx context.Context, os []*event.Observation) ([]*event.Observation, error) {
	var refused error
	kept := os
	for i, o := range os {
		var err error
		if in.admit != nil {
			err = in.admit.Admit(o)
		}
		if o.Retain == event.RetainUntilReview {
			o.Retain = retention(o.Kind)
		}
		switch {
		case err != nil:
			if refused == nil {
				kept = slices.Clone(os[:i])
			}
			refused = err
			if err := in.Refuse(ctx, o, err); err != nil {
				return nil, err
			}
		case refused != nil:
			kept = append(kept, o)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrRefused, refused)
	}
	return kept, nil
}

// maxLabels bounds the names that the metrics tell apart: edge gateways name
// sources and reasons, and a name costs memory for as long as we run.
const maxLabels = 500

// labels are the names that metrics tell apart; those beyond the bounds are one.
type labels struct {
	mu  sync.Mutex
	all map[string]bool
}

func (l *labels) of(name string) string {
	const others = "others"
	if len(name) > 64 {
		return others
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.all[name]:
	case len(l.all) >= maxLabels:
		return others
	case l.all == nil:
		l.all = map[string]bool{name: true}
	default:
		l.all[name] = true
	}
	return name
}

// mayKeep returns why nothing of what a device senses may be kept now, or nil.
func (in *Intake) mayKeep(d *registry.Device) error {
	if in.admit == nil {
		return nil
	}
	return in.admit.Admit(&event.Observation{Kind: event.KindState, Device: d.ID, Via: d.ID})
}

// Refuse notes in the quarantine that an observation may not be kept, without
// what it says: that, too, may not be kept.
func (in *Intake) Refuse(ctx context.Context, o *event.Observation, why error) error {
	cure := "state the basis in the registry, then let the device send again"
	if errors.Is(why, registry.ErrRevoked) {
		cure = "let it stop sending, or reinstate and enrol it"
	}
	return in.QuarantineMessage(ctx, event.Quarantined{
		Source: o.Source, From: o.Device, Device: o.Via, Reason: "may not be kept",
		Detail: fmt.Sprintf("%v: %s. Its content was not kept.", why, cure),
	})
}

// ObserveAll puts observations of one source on the log, in order, and returns
// when they are on disk. Neighbours of one retention, up to bus.MaxBatch, commit
// together or not at all. What may not be kept is left out without an error.
func (in *Intake) ObserveAll(ctx context.Context, os ...*event.Observation) error {
	os, err := in.admitted(ctx, os)
	if errors.Is(err, ErrRefused) {
		return nil
	}
	if err != nil {
		return err
	}
	for len(os) > 0 {
		n := 1
		for n < min(len(os), bus.MaxBatch) && os[n].Retain == os[0].Retain {
			n++
		}
		done := make(chan error, 1)
		if err := in.put(ctx, func(_ uint64, err error) { done <- err }, os[:n]); err != nil {
			return err
		}
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		os = os[n:]
	}
	return nil
}

// Quarantine keeps something that could not be accepted: its bytes, where it
// came from, a short reason that groups, and in words what is wrong and what to
// do. It returns when the entry is on disk. Beyond the bounds it only counts.
func (in *Intake) Quarantine(ctx context.Context, source, from, reason, detail string, what []byte) error {
	return in.QuarantineMessage(ctx, event.Quarantined{Source: source, From: from, Reason: reason, Detail: detail, Bytes: what})
}

// QuarantineMessage is Quarantine for what an enrolled device sent. It cuts the
// bytes, and sets q.ID and q.Received.
func (in *Intake) QuarantineMessage(ctx context.Context, q event.Quarantined) error {
	in.refused.WithLabelValues(in.labels.of(q.Source), in.labels.of(q.Reason)).Inc()
	if in.say.Allow() {
		in.logger.Warn("refused, kept in quarantine", "source", q.Source, "from", q.From, "reason", q.Reason, "detail", q.Detail, "bytes", len(q.Bytes))
	}
	if !in.allow.Allow() {
		in.dropped.Inc()
		return nil
	}
	in.mu.Lock()
	in.entries++
	n := in.entries
	in.mu.Unlock()
	entry := event.NewQuarantined(q.Source, q.From, q.Reason, q.Detail, q.Bytes, in.clock.Now(), n)
	entry.Device, entry.Topic = q.Device, q.Topic
	data, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("encoding a quarantine entry: %w", err)
	}
	if _, err := in.log.Append(ctx, bus.Quarantine.Kept(string(event.RetainMonth)), data); err != nil {
		in.logger.Error("an arrival could be neither accepted nor kept in quarantine", "source", q.Source, "from", q.From, "reason", q.Reason, "err", err)
		return fmt.Errorf("keeping a quarantine entry: %w", err)
	}
	return nil
}

// retention returns how long a kind of observation is kept where neither its
// source nor its device says.
func retention(k event.Kind) event.Retention {
	switch k {
	case event.KindClockTick:
		return event.RetainHour
	case event.KindPlate:
		return event.RetainDay
	case event.KindHealth, event.KindPresent, event.KindUplink:
		return event.RetainWeek
	case event.KindAlarm, event.KindSilent, event.KindReturned, event.KindUnknown, event.KindMisuse, event.KindGunshot, event.KindWarning:
		return event.RetainYear
	default:
		return event.RetainMonth
	}
}
