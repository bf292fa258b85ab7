package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// benchMQTT loads an MQTT gateway: one of its own on a log on this disk, one that
// runs, or a peer.
type benchMQTT struct {
	Clients int
	Window  int
	Seconds int
	QoS     byte
	Size    int    // bytes of payload
	Peer    string // "", or "mosquitto"
	To      string // host:port of a running gateway; empty: one of its own
	Device  string // to send for, with To
	Secret  string
	Dir     string // where to put what is written
	JSON    bool
}

// mqttResult is what was measured.
type mqttResult struct {
	Protocol string `json:"protocol"`
	Peer     string `json:"peer,omitempty"`
	Clients  int    `json:"clients"`
	Window   int    `json:"window"`
	QoS      byte   `json:"qos"`
	Size     int    `json:"payload_bytes"`
	mqttclient.BenchResult
	Commits           float64 `json:"commits,omitempty"`
	MessagesPerCommit float64 `json:"messages_per_commit,omitempty"`
}

// Run implements the command.
func (c benchMQTT) Run(e *env) error {
	if c.Clients < 1 || c.Window < 1 || c.Seconds < 1 || c.Size < 20 || c.QoS < 1 || c.QoS > 2 {
		return usagef("clients, window and seconds must be at least 1, the payload at least 20 bytes, QoS 1 or 2")
	}
	cfg := mqttclient.BenchConfig{
		Addr: c.To, Clients: c.Clients, Window: c.Window, QoS: c.QoS, Size: c.Size, Topic: mqttclient.BenchTopic,
		Duration: time.Duration(c.Seconds) * time.Second, Devices: []mqttclient.Login{{ID: c.Device, Secret: c.Secret}},
	}
	switch {
	case c.Peer == "mosquitto" && c.To == "":
		if err := c.own(e, cfg); err != nil {
			return err
		}
		return c.mosquitto(e, cfg)
	case c.Peer != "":
		return usagef("unknown peer %q: mosquitto, without --to", c.Peer)
	case c.To == "":
		return c.own(e, cfg)
	case c.Device == "":
		return usagef("--to needs a device of that gateway's registry, and its secret")
	}
	res, err := c.measure(e, cfg)
	if err != nil {
		return err
	}
	return c.print(e, mqttResult{BenchResult: res})
}

// own measures a gateway of its own: log, registry, switchboard and gateway.
// What reads the log afterwards is not part of it.
func (c benchMQTT) own(e *env, cfg mqttclient.BenchConfig) (err error) {
	log, dir, metrics, done, err := benchLog(e, c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	gw, err := c.gateway(e, dir, log, metrics, &cfg)
	if err != nil {
		return err
	}
	var res mqttclient.BenchResult
	g, ctx := errgroup.WithContext(e.ctx)
	run, stop := context.WithCancel(ctx)
	g.Go(func() error { return gw.Run(run) })
	g.Go(func() (err error) {
		defer stop()
		cfg.Addr = gw.Addr()
		res, err = c.measure(e, cfg)
		return err
	})
	if err := errors.Join(g.Wait(), e.ctx.Err()); err != nil {
		return err
	}
	commits := counter(metrics, "bluelamp_log_commits_total", "stream", bus.Observations.Name)
	return c.print(e, mqttResult{BenchResult: res, Commits: commits, MessagesPerCommit: float64(res.Acked) / max(commits, 1)})
}

// gateway makes a gateway with a device for each client.
func (c benchMQTT) gateway(e *env, dir string, log *bus.Log, metrics prometheus.Registerer, cfg *mqttclient.BenchConfig) (*mqtt.Gateway, error) {
	sealer, err := seal.Open(dir)
	if err != nil {
		return nil, err
	}
	reg, err := registry.New(e.ctx, log, sealer, clock.Wall(), e.quiet())
	if err != nil {
		return nil, err
	}
	cfg.Devices = nil
	var devices []registry.Device
	for i := range c.Clients {
		login := mqttclient.Login{ID: fmt.Sprintf("bench-%d", i), Secret: rand.Text()}
		cfg.Devices = append(cfg.Devices, login)
		devices = append(devices, benchDevice(login.ID, login.Secret, c.Size))
	}
	if err := reg.PutDevices(e.ctx, "bench", devices...); err != nil {
		return nil, err
	}
	in := sense.NewIntake(log, clock.Wall(), reg, e.quiet(), metrics)
	return mqtt.New(mqtt.Config{TCP: "127.0.0.1:0", MaxConns: c.Clients + 1, MaxConnsPerIP: c.Clients + 1}, reg,
		sense.NewSwitchboard(in, mqttclient.Dialect{}), in, log, e.quiet(), metrics)
}

// mosquittoConf lets anyone in, and keeps every message for a subscriber that is
// away: else there would be nothing for it to persist.
const mosquittoConf = `listener %d 127.0.0.1
allow_anonymous true
persistence true
persistence_location %s/
autosave_interval 1
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
log_type error
`

// mosquitto measures a mosquitto from PATH.
func (c benchMQTT) mosquitto(e *env, cfg mqttclient.BenchConfig) (err error) {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // where Debian puts it
	}
	dir, err := os.MkdirTemp(c.Dir, "mosquitto-bench-*")
	if err != nil {
		return fmt.Errorf("making a directory for the measurement: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return err
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, mosquittoConf, port, dir), 0o600); err != nil {
		return fmt.Errorf("configuring mosquitto: %w", err)
	}
	cmd := exec.CommandContext(e.ctx, path, "-c", conf)
	cmd.Stderr = e.Err
	if os.Geteuid() == 0 { // it would become another user, who cannot write there
		f, err := os.OpenFile(conf, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("user root\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("configuring mosquitto: %w", err)
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting mosquitto (install it, or put it on PATH): %w", err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	cfg.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	cfg.Devices = []mqttclient.Login{{ID: "bench"}}
	if err := subscribeAndLeave(e.ctx, cfg.Addr); err != nil {
		return fmt.Errorf("waiting for mosquitto: %w", err)
	}
	res, err := c.measure(e, cfg)
	if err != nil {
		return err
	}
	return c.print(e, mqttResult{Peer: "mosquitto", BenchResult: res})
}

// subscribeAndLeave makes a session that stays behind.
func subscribeAndLeave(ctx context.Context, addr string) error {
	var last error
	for range 100 {
		cl, err := mqttclient.Dial(ctx, mqttclient.Options{Addr: addr, ID: "keeper"})
		if err == nil {
			_, err = cl.Subscribe(1, "#", 1)
			return errors.Join(err, cl.Drop())
		}
		last = err
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return last
}

// measure sends, and says on a terminal how far it is.
func (c benchMQTT) measure(e *env, cfg mqttclient.BenchConfig) (mqttclient.BenchResult, error) {
	bar := newProgress(e.Err)
	defer bar.done()
	start := time.Now()
	cfg.Progress = func(acked int64) {
		bar.say("%.0f of %d s, %d acknowledged", time.Since(start).Seconds(), c.Seconds, acked)
	}
	return mqttclient.Bench(e.ctx, cfg)
}

func (c benchMQTT) print(e *env, r mqttResult) error {
	r.Protocol, r.Clients, r.Window, r.QoS, r.Size = "mqtt", c.Clients, c.Window, c.QoS, c.Size
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(r)
	}
	when := "after they were on disk"
	if r.Peer != "" {
		when = "by " + r.Peer + ", which acknowledges before it writes them to disk"
	}
	fmt.Fprintf(e.Out, "%.0f messages a second acknowledged %s (%d in %v, %d clients, %d under way each, QoS %d, %d bytes)\n",
		r.PerSecond, when, r.Acked, r.Elapsed.Round(time.Millisecond), r.Clients, r.Window, r.QoS, r.Size)
	fmt.Fprintf(e.Out, "latency: p50 %v, p99 %v, p99.9 %v, most %v\n", r.P50, r.P99, r.P999, r.Max)
	if r.Commits > 0 {
		fmt.Fprintf(e.Out, "commits: %.0f, each synced once; %.1f messages a commit\n", r.Commits, r.MessagesPerCommit)
	}
	if r.Refused+r.Unanswered+r.Errors > 0 {
		fmt.Fprintf(e.Out, "not acknowledged: %d refused, %d without answer, %d connections broke %s\n", r.Refused, r.Unanswered, r.Errors, cmp.Or(r.LastError, ""))
	}
	return nil
}
