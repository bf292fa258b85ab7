package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// benchCmd measures.
type benchCmd struct {
	Ingest benchIngestCmd `cmd:"" help:"Measure how many signals a second are acknowledged after they are on disk."`
}

// benchIngestCmd loads the receiver.
type benchIngestCmd struct {
	Protocol string `help:"Protocol of the senders: ${enum}." enum:"dc09" default:"dc09"`
	Clients  int    `help:"Connections that send at once." default:"64"`
	Window   int    `help:"Signals that each has under way; 1 waits for each acknowledgement, as panels do." default:"1"`
	Seconds  int    `help:"How long to send." default:"10"`
	To       string `help:"host:port of a running receiver, where every signal counts as real; by default a whole platform is started for the purpose, with its log on this disk." placeholder:"HOST:PORT"`
	Account  string `help:"Account to send for, with --to." placeholder:"NUMBER"`
	Key      string `help:"AES key of the account in hexadecimal, with --to." placeholder:"HEX"`
	Dir      string `help:"Where to put the log of the measurement." default:"." type:"path"`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// ingestResult is what was measured.
type ingestResult struct {
	Protocol string `json:"protocol"`
	Clients  int    `json:"clients"`
	Window   int    `json:"window"`
	dc09client.BenchResult
	Commits          float64 `json:"commits,omitempty"` // of observations to the log, each synced to disk once
	CommitsPerSecond float64 `json:"commits_per_second,omitempty"`
	SignalsPerCommit float64 `json:"signals_per_commit,omitempty"`
}

// Run implements the command.
func (c benchIngestCmd) Run(e *env) error {
	cfg := dc09client.BenchConfig{
		Addr: c.To, Clients: c.Clients, Window: c.Window, Duration: time.Duration(c.Seconds) * time.Second,
	}
	if c.Clients < 1 || c.Window < 1 || c.Seconds < 1 {
		return usagef("--clients, --window and --seconds must be at least 1")
	}
	if c.To == "" {
		return c.own(e, cfg)
	}
	if c.Account == "" {
		return usagef("--to needs --account: an account in that receiver's registry")
	}
	cfg.Accounts = []string{c.Account}
	if c.Key != "" {
		key, err := codec.ParseKey(c.Key)
		if err != nil {
			return usagef("--key: %w", err)
		}
		cfg.Key = key
	}
	res, err := c.measure(e, cfg)
	if err != nil {
		return err
	}
	return c.print(e, ingestResult{BenchResult: res})
}

// own measures a platform of its own: receiver, log, detectors, incidents and
// database, all but the web.
func (c benchIngestCmd) own(e *env, cfg dc09client.BenchConfig) (err error) {
	dir, err := os.MkdirTemp(c.Dir, "bluelamp-bench-*")
	if err != nil {
		return fmt.Errorf("making a directory for the measurement: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	conf := e.root.Config
	conf.Data, conf.DB, conf.NATS, conf.HTTP, conf.Zeek = dir, "", "", "", nil
	conf.DC09TCP, conf.DC09UDP = "127.0.0.1:0", ""
	a, err := app.New(e.ctx, conf, app.Options{Clock: clock.Wall(), Logger: e.quiet(), Version: e.version})
	if err != nil {
		return err
	}
	defer a.Close()
	for i := range c.Clients {
		cfg.Accounts = append(cfg.Accounts, fmt.Sprintf("%04X", i+1))
	}
	if err := a.Registry().Put(e.ctx, "bench", benchPremises(cfg.Accounts)...); err != nil {
		return err
	}
	var res dc09client.BenchResult
	var commits float64
	g, ctx := errgroup.WithContext(e.ctx)
	run, stop := context.WithCancel(ctx)
	g.Go(func() error { return a.Run(run) })
	g.Go(func() (err error) {
		defer stop()
		if err := waitReady(ctx, a); err != nil {
			return nil // Run says why
		}
		cfg.Addr = a.DC09Addr()
		res, err = c.measure(e, cfg)
		commits = counter(a.Metrics(), "bluelamp_log_commits_total", "stream", "OBSERVATIONS")
		return err
	})
	if err := errors.Join(g.Wait(), e.ctx.Err()); err != nil {
		return err
	}
	return c.print(e, ingestResult{
		BenchResult: res, Commits: commits,
		CommitsPerSecond: commits / res.Elapsed.Seconds(), SignalsPerCommit: float64(res.Acked) / max(commits, 1),
	})
}

// measure sends, and says on a terminal how far it is.
func (c benchIngestCmd) measure(e *env, cfg dc09client.BenchConfig) (dc09client.BenchResult, error) {
	bar := newProgress(e.Err)
	defer bar.done()
	start := time.Now()
	cfg.Progress = func(acked int64) {
		bar.say("%.0f of %d s, %d acknowledged", time.Since(start).Seconds(), c.Seconds, acked)
	}
	return dc09client.Bench(e.ctx, cfg)
}

func benchPremises(accounts []string) []registry.Premises {
	ps := make([]registry.Premises, len(accounts))
	for i, n := range accounts {
		ps[i] = registry.Premises{
			ID: "bench-" + n, Name: "Bench " + n, Kind: "bench", Place: place.Point{Lat: 55 + float64(i)/1000, Lon: 3},
			Accounts: []registry.Account{{Number: n, Class: "none"}},
		}
	}
	return ps
}

// counter reads one counter of the metrics.
func counter(g prometheus.Gatherer, name, label, value string) float64 {
	families, err := g.Gather()
	if err != nil {
		return 0
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if hasLabel(m, label, value) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func hasLabel(m *dto.Metric, name, value string) bool {
	for _, l := range m.GetLabel() {
		if l.GetName() == name && l.GetValue() == value {
			return true
		}
	}
	return false
}

func (c benchIngestCmd) print(e *env, r ingestResult) error {
	r.Protocol, r.Clients, r.Window = c.Protocol, c.Clients, c.Window
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(r)
	}
	fmt.Fprintf(e.Out, "%.0f signals a second acknowledged after they were on disk (%d in %v, %d clients)\n",
		r.PerSecond, r.Acked, r.Elapsed.Round(time.Millisecond), r.Clients)
	fmt.Fprintf(e.Out, "latency: p50 %v, p99 %v, p99.9 %v, most %v\n", r.P50, r.P99, r.P999, r.Max)
	if r.Commits > 0 {
		fmt.Fprintf(e.Out, "commits: %.0f a second, each synced once; %.1f signals a commit\n", r.CommitsPerSecond, r.SignalsPerCommit)
	}
	if bad := r.NAK + r.DUH + r.Unanswered + r.Errors; bad > 0 {
		fmt.Fprintf(e.Out, "not acknowledged: %d NAK, %d DUH, %d without reply, %d connections broke %s\n", r.NAK, r.DUH, r.Unanswered, r.Errors, r.LastError)
	}
	return nil
}
