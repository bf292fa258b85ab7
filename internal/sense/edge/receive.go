package edge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// KindGateway is the kind of device that may forward for others.
const KindGateway = "edge gateway"

const (
	// clockTolerance is how far a gateway's clock may be off before the times that
	// it gave are corrected.
	clockTolerance = 2 * time.Second
	// quarantinePace is how many quarantine entries of gateways are taken a second:
	// half of what the quarantine has room for, so that a gateway that was away
	// does not crowd out what is refused here.
	quarantinePace = 100
)

// Receiver is the centre's end of the link: an http.Handler for Prefix.
type Receiver struct {
	log    *bus.Log
	in     *sense.Intake
	reg    *registry.Registry
	clock  *clock.Clock
	logger *slog.Logger
	knocks *knocks
	pace   *rate.Limiter

	mu    sync.Mutex
	links map[linkKey]*link
	heard map[string]time.Time // when a gateway's contact was last noted
	lists map[string]taggedList
}

var _ http.Handler = (*Receiver)(nil)

// NewReceiver returns the centre's end of the link.
func NewReceiver(log *bus.Log, in *sense.Intake, reg *registry.Registry, clk *clock.Clock, logger *slog.Logger) *Receiver {
	return &Receiver{
		log: log, in: in, reg: reg, clock: clk, logger: logger, knocks: newKnocks(),
		pace:  rate.NewLimiter(quarantinePace, quarantinePace),
		links: map[linkKey]*link{}, heard: map[string]time.Time{}, lists: map[string]taggedList{},
	}
}

// ServeHTTP implements http.Handler.
//
//	GET  /edge/observations, /edge/quarantine: what has been confirmed
//	POST the same, lines of JSON, gzip: takes what follows
//	GET  /edge/registry: the entries that the gateway serves
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	gw := r.gateway(w, req)
	if gw == nil {
		return
	}
	r.contact(req.Context(), gw, req)
	if req.URL.Path == pathRegistry && req.Method == http.MethodGet {
		r.serveRegistry(w, req, gw)
		return
	}
	stream, ok := streamOf(req.URL.Path)
	if !ok {
		http.NotFound(w, req)
		return
	}
	if req.Method != http.MethodGet && req.Method != http.MethodPost {
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		return
	}
	name := req.Header.Get(headerLog)
	if name == "" || len(name) > maxLogName {
		http.Error(w, headerLog+" must name the gateway's log", http.StatusBadRequest)
		return
	}
	l := r.link(linkKey{gateway: gw.ID, log: name, stream: stream.Name})
	if l == nil {
		http.Error(w, fmt.Sprintf("the gateway has named more than %d logs: something is wrong with its disk", maxLogs), http.StatusTooManyRequests)
		return
	}
	l.mu.Lock() // one post of a gateway at a time: order
	defer l.mu.Unlock()
	if err := l.recover(req.Context(), r.log, stream); err != nil {
		r.unavailable(w, gw, err)
		return
	}
	if req.Method == http.MethodPost && !r.post(w, req, l, gw) {
		return
	}
	if err := l.save(req.Context(), r.log, stream, r.clock.Now()); err != nil {
		r.logger.Warn("how far an edge gateway has come could not be saved; a restart will read back further", "gateway", gw.ID, "err", err)
	}
	writeJSON(w, confirmed{Position: l.position, Time: r.clock.Now()})
}

// post takes what a gateway posts; false: it was answered already.
func (r *Receiver) post(w http.ResponseWriter, req *http.Request, l *link, gw *registry.Device) bool {
	after, err := strconv.ParseUint(req.Header.Get(headerAfter), 10, 64)
	if err != nil {
		http.Error(w, headerAfter+" must say which position the post follows", http.StatusBadRequest)
		return false
	}
	if after > l.position {
		// We have lost what we confirmed: a restart found an older state, or the log
		// is a restored backup. Taking this would leave a gap for ever.
		http.Error(w, "less than that is confirmed here: ask how much", http.StatusConflict)
		return false
	}
	lines, err := readLines(req.Body, req.Header.Get("Content-Encoding"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	if err := r.take(req.Context(), l, gw, lines, clockError(req, r.clock.Now())); err != nil {
		r.unavailable(w, gw, err)
		return false
	}
	return true
}

// gateway returns the enrolled gateway that a request comes from; nil: it was
// turned away.
func (r *Receiver) gateway(w http.ResponseWriter, req *http.Request) *registry.Device {
	id, secret, ok := req.BasicAuth()
	from, now := addressOf(req), r.clock.Now()
	if wait := r.knocks.wait(from, id, now); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		http.Error(w, "too many wrong credentials have come from your address", http.StatusTooManyRequests)
		return nil
	}
	var err error
	var d *registry.Device
	if !ok {
		err = errors.New("give the gateway's device id and secret")
	} else if d, err = r.reg.Authenticate(id, secret); err == nil && d.Kind == KindGateway {
		r.knocks.opened(from, id, now)
		return d
	}
	if err == nil {
		err = fmt.Errorf("device %s is of the kind %q, and only an %q forwards for others", id, d.Kind, KindGateway)
	}
	r.knocked(req.Context(), from, id)
	w.Header().Set("WWW-Authenticate", `Basic realm="edge"`)
	http.Error(w, err.Error(), http.StatusUnauthorized)
	return nil
}

func (r *Receiver) unavailable(w http.ResponseWriter, gw *registry.Device, err error) {
	r.logger.Error("what an edge gateway sent could not be kept; it will send again", "gateway", gw.ID, "err", err)
	w.Header().Set("Retry-After", "5")
	http.Error(w, "it could not be kept: send again later", http.StatusServiceUnavailable)
}

// link returns a link's state; nil when the gateway has named too many logs.
func (r *Receiver) link(k linkKey) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.links[k]; l != nil {
		return l
	}
	n := 0
	for other := range r.links {
		if other.gateway == k.gateway && other.stream == k.stream {
			n++
		}
	}
	if n >= maxLogs {
		return nil
	}
	l := &link{key: k}
	r.links[k] = l
	return l
}

// readLines reads a post whole before any of it is taken.
func readLines(src io.Reader, encoding string) ([]line, error) {
	body := io.LimitReader(src, maxBody)
	if encoding == "gzip" {
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

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // a link that breaks now asks again
}
