package mqttclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/latency"
)

// BenchConfig says what to measure. Every message is another, so that the gateway
// must put each on its log.
type BenchConfig struct {
	Addr     string        // host:port of the gateway, TCP
	Clients  int           // connections; 0: 1,000
	Window   int           // messages that each has under way; 0: 1, which waits for each acknowledgement
	Duration time.Duration // how long to send; 0: until Messages are sent or the context ends
	Messages int           // how many to send; 0: no bound
	QoS      byte          // 1 or 2; 0 means 1, since nobody answers QoS 0
	Size     int           // bytes of payload; 0: 256
	Version  byte          // 4 (3.1.1), which 0 means, or 5

	// Devices are who sends, by turns. Topic is what follows a device's id.
	Devices []Login
	Topic   string

	Progress func(acked int64) // called every second; may be nil
}

// Login is a device and its secret.
type Login struct{ ID, Secret string }

// BenchResult is what was measured. Latency is from writing a message to having
// read its acknowledgement; with QoS 2, the PUBCOMP.
type BenchResult struct {
	Acked      int64         `json:"acked"`
	Refused    int64         `json:"refused"` // acknowledged with an error
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

// Bench loads a gateway and measures it. It returns an error only when it could
// not measure at all.
func Bench(ctx context.Context, cfg BenchConfig) (BenchResult, error) {
	if cfg.Clients <= 0 {
		cfg.Clients = 1000
	}
	if cfg.Size <= 0 {
		cfg.Size = 256
	}
	cfg.Window, cfg.QoS, cfg.Version = max(cfg.Window, 1), max(cfg.QoS, 1), max(cfg.Version, 4)
	if len(cfg.Devices) == 0 {
		return BenchResult{}, errors.New("no device to send for: name one that is enrolled")
	}
	b := &bench{cfg: cfg}
	b.left.Store(int64(cfg.Messages))
	loads := make([]*load, cfg.Clients)
	for i := range loads {
		loads[i] = newLoad(b, i)
		if err := loads[i].dial(ctx); err != nil {
			for _, l := range loads[:i] {
				_ = l.c.Drop()
			}
			return BenchResult{}, err
		}
	}
	if cfg.Duration > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, cfg.Duration)
		defer stop()
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
		res.Refused += l.refused
		res.Unanswered += l.unanswered
		if l.err != nil {
			res.Errors++
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

// take asks for leave to send one more message.
func (b *bench) take(ctx context.Context) bool {
	return ctx.Err() == nil && (b.cfg.Messages == 0 || b.left.Add(-1) >= 0)
}

// load is one connection of a bench. A connection that breaks stays broken: a
// gateway that breaks off is not measured.
type load struct {
	b     *bench
	i     int
	c     *Client
	login Login
	topic string
	n     uint64 // messages sent
	id    uint16
	body  []byte
	out   []byte
	sent  []sending // under way, oldest first

	times               latency.Histogram
	refused, unanswered int64
	err                 error
}

type sending struct {
	id uint16
	at time.Time
}

func newLoad(b *bench, i int) *load {
	login := b.cfg.Devices[i%len(b.cfg.Devices)]
	body := make([]byte, b.cfg.Size)
	for k := range body {
		body[k] = "0123456789abcdef"[(k*7+i)%16]
	}
	return &load{b: b, i: i, login: login, topic: login.ID + "/" + b.cfg.Topic, body: body}
}

func (l *load) dial(ctx context.Context) error {
	c, err := Dial(ctx, Options{
		Addr: l.b.cfg.Addr, Version: l.b.cfg.Version, ID: "bench-" + strconv.Itoa(l.i), User: l.login.ID, Password: l.login.Secret, Clean: true,
	})
	if err != nil {
		return fmt.Errorf("connecting %s: %w", l.login.ID, err)
	}
	l.c = c
	return nil
}

// run sends until it may no longer, and reads every acknowledgement that is due.
func (l *load) run(ctx context.Context) {
	defer func() { _ = l.c.Drop() }()
	for {
		l.fill(ctx)
		if len(l.out) > 0 {
			if l.err = l.c.Send(l.out); l.err != nil {
				break
			}
		}
		if len(l.sent) == 0 {
			return
		}
		if l.err = l.read(); l.err != nil {
			break
		}
	}
	l.unanswered += int64(len(l.sent))
}

// fill makes as many messages as the window has room for, beside what answers of
// QoS 2 are waiting to be sent.
func (l *load) fill(ctx context.Context) {
	now := time.Now()
	for len(l.sent) < l.b.cfg.Window && l.b.take(ctx) {
		l.n++
		if l.id++; l.id == 0 {
			l.id = 1
		}
		copy(l.body, strconv.AppendUint(l.body[:0:20], l.n, 10))
		m := Message{Topic: l.topic, Payload: l.body, QoS: l.b.cfg.QoS, ID: l.id}
		l.out = AppendPublish(l.out, l.b.cfg.Version, &m)
		l.sent = append(l.sent, sending{l.id, now})
	}
}

// read takes one packet, and those that came with it.
func (l *load) read() error {
	l.out = l.out[:0]
	for first := true; first || l.c.Buffered() > 0; first = false {
		next := l.c.Get
		if l.c.Buffered() > 0 {
			next = l.c.Next // it is here: a deadline would only cost
		}
		p, err := next()
		if err != nil {
			return fmt.Errorf("reading an acknowledgement: %w", err)
		}
		switch {
		case p.Type == TypePubrec && p.Code < 0x80:
			l.out = append(l.out, TypePubrel<<4|2, 2, byte(p.ID>>8), byte(p.ID))
		case p.Type == TypePuback, p.Type == TypePubrec, p.Type == TypePubcomp:
			l.settle(p, time.Now())
		case p.Type == TypeDisconnect:
			return fmt.Errorf("the gateway ended the connection with code 0x%02x", p.Code)
		}
	}
	return nil
}

func (l *load) settle(p Packet, now time.Time) {
	for i := range l.sent {
		if l.sent[i].id != p.ID {
			continue
		}
		if p.Code < 0x80 {
			l.times.Add(now.Sub(l.sent[i].at))
			l.b.acked.Add(1)
		} else {
			l.refused++
		}
		l.sent = append(l.sent[:i], l.sent[i+1:]...)
		return
	}
}
