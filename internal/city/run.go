package city

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/clock"
)

// Config says where the town's devices report to.
type Config struct {
	// Clock is the town's time; what runs fast there happens fast here.
	Clock *clock.Clock
	// DC09 is the host and port of the alarm receiver, TCP and UDP. Empty: the
	// panels stay mute.
	DC09 string
	// MQTT is the host and port of the MQTT gateway. Empty: hubs, counters and
	// cameras stay mute.
	MQTT string
	// Intake is the URL of the HTTP intake, without a path. Empty: the network
	// servers stay mute.
	Intake string
	// ZeekDir is where the network monitor writes conn.log; it is made if
	// missing. Empty: no monitor.
	ZeekDir string
	// From is the town's time at which the script begins; zero: now. The same
	// seed, scenario and From give the same events.
	From time.Time
	// Scenario is how much happens; the zero value means Busy.
	Scenario Scenario
	// Progress, if set, counts what the devices do.
	Progress *Progress
	Logger   *slog.Logger

	// MaxConns bounds the connections open at once; 0 means DefaultMaxConns.
	MaxConns int
}

// Progress counts what the town's devices did. It may be read at any time.
type Progress struct {
	Sent         atomic.Uint64 // frames put on the wire, repeats included
	Acknowledged atomic.Uint64 // signals that the receiver took over
	Failed       atomic.Uint64 // signals given up: no reply, or DUH
	Repeated     atomic.Uint64 // frames sent again
	Refused      atomic.Uint64 // NAK: the panel set its clock
	Dropped      atomic.Uint64 // signals and messages that found their device's queue full
	Said         atomic.Uint64 // messages that the gateway or the intake took over
	Unsaid       atomic.Uint64 // messages given up
	Flows        atomic.Uint64 // connections written to conn.log
}

// Bounds and times of the devices.
const (
	DefaultMaxConns = 96

	panelQueue  = 64               // signals that wait in one panel
	attempts    = 4                // times that a frame is sent
	replyWait   = 20 * time.Second // of the town's time; see waitFor
	leastReply  = time.Second
	mostReply   = 20 * time.Second
	firstPause  = 250 * time.Millisecond // before a frame is sent again
	longestRest = 15 * time.Second       // between attempts while the receiver is away
	idleAfter   = 10 * time.Minute       // of the town's time: a kept connection is closed
)

// Run has the town's devices live by the clock until the context ends: panels
// report to the receiver, hubs publish, network servers post, the network monitor
// writes its log. A receiver that is
// away or busy is no error: panels try again, give up, and go on with what
// happens next. Run returns nil when the context ends, or the error that keeps
// the monitor from writing. It waits for all that it started.
func (t *Town) Run(ctx context.Context, cfg Config) error {
	if cfg.Clock == nil {
		return errors.New("running the town: no clock given")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Progress == nil {
		cfg.Progress = &Progress{}
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.Scenario.PerDay == nil {
		cfg.Scenario = Busy()
	}
	from := cfg.From
	if from.IsZero() {
		from = cfg.Clock.Now()
	}
	cfg.Logger.Info("the town wakes", "town", TownName, "seed", t.seed, "scenario", cfg.Scenario.Name,
		"buildings", len(t.buildings), "premises", len(t.sites), "panels", len(t.panels), "hubs", len(t.households),
		"radios", len(t.fix.radios), "speed", cfg.Clock.Speed())
	group, ctx := errgroup.WithContext(ctx)
	if cfg.DC09 != "" {
		group.Go(func() error { return t.playPanels(ctx, cfg, from) })
	}
	if cfg.MQTT != "" || cfg.Intake != "" {
		group.Go(func() error { return t.playDevices(ctx, cfg, from) })
	}
	if cfg.ZeekDir != "" {
		group.Go(func() error { return t.playNetwork(ctx, cfg, from) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("running the town: %w", err)
	}
	return nil
}

// playPanels hands each signal to its panel when its time has come.
func (t *Town) playPanels(ctx context.Context, cfg Config, from time.Time) error {
	var running sync.WaitGroup
	defer running.Wait()
	lines := &switchboard{open: make(chan struct{}, cfg.MaxConns), kept: make(chan struct{}, cfg.MaxConns/2)}
	panels := make(map[string]*device, len(t.panels))
	for _, p := range t.panels {
		d, err := newDevice(p, cfg, lines, firstSequence(t.seed, p.account, from))
		if err != nil {
			return err
		}
		panels[p.account] = d
		running.Go(func() { d.run(ctx) })
	}
	for s := range t.Script(from, cfg.Scenario) {
		if err := sleepUntil(ctx, cfg.Clock, s.At); err != nil {
			return err
		}
		select {
		case panels[s.Panel].queue <- s:
		default:
			// As with a real panel whose memory is full: the newest is lost.
			cfg.Progress.Dropped.Add(1)
		}
	}
	return nil
}

// firstSequence begins each run elsewhere: a receiver that remembers the last
// run would take a number used again for a repeat.
func firstSequence(seed uint64, account string, from time.Time) uint16 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %d", seed, account, from.UnixNano())
	return uint16(1 + h.Sum64()%9999)
}

// sleepUntil waits until the clock shows at. It returns the context's error.
func sleepUntil(ctx context.Context, c *clock.Clock, at time.Time) error {
	for {
		left := at.Sub(c.Now())
		if left <= 0 {
			return ctx.Err()
		}
		// In steps: a day of the town's time may be more than a timer can hold.
		if err := pause(ctx, c.Real(min(left, time.Hour))); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// switchboard bounds the connections of all panels together. Kept ones may take
// half of them, so that those who call now and then get through.
type switchboard struct{ open, kept chan struct{} }
