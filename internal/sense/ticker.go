package sense

import (
	"context"
	"log/slog"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Ticker puts a clock tick on the log every second, by which those who read
// observations know that time passes while nobody speaks.
type Ticker struct {
	in     *Intake
	logger *slog.Logger
}

// NewTicker returns a ticker that writes through in.
func NewTicker(in *Intake, logger *slog.Logger) *Ticker { return &Ticker{in: in, logger: logger} }

// fastestTick bounds the ticks of a clock that runs fast, in real time.
const fastestTick = 200 * time.Millisecond

// maxMissed is how many ticks may be missing until it counts as a gap.
const maxMissed = 10

// tickEvery is how often a tick comes, on the platform's clock.
func (in *Intake) tickEvery() time.Duration {
	return max(time.Second, time.Duration(float64(fastestTick)*in.clock.Speed()))
}

// tickGap is how long there can be no tick while the platform runs.
func (in *Intake) tickGap() time.Duration { return maxMissed * in.tickEvery() }

// Run ticks until the context ends, and returns nil then.
func (t *Ticker) Run(ctx context.Context) error {
	every := time.NewTicker(t.in.clock.Real(t.in.tickEvery()))
	defer every.Stop()
	stuck := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		now := t.in.Now()
		err := t.in.ObserveAll(ctx, &event.Observation{
			ID:   event.NewID("tick", now.Format(time.RFC3339Nano)),
			Kind: event.KindClockTick, Source: "clock", Device: "clock", Time: now,
		})
		if stuck != (err != nil) && ctx.Err() == nil {
			stuck = err != nil
			if stuck {
				t.logger.Error("clock ticks cannot be written: supervision and time windows wait", "err", err)
			} else {
				t.logger.Info("clock ticks can be written again")
			}
		}
	}
}
