package lines

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/protocol/tail"
)

// conn is a monitor's connection.
type conn struct {
	l        *Listener
	net      net.Conn
	ip       netip.Addr // invalid for a socket
	from     string     // in words
	name     string     // who is behind it, "" until it has said so
	stranger bool       // it has a stranger's place
	stop     <-chan struct{}
	write    context.Context //nolint:containedctx // outlives the platform's by lastWrite: see serve

	device  *registry.Device
	secret  string // that it said; "": it was known otherwise
	dialect Dialect
	mapper  Mapper
	memory  *memory
	pace    *rate.Limiter

	pending []*event.Observation
	strikes int // lines in a row that could not be read
}

const (
	maxStrikes = 100             // lines in a row that cannot be read
	lastWrite  = 5 * time.Second // for what was read when the platform stops
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// Why a connection ends.
var (
	errStranger = errors.New("did not say who it is: begin with AUTH, the device's id and its secret")
	errStrikes  = errors.New("sends nothing that can be read")
	errDialect  = errors.New("speaks as no monitor that is known, or that its entry allows")
)

func (c *conn) serve(ctx context.Context) {
	defer c.l.dismiss(c)
	// A read that waits is broken off when the platform stops.
	c.stop = ctx.Done()
	raw := c.net
	stop := context.AfterFunc(ctx, func() { _ = raw.SetReadDeadline(longAgo) })
	defer stop()
	// What is being written when the platform stops is waited for: given up, it
	// might or might not be on the log, and could neither be kept nor told again.
	write, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	last := context.AfterFunc(ctx, func() { time.AfterFunc(lastWrite, giveUp) })
	defer last()
	c.write = write
	err := c.receive(ctx)
	if len(c.pending) > 0 {
		if err := c.flush(ctx); err != nil {
			c.l.logger.Error("lines that a monitor sent may be lost", "device", c.name, "lines", len(c.pending), "err", err)
		}
	}
	c.ended(ctx, err)
}

// ended counts why a connection ended, and tells when the sender is to blame.
func (c *conn) ended(ctx context.Context, err error) {
	reason, blame := "error", true
	switch {
	case ctx.Err() != nil:
		reason, blame = "stopping", false
	case err == nil, errors.Is(err, io.EOF):
		reason, blame = "by the monitor", false
	case errors.Is(err, os.ErrDeadlineExceeded):
		reason, blame = "idle", c.device == nil
	case errors.Is(err, registry.ErrCredential), errors.Is(err, registry.ErrUnknown), errors.Is(err, registry.ErrRevoked), errors.Is(err, errStranger):
		reason = "unknown device"
	case errors.Is(err, errStrikes), errors.Is(err, errDialect):
		reason = "unreadable"
	}
	c.l.met.closed.WithLabelValues(reason).Inc()
	if blame {
		c.l.complain("a monitor's connection was closed", "from", c.from, "device", c.name, "why", reason, "err", err)
	}
}

// receive takes lines until the connection ends.
func (c *conn) receive(ctx context.Context) error {
	s := tail.NewScanner(c, c.l.cfg.MaxLine)
	if err := c.greet(ctx, s); err != nil {
		return err
	}
	for ctx.Err() == nil {
		l, err := s.Next()
		if errors.Is(err, io.EOF) {
			// A last line without its end may have been cut: it is not believed.
			return nil
		}
		if err != nil && !errors.Is(err, tail.ErrLineTooLong) {
			return err
		}
		if err := c.take(ctx, &l, err); err != nil {
			return err
		}
		// Before waiting for the sender, what it sent is written; a slow disk
		// thereby slows the sender.
		if len(c.pending) >= batch || !s.Whole() {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Read reads from the connection, within the time that it has.
func (c *conn) Read(p []byte) (int, error) {
	wait := c.l.cfg.IdleTimeout
	if c.device == nil {
		wait = c.l.cfg.FirstTimeout
	}
	if err := c.net.SetReadDeadline(c.l.now().Add(wait)); err != nil {
		return 0, err
	}
	select {
	case <-c.stop: // the deadline that this set may have come before
		_ = c.net.SetReadDeadline(longAgo)
	default:
	}
	return c.net.Read(p)
}

// greet finds out who is there.
func (c *conn) greet(ctx context.Context, s *tail.Scanner) error {
	if c.l.tls != nil && c.ip.IsValid() {
		if err := c.handshake(ctx); err != nil {
			return err
		}
	}
	var err error
	if c.name != "" {
		if c.device, err = c.l.devices.Device(c.name); err == nil && c.device.Revoked {
			err = fmt.Errorf("%w: %s", registry.ErrRevoked, c.name)
		}
	} else {
		c.device, err = c.authenticate(s)
	}
	if err != nil {
		c.device = nil
		return err
	}
	c.name = c.device.ID
	c.l.known(c)
	c.memory = c.l.memory(c.name)
	lines := c.l.cfg.Rate
	if c.device.Limits.Messages > 0 {
		lines = c.device.Limits.Messages
	}
	c.pace = rate.NewLimiter(rate.Limit(lines), max(batch, int(lines)))
	return nil
}

// handshake speaks TLS; a certificate's common name is the device's id.
func (c *conn) handshake(ctx context.Context) error {
	t := tls.Server(c.net, c.l.tls)
	wait, done := context.WithTimeout(ctx, c.l.cfg.FirstTimeout)
	defer done()
	if err := t.HandshakeContext(wait); err != nil {
		return fmt.Errorf("agreeing on TLS: %w", err)
	}
	c.net = t
	if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
		c.name = certs[0].Subject.CommonName
		if c.name == "" {
			return fmt.Errorf("%w: its certificate has no common name", errStranger)
		}
	}
	return nil
}

// authenticate reads "AUTH device secret".
func (c *conn) authenticate(s *tail.Scanner) (*registry.Device, error) {
	l, err := s.Next()
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(l.Text[:min(len(l.Text), 1024)]))
	if len(words) != 3 || words[0] != "AUTH" {
		return nil, errStranger
	}
	c.secret = words[2]
	return c.l.devices.Authenticate(words[1], c.secret)
}

// stands reports why the monitor may not go on, or nil: its enrolment may be taken
// back, and its credential end, while it is connected.
func (c *conn) stands() error {
	if c.secret != "" {
		_, err := c.l.devices.Authenticate(c.name, c.secret)
		return err
	}
	if d, err := c.l.devices.Device(c.name); err != nil || d.Revoked {
		return fmt.Errorf("%w: %s", registry.ErrRevoked, c.name)
	}
	return nil
}

// take understands a line.
func (c *conn) take(ctx context.Context, l *tail.Line, long error) error {
	if c.mapper == nil && long == nil {
		if len(bytes.TrimSpace(l.Text)) == 0 {
			return nil
		}
		if err := c.choose(l.Text); err != nil {
			c.quarantine(ctx, newFault(l, err))
			return err
		}
	}
	var o *event.Observation
	err := long
	if err == nil {
		// Lines of a connection belong to one text, whatever came before the first.
		at := *l
		at.Number++
		o, _, err = c.mapper.Observe(&at)
	}
	switch {
	case err != nil:
		c.l.met.lines.WithLabelValues("bad").Inc()
		c.quarantine(ctx, newFault(l, err))
		if c.strikes++; c.strikes >= maxStrikes {
			return errStrikes
		}
		return nil
	case o == nil:
		c.l.met.lines.WithLabelValues("left").Inc()
	default:
		o.Via = c.name
		c.pending = append(c.pending, o)
	}
	c.strikes = 0
	return nil
}

// choose finds the dialect of the first line among those that the device may
// speak.
func (c *conn) choose(line []byte) error {
	for _, d := range c.l.dialects {
		if c.speaks(d.Name) && d.Recognises(line) {
			c.dialect, c.mapper = d, d.NewMapper(c.name, "")
			return nil
		}
	}
	return errDialect
}

func (c *conn) speaks(dialect string) bool {
	if len(c.device.Speaks) == 0 {
		return true
	}
	for _, s := range c.device.Speaks {
		if s == dialect {
			return true
		}
	}
	return false
}

// flush writes what was understood, and returns when it is on disk.
func (c *conn) flush(ctx context.Context) error {
	if len(c.pending) == 0 {
		return nil
	}
	if err := c.stands(); err != nil {
		c.pending = nil
		return err
	}
	all := len(c.pending)
	fresh := c.memory.fresh(c.pending)
	err := bus.Insist(c.write, c.l.logger, "writing observations of "+c.name, func() error { return c.l.in.ObserveAll(c.write, fresh...) })
	if err != nil {
		return err
	}
	c.memory.add(fresh)
	c.l.met.lines.WithLabelValues("observed").Add(float64(len(fresh)))
	c.l.met.lines.WithLabelValues("repeated").Add(float64(all - len(fresh)))
	c.pending = c.pending[:0]
	if err := c.pace.WaitN(ctx, min(all, c.pace.Burst())); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (c *conn) quarantine(ctx context.Context, f *fault) {
	source := c.dialect.Name
	if source == "" {
		source = "monitor"
	}
	err := c.l.in.QuarantineMessage(ctx, event.Quarantined{
		Source: source, From: c.from, Device: c.name, Reason: reasonOf(f.err), Detail: f.err.Error(), Bytes: f.text,
	})
	if err != nil {
		c.l.logger.Error("a bad line was lost to the quarantine", "device", c.name, "err", err)
	}
}
