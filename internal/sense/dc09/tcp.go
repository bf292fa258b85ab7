package dc09

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// accept takes connections until the receiver stops, and waits for them to end.
func (r *Receiver) accept(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wait := shortestPause
	for {
		nc, err := r.tcp.AcceptTCP()
		switch {
		case err == nil:
		case r.stopped(err):
			return nil
		default: // no file descriptor left, or a connection that was gone at once
			if r.say.Allow() {
				r.logger.Error("a connection could not be taken; trying on", "err", err)
			}
			r.pause(ctx, wait)
			wait = min(2*wait, longestPause)
			continue
		}
		wait = shortestPause
		c := r.admit(nc)
		if c == nil {
			_ = nc.Close()
			continue
		}
		wg.Go(func() { c.serve(ctx) })
	}
}

// How long a socket that fails is left alone.
const shortestPause, longestPause = 5 * time.Millisecond, time.Second

func (r *Receiver) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// admit gives a connection a place, or returns nil when there is none.
func (r *Receiver) admit(nc *net.TCPConn) *conn {
	from := nc.RemoteAddr().(*net.TCPAddr).AddrPort()
	ip := from.Addr().Unmap()
	r.mu.Lock()
	all, same := len(r.conns), r.perIP[ip]
	if r.stopping.Load() || all >= r.cfg.MaxConns || same >= r.cfg.MaxConnsPerIP {
		r.mu.Unlock()
		r.met.closed.WithLabelValues("no place").Inc()
		if !r.stopping.Load() && r.say.Allow() {
			r.logger.Warn("a connection was turned away: too many are open",
				"from", from, "open", all, "most", r.cfg.MaxConns, "from_there", same, "most_from_one_address", r.cfg.MaxConnsPerIP)
		}
		return nil
	}
	c := &conn{r: r, net: nc, ip: ip, opened: r.now()}
	c.round = round{r: r, from: "tcp " + from.String(), via: tcp}
	c.scan = codec.NewScanner(bufio.NewReaderSize(c, readBuffer), r.cfg.MaxFrame)
	r.conns[c] = true
	r.perIP[ip]++
	r.mu.Unlock()
	r.met.connections.Inc()
	return c
}

func (r *Receiver) dismiss(c *conn) {
	_ = c.net.Close()
	r.mu.Lock()
	delete(r.conns, c)
	if r.perIP[c.ip]--; r.perIP[c.ip] <= 0 {
		delete(r.perIP, c.ip)
	}
	r.mu.Unlock()
	r.met.connections.Dec()
}

// conn is a panel's connection.
type conn struct {
	r      *Receiver
	net    *net.TCPConn
	ip     netip.Addr
	opened time.Time
	scan   *codec.Scanner
	round  round

	known   bool      // has brought a frame that was acknowledged
	strikes int       // arrivals in a row that were no frames
	begun   time.Time // when the frame that is coming in began; zero: none is
	waiting string    // what for, when a deadline passes
}

// Why a connection ends.
var (
	errStrikes = errors.New("brings no frames")
	errWrite   = errors.New("does not read its replies")
)

func (c *conn) serve(ctx context.Context) {
	defer c.r.dismiss(c)
	err := c.receive(ctx)
	// What was taken up is answered, whatever ended the connection.
	if flushErr := c.flush(); err == nil {
		err = flushErr
	}
	c.ended(err)
}

func (c *conn) receive(ctx context.Context) error {
	for {
		raw, err := c.scan.Next()
		c.begun = time.Time{}
		var bad *codec.BadBytes
		switch {
		case errors.As(err, &bad):
			if !c.r.stopping.Load() { // we broke that frame off ourselves
				c.r.quarantine(ctx, &c.round, fmt.Errorf("%w after %d bytes", bad.Reason, len(bad.Bytes)), bad.Bytes)
			}
			c.strikes++
			if errors.Is(bad.Reason, codec.ErrOversize) {
				return bad.Reason
			}
		case err != nil:
			return err
		default:
			c.judge(c.round.take(ctx, raw))
		}
		if c.strikes >= maxStrikes {
			return errStrikes
		}
		if c.round.full() {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// judge the sender by the reply to its frame. Only who brings what we
// acknowledge earns a lasting place.
func (c *conn) judge(reply codec.Reply) {
	switch reply {
	case codec.ReplyNone:
		c.strikes++
	case codec.ReplyACK:
		c.known, c.strikes = true, 0
	default:
		c.strikes = 0
	}
}

// Read is called by the scanner when it has handed out every whole frame: the
// moment to answer, before waiting for the sender.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	now := c.r.now()
	var until time.Time
	switch {
	case c.scan.Buffered() > 0:
		// A frame has its time as a whole, however often a byte of it comes.
		if c.begun.IsZero() {
			c.begun = now
		}
		c.waiting, until = "frame too slow", c.begun.Add(c.r.cfg.FrameTimeout)
	case !c.known:
		c.waiting, until = "no frame", c.opened.Add(c.r.cfg.FirstTimeout)
	default:
		c.waiting, until = "idle", now.Add(c.r.cfg.IdleTimeout)
	}
	if err := c.net.SetReadDeadline(until); err != nil {
		return 0, err
	}
	if c.r.stopping.Load() { // after setting: interrupt may have come between
		_ = c.net.SetReadDeadline(longAgo)
	}
	return c.net.Read(p)
}

// flush answers what was taken up.
func (c *conn) flush() error {
	if c.round.n == 0 {
		return nil
	}
	out, _ := c.round.answer()
	if len(out) == 0 {
		return nil
	}
	if err := c.net.SetWriteDeadline(c.r.now().Add(c.r.cfg.WriteTimeout)); err != nil {
		return err
	}
	if _, err := c.net.Write(out); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	return nil
}

// ended counts why a connection ended, and tells when the sender is to blame.
func (c *conn) ended(err error) {
	reason, blame := "error", false
	switch {
	case c.r.stopping.Load():
		reason = "stopping"
	case err == nil, errors.Is(err, io.EOF):
		reason = "by the panel"
	case errors.Is(err, codec.ErrOversize):
		reason, blame = "oversize", true
	case errors.Is(err, errStrikes):
		reason, blame = "no frames", true
	case errors.Is(err, errWrite):
		reason, blame = "replies not read", true
	case errors.Is(err, os.ErrDeadlineExceeded):
		reason, blame = c.waiting, c.waiting != "idle"
	}
	c.r.met.closed.WithLabelValues(reason).Inc()
	if blame && c.r.say.Allow() {
		c.r.logger.Warn("a connection was closed", "from", c.round.from, "why", reason, "err", err)
	}
}
