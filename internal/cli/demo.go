package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/city"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// demoCmd runs the platform with a simulated town.
type demoCmd struct {
	Seed  uint64  `help:"Which town: the same seed gives the same town and the same events." default:"1"`
	Speed float64 `help:"How many seconds pass in the town in one of real life." default:"20"`
	Quiet bool    `help:"An everyday town, where little happens, instead of an eventful one."`
}

// demoMark is the file that tells a demonstration's data directory from a real one.
const demoMark = "DEMONSTRATION"

// Help adds to the command's help.
func (demoCmd) Help() string {
	return `A fictional town's alarm panels, homes, street sensors, cameras and network monitor
connect to the real ports and speak the real protocols. Its data is kept apart, in
bluelamp-demo unless --data is given; a later run goes on where the town left off.
Where the port of --mqtt or --intake is taken and was not chosen, a free one is used.`
}

// Run implements the command.
func (c demoCmd) Run(e *env) error {
	if c.Speed <= 0 || c.Speed > 1000 {
		return usagef("--speed must be above 0 and at most 1000")
	}
	conf := e.root.Config
	if err := conf.Check(); err != nil {
		return usageError{err}
	}
	if !e.given("data") {
		conf.Data = filepath.Join(filepath.Dir(conf.Data), "bluelamp-demo")
	}
	if err := c.claim(conf.Data); err != nil {
		return err
	}
	start, err := c.start(e, conf)
	if err != nil {
		return err
	}
	town := city.New(c.Seed)
	zeekDir := filepath.Join(conf.Data, "monitor")
	conf.Zeek = append(conf.Zeek, zeekDir)
	clk := clock.Scaled(start, c.Speed)
	taken := []string{elsewhere(&conf.MQTT, e.given("mqtt")), elsewhere(&conf.Intake, e.given("intake"))}
	a, err := app.New(e.ctx, conf, app.Options{Clock: clk, Logger: e.logger, Version: e.version, Demo: true, BaseMap: town.GeoJSON()})
	if err != nil {
		return err
	}
	defer a.Close()
	if err := settle(e.ctx, a.Registry(), town); err != nil {
		return err
	}
	scenario := city.Busy()
	if c.Quiet {
		scenario = city.Everyday()
	}
	g, ctx := errgroup.WithContext(e.ctx)
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error {
		if err := waitReady(ctx, a); err != nil {
			return nil
		}
		if err := welcome(e, a); err != nil {
			return err
		}
		for i, addr := range []string{a.MQTTAddr(), a.IntakeURL()} {
			if taken[i] != "" {
				fmt.Fprintf(e.Out, "  %s is taken: devices use %s instead.\n\n", taken[i], addr)
			}
		}
		return town.Run(ctx, city.Config{
			Clock: clk, From: start, DC09: a.DC09Addr(), MQTT: a.MQTTAddr(), Intake: a.IntakeURL(), ZeekDir: zeekDir, Scenario: scenario, Logger: e.logger,
		})
	})
	return g.Wait()
}

// settle puts the town into the registry, as far as it is not there.
func settle(ctx context.Context, reg *registry.Registry, town *city.Town) error {
	const by = "demonstration"
	if len(reg.All()) == 0 {
		if err := reg.Put(ctx, by, town.Premises()...); err != nil {
			return fmt.Errorf("putting the town into the registry: %w", err)
		}
	}
	devices := town.Devices()
	if _, err := reg.Device(devices[0].ID); err == nil {
		return nil
	}
	if err := reg.Put(ctx, by, town.Homes()...); err != nil {
		return fmt.Errorf("putting the town's homes into the registry: %w", err)
	}
	if err := reg.PutDevices(ctx, by, devices...); err != nil {
		return fmt.Errorf("putting the town's devices into the registry: %w", err)
	}
	return nil
}

// elsewhere moves a listening address that nobody chose to a free port where its
// own is taken, and returns the taken one: a demonstration is to start beside
// whatever runs already.
func elsewhere(addr *string, chosen bool) (taken string) {
	if *addr == "" || chosen {
		return ""
	}
	ln, err := net.Listen("tcp", *addr)
	if err == nil {
		_ = ln.Close()
		return ""
	}
	taken = *addr
	host, _, _ := net.SplitHostPort(taken)
	*addr = net.JoinHostPort(host, "0")
	return taken
}

// claim marks the data directory as a demonstration's, and refuses a real one.
func (c demoCmd) claim(dir string) error {
	mark := filepath.Join(dir, demoMark)
	want := fmt.Sprintf("seed %d\n", c.Seed)
	have, err := os.ReadFile(mark)
	switch {
	case err == nil && string(have) != want:
		return fmt.Errorf("%s holds another town (%.40q): use its --seed, give another --data, or remove the directory", dir, have)
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("looking at the data directory: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "log")); err == nil {
		return fmt.Errorf("%s holds real data: a demonstration needs a directory of its own (--data)", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	return os.WriteFile(mark, []byte(want), 0o600)
}

// start is the town's time now: a Friday evening, or where an earlier run ended.
func (c demoCmd) start(e *env, conf app.Config) (time.Time, error) {
	start := time.Date(2026, time.November, 6, 18, 30, 0, 0, time.UTC)
	log, err := bus.Open(e.ctx, logConfig(e, conf, false))
	if err != nil {
		return start, err
	}
	defer log.Close()
	last, err := log.Last(e.ctx, bus.Observations)
	if err != nil || last == 0 {
		return start, err
	}
	rec, err := log.Get(e.ctx, bus.Observations, last)
	if err != nil {
		return start, err
	}
	var o struct {
		Received time.Time `json:"received"`
	}
	if err := json.Unmarshal(rec.Data, &o); err != nil {
		return start, fmt.Errorf("reading the town's newest observation: %w", err)
	}
	return o.Received.Add(time.Second), nil
}

func waitReady(ctx context.Context, a *app.App) error {
	for a.Ready() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
