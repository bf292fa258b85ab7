package dc09_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

const secret = "AAAAAAAAAAAAAAAA"

func testKey(tb testing.TB) *codec.Key {
	tb.Helper()
	k, err := codec.NewKey([]byte(secret))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// station is a receiver with everything that it stands on.
type station struct {
	tb   testing.TB
	dir  string
	log  *bus.Log
	reg  *registry.Registry
	clk  *clock.Clock
	in   *sense.Intake
	rcv  *dc09.Receiver
	met  *prometheus.Registry
	said *lines

	stop  context.CancelFunc
	done  chan error
	close func() // the log
}

// setting is what a test wants otherwise.
type setting struct {
	cfg     dc09.Config
	clk     *clock.Clock
	dir     string
	reserve int64
}

// start brings a station up. The registry holds the accounts of the sample
// frames: AAAB and 5678 with a key, 1234, AAA, 123456 and 12345A without.
func start(tb testing.TB, s setting) *station {
	tb.Helper()
	st := open(tb, s)
	st.serve(s.cfg)
	return st
}

func open(tb testing.TB, s setting) *station {
	tb.Helper()
	ctx := context.Background()
	st := &station{tb: tb, dir: s.dir, clk: s.clk, met: prometheus.NewRegistry(), said: &lines{}}
	if st.dir == "" {
		st.dir = tb.TempDir()
	}
	if st.clk == nil {
		st.clk = clock.Wall()
	}
	logger := slog.New(slog.NewTextHandler(st.said, nil))
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
	if st.reg, err = registry.New(ctx, st.log, sealer, st.clk, logger); err != nil {
		tb.Fatal(err)
	}
	if len(st.reg.All()) == 0 && s.reserve == 0 {
		if err := st.reg.Put(ctx, "test", premises()...); err != nil {
			tb.Fatal(err)
		}
	}
	st.in = sense.NewIntake(st.log, st.clk, nil, logger, st.met)
	return st
}

func premises() []registry.Premises {
	ps := []registry.Premises{{
		ID: "shop", Name: "Corner shop", Place: place.Point{Lat: 54.5, Lon: 2.5},
		Accounts: []registry.Account{
			{Number: "1234", Class: "SP4", Zones: map[string]registry.Zone{"003": {Name: "Back door", Kind: event.ZonePerimeter}}},
			{Number: "AAAB", Class: "SP4", Key: []byte(secret)},
			{Number: "5678", Class: "SP4", Key: []byte(secret)},
			{Number: "AAA", Class: "none"},
			{Number: "123456", Class: "none"},
			{Number: "12345A", Class: "none"},
		},
	}}
	bench := registry.Premises{ID: "many", Name: "Many", Place: place.Point{Lat: 54.6, Lon: 2.6}}
	for _, n := range benchAccounts {
		bench.Accounts = append(bench.Accounts, registry.Account{Number: n, Class: "none"})
	}
	return append(ps, bench)
}

var benchAccounts = func() (out []string) {
	for i := range 64 {
		out = append(out, fmt.Sprintf("9%03d", i))
	}
	return out
}()

func (st *station) serve(cfg dc09.Config) {
	st.tb.Helper()
	if cfg.TCP == "" && cfg.UDP == "" {
		cfg.TCP, cfg.UDP = "127.0.0.1:0", "127.0.0.1:0"
	}
	var err error
	if st.rcv, err = dc09.New(cfg, st.in, st.reg, st.log, slog.New(slog.NewTextHandler(st.said, nil)), st.met); err != nil {
		st.tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	st.stop, st.done = stop, make(chan error, 1)
	go func() { st.done <- st.rcv.Run(ctx) }()
	st.tb.Cleanup(st.halt)
}

// halt stops the receiver and leaves the log open.
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

func (st *station) addr(network string) string {
	if network == "udp" {
		return st.rcv.UDPAddr()
	}
	return st.rcv.TCPAddr()
}

func (st *station) dial(network string) *dc09client.Client {
	st.tb.Helper()
	c, err := dc09client.Dial(context.Background(), st.addr(network), network)
	if err != nil {
		st.tb.Fatal(err)
	}
	st.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// observations returns what the log holds, in order.
func (st *station) observations() []event.Observation {
	st.tb.Helper()
	var out []event.Observation
	st.each(bus.Observations, func(data []byte) error {
		var o event.Observation
		err := json.Unmarshal(data, &o)
		out = append(out, o)
		return err
	})
	return out
}

// quarantine returns the reasons on the log, in order, and the last entry.
func (st *station) quarantine() (reasons []string, last event.Quarantined) {
	st.tb.Helper()
	st.each(bus.Quarantine, func(data []byte) error {
		last = event.Quarantined{}
		err := json.Unmarshal(data, &last)
		reasons = append(reasons, last.Reason)
		return err
	})
	return reasons, last
}

func (st *station) each(s bus.Stream, fn func([]byte) error) {
	st.tb.Helper()
	if err := st.log.Each(context.Background(), s, 0, func(r bus.Record) error { return fn(r.Data) }); err != nil {
		st.tb.Fatal(err)
	}
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

// lines is a log that a test can read.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// wire gives a body, such as "NULL"0001L0#1234[], its checksum and length.
func wire(body string) string {
	return fmt.Sprintf("\n%04X%04X%s\r", codec.Checksum([]byte(body)), len(body), body)
}

// spec encodes a frame as a person writes it.
func spec(tb testing.TB, s string, seq uint16, at time.Time, key *codec.Key) string {
	tb.Helper()
	f, err := codec.ParseSpec(s)
	if err != nil {
		tb.Fatal(err)
	}
	f.Sequence, f.Time = seq, at
	b, err := codec.Encode(nil, &f, key, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
