package mqtt

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Source is the name of the gateway in observations of its own.
const Source = "mqtt"

// Registry is what the gateway asks of the devices' registry.
type Registry interface {
	// Authenticate returns the device that comes with a secret, or an error that
	// does not say what was wrong.
	Authenticate(id, secret string) (*registry.Device, error)
	// Device returns a device, or an error when there is none of that id.
	Device(id string) (*registry.Device, error)
	// Version changes whenever a device does.
	Version() uint64
}

var _ Registry = (*registry.Registry)(nil)

// Gateway takes in what devices say by MQTT.
type Gateway struct {
	cfg         Config
	registry    Registry
	switchboard *sense.Switchboard
	intake      *sense.Intake
	log         *bus.Log
	logger      *slog.Logger
	met         *metrics
	now         func() time.Time // real time
	say         *rate.Limiter    // log lines that a sender can cause

	broker  *broker.Server
	inline  *broker.Client // our own way into the broker
	misuse  *misuses
	shelves *shelves
	logins  logins
	wills   wills

	tcp, tls net.Listener

	work    context.Context // of what has been taken up; outlives Run's by a grace
	stop    context.CancelFunc
	halt    chan struct{}  // closed when Run's context ends
	serving sync.WaitGroup // connections
	pending sync.WaitGroup // publishes

	mu       sync.Mutex
	accounts map[string]*account // by device
	conns    map[*conn]bool
	perIP    map[netip.Addr]int
	halting  bool
}

// Times of the gateway's own.
const (
	watchEvery   = 250 * time.Millisecond // looks at the registry's version and at delayed last wills
	recheckEvery = 30 * time.Second       // looks at every connection's credential, which may expire
	grace        = 10 * time.Second       // for what has been taken up when the gateway ends
	noSysTopics  = 1 << 31                // seconds; the broker's topics about itself are nobody's
)

// New listens on the configured addresses. [Gateway.Run] serves them; a gateway
// that is not run must be closed. metrics may be nil.
func New(cfg Config, reg Registry, sb *sense.Switchboard, intake *sense.Intake, log *bus.Log, logger *slog.Logger, metrics prometheus.Registerer) (*Gateway, error) {
	g := &Gateway{
		cfg: cfg.withDefaults(), registry: reg, switchboard: sb, intake: intake, log: log, logger: logger,
		met: newMetrics(metrics), now: time.Now, say: rate.NewLimiter(rate.Every(time.Second), 5),
		logins: logins{all: map[string]*rate.Limiter{}}, wills: wills{waiting: map[*session]lateWill{}}, halt: make(chan struct{}),
		accounts: map[string]*account{}, conns: map[*conn]bool{}, perIP: map[netip.Addr]int{},
	}
	g.work, g.stop = context.WithCancel(context.Background())
	g.misuse = newMisuses(intake, logger, g.met, g.now)
	g.shelves = newShelves(log, logger)
	g.boundFiles()
	if err := g.makeBroker(); err != nil {
		return nil, err
	}
	if err := g.listen(); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// boundFiles keeps connections from using up the files that the process may
// open: the log, which needs some, must not fail because of them.
func (g *Gateway) boundFiles() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	if room := max(int64(min(limit.Cur, 1<<30))-keptFiles, 1); int64(g.cfg.MaxConns) > room {
		g.logger.Warn("fewer MQTT connections than configured: raise the limit of open files (ulimit -n)",
			"configured", g.cfg.MaxConns, "possible", room, "open_files", limit.Cur)
		g.cfg.MaxConns = int(room)
	}
}

// makeBroker sets the library up. Its own log would show what devices send.
func (g *Gateway) makeBroker() error {
	caps := broker.NewDefaultServerCapabilities()
	caps.MaximumMessageExpiryInterval = 0 // else it forgets retained messages after a day
	caps.MaximumClientWritesPending = maxQueued
	caps.MaximumInflight = maxQueued
	caps.MaximumSessionExpiryInterval = uint32(g.cfg.SessionExpiry / time.Second)
	caps.MaximumPacketSize = uint32(g.cfg.MaxPacket)
	caps.ReceiveMaximum = uint16(g.cfg.InFlight)
	caps.TopicAliasMaximum = 0
	caps.SharedSubAvailable = 0
	caps.MinimumProtocolVersion = 4
	caps.Compatibilities.NoInheritedPropertiesOnAck = true
	g.broker = broker.New(&broker.Options{
		Capabilities: caps, Logger: slog.New(slog.DiscardHandler), SysTopicResendInterval: noSysTopics,
		ClientNetReadBufferSize: readBuffer, ClientNetWriteBufferSize: readBuffer,
	})
	g.inline = g.broker.NewClient(nil, Source, Source, true)
	if err := g.broker.AddHook(&hook{g: g}, nil); err != nil {
		return fmt.Errorf("setting the MQTT broker up: %w", err)
	}
	return nil
}

func (g *Gateway) listen() (err error) {
	if g.cfg.TCP != "" {
		if g.tcp, err = net.Listen("tcp", g.cfg.TCP); err != nil {
			return fmt.Errorf("listening for MQTT on %s (choose another address, or stop who has it): %w", g.cfg.TCP, err)
		}
	}
	if g.cfg.TLS == "" {
		return nil
	}
	conf, err := g.cfg.tlsConfig()
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", g.cfg.TLS)
	if err != nil {
		return fmt.Errorf("listening for MQTT over TLS on %s (choose another address, or stop who has it): %w", g.cfg.TLS, err)
	}
	g.tls = tls.NewListener(plain, conf)
	return nil
}

// Addr is where the gateway listens without TLS, "" when it does not.
func (g *Gateway) Addr() string { return addr(g.tcp) }

// TLSAddr is where the gateway listens with TLS, "" when it does not.
func (g *Gateway) TLSAddr() string { return addr(g.tls) }

func addr(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// Close stops listening. Run does it by itself.
func (g *Gateway) Close() {
	for _, l := range []net.Listener{g.tcp, g.tls} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// Run serves until the context ends. It then closes the connections, waits for
// what they had handed over, and returns nil when all its goroutines have ended.
// It may be called once. The log must stay open until Run has returned.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.stop()
	defer g.Close()
	if err := g.recall(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := g.broker.Serve(); err != nil {
		return fmt.Errorf("starting the MQTT broker: %w", err)
	}
	g.logger.Info("devices may send by MQTT", "tcp", g.Addr(), "tls", g.TLSAddr())
	var helpers, listeners sync.WaitGroup
	helpers.Go(func() { g.misuse.run(g.work) })
	helpers.Go(func() { g.shelves.run(g.work) })
	watching, stopWatching := context.WithCancel(g.work)
	defer stopWatching()
	helpers.Go(func() { g.watch(watching) })
	for _, l := range []net.Listener{g.tcp, g.tls} {
		if l != nil {
			listeners.Go(func() { g.accept(ctx, l) })
		}
	}
	<-ctx.Done()
	patience := time.AfterFunc(grace, g.stop)
	defer patience.Stop()
	stopWatching()
	g.hangUp()
	listeners.Wait()
	g.serving.Wait()
	g.pending.Wait()
	g.stop()
	helpers.Wait()
	if err := g.broker.Close(); err != nil {
		return fmt.Errorf("ending the MQTT broker: %w", err)
	}
	return nil
}

// hangUp stops listening and ends every connection.
func (g *Gateway) hangUp() {
	close(g.halt)
	g.Close()
	g.mu.Lock()
	g.halting = true
	all := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		all = append(all, c)
	}
	g.mu.Unlock()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range all {
		c.silent.Store(true)
		if c.device.Load() == nil {
			_ = c.Close()
			continue
		}
		wg.Go(func() { _ = c.end(codeShutdown, "shutdown") }) // one that does not read holds up no other
	}
}

// accept takes connections until the listener is closed.
func (g *Gateway) accept(ctx context.Context, l net.Listener) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	wait := shortest
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed):
			return
		default: // no file descriptor left, or a connection that was gone at once
			if g.say.Allow() {
				g.logger.Error("an MQTT connection could not be taken; trying on", "err", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, longest)
			continue
		}
		wait = shortest
		c := g.place(nc)
		if c == nil {
			_ = nc.Close()
			continue
		}
		go g.serve(c)
	}
}

// place gives a connection a place, or returns nil when there is none.
func (g *Gateway) place(nc net.Conn) *conn {
	from, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return nil
	}
	c := &conn{Conn: nc, g: g, ip: from.Addr().Unmap()}
	g.mu.Lock()
	all, same := len(g.conns), g.perIP[c.ip]
	if g.halting || all >= g.cfg.MaxConns || same >= g.cfg.MaxConnsPerIP {
		halting := g.halting
		g.mu.Unlock()
		g.met.connects.WithLabelValues("no place").Inc()
		if !halting && g.say.Allow() {
			g.logger.Warn("an MQTT connection was turned away: too many are open",
				"from", from, "open", all, "most", g.cfg.MaxConns, "from_there", same, "most_from_one_address", g.cfg.MaxConnsPerIP)
		}
		return nil
	}
	g.conns[c] = true
	g.perIP[c.ip]++
	g.serving.Add(1)
	g.mu.Unlock()
	g.met.connections.Inc()
	return c
}

// serve gives a connection to the broker, and returns when it has ended.
func (g *Gateway) serve(c *conn) {
	defer g.serving.Done()
	defer func() {
		_ = c.Close()
		g.mu.Lock()
		delete(g.conns, c)
		if g.perIP[c.ip]--; g.perIP[c.ip] <= 0 {
			delete(g.perIP, c.ip)
		}
		g.mu.Unlock()
		g.met.connections.Dec()
	}()
	if err := c.SetReadDeadline(g.now().Add(g.cfg.ConnectTimeout)); err != nil {
		return
	}
	_ = g.broker.EstablishConnection(Source, c) // how it ended was counted where it was known
	if c.device.Load() == nil && c.client == nil {
		g.met.connects.WithLabelValues("no connect").Inc()
	}
}

// watch drops the connections of devices that may no longer be connected, and
// sees to last wills that were delayed.
func (g *Gateway) watch(ctx context.Context) {
	every := time.NewTicker(watchEvery)
	defer every.Stop()
	version, checked := g.registry.Version(), g.now()
	var jobs sync.WaitGroup
	defer jobs.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		for _, c := range g.wills.due(g.now()) {
			jobs.Go(func() { g.speak(c, false) })
		}
		g.met.retained.Set(float64(g.broker.Topics.Retained.Len()))
		v := g.registry.Version()
		if v == version && g.now().Sub(checked) < recheckEvery {
			continue
		}
		version, checked = v, g.now()
		g.mu.Lock()
		all := make([]*conn, 0, len(g.conns))
		for c := range g.conns {
			if c.device.Load() != nil {
				all = append(all, c)
			}
		}
		g.mu.Unlock()
		for _, c := range all {
			if !g.stands(c) {
				jobs.Go(func() { _ = c.end(codeAdmin, "credential") })
			}
		}
	}
}

// stands reports whether a connection's credential still opens, and takes up what
// the registry says of its device now. Who does not stand has no last will.
func (g *Gateway) stands(c *conn) bool {
	dev, err := g.registry.Device(c.account.id)
	if err == nil && !dev.Revoked && holds(dev, c.secret, g.intake.Now()) {
		c.device.Store(dev)
		c.account.setLimits(dev)
		return true
	}
	c.silent.Store(true)
	return false
}

// holds reports whether a secret, by its hash, is among those that open a device.
func holds(d *registry.Device, hash [sha256.Size]byte, now time.Time) bool {
	for _, cr := range d.Credentials {
		if subtle.ConstantTimeCompare(cr.Hash, hash[:]) == 1 && (cr.Expires == nil || now.Before(*cr.Expires)) {
			return true
		}
	}
	return false
}
