package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
)

// openLog opens the log for a command: its own, or that of the server which has
// the data directory open.
func openLog(e *env) (*bus.Log, error) {
	return bus.Open(e.ctx, logConfig(e, e.root.Config, true))
}

// openOldLog is openLog for commands that have nothing to do without a log: a
// mistyped directory must not become an empty one.
func openOldLog(e *env) (*bus.Log, error) {
	c := e.root.Config
	if c.NATS == "" {
		if _, err := os.Stat(filepath.Join(c.Data, "log")); err != nil {
			return nil, fmt.Errorf("%s holds no log: name the platform's data directory with --data", c.Data)
		}
	}
	return openLog(e)
}

func logConfig(e *env, c app.Config, attach bool) bus.Config {
	return bus.Config{Dir: c.Data, URL: c.NATS, Replicas: c.LogReplicas(), Attach: attach, Reserve: c.Reserve << 20, Logger: e.quiet()}
}

// rebuildCmd makes the read models anew.
type rebuildCmd struct{}

// Help adds to the command's help.
func (rebuildCmd) Help() string {
	return `The log is what counts and is not touched. A running server goes on working; its
pages fill again as the rebuild proceeds. Sign-in sessions are kept.`
}

// Run implements the command.
func (rebuildCmd) Run(e *env) error {
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	db, err := store.Open(e.ctx, e.root.Config.Database())
	if err != nil {
		return err
	}
	defer db.Close()
	start := time.Now()
	ps := app.Projections(e.logger)
	bar := newProgress(e.Err)
	err = db.Rebuild(e.ctx, log, ps, func(name string, pos, end uint64) {
		bar.say("%s: %.0f %%", name, 100*float64(pos)/float64(max(end, 1)))
	})
	bar.done()
	if err != nil {
		return fmt.Errorf("rebuilding the database: %w", err)
	}
	fmt.Fprintf(e.Out, "Rebuilt %d read models in %v.\n", len(ps), time.Since(start).Round(time.Millisecond))
	return nil
}
