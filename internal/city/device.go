package city

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// device is a running alarm panel: it takes its signals one after another, and
// sends each until it is acknowledged or not worth sending any more.
type device struct {
	plan  *panelPlan
	cfg   Config
	lines *switchboard
	queue chan Signal

	key      *dc09.Key
	skew     time.Duration // of its clock against the town's
	sequence uint16
	conn     net.Conn
	frames   *dc09.Scanner
	keeps    bool // holds a place among the kept connections
	wire     []byte
}

// Errors by which one attempt ends.
var (
	errNoReply = errors.New("no acknowledgement in time")
	errRefused = errors.New("refused for its time: clock set")
	errUnable  = errors.New("receiver cannot process the frame")
)

func newDevice(p *panelPlan, cfg Config, lines *switchboard, sequence uint16) (*device, error) {
	d := &device{plan: p, cfg: cfg, lines: lines, queue: make(chan Signal, panelQueue), sequence: sequence, skew: p.skew}
	if p.key != nil {
		var err error
		if d.key, err = dc09.NewKey(p.key); err != nil {
			return nil, fmt.Errorf("panel %s: %w", p.account, err)
		}
	}
	return d, nil
}

// run sends what comes until the context ends.
func (d *device) run(ctx context.Context) {
	defer d.hangUp()
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	for {
		idle.Reset(max(d.cfg.Clock.Real(idleAfter), time.Second))
		select {
		case <-ctx.Done():
			return
		case <-idle.C:
			d.hangUp()
		case s := <-d.queue:
			d.deliver(ctx, s)
			if len(d.queue) == 0 && !d.keeps {
				d.hangUp()
			}
		}
	}
}

// deliver sends one signal, again if need be, always under one number.
func (d *device) deliver(ctx context.Context, s Signal) {
	frame := s.Frame
	frame.Sequence = d.sequence
	d.sequence = dc09.NextSequence(d.sequence)
	rest := firstPause
	var err error
	for try := range attempts {
		if try > 0 {
			d.cfg.Progress.Repeated.Add(1)
			if !errors.Is(err, errRefused) { // a corrected clock need not wait
				if pause(ctx, rest) != nil {
					return
				}
				rest = min(rest*4, longestRest)
			}
		}
		if err = d.attempt(ctx, &frame, s.At); err == nil {
			d.cfg.Progress.Acknowledged.Add(1)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errUnable) {
			break
		}
		if !errors.Is(err, errRefused) {
			d.hangUp()
		}
	}
	d.cfg.Progress.Failed.Add(1)
	d.cfg.Logger.Debug("a panel gave up a signal", "panel", d.plan.account, "frame", frame.Data, "err", err)
}

// lateAfter is how old a signal is, in the town's time, when the panel adds when
// it happened (DC-09 block H).
const lateAfter = 90 * time.Second

// attempt sends the frame once and waits for the reply.
func (d *device) attempt(ctx context.Context, frame *dc09.Frame, at time.Time) error {
	if err := d.dial(ctx); err != nil {
		return err
	}
	now := d.cfg.Clock.Now()
	f := *frame
	f.Time = now.Add(d.skew)
	if now.Sub(at) > lateAfter && f.Data != "" {
		f.Extended = append(f.Extended[:len(f.Extended):len(f.Extended)],
			dc09.Extended{ID: dc09.ExtOccurred, Value: at.UTC().Format("15:04:05,01-02-2006")})
	}
	wire, err := dc09.Encode(d.wire[:0], &f, d.key, nil)
	if err != nil {
		return fmt.Errorf("panel %s: %w", d.plan.account, errors.Join(errUnable, err))
	}
	d.wire = wire
	conn := d.conn
	if err := conn.SetDeadline(time.Now().Add(d.waitFor())); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes the read
	defer stop()
	if _, err := conn.Write(wire); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	d.cfg.Progress.Sent.Add(1)
	return d.reply(frame.Sequence)
}

// waitFor is how long the panel waits for a reply, in real time: what a panel
// would wait by its own clock, yet never less than a real network needs.
func (d *device) waitFor() time.Duration {
	return min(max(d.cfg.Clock.Real(replyWait), leastReply), mostReply)
}

// reply reads until the answer to the frame with the sequence number has come.
func (d *device) reply(sequence uint16) error {
	for {
		raw, err := d.frames.Next()
		var bad *dc09.BadBytes
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errNoReply, err)
		}
		f, err := dc09.Parse(raw)
		if err != nil {
			continue
		}
		switch {
		case f.Token == dc09.TokenNAK:
			d.cfg.Progress.Refused.Add(1)
			d.setClock(f.Time)
			return errRefused
		case f.Token == dc09.TokenDUH:
			return errUnable
		case f.Token == dc09.TokenACK && f.Sequence == sequence && f.Account == d.plan.account && f.Decrypt(d.key) == nil:
			return nil
		}
		// Anything else answers an attempt that was given up.
	}
}

// setClock puts the panel's clock right by the receiver's.
func (d *device) setClock(receiver time.Time) {
	if !receiver.IsZero() {
		d.skew = receiver.Sub(d.cfg.Clock.Now())
	}
}

// dial opens a connection unless one is open, and waits its turn for that.
func (d *device) dial(ctx context.Context) error {
	if d.conn != nil {
		return nil
	}
	select {
	case d.lines.open <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	network := "tcp"
	if d.plan.udp {
		network = "udp"
	}
	dialer := net.Dialer{Timeout: d.waitFor()}
	conn, err := dialer.DialContext(ctx, network, d.cfg.DC09)
	if err != nil {
		<-d.lines.open
		return fmt.Errorf("calling the receiver: %w", err)
	}
	d.conn, d.frames = conn, dc09.NewScanner(conn, 0)
	if linkEvery[d.plan.class] > 0 && linkEvery[d.plan.class] < idleAfter { // reports too often to call each time
		select {
		case d.lines.kept <- struct{}{}:
			d.keeps = true
		default:
		}
	}
	return nil
}

func (d *device) hangUp() {
	if d.conn == nil {
		return
	}
	_ = d.conn.Close() // nothing unacknowledged is lost by it
	d.conn, d.frames = nil, nil
	<-d.lines.open
	if d.keeps {
		d.keeps = false
		<-d.lines.kept
	}
}
