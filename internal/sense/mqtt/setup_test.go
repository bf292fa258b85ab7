package mqtt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// words is a dialect for tests: a payload is a word, "bad" cannot be read, and
// what is below cmd/ says nothing.
type words struct {
	mu         sync.Mutex
	remembered []string
}

func (*words) Name() string              { return "words" }
func (*words) Matches(topic string) bool { return !strings.HasPrefix(topic, "nowhere/") }

func (*words) Observe(m *sense.Message) ([]*event.Observation, error) {
	switch {
	case strings.HasPrefix(m.Topic, "cmd/"), len(m.Payload) == 0:
		return nil, nil
	case string(m.Payload) == "bad":
		return nil, fmt.Errorf("%w: it says bad", sense.ErrUnreadable)
	}
	text := string(m.Payload)
	return []*event.Observation{{
		Kind: event.KindState, Reading: &event.Reading{Property: event.Condition, Channel: m.Topic, State: text[:min(len(text), 64)]},
	}}, nil
}

func (w *words) Remember(m *sense.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remembered = append(w.remembered, m.Device.ID+"|"+m.Topic+"|"+string(m.Payload))
}

// secretOf is the secret of a test's device.
func secretOf(id string) string { return "secret-of-" + id }

func device(id string) registry.Device {
	return registry.Device{ID: id, Name: id, Kind: "hub", Credentials: []registry.Credential{registry.NewCredential(secretOf(id), time.Time{}, nil)}}
}

// station is a gateway with everything that it stands on.
type station struct {
	tb    testing.TB
	dir   string
	log   *bus.Log
	reg   *registry.Registry
	in    *sense.Intake
	words *words
	gw    *mqtt.Gateway
	met   *prometheus.Registry

	stop  context.CancelFunc
	done  chan error
	close func()
}

// setting is what a test wants otherwise.
type setting struct {
	cfg     mqtt.Config
	dir     string
	reserve int64
	devices []registry.Device // besides hub-1 and hub-2
	dialect sense.Dialect
}

func start(tb testing.TB, s setting) *station {
	tb.Helper()
	ctx := context.Background()
	st := &station{tb: tb, dir: s.dir, words: &words{}, met: prometheus.NewRegistry()}
	if st.dir == "" {
		st.dir = tb.TempDir()
	}
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("VERBOSE") != "" {
		logger = slog.New(slog.NewTextHandler(tb.Output(), nil))
	}
	var err error
	if st.log, err = bus.Open(ctx, bus.Config{Dir: st.dir, Reserve: s.reserve, Logger: logger, Metrics: st.met}); err != nil {
		tb.Fatal(err)
	}
	st.close = sync.OnceFunc(st.log.Close)
	tb.Cleanup(st.close)
	sealer, err := seal.Open(st.dir)
	if err != nil {
		tb.Fatal(err)
	}
	if st.reg, err = registry.New(ctx, st.log, sealer, clock.Wall(), logger); err != nil {
		tb.Fatal(err)
	}
	if len(st.reg.Devices()) == 0 {
		if err := st.reg.PutDevices(ctx, "test", append(s.devices, device("hub-1"), device("hub-2"))...); err != nil {
			tb.Fatal(err)
		}
	}
	st.in = sense.NewIntake(st.log, clock.Wall(), st.reg, logger, st.met)
	var d sense.Dialect = st.words
	if s.dialect != nil {
		d = s.dialect
	}
	s.cfg.Dialects = []sense.Dialect{d}
	if s.cfg.TCP == "" {
		s.cfg.TCP = "127.0.0.1:0"
	}
	if st.gw, err = mqtt.New(s.cfg, st.reg, sense.NewSwitchboard(st.in, d), st.in, st.log, logger, st.met); err != nil {
		tb.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	st.stop, st.done = stop, make(chan error, 1)
	go func() { st.done <- st.gw.Run(run) }()
	tb.Cleanup(st.halt)
	return st
}

// halt stops the gateway and leaves the log open.
func (st *station) halt() {
	st.tb.Helper()
	if st.stop == nil {
		return
	}
	st.stop()
	st.stop = nil
	select {
	case err := <-st.done:
		if err != nil {
			st.tb.Errorf("Run: %v", err)
		}
	case <-time.After(20 * time.Second):
		st.tb.Error("Run did not return")
	}
}

// restart brings a station up on the same data.
func (st *station) restart(s setting) *station {
	st.tb.Helper()
	st.halt()
	st.close()
	s.dir = st.dir
	return start(st.tb, s)
}

// options are those of a device's client.
func (st *station) options(device, client string) mqttclient.Options {
	return mqttclient.Options{Addr: st.gw.Addr(), ID: client, User: device, Password: secretOf(device), Clean: true, Timeout: 5 * time.Second}
}

func (st *station) dial(o mqttclient.Options) *mqttclient.Client {
	st.tb.Helper()
	c, err := mqttclient.Dial(context.Background(), o)
	if err != nil {
		st.tb.Fatal(err)
	}
	st.tb.Cleanup(func() { _ = c.Drop() })
	return c
}

// observed returns the observations on the log, as "kind device channel state".
func (st *station) observed() []string {
	st.tb.Helper()
	var out []string
	st.each(bus.Observations, func(data []byte) error {
		var o event.Observation
		err := json.Unmarshal(data, &o)
		line := string(o.Kind) + " " + o.Device
		if o.Reading != nil {
			line += " " + o.Reading.Channel + " " + o.Reading.State
		}
		if o.Misuse != nil {
			line += " " + o.Misuse.What
		}
		out = append(out, line)
		return err
	})
	return out
}

func (st *station) each(s bus.Stream, fn func([]byte) error) {
	st.tb.Helper()
	if err := st.log.Each(context.Background(), s, 0, func(r bus.Record) error { return fn(r.Data) }); err != nil {
		st.tb.Fatal(err)
	}
}

// count returns how often a line was observed.
func (st *station) count(line string) int {
	st.tb.Helper()
	n := 0
	for _, l := range st.observed() {
		if l == line {
			n++
		}
	}
	return n
}

// await waits until a line has been observed.
func (st *station) await(line string) {
	st.tb.Helper()
	eventually(st.tb, "observed: "+line, func() bool { return st.count(line) > 0 })
}

// metric returns the sum of a counter or gauge over the labels given in pairs.
func (st *station) metric(name string, labels ...string) float64 {
	st.tb.Helper()
	families, err := st.met.Gather()
	if err != nil {
		st.tb.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	next:
		for _, m := range f.GetMetric() {
			for i := 0; i < len(labels); i += 2 {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				}
				if !found {
					continue next
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// get reads the next packet and wants it to be of a type with a code.
func get(tb testing.TB, c *mqttclient.Client, kind, code byte) mqttclient.Packet {
	tb.Helper()
	p, err := c.Get()
	if err != nil {
		tb.Fatalf("waiting for a packet of type %d: %v", kind, err)
	}
	if p.Type != kind || p.Code != code {
		tb.Fatalf("got type %d code 0x%02x, want type %d code 0x%02x", p.Type, p.Code, kind, code)
	}
	return p
}

// closed wants the gateway to have closed the connection without a packet.
func closed(tb testing.TB, c *mqttclient.Client) {
	tb.Helper()
	p, err := c.Get()
	var timeout interface{ Timeout() bool }
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		tb.Fatalf("got %+v, %v, want a closed connection", p, err)
	}
}

// eventually waits for a condition that another goroutine brings about.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for range 2000 {
		if cond() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	tb.Fatalf("still not so after 10 s: %s", what)
}

// program finds a program that a test needs.
func program(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("BLUELAMP_REQUIRE_ALL") != "" {
			tb.Fatalf("%s is not installed, and BLUELAMP_REQUIRE_ALL is set", name)
		}
		tb.Skipf("%s is not installed", name)
	}
	return path
}
