package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/incident"
)

// Bounds of the feed.
const (
	feedPause   = 20 * time.Millisecond // between two reads, so that a burst shares one
	tickEvery   = 5 * time.Second       // real time
	feedPage    = 500                   // incidents that one read takes
	feedAhead   = 32                    // events that wait for one slow browser
	maxBrowsers = 500                   // open streams
	resumePages = 2                     // pages that a browser that comes back is sent; beyond, it reads the list
)

// Feed brings changes of incidents to the browsers that watch. One goroutine
// reads what has changed, marshals it once and hands the same bytes to all. A
// browser that cannot keep up loses what waits for it and is told to read the
// list again.
type Feed struct {
	queries  *incident.Queries
	clock    *clock.Clock
	position func(context.Context) (uint64, error)
	logger   *slog.Logger

	pos  atomic.Uint64 // newest commit that Notify told of
	wake chan struct{}

	mu       sync.Mutex
	browsers map[*browser]bool
	closed   bool

	watching prometheus.Gauge
	resyncs  prometheus.Counter
	delay    prometheus.Histogram
}

// browser is one open stream.
type browser struct {
	events chan []byte // complete server-sent events; closed when the feed ends
}

// newFeed returns a feed; position says how far the read model of incidents is.
func newFeed(q *incident.Queries, clk *clock.Clock, position func(context.Context) (uint64, error), logger *slog.Logger, reg prometheus.Registerer) *Feed {
	f := &Feed{
		queries: q, clock: clk, position: position, logger: logger,
		wake: make(chan struct{}, 1), browsers: map[*browser]bool{},
		watching: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bluelamp_web_streams", Help: "Browsers that watch the incidents.",
		}),
		resyncs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bluelamp_web_resyncs_total", Help: "Times that a browser was too slow and was told to read the list again.",
		}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bluelamp_web_feed_seconds", Help: "Time from the feed's waking until the changes were handed to every browser.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 12),
		}),
	}
	if reg != nil {
		reg.MustRegister(f.watching, f.resyncs, f.delay)
	}
	return f
}

// Notify says that the read model of incidents now shows the log up to pos. It
// never blocks.
func (f *Feed) Notify(pos uint64) {
	for {
		old := f.pos.Load()
		if pos <= old || f.pos.CompareAndSwap(old, pos) {
			break
		}
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run feeds the browsers until the context ends, and lets them go then.
func (f *Feed) run(ctx context.Context) error {
	defer f.letGo()
	sent, err := f.position(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("starting the live feed: %w", err)
	}
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.fanOut(f.tick())
			continue
		case <-f.wake:
		}
		began := time.Now()
		sent = f.catchUp(ctx, sent)
		f.delay.Observe(time.Since(began).Seconds())
		// What commits during the pause is read together after it; an idle
		// feed has no pause to wait for.
		select {
		case <-ctx.Done():
		case <-time.After(feedPause):
		}
	}
}

// catchUp sends all that has changed after a position, and returns the new one.
func (f *Feed) catchUp(ctx context.Context, sent uint64) uint64 {
	for {
		// Taken before the read, which then shows all that lies before it.
		target := f.pos.Load()
		if target <= sent {
			return sent
		}
		if !f.watched() {
			return target // whoever comes reads the list first
		}
		events, last, more, err := f.changes(ctx, sent)
		if err != nil {
			if ctx.Err() == nil {
				f.logger.Error("the live feed cannot read the changes: browsers are told to read the list again", "err", err)
				f.fanOut(resync)
			}
			return target
		}
		if len(events) > 0 {
			f.fanOut(events)
		}
		sent = last
		if !more {
			sent = max(target, last)
		}
	}
}

// changes returns, as events, the next page of what changed after a position.
func (f *Feed) changes(ctx context.Context, after uint64) (events []byte, last uint64, more bool, err error) {
	changed, err := f.queries.Changed(ctx, after, feedPage)
	if err != nil {
		return nil, after, false, err
	}
	var b bytes.Buffer
	last = after
	for i := range changed {
		if err := writeIncident(&b, &changed[i]); err != nil {
			return nil, after, false, err
		}
		last = changed[i].Seq
	}
	return b.Bytes(), last, len(changed) == feedPage, nil
}

// resync tells a browser to read the list again.
var resync = []byte("event: resync\ndata: {}\n\n")

func writeIncident(b *bytes.Buffer, in *incident.Incident) error {
	data, err := json.Marshal(summary(*in))
	if err != nil {
		return fmt.Errorf("encoding incident %s: %w", in.ID, err)
	}
	fmt.Fprintf(b, "event: incident\nid: %d\ndata: %s\n\n", in.Seq, data)
	return nil
}

// summary leaves out what lists do not show.
func summary(in incident.Incident) incident.Incident {
	in.Causes = nil
	return in
}

// moment is the server's clock, as the pages carry it on.
type moment struct {
	Now   time.Time `json:"now"`
	Speed float64   `json:"speed"`
}

func (f *Feed) tick() []byte {
	data, err := json.Marshal(moment{f.clock.Now(), f.clock.Speed()})
	if err != nil {
		return nil
	}
	return []byte("event: tick\ndata: " + string(data) + "\n\n")
}

func (f *Feed) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.browsers) > 0
}

// fanOut hands an event to every browser without waiting for any.
func (f *Feed) fanOut(event []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for b := range f.browsers {
		select {
		case b.events <- event:
			continue
		default:
		}
		f.resyncs.Inc()
		for len(b.events) > 0 {
			select {
			case <-b.events:
			default:
			}
		}
		b.events <- resync // there is room: only this goroutine sends
	}
}

// join adds a browser; false when there are too many or the feed has ended.
func (f *Feed) join() (*browser, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.browsers) >= maxBrowsers {
		return nil, false
	}
	b := &browser{events: make(chan []byte, feedAhead)}
	f.browsers[b] = true
	f.watching.Inc()
	return b, true
}

func (f *Feed) leave(b *browser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.browsers[b] {
		delete(f.browsers, b)
		f.watching.Dec()
	}
}

func (f *Feed) letGo() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for b := range f.browsers {
		delete(f.browsers, b)
		f.watching.Dec()
		close(b.events)
	}
}
