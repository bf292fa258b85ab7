package cap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Timing and bounds of a poller.
const (
	DefaultEvery = time.Minute
	minEvery     = 10 * time.Second // what a stranger's server can be asked
	maxFeeds     = 100
	maxAtOnce    = 200 // new messages of one look; the others wait for the next
	slowest      = time.Hour
)

// PollerConfig says which feeds are asked.
type PollerConfig struct {
	Feeds []string      // addresses of Atom or RSS feeds
	Hosts []string      // other hosts, host or host:port, to which their links may lead
	Every time.Duration // 0: DefaultEvery
	// Transport is for tests; nil: the usual one.
	Transport http.RoundTripper

	eager bool // a test's pace
}

// Poller asks feeds of warnings again and again. It remembers on the log what it
// has seen of each, so that a restart observes nothing twice.
type Poller struct {
	cfg    PollerConfig
	feeds  []*follower
	log    *bus.Log
	in     *sense.Intake
	reader *Reader
	logger *slog.Logger
}

// NewPoller returns a poller that reads with r.
func NewPoller(cfg PollerConfig, r *Reader, log *bus.Log, in *sense.Intake, logger *slog.Logger) (*Poller, error) {
	if cfg.Every == 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Every < minEvery && !cfg.eager {
		return nil, fmt.Errorf("feeds of warnings cannot be asked every %v: %v at least", cfg.Every, minEvery)
	}
	if len(cfg.Feeds) > maxFeeds {
		return nil, fmt.Errorf("%d feeds of warnings, at most %d can be asked", len(cfg.Feeds), maxFeeds)
	}
	p := &Poller{cfg: cfg, log: log, in: in, reader: r, logger: logger}
	for _, feed := range cfg.Feeds {
		f, err := newFetcher(feed, cfg.Hosts, cfg.Transport)
		if err != nil {
			return nil, err
		}
		p.feeds = append(p.feeds, &follower{Poller: p, fetcher: f, name: f.base.Redacted()})
	}
	return p, nil
}

// Run asks the feeds until the context ends, and returns nil then.
func (p *Poller) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, f := range p.feeds {
		wg.Go(func() {
			if err := f.run(ctx); err != nil && ctx.Err() == nil {
				p.logger.Error("a feed of warnings is not followed any more: restart when it is mended", "feed", f.name, "err", err)
			}
		})
	}
	<-ctx.Done()
	return nil
}

// follower follows one feed.
type follower struct {
	*Poller
	fetcher *fetcher
	name    string

	memory *memory
	known  map[event.ID]bool // observed since the memory was saved
	failed int               // looks in a row
}

func (f *follower) run(ctx context.Context) (err error) {
	if f.memory, f.known, err = recall(ctx, f.log, f.name); err != nil {
		return err
	}
	for {
		err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if f.failed++; f.failed == 1 {
				f.logger.Warn("a feed of warnings cannot be read; it is tried again", "feed", f.name, "err", err)
			}
		default:
			if f.failed > 0 {
				f.logger.Info("a feed of warnings can be read again", "feed", f.name, "failures", f.failed)
			}
			f.failed = 0
		}
		wait := time.NewTimer(min(f.cfg.Every<<min(f.failed, 6), max(slowest, f.cfg.Every)))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
}

// look asks the feed once, and observes what is new in it, the oldest first.
func (f *follower) look(ctx context.Context) error {
	feed, now, err := f.fetcher.feed(ctx, f.memory.marks)
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	var fresh []*codec.Entry
	for i := range feed.Entries {
		e := &feed.Entries[i]
		k := keyOf(e)
		if _, seen := f.memory.Seen[k]; !seen && !listed[k] {
			fresh = append(fresh, e)
		}
		listed[k] = true
	}
	// Feeds list the newest first. Those without a time stay in that order, turned.
	slices.Reverse(fresh)
	slices.SortStableFunc(fresh, func(a, b *codec.Entry) int { return a.Updated.Compare(b.Updated) })
	whole := len(fresh) <= maxAtOnce
	fresh = fresh[:min(len(fresh), maxAtOnce)]
	for _, e := range fresh {
		ok, err := f.take(ctx, e)
		if err != nil {
			return err
		}
		whole = whole && ok
	}
	f.memory.tidy(listed, f.in.Now())
	if !whole {
		now = marks{} // there is more to be had, even if the feed stays as it is
	}
	if len(fresh) == 0 && now == f.memory.marks {
		return nil
	}
	f.memory.marks = now
	if err := f.memory.save(ctx, f.log, f.name); err != nil {
		return fmt.Errorf("saving what has been seen of it: %w", err)
	}
	clear(f.known)
	return nil
}

// take observes an entry's message, and reports whether the entry is done with.
// It returns an error only when the log cannot be written.
func (f *follower) take(ctx context.Context, e *codec.Entry) (bool, error) {
	key, doc := keyOf(e), e.Data
	if doc == nil {
		var err error
		if doc, err = f.fetcher.message(ctx, e.Link); err != nil {
			if f.memory.Tries[key]++; f.memory.Tries[key] < maxTries {
				return false, ctx.Err()
			}
			return f.refuse(ctx, key, "message of a feed not to be had", fmt.Sprintf("%.200q: %v", e.Link, err), []byte(e.Link))
		}
	}
	os, err := f.reader.Read(doc, f.name, f.in.Now())
	if err != nil {
		reason := "unreadable message"
		if errors.Is(err, ErrPolicy) {
			reason = "signature"
		}
		return f.refuse(ctx, key, reason, err.Error(), doc)
	}
	os = slices.DeleteFunc(os, func(o *event.Observation) bool { return f.known[o.ID] })
	for _, o := range os {
		o.Device = f.name
		f.known[o.ID] = true
	}
	if len(os) > 0 {
		err := bus.Insist(ctx, f.logger, "writing a warning", func() error { return f.in.ObserveAll(ctx, os...) })
		if err != nil {
			return false, err
		}
	}
	f.memory.done(key, f.in.Now())
	return true, nil
}

// refuse keeps a message in quarantine; it is done with only then.
func (f *follower) refuse(ctx context.Context, key, reason, detail string, what []byte) (bool, error) {
	if err := f.in.Quarantine(ctx, Source, f.name, reason, detail, what); err != nil {
		return false, err
	}
	f.memory.done(key, f.in.Now())
	return true, nil
}
