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

// benchIngestCmd loads a way in.
type benchIngestCmd struct {
	Protocol string `help:"Protocol of the senders: ${enum}." enum:"dc09,mqtt,http" default:"dc09"`
	Clients  *int   `help:"Connections that send at once; by default 64, for mqtt 1000." placeholder:"N"`
	Window   *int   `help:"Messages that each has under way; by default 1, which waits for each acknowledgement, as panels do; for mqtt 10." placeholder:"N"`
	Seconds  int    `help:"How long to send." default:"10"`
	Size     int    `help:"Bytes of a message, for mqtt and http." default:"256"`
	QoS      byte   `name:"qos" help:"MQTT's quality of service: 1 or 2." default:"1"`
	Peer     string `help:"Load this program afterwards, for comparison, with mqtt: ${enum}." enum:",mosquitto" default:"" placeholder:"mosquitto"`
	To       string `help:"host:port of a running platform, where every message counts as real; by default one is started for the purpose, with its log on this disk." placeholder:"HOST:PORT"`
	Account  string `help:"Alarm account or device to send for, with --to." placeholder:"NUMBER|ID"`
	Key      string `help:"AES key of the account in hexadecimal, or the device's secret, with --to." placeholder:"HEX|SECRET"`
	Topic    string `help:"Topic to send under, with --to and http." placeholder:"TOPIC"`
	Dir      string `help:"Where to put the log of the measurement." default:"." type:"path"`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c benchIngestCmd) Run(e *env) error {
	clients, window := 64, 1
	if c.Protocol == "mqtt" {
		clients, window = 1000, 10
	}
	if c.Clients != nil {
		clients = *c.Clients
	}
	if c.Window != nil {
		window = *c.Window
	}
	if clients < 1 || window < 1 || c.Seconds < 1 {
		return usagef("--clients, --window and --seconds must be at least 1")
	}
	switch c.Protocol {
	case "mqtt":
		return benchMQTT{
			Clients: clients, Window: window, Seconds: c.Seconds, QoS: c.QoS, Size: c.Size,
			Peer: c.Peer, To: c.To, Device: c.Account, Secret: c.Key, Dir: c.Dir, JSON: c.JSON,
		}.Run(e)
	case "http":
		return benchHTTP{
			Clients: clients, Seconds: c.Seconds, Size: c.Size, To: c.To, Device: c.Account, Secret: c.Key, Topic: c.Topic, Dir: c.Dir, JSON: c.JSON,
		}.Run(e)
	default:
		return c.dc09(e, clients, window)
	}
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

// dc09 loads the receiver of alarm panels.
func (c benchIngestCmd) dc09(e *env, clients, window int) error {
	cfg := dc09client.BenchConfig{
		Addr: c.To, Clients: clients, Window: window, Duration: time.Duration(c.Seconds) * time.Second,
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
	return c.print(e, ingestResult{Clients: clients, Window: window, BenchResult: res})
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
	conf = app.Config{Data: dir, Reserve: conf.Reserve, Zone: conf.Zone, LogLevel: conf.LogLevel, CAPSender: conf.CAPSender, CAPName: conf.CAPName}
	conf.DC09TCP = "127.0.0.1:0"
	a, err := app.New(e.ctx, conf, app.Options{Clock: clock.Wall(), Logger: e.quiet(), Version: e.version})
	if err != nil {
		return err
	}
	defer a.Close()
	for i := range cfg.Clients {
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
		Clients: cfg.Clients, Window: cfg.Window,
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
	r.Protocol = c.Protocol
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
