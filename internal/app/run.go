package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Run runs the platform until the context ends, and returns nil then; or until a
// part fails, and returns its error.
//
// The stages come first and must have recovered before anything is taken in.
// Stopping goes the other way: the sources end and their last acknowledgements
// go out, then the pages, then the stages, which save their states.
func (a *App) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	inside := &parts{cancel: cancel}
	a.startStages(work, inside)
	a.startProjections(work, inside)
	inside.start("registry", func() error { return a.registry.Follow(work) })
	inside.start("quarantine", func() error { return a.quarantine.Run(work) })
	inside.start("retention", func() error { return a.keeper.Run(work) })
	if a.room != nil {
		a.room.start(work, inside)
	}

	if err := a.ready.wait(ctx); err == nil {
		outside, sources := errgroup.WithContext(ctx)
		a.startSources(sources, outside)
		if a.room != nil {
			outside.Go(func() error { return a.room.serve(sources) })
		}
		if err := outside.Wait(); err != nil {
			cancel(err)
		}
	}
	stopWork()
	inside.wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (a *App) startStages(ctx context.Context, ps *parts) {
	stages := []bus.Stage{a.panels.Stage(), a.pipeline.Stage(), a.desk.Stage()}
	a.ready.expect(stages)
	for _, st := range stages {
		ps.start(st.Name, func() error { return a.log.Run(ctx, st, func() { a.ready.recovered(st.Name) }) })
	}
}

func (a *App) startProjections(ctx context.Context, ps *parts) {
	for _, p := range Projections(a.logger) {
		// A database that is away for a while must not end the taking in of signals.
		ps.start(p.Name(), func() error {
			return bus.Insist(ctx, a.logger, "keeping the read model "+p.Name(), func() error { return a.db.Project(ctx, a.log, p, a.applied(p)) })
		})
	}
}

// applied is what is told when a read model has moved on.
func (a *App) applied(p store.Projection) func(uint64) {
	if a.room != nil && p.Stream() == bus.Incidents {
		return a.room.site.Feed().Notify
	}
	return nil
}

func (a *App) startSources(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error { return named("clock", sense.NewTicker(a.intake, a.logger).Run(ctx)) })
	g.Go(func() error { return named("DC-09 receiver", a.receiver.Run(ctx)) })
	a.sources.start(ctx, g)
}

func named(part string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	return nil
}

// parts are goroutines that end together: the first that fails stops the rest.
type parts struct {
	wg     sync.WaitGroup
	cancel context.CancelCauseFunc
}

func (p *parts) start(name string, run func() error) {
	p.wg.Go(func() {
		if err := named(name, run()); err != nil {
			p.cancel(err)
		}
	})
}

func (p *parts) wait() { p.wg.Wait() }

// readiness knows which stages have yet to recover.
type readiness struct {
	mu      sync.Mutex
	waiting map[string]bool
	changed chan struct{} // closed when the last has recovered
}

// expect names the stages that are waited for.
func (r *readiness) expect(stages []bus.Stage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting, r.changed = map[string]bool{}, make(chan struct{})
	for _, st := range stages {
		r.waiting[st.Name] = true
	}
}

func (r *readiness) recovered(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, name)
	if len(r.waiting) == 0 {
		close(r.changed)
	}
}

func (r *readiness) wait(ctx context.Context) error {
	r.mu.Lock()
	ch := r.changed
	r.mu.Unlock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ready reports why the platform does not take signals in now, or nil.
func (a *App) Ready() error {
	a.ready.mu.Lock()
	var names []string
	for n := range a.ready.waiting {
		names = append(names, n)
	}
	started := a.ready.changed != nil
	a.ready.mu.Unlock()
	if !started {
		return errors.New("starting")
	}
	if len(names) > 0 {
		return fmt.Errorf("recovering: %s", strings.Join(names, ", "))
	}
	return a.log.Ready()
}
