// Package webhook takes in what devices and network servers send by HTTP.
//
// What comes in: POST /in/<device>/<path>?<query> with the device's credential.
// What goes out: one [sense.Message] for each request, or for each line of a
// batch, to the switchboard of dialects; its topic is "<path>?<query>". A
// request is answered 204 only when all that its message says is on disk, and
// with an RFC 9457 problem otherwise.
//
// The server has a port of its own, apart from the staff's pages: whoever may
// reach it may be anybody. Others of the platform's own doors for devices hang
// there too, see [Server.Mount].
//
// Start reading at [Server.message], which is the way of one request.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Source is the source of what the server itself observes, such as misuse.
const Source = "webhook"

// Bounds.
const (
	maxConns     = 10_000    // connections; further ones wait to be accepted
	maxBodies    = 256 << 20 // bytes of bodies in memory at once
	maxBatch     = 4 << 20   // bytes of a batch
	maxLines     = 1000      // messages of a batch
	maxTopic     = 1024      // bytes
	maxHeader    = 16 << 10  // bytes
	told         = 100       // lines of a batch that an answer names
	bodyWait     = 5 * time.Second
	commitWait   = 35 * time.Second // longer than the log tries
	headTimeout  = 10 * time.Second
	readTimeout  = 30 * time.Second
	writeTimeout = 75 * time.Second
	idleTimeout  = 2 * time.Minute
	stopTimeout  = 10 * time.Second
	stripes      = 256
)

// DefaultSecretHeader carries a device's secret where its sender can set
// neither user nor bearer.
const DefaultSecretHeader = "X-Bluelamp-Secret" //nolint:gosec // the header's name

// Config says where the server listens.
type Config struct {
	Addr    string // host:port
	TLSCert string // certificate file; empty: no TLS
	TLSKey  string
	// SecretHeader is the header that may carry the device's secret; empty:
	// DefaultSecretHeader.
	SecretHeader string
}

// Taker takes messages over; see sense.Switchboard.Take.
type Taker interface {
	Take(ctx context.Context, m *sense.Message, done func(error)) error
}

// Intake observes what the server itself has to say; see sense.Intake.
type Intake interface {
	Now() time.Time
	Observe(ctx context.Context, o *event.Observation, done func(seq uint64, err error)) error
}

// Server is the HTTP intake.
type Server struct {
	cfg    Config
	board  Taker
	in     Intake
	reg    *registry.Registry
	allow  *allowance
	logger *slog.Logger
	met    *metrics

	ln     net.Listener
	http   *http.Server
	mux    *http.ServeMux
	bodies *semaphore.Weighted
	doors  *doors
	memory *memory
	misuse *misuse
	// Messages of one device are read one after another, as dialects ask.
	order [stripes]sync.Mutex
}

// New listens. Nothing is taken in before Run. metrics may be nil.
func New(cfg Config, board Taker, in Intake, reg *registry.Registry, logger *slog.Logger, metrics prometheus.Registerer) (*Server, error) {
	if cfg.SecretHeader == "" {
		cfg.SecretHeader = DefaultSecretHeader
	}
	s := &Server{
		cfg: cfg, board: board, in: in, reg: reg, allow: newAllowance(in.Now), logger: logger, met: newMetrics(metrics),
		mux: http.NewServeMux(), bodies: semaphore.NewWeighted(maxBodies),
		doors: newDoors(in.Now), memory: newMemory(in.Now), misuse: newMisuse(in, logger),
	}
	s.mux.HandleFunc("/in/", s.message)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, problem{Status: http.StatusNotFound, Title: "Not found", Detail: "Devices send to /in/<device id>/<topic>."})
	})
	s.http = &http.Server{
		Handler: s.mux, ReadHeaderTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	if cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate of the devices' port: %w", err)
		}
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	ln, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("opening the devices' HTTP port: %w", err)
	}
	s.ln = &bounded{Listener: ln, room: make(chan struct{}, maxConns), closed: make(chan struct{}), gauge: s.met.conns}
	return s, nil
}

// Mount lets a handler answer what is asked below a prefix such as "/enrol". The
// server's timeouts hold for it; its bodies, its callers and its limits are its
// own business. It must be called before Run.
func (s *Server) Mount(prefix string, h http.Handler) {
	prefix = "/" + strings.Trim(prefix, "/")
	s.mux.Handle(prefix, h)
	s.mux.Handle(prefix+"/", h)
}

// Addr is the address that devices reach.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// URL is where devices reach the server.
func (s *Server) URL() string {
	if s.cfg.TLSCert != "" {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// Close stops listening, for a server that never runs.
func (s *Server) Close() { _ = s.ln.Close() }

// Run answers until the context ends, lets requests under way finish, and
// returns nil then.
func (s *Server) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		if s.http.TLSConfig != nil {
			done <- s.http.ServeTLS(s.ln, "", "")
		} else {
			done <- s.http.Serve(s.ln)
		}
	}()
	s.logger.Info("devices may send by HTTP", "url", s.URL())
	tick := time.NewTicker(misuseEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return fmt.Errorf("serving the devices' HTTP port: %w", err)
		case <-tick.C:
			s.misuse.flush(ctx)
			continue
		case <-ctx.Done():
		}
		break
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := s.http.Shutdown(stop); err != nil {
		_ = s.http.Close() // who is cut off was not answered, and sends again
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stopping the devices' HTTP port: %w", err)
	}
	s.misuse.flush(stop)
	return nil
}

// bounded accepts a bounded number of connections at once.
type bounded struct {
	net.Listener
	room   chan struct{}
	closed chan struct{}
	once   sync.Once
	gauge  prometheus.Gauge
}

func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.room <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.room
		return nil, err
	}
	b.gauge.Inc()
	return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { <-b.room; b.gauge.Dec() })}, nil
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type boundedConn struct {
	net.Conn
	leave func()
}

func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
