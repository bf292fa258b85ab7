package edge

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
)

// Timing of the link.
const (
	postTimeout = time.Minute
	firstWait   = 500 * time.Millisecond // after a failure, doubled with each further
	longestWait = 30 * time.Second
	postBytes   = 1 << 20 // at which a post takes no further record
)

// Centre is where a gateway forwards to.
type Centre struct {
	url    string
	id     string
	secret string
	client *http.Client
}

// NewCentre returns the centre at a base URL, where the gateway is known by its
// device id and secret. client may be nil.
func NewCentre(base, id, secret string, client *http.Client) (*Centre, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the centre's address %q is not a URL such as https://bluelamp.example:8090", base)
	}
	if client == nil {
		client = &http.Client{Timeout: postTimeout}
	}
	return &Centre{url: strings.TrimRight(base, "/"), id: id, secret: secret, client: client}, nil
}

func (c *Centre) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(c.id, c.secret)
	return req, nil
}

// answerError is what an answer other than success says.
func answerError(res *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
	return fmt.Errorf("the centre answered %s: %s", res.Status, strings.TrimSpace(string(text)))
}

// Forwarder is the gateway's end of the link: it carries what the gateway's log
// holds to the centre, and goes on after any interruption.
type Forwarder struct {
	log     *bus.Log
	clock   *clock.Clock
	centre  *Centre
	logger  *slog.Logger
	waiting *prometheus.GaugeVec
	up      *prometheus.GaugeVec

	naming sync.Mutex // both streams go under one name
}

// NewForwarder returns a forwarder. reg may be nil.
func NewForwarder(log *bus.Log, clk *clock.Clock, c *Centre, logger *slog.Logger, reg prometheus.Registerer) *Forwarder {
	f := &Forwarder{
		log: log, clock: clk, centre: c, logger: logger,
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bluelamp_edge_waiting_commits", Help: "Commits on this gateway's log that the centre has not confirmed.",
		}, []string{"stream"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bluelamp_edge_link_up", Help: "Whether the link to the centre works.",
		}, []string{"stream"}),
	}
	if reg != nil {
		reg.MustRegister(f.waiting, f.up)
	}
	return f
}

// Run forwards until the context ends, and returns nil then.
func (f *Forwarder) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, path := range []string{pathObservations, pathQuarantine} {
		g.Go(func() error { return f.forward(ctx, path) })
	}
	return g.Wait()
}

// forward carries one stream. A failure of any kind begins again from what the
// centre has confirmed.
func (f *Forwarder) forward(ctx context.Context, path string) error {
	stream, _ := streamOf(path)
	wait, lost := firstWait, false
	for ctx.Err() == nil {
		began := false
		err := f.carry(ctx, path, stream, func() {
			began = true
			f.up.WithLabelValues(stream.Name).Set(1)
			if lost {
				lost = false
				f.logger.Info("the link to the centre works again", "stream", stream.Name)
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		f.up.WithLabelValues(stream.Name).Set(0)
		if !lost {
			lost = true
			f.logger.Warn("the link to the centre is down; everything is kept here until it works again", "stream", stream.Name, "err", err)
		}
		if began {
			wait = firstWait
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait/2 + mathrand.N(wait)): //nolint:gosec // it spreads gateways that lost one link
		}
		wait = min(2*wait, longestWait)
	}
	return nil
}

// carry asks how far the centre has come and sends what follows, until an error.
// works is called whenever the centre has answered.
func (f *Forwarder) carry(ctx context.Context, path string, stream bus.Stream, works func()) error {
	name, err := f.logName(ctx)
	if err != nil {
		return err
	}
	at, err := f.ask(ctx, path, name)
	if err != nil {
		return err
	}
	works()
	last, err := f.log.Last(ctx, stream)
	if err != nil {
		return err
	}
	if at > last {
		// The centre has more than we do: this log is an older copy of itself, and
		// gives positions out a second time. It must not pass for the same.
		f.logger.Error("this gateway's log has gone back; it goes on under a new name", "position", last, "centre", at)
		return f.rename(ctx)
	}
	r, err := f.log.Read(ctx, stream, at)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		records, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if err := f.send(ctx, path, name, records); err != nil {
			return err
		}
		works()
		if behind, err := f.log.Behind(ctx, stream, records[len(records)-1].Seq); err == nil {
			f.waiting.WithLabelValues(stream.Name).Set(float64(behind))
		}
	}
}

// keyName is where the log's name is kept.
const keyName = "edge-log-name"

// logName returns the name under which the centre knows this log's positions.
func (f *Forwarder) logName(ctx context.Context) (string, error) {
	f.naming.Lock()
	defer f.naming.Unlock()
	name, err := f.log.Value(ctx, bus.Snapshots, keyName)
	if errors.Is(err, bus.ErrNotFound) {
		if err := f.rename(ctx); err != nil {
			return "", err
		}
		name, err = f.log.Value(ctx, bus.Snapshots, keyName)
	}
	return string(name), err
}

func (f *Forwarder) rename(ctx context.Context) error {
	return f.log.Put(ctx, bus.Snapshots, keyName, []byte(rand.Text()))
}

// ask returns the position that the centre has confirmed.
func (f *Forwarder) ask(ctx context.Context, path, name string) (uint64, error) {
	req, err := f.centre.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	c, err := f.do(req, name)
	return c.Position, err
}

func (f *Forwarder) do(req *http.Request, name string) (c confirmed, err error) {
	req.Header.Set(headerLog, name)
	req.Header.Set(headerSent, f.clock.Now().Format(time.RFC3339Nano))
	res, err := f.centre.client.Do(req)
	if err != nil {
		return c, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return c, answerError(res)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 4096)).Decode(&c); err != nil {
		return c, fmt.Errorf("reading the centre's answer: %w", err)
	}
	return c, nil
}

// send posts records in order, in posts of bounded size.
func (f *Forwarder) send(ctx context.Context, path, name string, records []bus.Record) error {
	for len(records) > 0 {
		var body bytes.Buffer
		zip := gzip.NewWriter(&body)
		enc := json.NewEncoder(zip)
		n, lines, size := 0, 0, 0
		for ; n < len(records) && lines < maxLines && size < postBytes; n++ {
			if !travels(records[n].Data) {
				continue
			}
			if err := enc.Encode(line{Position: records[n].Seq, Record: records[n].Data}); err != nil {
				return fmt.Errorf("packing record %d: %w", records[n].Seq, err)
			}
			lines++
			size += len(records[n].Data)
		}
		records = records[n:]
		if lines == 0 {
			continue
		}
		if err := zip.Close(); err != nil {
			return err
		}
		req, err := f.centre.request(ctx, http.MethodPost, path, &body)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		req.Header.Set("Content-Encoding", "gzip")
		if _, err := f.do(req, name); err != nil {
			return err
		}
	}
	return nil
}
