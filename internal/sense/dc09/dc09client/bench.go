package dc09client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/latency"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// BenchConfig says what to measure. Every frame is another event, so that the
// receiver must put each on its log.
type BenchConfig struct {
	Addr     string        // host:port of the receiver, TCP
	Clients  int           // connections; 0: 64
	Window   int           // frames that each has under way; 0: 1, which waits for each reply
	Duration time.Duration // how long to send; 0: until Frames are sent or the context ends
	Frames   int           // how many to send; 0: no bound
	Accounts []string      // accounts to send for, in the receiver's registry
	Key      *codec.Key    // of all the accounts; nil: not encrypted

	Progress func(acked int64) // called every second; may be nil
}

// BenchResult is what was measured. Latency is from writing a frame to having
// read its reply.
type BenchResult struct {
	Acked      int64         `json:"acked"`
	NAK        int64         `json:"nak"`
	DUH        int64         `json:"duh"`
	Unanswered int64         `json:"unanswered"`
	Errors     int64         `json:"errors"` // connections that broke
	LastError  string        `json:"last_error,omitempty"`
	Elapsed    time.Duration `json:"elapsed_ns"`
	PerSecond  float64       `json:"per_second"` // acknowledged
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	P999       time.Duration `json:"p999_ns"`
	Max        time.Duration `json:"max_ns"`
}

const benchTimeout = 15 * time.Second // without any reply, a connection is given up

// Bench loads a receiver and measures it. It returns an error only when it could
// not measure at all.
func Bench(ctx context.Context, cfg BenchConfig) (BenchResult, error) {
	if cfg.Clients <= 0 {
		cfg.Clients = 64
	}
	cfg.Window = max(cfg.Window, 1)
	if len(cfg.Accounts) == 0 {
		return BenchResult{}, errors.New("no account to send for: name one that is in the receiver's registry")
	}
	if cfg.Duration > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, cfg.Duration)
		defer stop()
	}
	b := &bench{cfg: cfg}
	b.left.Store(int64(cfg.Frames))
	loads := make([]*load, cfg.Clients)
	for i := range loads {
		loads[i] = newLoad(b, i)
		if err := loads[i].dial(ctx); err != nil {
			for _, l := range loads[:i] {
				_ = l.conn.Close()
			}
			return BenchResult{}, err
		}
	}
	return b.run(ctx, loads), nil
}

// bench is a measurement under way.
type bench struct {
	cfg   BenchConfig
	left  atomic.Int64
	acked atomic.Int64
}

func (b *bench) run(ctx context.Context, loads []*load) BenchResult {
	start := time.Now()
	var wg, ticking sync.WaitGroup
	done := make(chan struct{})
	if b.cfg.Progress != nil {
		ticking.Go(func() { b.progress(done) })
	}
	for _, l := range loads {
		wg.Go(func() { l.run(ctx) })
	}
	wg.Wait()
	res := BenchResult{Acked: b.acked.Load(), Elapsed: time.Since(start)}
	close(done)
	ticking.Wait()
	var all latency.Histogram
	for _, l := range loads {
		all.Merge(&l.times)
		res.NAK += l.nak
		res.DUH += l.duh
		res.Unanswered += l.unanswered
		res.Errors += l.errors
		if l.err != nil {
			res.LastError = l.err.Error()
		}
	}
	res.PerSecond = float64(res.Acked) / res.Elapsed.Seconds()
	res.P50, res.P99, res.P999, res.Max = all.Quantile(0.5), all.Quantile(0.99), all.Quantile(0.999), all.Max()
	return res
}

func (b *bench) progress(done <-chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.cfg.Progress(b.acked.Load())
		case <-done:
			return
		}
	}
}

// take asks for leave to send one more frame.
func (b *bench) take(ctx context.Context) bool {
	return ctx.Err() == nil && (b.cfg.Frames == 0 || b.left.Add(-1) >= 0)
}

// load is one connection of a bench.
type load struct {
	b     *bench
	conn  net.Conn
	scan  *codec.Scanner
	n     int         // frames sent
	frame codec.Frame // the next one
	mine  []string    // accounts
	out   []byte
	sent  []sending // under way, oldest first

	times                        latency.Histogram
	nak, duh, unanswered, errors int64
	err                          error
}

type sending struct {
	seq uint16
	at  time.Time
}

func newLoad(b *bench, i int) *load {
	l := &load{b: b}
	for a := i % len(b.cfg.Accounts); a < len(b.cfg.Accounts); a += b.cfg.Clients {
		l.mine = append(l.mine, b.cfg.Accounts[a])
	}
	// Each connection has a line of its own, so that connections that share an
	// account do not seem to repeat each other.
	l.frame = codec.Frame{Token: codec.TokenSIA, Encrypted: b.cfg.Key != nil, Line: strings.ToUpper(strconv.FormatInt(int64(i), 16))}
	return l
}

func (l *load) dial(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", l.b.cfg.Addr)
	if err != nil {
		return fmt.Errorf("connecting to the receiver: %w", err)
	}
	l.conn = conn
	l.scan = codec.NewScanner(bufio.NewReaderSize(conn, codec.MaxFrame+2), 0)
	return nil
}

// run sends until it may no longer, and reads every reply that is due.
func (l *load) run(ctx context.Context) {
	defer func() { _ = l.conn.Close() }()
	for {
		if err := l.fill(ctx); err != nil {
			l.fail(err)
		} else if len(l.sent) == 0 {
			return
		} else if err := l.read(); err != nil {
			l.fail(err)
		}
		if l.err != nil && (ctx.Err() != nil || l.redial(ctx) != nil) {
			return
		}
	}
}

// fail gives up what is under way.
func (l *load) fail(err error) {
	l.errors++
	l.err = err
	l.unanswered += int64(len(l.sent))
	l.sent = l.sent[:0]
	_ = l.conn.Close()
}

func (l *load) redial(ctx context.Context) error {
	err := l.dial(ctx)
	if err == nil && l.errors < 100 { // a receiver that always breaks off is not measured
		l.err = nil
		return nil
	}
	return errors.Join(err, l.err)
}

// fill sends as many frames as the window has room for.
func (l *load) fill(ctx context.Context) error {
	l.out = l.out[:0]
	now := time.Now()
	for len(l.sent) < l.b.cfg.Window && l.b.take(ctx) {
		var err error
		l.next(now)
		if l.out, err = codec.Encode(l.out, &l.frame, l.b.cfg.Key, nil); err != nil {
			return err
		}
		l.sent = append(l.sent, sending{l.frame.Sequence, now})
	}
	if len(l.out) == 0 {
		return nil
	}
	if err := l.conn.SetDeadline(now.Add(benchTimeout)); err != nil {
		return err
	}
	_, err := l.conn.Write(l.out)
	return err
}

// next makes the next frame: a number, and content that differs from that of
// the last frame with this number.
func (l *load) next(now time.Time) {
	f := &l.frame
	f.Sequence = codec.NextSequence(f.Sequence)
	f.Account = l.mine[l.n%len(l.mine)]
	f.Time = now.UTC().Truncate(time.Second)
	var space [64]byte
	d := append(space[:0], '#')
	d = append(d, f.Account...)
	d = append(d, "|Nri"...)
	d = strconv.AppendInt(d, int64(1+l.n/9999), 10)
	d = append(d, "/BA"...)
	d = strconv.AppendInt(d, int64(1+l.n%64), 10)
	f.Data = string(d)
	l.n++
}

// read takes one reply, and those that came with it.
func (l *load) read() error {
	for first := true; first || l.scan.Buffered() > 0 && len(l.sent) > 0; first = false {
		raw, err := l.scan.Next()
		if err != nil {
			return fmt.Errorf("reading a reply: %w", err)
		}
		reply, err := codec.Parse(raw)
		if err != nil {
			return fmt.Errorf("reading a reply: %w", err)
		}
		l.settle(&reply, time.Now())
	}
	return nil
}

func (l *load) settle(reply *codec.Frame, now time.Time) {
	// Replies come in order; a frame that is passed over got none.
	if reply.Token != codec.TokenNAK {
		skip := 0
		for skip < len(l.sent) && l.sent[skip].seq != reply.Sequence {
			skip++
		}
		l.unanswered += int64(skip)
		l.sent = l.sent[:copy(l.sent, l.sent[skip:])]
	}
	if len(l.sent) == 0 {
		return
	}
	switch reply.Token {
	case codec.TokenACK:
		l.times.Add(now.Sub(l.sent[0].at))
		l.b.acked.Add(1)
	case codec.TokenNAK:
		l.nak++
	default:
		l.duh++
	}
	l.sent = l.sent[:copy(l.sent, l.sent[1:])]
}
