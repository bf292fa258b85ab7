package dc09

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Receiver receives the signals of alarm panels.
type Receiver struct {
	cfg      Config
	intake   *sense.Intake
	registry *registry.Registry
	log      *bus.Log
	logger   *slog.Logger
	met      *metrics
	memory   *memory
	clocks   clocks
	say      *rate.Limiter    // log lines that a sender can cause
	now      func() time.Time // real time
	count    atomic.Uint64    // tells apart equal frames of one instant

	tcp *net.TCPListener
	udp *net.UDPConn

	stopping atomic.Bool
	mu       sync.Mutex
	conns    map[*conn]bool
	perIP    map[netip.Addr]int
}

// New listens on the configured addresses. [Receiver.Run] serves them; a
// receiver that is not run must be closed. metrics may be nil.
func New(cfg Config, intake *sense.Intake, reg *registry.Registry, log *bus.Log, logger *slog.Logger, metrics prometheus.Registerer) (*Receiver, error) {
	r := &Receiver{
		cfg: cfg.withDefaults(), intake: intake, registry: reg, log: log, logger: logger,
		met: newMetrics(metrics), clocks: clocks{off: map[string]int{}},
		say: rate.NewLimiter(rate.Every(time.Second), 5), now: time.Now,
		conns: map[*conn]bool{}, perIP: map[netip.Addr]int{},
	}
	r.boundFiles()
	r.memory = newMemory(r.cfg.DedupWindow, r.cfg.DedupEntries, r.now, r.met.remembered)
	if err := r.listen(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// boundFiles keeps connections from using up the files that the process may
// open: the log, which needs some, must not fail because of them.
func (r *Receiver) boundFiles() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	if room := max(int64(min(limit.Cur, 1<<30))-keptFiles, 1); int64(r.cfg.MaxConns) > room {
		r.logger.Warn("fewer connections than configured: raise the limit of open files (ulimit -n)",
			"configured", r.cfg.MaxConns, "possible", room, "open_files", limit.Cur)
		r.cfg.MaxConns = int(room)
	}
}

func (r *Receiver) listen() error {
	if r.cfg.TCP != "" {
		l, err := net.Listen("tcp", r.cfg.TCP)
		if err != nil {
			return fmt.Errorf("listening for alarm panels on TCP %s (choose another address, or stop who has it): %w", r.cfg.TCP, err)
		}
		r.tcp = l.(*net.TCPListener)
	}
	if r.cfg.UDP != "" {
		c, err := net.ListenPacket("udp", r.cfg.UDP)
		if err != nil {
			return fmt.Errorf("listening for alarm panels on UDP %s (choose another address, or stop who has it): %w", r.cfg.UDP, err)
		}
		r.udp = c.(*net.UDPConn)
		_ = r.udp.SetReadBuffer(udpBuffer) // as much of it as the kernel allows
	}
	return nil
}

// TCPAddr is where the receiver listens for connections, "" when it does not.
func (r *Receiver) TCPAddr() string {
	if r.tcp == nil {
		return ""
	}
	return r.tcp.Addr().String()
}

// UDPAddr is where the receiver listens for datagrams, "" when it does not.
func (r *Receiver) UDPAddr() string {
	if r.udp == nil {
		return ""
	}
	return r.udp.LocalAddr().String()
}

// Close stops listening. Run does it by itself.
func (r *Receiver) Close() {
	if r.tcp != nil {
		_ = r.tcp.Close()
	}
	if r.udp != nil {
		_ = r.udp.Close()
	}
}

// Run serves until the context ends. It then takes up nothing new, answers what
// is on its way to the log, and returns nil when all its goroutines have ended.
// It may be called once. The log must stay open until Run has returned.
func (r *Receiver) Run(ctx context.Context) error {
	defer r.Close()
	if err := r.recall(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, 1+r.cfg.UDPWorkers)
	serve := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				failed <- err
				stop()
			}
		})
	}
	if r.tcp != nil {
		serve(r.accept)
	}
	if r.udp != nil {
		for range r.cfg.UDPWorkers {
			serve(r.datagrams)
		}
	}
	<-ctx.Done()
	r.interrupt()
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// interrupt wakes all that wait for senders.
func (r *Receiver) interrupt() {
	r.stopping.Store(true)
	if r.tcp != nil {
		_ = r.tcp.Close()
	}
	if r.udp != nil {
		_ = r.udp.SetReadDeadline(longAgo)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.net.SetReadDeadline(longAgo)
	}
}

// stopped reports whether an error of a socket comes from interrupt.
func (r *Receiver) stopped(err error) bool {
	return r.stopping.Load() || errors.Is(err, net.ErrClosed)
}
