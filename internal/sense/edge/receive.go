package edge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// KindGateway is the kind of device that may forward for others.
const KindGateway = "edge gateway"

// clockTolerance is how far a gateway's clock may be off before the times that it
// gave are corrected.
const clockTolerance = 2 * time.Second

// Receiver is the centre's end of the link: an http.Handler for Prefix.
type Receiver struct {
	log    *bus.Log
	in     *sense.Intake
	reg    *registry.Registry
	clock  *clock.Clock
	logger *slog.Logger

	mu    sync.Mutex
	links map[linkKey]*link
}

var _ http.Handler = (*Receiver)(nil)

// NewReceiver returns the centre's end of the link.
func NewReceiver(log *bus.Log, in *sense.Intake, reg *registry.Registry, clk *clock.Clock, logger *slog.Logger) *Receiver {
	return &Receiver{log: log, in: in, reg: reg, clock: clk, logger: logger, links: map[linkKey]*link{}}
}

// ServeHTTP implements http.Handler.
//
//	GET  /edge/observations, /edge/quarantine: what has been confirmed
//	POST the same, lines of JSON, gzip: takes what follows
//	GET  /edge/registry: the entries that the gateway serves
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	gw, err := r.gateway(req)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="edge"`)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if req.URL.Path == pathRegistry && req.Method == http.MethodGet {
		r.serveRegistry(w, req, gw)
		return
	}
	stream, ok := streamOf(req.URL.Path)
	if !ok {
		http.NotFound(w, req)
		return
	}
	name := req.Header.Get(headerLog)
	if name == "" || len(name) > maxLogName {
		http.Error(w, headerLog+" must name the gateway's log", http.StatusBadRequest)
		return
	}
	l := r.link(linkKey{gateway: gw.ID, log: name, stream: stream.Name})
	l.mu.Lock() // one post of a gateway at a time: order
	defer l.mu.Unlock()
	if err := l.recover(req.Context(), r.log, stream); err != nil {
		r.unavailable(w, gw, err)
		return
	}
	switch req.Method {
	case http.MethodGet:
	case http.MethodPost:
		lines, err := readLines(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := r.take(req.Context(), l, gw, lines, clockError(req, r.clock.Now())); err != nil {
			r.unavailable(w, gw, err)
			return
		}
		if err := l.save(req.Context(), r.log, stream); err != nil {
			r.logger.Warn("how far an edge gateway has come could not be saved; a restart will read back further", "gateway", gw.ID, "err", err)
		}
	default:
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		return
	}
	writeJSON(w, confirmed{Position: l.position, Time: r.clock.Now()})
}

// gateway returns the enrolled gateway that a request comes from.
func (r *Receiver) gateway(req *http.Request) (*registry.Device, error) {
	id, secret, ok := req.BasicAuth()
	if !ok {
		return nil, errors.New("give the gateway's device id and secret")
	}
	d, err := r.reg.Authenticate(id, secret)
	if err != nil {
		return nil, err
	}
	if d.Kind != KindGateway {
		return nil, fmt.Errorf("device %s is of the kind %q, and only an %q forwards for others", id, d.Kind, KindGateway)
	}
	return d, nil
}

func (r *Receiver) unavailable(w http.ResponseWriter, gw *registry.Device, err error) {
	r.logger.Error("what an edge gateway sent could not be kept; it will send again", "gateway", gw.ID, "err", err)
	w.Header().Set("Retry-After", "5")
	http.Error(w, "it could not be kept: send again later", http.StatusServiceUnavailable)
}

func (r *Receiver) link(k linkKey) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.links[k]
	if l == nil {
		l = &link{key: k}
		r.links[k] = l
	}
	return l
}

// readLines reads a post whole before any of it is taken.
func readLines(req *http.Request) ([]line, error) {
	body := io.Reader(http.MaxBytesReader(nil, req.Body, maxBody))
	if req.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		body = zip
	}
	in := &io.LimitedReader{R: body, N: maxBody + 1}
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxBody)
	var out []line
	for sc.Scan() {
		if len(out) == maxLines {
			return nil, fmt.Errorf("more than %d lines in one post", maxLines)
		}
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(out)+1, err)
		}
		if len(out) > 0 && l.Position <= out[len(out)-1].Position {
			return nil, fmt.Errorf("line %d: position %d does not follow %d", len(out)+1, l.Position, out[len(out)-1].Position)
		}
		l.Record = bytes.Clone(l.Record)
		out = append(out, l)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	if in.N == 0 {
		return nil, fmt.Errorf("the body has more than %d MiB", maxBody>>20)
	}
	return out, nil
}

// clockError is how far a gateway's clock is ahead of ours, as a post shows it;
// what the link's delay explains counts as none.
func clockError(req *http.Request, now time.Time) time.Duration {
	sent, err := time.Parse(time.RFC3339Nano, req.Header.Get(headerSent))
	if err != nil {
		return 0
	}
	if off := sent.Sub(now); off.Abs() > clockTolerance {
		return off
	}
	return 0
}

// take puts on the log what of the lines is new, and notes it.
func (r *Receiver) take(ctx context.Context, l *link, gw *registry.Device, lines []line, ahead time.Duration) error {
	var fresh []line
	for _, ln := range lines {
		if !l.has(ln.Position) {
			fresh = append(fresh, ln)
		}
	}
	var err error
	if l.key.stream == bus.Quarantine.Name {
		err = r.takeQuarantined(ctx, l, gw, fresh)
	} else {
		err = r.takeObservations(ctx, l, gw, fresh, ahead)
	}
	if err == nil && len(lines) > 0 {
		l.reached(lines[len(lines)-1].Position)
	}
	return err
}

// takeObservations hands neighbours of one retention on together, and waits for
// all: the log keeps their order.
func (r *Receiver) takeObservations(ctx context.Context, l *link, gw *registry.Device, lines []line, ahead time.Duration) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	hand := func(os []*event.Observation) error {
		if len(os) == 0 {
			return nil
		}
		wait.Add(1)
		err := r.in.ObserveTogether(ctx, func(_ uint64, err error) {
			mu.Lock()
			failed = errors.Join(failed, err)
			if err == nil {
				for _, o := range os {
					l.note(o.Edge.Position)
				}
			}
			mu.Unlock()
			wait.Done()
		}, os...)
		if err != nil {
			wait.Done()
		}
		if errors.Is(err, sense.ErrRefused) {
			return nil // it is in the quarantine
		}
		return err
	}
	var run []*event.Observation
	var err error
	for _, ln := range lines {
		o, bad := r.observation(ln, l, gw, ahead)
		if bad != nil {
			if err = r.refuse(ctx, gw, ln, bad); err != nil {
				break
			}
			continue
		}
		if len(run) > 0 && (run[0].Retain != o.Retain || run[0].Source != o.Source) {
			if err = hand(run); err != nil {
				break
			}
			run = nil
		}
		run = append(run, o)
	}
	if err == nil {
		err = hand(run)
	}
	wait.Wait()
	return errors.Join(err, failed)
}

// observation reads a line, and checks that the gateway may say so.
func (r *Receiver) observation(ln line, l *link, gw *registry.Device, ahead time.Duration) (*event.Observation, error) {
	o := &event.Observation{}
	if err := json.Unmarshal(ln.Record, o); err != nil {
		return nil, fmt.Errorf("not an observation: %w", err)
	}
	if o.ID == "" || o.Kind == "" || o.Source == "" || o.Received.IsZero() {
		return nil, errors.New("not an observation: it lacks its id, kind, source or time of receipt")
	}
	switch d := r.sender(o); {
	case d == nil && o.Via == "":
		// One of the gateway's own sources, such as a log that it follows.
		o.Device, o.Via = gw.ID+"/"+o.Device, gw.ID
	case d == nil:
		return nil, fmt.Errorf("device %s, which %s is said to come by, is not in the registry", o.Via, o.Device)
	case d.ID != gw.ID && d.Gateway != gw.ID:
		return nil, fmt.Errorf("device %s does not come through gateway %s: set its gateway in the registry", d.ID, gw.ID)
	}
	o.Edge = &event.Edge{Gateway: gw.ID, Log: l.key.log, Position: ln.Position, Received: o.Received.Add(-ahead)}
	if ahead != 0 {
		o.Time = o.Time.Add(-ahead)
		o.ClockError += ahead.Seconds()
	}
	o.Basis, o.Purpose = event.BasisNone, "" // the centre's registry says
	return o, nil
}

// sender is the enrolled device that an observation came by.
func (r *Receiver) sender(o *event.Observation) *registry.Device {
	if o.Via == "" {
		return r.reg.Sensor(o.Device)
	}
	d, err := r.reg.Device(o.Via)
	if err != nil {
		return nil
	}
	return d
}

func (r *Receiver) refuse(ctx context.Context, gw *registry.Device, ln line, why error) error {
	return r.in.QuarantineMessage(ctx, event.Quarantined{
		Source: "edge", From: fmt.Sprintf("%s:%d", gw.ID, ln.Position), Device: gw.ID,
		Reason: "not accepted from a gateway", Detail: why.Error(), Bytes: ln.Record,
	})
}

// takeQuarantined keeps the entries of a gateway's quarantine as they are.
func (r *Receiver) takeQuarantined(ctx context.Context, l *link, gw *registry.Device, lines []line) error {
	for _, ln := range lines {
		var q event.Quarantined
		if err := json.Unmarshal(ln.Record, &q); err != nil || q.ID == "" {
			continue // what became of an entry there; it is worked here
		}
		q.From = fmt.Sprintf("%s via %s:%d", q.From, gw.ID, ln.Position)
		if q.Device == "" {
			q.Device = gw.ID
		}
		if err := r.in.QuarantineMessage(ctx, q); err != nil {
			return err
		}
		l.note(ln.Position)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // a link that breaks now asks again
}
