// Package webhookclient sends to the HTTP intake as devices do, to measure it.
package webhookclient

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/latency"
)

// BenchConfig says what to measure. Every message has another body, so that the
// intake must put each on its log.
type BenchConfig struct {
	Addr     string        // host:port of the intake, without TLS
	Clients  int           // keep-alive connections, each with one request under way; 0: 64
	Duration time.Duration // how long to send
	Senders  []Sender      // devices to send as, in the intake's registry; a connection keeps to one
	Topic    string        // such as "json/bench"
	Size     int           // bytes of a body, at least 96; 0: 256

	Progress func(acked int64) // called every second; may be nil
}

// Sender is a device and its secret.
type Sender struct{ Device, Secret string }

// BenchResult is what was measured. Latency is from writing a request to having
// read its answer.
type BenchResult struct {
	Acked     int64         `json:"acked"` // answered 204: on disk
	Refused   int64         `json:"refused"`
	Errors    int64         `json:"errors"` // connections that broke
	LastError string        `json:"last_error,omitempty"`
	Elapsed   time.Duration `json:"elapsed_ns"`
	PerSecond float64       `json:"per_second"` // acknowledged
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	P999      time.Duration `json:"p999_ns"`
	Max       time.Duration `json:"max_ns"`
}

const (
	benchTimeout = 40 * time.Second // without an answer, a connection is given up
	maxBroken    = 100              // connections that one client opens again
)

// Bench loads an intake and measures it. It returns an error only when it could
// not measure at all.
func Bench(ctx context.Context, cfg BenchConfig) (BenchResult, error) {
	if len(cfg.Senders) == 0 {
		return BenchResult{}, errors.New("no device to send as: name one that is in the intake's registry")
	}
	if cfg.Clients <= 0 {
		cfg.Clients = 64
	}
	if cfg.Size == 0 {
		cfg.Size = 256
	}
	cfg.Size = max(cfg.Size, 96)
	ctx, stop := context.WithTimeout(ctx, cfg.Duration)
	defer stop()
	var acked atomic.Int64
	clients := make([]*client, cfg.Clients)
	for i := range clients {
		clients[i] = newClient(&cfg, i, &acked)
		if err := clients[i].dial(ctx); err != nil {
			for _, c := range clients[:i] {
				_ = c.conn.Close()
			}
			return BenchResult{}, err
		}
	}
	return run(ctx, &cfg, clients, &acked), nil
}

func run(ctx context.Context, cfg *BenchConfig, clients []*client, acked *atomic.Int64) BenchResult {
	start := time.Now()
	var wg, ticking sync.WaitGroup
	done := make(chan struct{})
	if cfg.Progress != nil {
		ticking.Go(func() {
			t := time.NewTicker(time.Second)
			defer t.Stop()
			for {
				select {
				case <-t.C:
					cfg.Progress(acked.Load())
				case <-done:
					return
				}
			}
		})
	}
	for _, c := range clients {
		wg.Go(func() { c.run(ctx) })
	}
	wg.Wait()
	res := BenchResult{Acked: acked.Load(), Elapsed: time.Since(start)}
	close(done)
	ticking.Wait()
	var all latency.Histogram
	for _, c := range clients {
		all.Merge(&c.times)
		res.Refused += c.refused
		res.Errors += c.errors
		if c.err != nil {
			res.LastError = c.err.Error()
		}
	}
	res.PerSecond = float64(res.Acked) / res.Elapsed.Seconds()
	res.P50, res.P99, res.P999, res.Max = all.Quantile(0.5), all.Quantile(0.99), all.Quantile(0.999), all.Max()
	return res
}

// client is one connection of a bench. It writes requests by hand: a client of
// net/http would cost more than the intake that is measured.
type client struct {
	cfg   *BenchConfig
	i, n  int
	head  string
	conn  net.Conn
	read  *bufio.Reader
	out   []byte
	acked *atomic.Int64

	times           latency.Histogram
	refused, errors int64
	err             error
}

func newClient(cfg *BenchConfig, i int, acked *atomic.Int64) *client {
	s := cfg.Senders[i%len(cfg.Senders)]
	return &client{cfg: cfg, i: i, acked: acked, head: fmt.Sprintf(
		"POST /in/%s/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		s.Device, cfg.Topic, cfg.Addr, base64.StdEncoding.EncodeToString([]byte(s.Device+":"+s.Secret)), cfg.Size)}
}

func (c *client) dial(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.cfg.Addr)
	if err != nil {
		return fmt.Errorf("connecting to the intake: %w", err)
	}
	c.conn, c.read = conn, bufio.NewReaderSize(conn, 4096)
	return nil
}

func (c *client) run(ctx context.Context) {
	defer func() { _ = c.conn.Close() }()
	for ctx.Err() == nil {
		start := time.Now()
		status, err := c.send(start)
		switch {
		case err != nil:
			c.errors++
			c.err = err
			_ = c.conn.Close()
			if c.errors > maxBroken || c.dial(ctx) != nil {
				return
			}
		case status == http.StatusNoContent:
			c.times.Add(time.Since(start))
			c.acked.Add(1)
		default:
			c.refused++
			c.err = fmt.Errorf("answered %d", status)
		}
	}
}

// send sends one message and returns the answer's status.
func (c *client) send(now time.Time) (int, error) {
	c.n++
	c.out = append(c.out[:0], c.head...)
	begin := len(c.out)
	c.out = append(c.out, `{"state":"open","n":"`...)
	c.out = strconv.AppendInt(c.out, int64(c.i), 10)
	c.out = append(c.out, '-')
	c.out = strconv.AppendInt(c.out, int64(c.n), 10)
	c.out = append(c.out, `","ts":`...)
	c.out = strconv.AppendInt(c.out, now.UnixMilli(), 10)
	c.out = append(c.out, `,"pad":"`...)
	c.out = append(c.out, strings.Repeat("x", max(0, c.cfg.Size-(len(c.out)-begin)-2))...)
	c.out = append(c.out, `"}`...)
	if err := c.conn.SetDeadline(now.Add(benchTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return 0, fmt.Errorf("reading an answer: %w", err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}
