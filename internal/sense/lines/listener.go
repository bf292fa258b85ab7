package lines

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Devices knows who may send.
type Devices interface {
	// Authenticate returns the device that comes with a secret.
	//
	// Errors: registry.ErrCredential.
	Authenticate(id, secret string) (*registry.Device, error)
	// Device returns a device by its id.
	//
	// Errors: registry.ErrUnknown.
	Device(id string) (*registry.Device, error)
}

// Listener takes in lines that monitors send over connections.
type Listener struct {
	cfg      Config
	dialects []Dialect
	devices  Devices
	in       *sense.Intake
	logger   *slog.Logger
	met      *metrics
	say      *rate.Limiter    // log lines that a sender can cause
	now      func() time.Time // real time
	from     map[netip.Prefix]string
	tls      *tls.Config

	tcp     net.Listener
	sockets []socket

	mu        sync.Mutex
	conns     int
	strangers int
	perIP     map[netip.Addr]int
	memories  map[string]*memory // by device
}

// socket is a Unix socket and the device behind it.
type socket struct {
	net.Listener
	device string
}

// NewListener listens at the configured places. [Listener.Run] serves them; a
// listener that is not run must be closed. reg may be nil.
func NewListener(cfg Config, ds []Dialect, devices Devices, in *sense.Intake, logger *slog.Logger, reg prometheus.Registerer) (*Listener, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	l := &Listener{
		cfg: cfg.withDefaults(), dialects: ds, devices: devices, in: in, logger: logger, met: newMetrics(reg),
		say: rate.NewLimiter(rate.Every(time.Second), 5), now: time.Now, perIP: map[netip.Addr]int{}, memories: map[string]*memory{},
	}
	var err error
	if l.from, err = cfg.enrolled(); err != nil {
		return nil, err
	}
	if l.tls, err = cfg.tls(); err != nil {
		return nil, err
	}
	if err := l.listen(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Listener) listen() (err error) {
	if l.cfg.TCP != "" {
		if l.tcp, err = net.Listen("tcp", l.cfg.TCP); err != nil {
			return fmt.Errorf("listening for network monitors on TCP %s (choose another address, or stop who has it): %w", l.cfg.TCP, err)
		}
	}
	for path, device := range l.cfg.Sockets {
		if err := removeStale(path); err != nil {
			return err
		}
		s, err := net.Listen("unix", path)
		if err != nil {
			return fmt.Errorf("listening for network monitors at %s: %w", path, err)
		}
		l.sockets = append(l.sockets, socket{s, device})
		// Whoever may write to the socket speaks for the monitor.
		if err := os.Chmod(path, 0o660); err != nil { //nolint:gosec // the group is how a monitor gets in
			return fmt.Errorf("setting who may write to %s: %w", path, err)
		}
	}
	return nil
}

// removeStale removes a socket that a server which was killed left behind.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	if st.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is there already and is no socket: choose another path", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return errors.Join(fmt.Errorf("%s is another server's socket: choose another path, or stop who has it", path), c.Close())
	}
	return os.Remove(path)
}

// Addr is where the listener listens on TCP, "" when it does not.
func (l *Listener) Addr() string {
	if l.tcp == nil {
		return ""
	}
	return l.tcp.Addr().String()
}

// Close stops listening. Run does it by itself.
func (l *Listener) Close() {
	if l.tcp != nil {
		_ = l.tcp.Close()
	}
	for _, s := range l.sockets {
		_ = s.Close()
	}
}

// Run serves until the context ends. It then reads no further, writes what was
// read to the log, and returns nil when all its goroutines have ended. It may be
// called once. The log must stay open until Run has returned.
func (l *Listener) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, l.Close)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	if l.tcp != nil {
		wg.Go(func() { l.accept(ctx, l.tcp, "") })
	}
	for _, s := range l.sockets {
		wg.Go(func() { l.accept(ctx, s, s.device) })
	}
	<-ctx.Done()
	return nil
}

// How long a listener that fails is left alone.
const shortestPause, longestPause = 5 * time.Millisecond, time.Second

// accept takes connections until the listener is closed, and waits for them to
// end. device is who is behind them, "" when they are to say so.
func (l *Listener) accept(ctx context.Context, from net.Listener, device string) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wait := shortestPause
	for {
		nc, err := from.Accept()
		switch {
		case err == nil:
			wait = shortestPause
		case ctx.Err() != nil, errors.Is(err, net.ErrClosed):
			return
		default: // no file descriptor left, or a connection that was gone at once
			l.complain("a monitor's connection could not be taken; trying on", "err", err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			wait = min(2*wait, longestPause)
			continue
		}
		c := l.admit(nc, device)
		if c == nil {
			_ = nc.Close()
			continue
		}
		wg.Go(func() { c.serve(ctx) })
	}
}

// admit gives a connection a place, or returns nil when there is none or it may
// not have one.
func (l *Listener) admit(nc net.Conn, device string) *conn {
	c := &conn{l: l, net: nc, name: device, from: "socket of " + device}
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.ip = a.AddrPort().Addr().Unmap()
		c.from = a.String()
		c.name = l.enrolledAt(c.ip)
		if c.name == "" && l.tls == nil && !c.ip.IsLoopback() {
			l.met.closed.WithLabelValues("without TLS").Inc()
			l.complain("a monitor's connection was turned away: without TLS only this machine and configured addresses may send", "from", c.from)
			return nil
		}
	}
	stranger := c.name == ""
	l.mu.Lock()
	full := l.conns >= l.cfg.MaxConns || c.ip.IsValid() && l.perIP[c.ip] >= l.cfg.MaxConnsPerIP || stranger && l.strangers >= l.cfg.MaxStrangers
	if !full {
		l.conns++
		l.perIP[c.ip]++
		if stranger {
			l.strangers++
			c.stranger = true
		}
	}
	l.mu.Unlock()
	if full {
		l.met.closed.WithLabelValues("no place").Inc()
		l.complain("a monitor's connection was turned away: too many are open", "from", c.from)
		return nil
	}
	l.met.connections.Inc()
	return c
}

// enrolledAt returns the monitor at an address, the narrowest network first.
func (l *Listener) enrolledAt(a netip.Addr) (device string) {
	bits := -1
	for p, d := range l.from {
		if p.Contains(a) && p.Bits() > bits {
			device, bits = d, p.Bits()
		}
	}
	return device
}

// known notes that a connection has said who it is.
func (l *Listener) known(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.stranger {
		c.stranger = false
		l.strangers--
	}
}

func (l *Listener) dismiss(c *conn) {
	_ = c.net.Close()
	l.known(c)
	l.mu.Lock()
	l.conns--
	if l.perIP[c.ip]--; l.perIP[c.ip] <= 0 {
		delete(l.perIP, c.ip)
	}
	l.mu.Unlock()
	l.met.connections.Dec()
}

// complain logs what a sender can cause, at a bounded rate.
func (l *Listener) complain(what string, args ...any) {
	if l.say.Allow() {
		l.logger.Warn(what, args...)
	}
}

// memory returns what a device said lately.
func (l *Listener) memory(device string) *memory {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.memories[device]
	if m == nil {
		m = &memory{at: map[event.ID]bool{}}
		l.memories[device] = m
	}
	return m
}
