package cli

import (
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/clock"
)

// serveCmd runs the platform.
type serveCmd struct{}

// Run implements the command.
func (serveCmd) Run(e *env) error {
	if e.root.Config.HTTP == "" {
		return usagef("--http is empty: the control room needs an address")
	}
	a, err := app.New(e.ctx, e.root.Config, app.Options{Clock: clock.Wall(), Logger: e.logger, Version: e.version})
	if err != nil {
		return err
	}
	defer a.Close()
	g, ctx := errgroup.WithContext(e.ctx)
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error {
		if err := waitReady(ctx, a); err != nil {
			return nil
		}
		return welcome(e, a)
	})
	return g.Wait()
}
