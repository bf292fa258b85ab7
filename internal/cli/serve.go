package cli

import (
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/clock"
)

// serveCmd runs the platform.
type serveCmd struct{}

// Help adds to the command's help.
func (serveCmd) Help() string {
	return `The first start prints a link with which the first administrator is made. Alarm
panels are served on --dc09-tcp and --dc09-udp once their accounts are known: see
'bluelamp premises import'. Interrupt it (Ctrl-C or SIGTERM) to stop; it can be
killed at any time without losing what it has acknowledged.`
}

// Run implements the command.
func (serveCmd) Run(e *env) error {
	if e.root.Config.HTTP == "" {
		return usagef("--http is empty: the control room needs an address")
	}
	if err := e.root.Config.Check(); err != nil {
		return usageError{err}
	}
	if _, err := os.Stat(filepath.Join(e.root.Config.Data, demoMark)); err == nil {
		return usagef("%s holds a demonstration: give --data another directory", e.root.Config.Data)
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
