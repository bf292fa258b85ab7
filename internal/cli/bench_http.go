package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/webhook"
	"github.com/bluelamp/bluelamp/internal/sense/webhook/webhookclient"
)

// benchHTTP loads an HTTP intake: one of its own on a log on this disk, or one
// that runs.
type benchHTTP struct {
	Clients int // keep-alive connections, each of which waits for its answer
	Seconds int
	Size    int    // bytes of a body
	To      string // host:port of a running intake; empty: one of its own
	Device  string // to send for, with To
	Secret  string
	Topic   string // to send under, with To
	Dir     string // where to put the log of the measurement
	JSON    bool
}

// httpResult is what was measured.
type httpResult struct {
	Protocol string `json:"protocol"`
	Clients  int    `json:"clients"`
	Size     int    `json:"payload_bytes"`
	webhookclient.BenchResult
	Commits           float64 `json:"commits,omitempty"` // of observations to the log, each synced to disk once
	MessagesPerCommit float64 `json:"messages_per_commit,omitempty"`
}

// benchProgram is the mapping that reads the measurement's messages.
const benchProgram = `{"property": "contact", "state": body.state, "id": body.n, "time": body.ts}`

// Run implements the command.
func (c benchHTTP) Run(e *env) error {
	if c.Clients < 1 || c.Seconds < 1 || c.Size < 96 {
		return usagef("clients and seconds must be at least 1, the payload at least 96 bytes")
	}
	cfg := webhookclient.BenchConfig{
		Addr: c.To, Clients: c.Clients, Size: c.Size, Topic: c.Topic, Duration: time.Duration(c.Seconds) * time.Second,
		Senders: []webhookclient.Sender{{Device: c.Device, Secret: c.Secret}},
	}
	if c.To == "" {
		return c.own(e, cfg)
	}
	if c.Device == "" || c.Topic == "" {
		return usagef("--to needs a device of that intake's registry, its secret, and a topic that is understood")
	}
	res, err := c.measure(e, cfg)
	if err != nil {
		return err
	}
	return c.print(e, httpResult{BenchResult: res})
}

// own measures an intake of its own: log, registry, switchboard, mapping and
// server. What reads the log afterwards is not part of it.
func (c benchHTTP) own(e *env, cfg webhookclient.BenchConfig) (err error) {
	log, dir, metrics, done, err := benchLog(e, c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	server, err := c.intake(e, dir, log, metrics, &cfg)
	if err != nil {
		return err
	}
	var res webhookclient.BenchResult
	g, ctx := errgroup.WithContext(e.ctx)
	run, stop := context.WithCancel(ctx)
	g.Go(func() error { return server.Run(run) })
	g.Go(func() (err error) {
		defer stop()
		res, err = c.measure(e, cfg)
		return err
	})
	if err := errors.Join(g.Wait(), e.ctx.Err()); err != nil {
		return err
	}
	commits := counter(metrics, "bluelamp_log_commits_total", "stream", bus.Observations.Name)
	return c.print(e, httpResult{BenchResult: res, Commits: commits, MessagesPerCommit: float64(res.Acked) / max(commits, 1)})
}

// intake makes an intake with a device for each client.
func (c benchHTTP) intake(e *env, dir string, log *bus.Log, metrics prometheus.Registerer, cfg *webhookclient.BenchConfig) (*webhook.Server, error) {
	sealer, err := seal.Open(dir)
	if err != nil {
		return nil, err
	}
	clk := clock.Wall()
	reg, err := registry.New(e.ctx, log, sealer, clk, e.quiet())
	if err != nil {
		return nil, err
	}
	maps, err := mapping.Open(e.ctx, log, clk, e.quiet())
	if err != nil {
		return nil, err
	}
	if cfg.Senders, err = benchSenders(e.ctx, reg, maps, c.Clients, c.Size); err != nil {
		return nil, err
	}
	cfg.Topic = "json/bench"
	in := sense.NewIntake(log, clk, reg, e.quiet(), metrics)
	s, err := webhook.New(webhook.Config{Addr: "127.0.0.1:0"}, sense.NewSwitchboard(in, mapping.NewDialect(maps)), in, reg, e.quiet(), metrics)
	if err != nil {
		return nil, err
	}
	cfg.Addr = s.Addr()
	return s, nil
}

// benchSenders enrols devices without practical limits, and has a mapping read
// what they send.
func benchSenders(ctx context.Context, reg *registry.Registry, maps *mapping.Catalogue, n, size int) ([]webhookclient.Sender, error) {
	var senders []webhookclient.Sender
	var devices []registry.Device
	for i := range n {
		s := webhookclient.Sender{Device: fmt.Sprintf("bench-%d", i), Secret: rand.Text()}
		senders = append(senders, s)
		devices = append(devices, benchDevice(s.Device, s.Secret, size))
	}
	if err := reg.PutDevices(ctx, "bench", devices...); err != nil {
		return nil, err
	}
	v, err := maps.Draft(ctx, "bench", benchProgram, "bench", "")
	if err != nil {
		return nil, err
	}
	return senders, maps.Live(ctx, "bench", v.Number, "bench", "")
}

// measure sends, and says on a terminal how far it is.
func (c benchHTTP) measure(e *env, cfg webhookclient.BenchConfig) (webhookclient.BenchResult, error) {
	bar := newProgress(e.Err)
	defer bar.done()
	start := time.Now()
	cfg.Progress = func(acked int64) {
		bar.say("%.0f of %d s, %d acknowledged", time.Since(start).Seconds(), c.Seconds, acked)
	}
	return webhookclient.Bench(e.ctx, cfg)
}

func (c benchHTTP) print(e *env, r httpResult) error {
	r.Protocol, r.Clients, r.Size = "http", c.Clients, c.Size
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(r)
	}
	fmt.Fprintf(e.Out, "%.0f messages a second acknowledged after they were on disk (%d in %v, %d clients, %d bytes each)\n",
		r.PerSecond, r.Acked, r.Elapsed.Round(time.Millisecond), r.Clients, r.Size)
	fmt.Fprintf(e.Out, "latency: p50 %v, p99 %v, p99.9 %v, most %v\n", r.P50, r.P99, r.P999, r.Max)
	if r.Commits > 0 {
		fmt.Fprintf(e.Out, "commits: %.0f, each synced once; %.1f messages a commit\n", r.Commits, r.MessagesPerCommit)
	}
	if bad := r.Refused + r.Errors; bad > 0 {
		fmt.Fprintf(e.Out, "not acknowledged: %d refused, %d connections broke, the last: %s\n", r.Refused, r.Errors, r.LastError)
	}
	return nil
}
