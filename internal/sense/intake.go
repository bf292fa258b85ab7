package sense

import (
	"context"
	"encoding/json"
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
)

// Bounds of the quarantine: a hostile sender must not fill the disk with it.
// What exceeds them is counted, and the count is said in the log and metrics.
const (
	quarantineRate  = 200  // entries a second, for all sources together
	quarantineBurst = 2000 // entries at once
)

// Intake puts what was sensed on the log.
type Intake struct {
	log    *bus.Log
	clock  *clock.Clock
	logger *slog.Logger

	mu       sync.Mutex // keeps Received in the order of the log
	received time.Time
	entries  uint64

	allow   *rate.Limiter
	say     *rate.Limiter
	heard   *prometheus.CounterVec
	refused *prometheus.CounterVec
	dropped prometheus.Counter
}

// NewIntake returns an intake. reg may be nil.
func NewIntake(log *bus.Log, clk *clock.Clock, logger *slog.Logger, reg prometheus.Registerer) *Intake {
	in := &Intake{
		log: log, clock: clk, logger: logger,
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

// Now is the platform's time.
func (in *Intake) Now() time.Time { return in.clock.Now() }

// Observe puts an observation on the log, and calls done when it is on disk or
// has failed; done must not block. It sets o.Received, and o.Time where that is
// not set. It returns an error, without calling done, when the observation could
// not be queued.
func (in *Intake) Observe(ctx context.Context, o *event.Observation, done func(seq uint64, err error)) error {
	return in.ObserveTogether(ctx, done, o)
}

// ObserveTogether is Observe for observations that belong together, such as all
// that one message says: they commit together or not at all. There may be at
// most bus.MaxBatch of them, and all have the same source. done gets the
// position of the last.
func (in *Intake) ObserveTogether(ctx context.Context, done func(last uint64, err error), os ...*event.Observation) error {
	if len(os) == 0 {
		done(0, nil)
		return nil
	}
	records := make([][]byte, len(os))
	in.mu.Lock()
	defer in.mu.Unlock()
	if now := in.clock.Now(); now.After(in.received) {
		in.received = now
	}
	for i, o := range os {
		o.Received = in.received
		if o.Time.IsZero() {
			o.Time = o.Received
		}
		data, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("encoding an observation of %s %s: %w", o.Source, o.Device, err)
		}
		records[i] = data
	}
	if err := in.log.AppendAsync(ctx, bus.Observations, done, records...); err != nil {
		return err
	}
	in.heard.WithLabelValues(os[0].Source).Add(float64(len(os)))
	return nil
}

// ObserveAll puts observations of one source on the log, in order, and returns
// when they are on disk. Up to bus.MaxBatch commit together or not at all.
func (in *Intake) ObserveAll(ctx context.Context, os ...*event.Observation) error {
	for together := range slices.Chunk(os, bus.MaxBatch) {
		done := make(chan error, 1)
		if err := in.ObserveTogether(ctx, func(_ uint64, err error) { done <- err }, together...); err != nil {
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
	}
	return nil
}

// Quarantine keeps something that could not be accepted: its bytes, where it
// came from, a short reason that groups, and in words what is wrong and what to
// do. It returns when the entry is on disk. Beyond the bounds it only counts.
func (in *Intake) Quarantine(ctx context.Context, source, from, reason, detail string, what []byte) error {
	in.refused.WithLabelValues(source, reason).Inc()
	if in.say.Allow() {
		in.logger.Warn("refused, kept in quarantine", "source", source, "from", from, "reason", reason, "detail", detail, "bytes", len(what))
	}
	if !in.allow.Allow() {
		in.dropped.Inc()
		return nil
	}
	in.mu.Lock()
	in.entries++
	n := in.entries
	in.mu.Unlock()
	q := event.NewQuarantined(source, from, reason, detail, what, in.clock.Now(), n)
	data, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("encoding a quarantine entry: %w", err)
	}
	if _, err := in.log.Append(ctx, bus.Quarantine, data); err != nil {
		in.logger.Error("an arrival could be neither accepted nor kept in quarantine", "source", source, "from", from, "reason", reason, "err", err)
		return fmt.Errorf("keeping a quarantine entry: %w", err)
	}
	return nil
}
