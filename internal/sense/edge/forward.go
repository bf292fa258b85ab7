package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
)

// Timing of the link.
const (
	firstWait   = 500 * time.Millisecond // after a failure, doubled with each further
	longestWait = 30 * time.Second
	idleAsk     = 10 * time.Second // how often an idle link is tried
)

// Forwarder is the gateway's end of the link: it carries what the gateway's log
// holds to the centre, and goes on after any interruption.
type Forwarder struct {
	log     *bus.Log
	clock   *clock.Clock
	centre  *Centre
	keep    time.Duration
	logger  *slog.Logger
	waiting *prometheus.GaugeVec
	up      *prometheus.GaugeVec
	again   *prometheus.CounterVec

	naming sync.Mutex // both streams go under one name
	mu     sync.Mutex
	name   string            // under which confirmed holds
	sure   map[string]uint64 // what the centre has confirmed, by stream
}

// NewForwarder returns a forwarder. What the centre has confirmed is kept for a
// time, in case the centre itself is set back, and then trimmed from the log;
// sooner when the disk is full. reg may be nil.
func NewForwarder(log *bus.Log, clk *clock.Clock, c *Centre, keep time.Duration, logger *slog.Logger, reg prometheus.Registerer) *Forwarder {
	f := &Forwarder{
		log: log, clock: clk, centre: c, keep: keep, logger: logger, sure: map[string]uint64{},
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bluelamp_edge_waiting_commits", Help: "Commits on this gateway's log that the centre has not confirmed.",
		}, []string{"stream"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bluelamp_edge_link_up", Help: "Whether the link to the centre works.",
		}, []string{"stream"}),
		again: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_edge_repeats_total", Help: "Records left out because the same event was forwarded already.",
		}, []string{"stream"}),
	}
	if reg != nil {
		reg.MustRegister(f.waiting, f.up, f.again)
	}
	return f
}

// Run forwards until the context ends, and returns nil then.
func (f *Forwarder) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, path := range []string{pathObservations, pathQuarantine} {
		g.Go(func() error { return f.forward(ctx, path) })
	}
	g.Go(func() error { return f.trim(ctx) })
	return g.Wait()
}

// forward carries one stream. A failure of any kind begins again from what the
// centre has confirmed.
func (f *Forwarder) forward(ctx context.Context, path string) error {
	stream, _ := streamOf(path)
	wait, lost := firstWait, false
	p := newPacker(path)
	for ctx.Err() == nil {
		began := false
		err := f.carry(ctx, path, stream, p, func() {
			began = true
			f.up.WithLabelValues(stream.Name).Set(1)
			if lost {
				lost = false
				f.logger.Info("the link to the centre works again", "stream", stream.Name)
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		f.up.WithLabelValues(stream.Name).Set(0)
		if !lost {
			lost = true
			f.logger.Warn("the link to the centre is down; everything is kept here until it works again", "stream", stream.Name, "err", err)
		}
		if began {
			wait = firstWait
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait/2 + mathrand.N(wait)): //nolint:gosec // it spreads gateways that lost one link
		}
		wait = min(2*wait, longestWait)
	}
	return nil
}

// carry asks how far the centre has come and sends what follows, until an error.
// works is called whenever the centre has answered.
func (f *Forwarder) carry(ctx context.Context, path string, stream bus.Stream, p *packer, works func()) error {
	name, err := f.logName(ctx)
	if err != nil {
		return err
	}
	at, err := f.ask(ctx, path, name)
	if err != nil {
		return err
	}
	works()
	end, err := f.log.End(ctx, stream)
	if err != nil {
		return err
	}
	if (bus.Record{Seq: at}).Frame() > end {
		// The centre has more than we do: this log is an older copy of itself, and
		// gives positions out a second time. It must not pass for the same.
		f.logger.Error("this gateway's log has gone back; it goes on under a new name", "end", end, "centre", at)
		return f.rename(ctx)
	}
	f.confirm(name, stream, at)
	before, err := lookBack(ctx, f.log, stream, at)
	if err != nil {
		return err
	}
	r, err := f.log.Read(ctx, stream, at)
	if err != nil {
		return err
	}
	defer r.Close()
	w := &way{f: f, path: path, name: name, stream: stream, p: p, before: before, at: at}
	for {
		records, err := f.next(ctx, r)
		switch {
		case err != nil:
			return err
		case len(records) > 0:
			err = w.send(ctx, records)
		default:
			err = w.stillThere(ctx)
		}
		if err != nil {
			return err
		}
		works()
	}
}

// next waits for records for as long as an idle link need not be tried.
func (f *Forwarder) next(ctx context.Context, r *bus.Reader) ([]bus.Record, error) {
	wait, stop := context.WithTimeout(ctx, idleAsk)
	defer stop()
	records, err := r.Next(wait)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return records, err
}

// keyName is where the log's name is kept.
const keyName = "edge-log-name"

// logName returns the name under which the centre knows this log's positions.
func (f *Forwarder) logName(ctx context.Context) (string, error) {
	f.naming.Lock()
	defer f.naming.Unlock()
	name, err := f.log.Value(ctx, bus.Snapshots, keyName)
	if errors.Is(err, bus.ErrNotFound) {
		if err := f.rename(ctx); err != nil {
			return "", err
		}
		name, err = f.log.Value(ctx, bus.Snapshots, keyName)
	}
	return string(name), err
}

func (f *Forwarder) rename(ctx context.Context) error {
	return f.log.Put(ctx, bus.Snapshots, keyName, []byte(rand.Text()))
}

// ask returns the position that the centre has confirmed.
func (f *Forwarder) ask(ctx context.Context, path, name string) (uint64, error) {
	req, err := f.centre.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	c, err := f.centre.do(req, name)
	return c.Position, err
}

// confirm notes what the centre has confirmed of the log under a name.
func (f *Forwarder) confirm(name string, stream bus.Stream, at uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.name != name {
		f.name = name
		clear(f.sure)
	}
	f.sure[stream.Name] = at
}

// errGoneBack: the centre knows less than it had confirmed.
var errGoneBack = errors.New("the centre knows less than it had confirmed")

// stillThere tries an idle link, and notices a centre that was set back.
func (w *way) stillThere(ctx context.Context) error {
	at, err := w.f.ask(ctx, w.path, w.name)
	if err == nil && at < w.at {
		err = fmt.Errorf("%w: position %d instead of %d", errGoneBack, at, w.at)
	}
	return err
}
