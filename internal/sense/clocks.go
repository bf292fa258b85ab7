package sense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Clocks knows by how much each device's clock is wrong, and corrects by it what
// the intake takes in. Devices that have not been heard for long are forgotten
// where there are very many.
type Clocks struct {
	log    *bus.Log
	logger *slog.Logger

	loading sync.Mutex
	loaded  bool

	mu  sync.Mutex
	now map[deviceKey]*drift // this generation
	old map[deviceKey]*drift // the one before
}

func newClocks(log *bus.Log, logger *slog.Logger) *Clocks {
	return &Clocks{log: log, logger: logger, now: map[deviceKey]*drift{}}
}

// take learns from an observation that was heard at a time, and corrects it.
func (c *Clocks) take(o *event.Observation, heard time.Time) {
	if o.DeviceTime == nil {
		return
	}
	if o.Edge != nil && !o.Edge.Received.IsZero() {
		heard = o.Edge.Received // its delay on the way from there says nothing
	}
	lead := o.DeviceTime.Sub(heard)
	if lead.Abs() > ClockLost {
		if o.Time.Equal(*o.DeviceTime) {
			o.Time = heard
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.drift(deviceKey{o.Source, o.Device})
	d.hear(lead, heard)
	d.correct(o, lead)
}

// drift returns a device's, for who holds the lock.
func (c *Clocks) drift(k deviceKey) *drift {
	if d := c.now[k]; d != nil {
		return d
	}
	d := c.old[k]
	if d == nil {
		d = &drift{}
	}
	if len(c.now) >= maxClocks {
		c.old, c.now = c.now, map[deviceKey]*drift{}
	}
	c.now[k] = d
	return d
}

// Error returns by how much a device's clock is ahead, as far as is known.
func (c *Clocks) Error(source, device string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := deviceKey{source, device}
	for _, m := range []map[deviceKey]*drift{c.now, c.old} {
		if d := m[k]; d != nil {
			return d.Error
		}
	}
	return 0
}

// clockSaves is how often wrong clocks are saved.
const clockSaves = time.Minute

// clocksKey is where the log keeps what is known of clocks.
const clocksKey = "device-clocks"

// savedClock is one device's clock as the log holds it.
type savedClock struct {
	Source string `json:"source"`
	Device string `json:"device"`
	drift
}

// Load takes up what was saved, once. What has been heard already counts for
// more.
func (c *Clocks) Load(ctx context.Context) error {
	c.loading.Lock()
	defer c.loading.Unlock()
	if c.loaded {
		return nil
	}
	data, err := c.log.Value(ctx, bus.Snapshots, clocksKey)
	if errors.Is(err, bus.ErrNotFound) {
		c.loaded = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the devices' clock errors: %w", err)
	}
	var saved []savedClock
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the devices' clock errors: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range saved {
		if k := (deviceKey{s.Source, s.Device}); c.now[k] == nil {
			d := s.drift
			*c.drift(k) = d
		}
	}
	c.loaded = true
	return nil
}

// Run takes up what was saved, unless Load has, and saves what is known of wrong
// clocks every while and at the end, when the context ends; it returns nil then.
// Right clocks need no saving.
func (c *Clocks) Run(ctx context.Context) error {
	if err := c.Load(ctx); err != nil && ctx.Err() == nil {
		c.logger.Warn("the devices' clock errors are found anew", "err", err)
	}
	every := time.NewTicker(clockSaves)
	defer every.Stop()
	for {
		ending := false
		select {
		case <-ctx.Done():
			ending = true
		case <-every.C:
		}
		if err := c.save(context.WithoutCancel(ctx)); err != nil {
			c.logger.Warn("the devices' clock errors cannot be saved: after a restart they are found anew", "err", err)
		}
		if ending {
			return nil
		}
	}
}

func (c *Clocks) save(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	c.mu.Lock()
	saved := []savedClock{}
	for _, m := range []map[deviceKey]*drift{c.old, c.now} {
		for k, d := range m {
			if d.Error.Abs() > ClockTolerance/2 && len(saved) < maxClocks {
				saved = append(saved, savedClock{k.source, k.device, *d})
			}
		}
	}
	c.mu.Unlock()
	data, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	return c.log.Put(ctx, bus.Snapshots, clocksKey, data)
}
