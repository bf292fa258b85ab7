package cli

import (
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
)

// openLog opens the log for a command: its own, or that of the server which has
// the data directory open.
func openLog(e *env) (*bus.Log, error) {
	c := e.root.Config
	return bus.Open(e.ctx, bus.Config{Dir: c.Data, URL: c.NATS, Attach: true, Reserve: c.Reserve << 20, Logger: e.logger})
}

// rebuildCmd makes the read models anew.
type rebuildCmd struct{}

// Help adds to the command's help.
func (rebuildCmd) Help() string {
	return "A running server goes on working; its pages fill again as the rebuild proceeds. Sign-in sessions are kept."
}

// Run implements the command.
func (rebuildCmd) Run(e *env) error {
	log, err := openLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	db, err := store.Open(e.ctx, e.root.Config.Database())
	if err != nil {
		return err
	}
	defer db.Close()
	var said time.Time
	start := time.Now()
	ps := app.Projections(e.logger)
	err = db.Rebuild(e.ctx, log, ps, func(name string, pos, end uint64) {
		if time.Since(said) > time.Second || pos >= end {
			said = time.Now()
			fmt.Fprintf(e.Err, "%-12s %5.1f %%\n", name, 100*float64(pos)/float64(max(end, 1)))
		}
	})
	if err != nil {
		return fmt.Errorf("rebuilding the database: %w", err)
	}
	fmt.Fprintf(e.Out, "Rebuilt %d read models in %v.\n", len(ps), time.Since(start).Round(time.Millisecond))
	return nil
}
