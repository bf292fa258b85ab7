package cli

import (
	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/clock"
)

// serveCmd runs the platform.
type serveCmd struct{}

// Run implements the command.
func (serveCmd) Run(e *env) error {
	a, err := app.New(e.ctx, e.root.Config, app.Options{Clock: clock.Wall(), Logger: e.logger, Version: e.version})
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(e.ctx)
}
