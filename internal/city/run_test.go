package city

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// receiver is a small receiving centre on TCP and UDP.
type receiver struct {
	t     *testing.T
	clock *clock.Clock
	keys  map[string]*dc09.Key
	mute  func(f *dc09.Frame, times int) bool // leaves a frame without reply

	tcp  net.Listener
	udp  net.PacketConn
	work sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	most  int                     // connections at once
	heard map[string]map[int]int  // account, sequence: times
	taken map[string][]dc09.Frame // acknowledged, by account, without repeats
	naks  int
}

func newReceiver(t *testing.T, town *Town, c *clock.Clock, addr string) *receiver {
	t.Helper()
	r := &receiver{
		t: t, clock: c, keys: map[string]*dc09.Key{}, conns: map[net.Conn]bool{},
		heard: map[string]map[int]int{}, taken: map[string][]dc09.Frame{},
	}
	for _, p := range town.Premises() {
		for _, a := range p.Accounts {
			r.heard[a.Number] = map[int]int{}
			if a.Key != nil {
				key, err := dc09.NewKey(a.Key)
				if err != nil {
					t.Fatal(err)
				}
				r.keys[a.Number] = key
			}
		}
	}
	var err error
	if r.tcp, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	if r.udp, err = net.ListenPacket("udp", r.tcp.Addr().String()); err != nil {
		t.Fatal(err)
	}
	r.work.Go(r.accept)
	r.work.Go(r.packets)
	t.Cleanup(r.close)
	return r
}

func (r *receiver) addr() string { return r.tcp.Addr().String() }

func (r *receiver) close() {
	r.tcp.Close()
	r.udp.Close()
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.work.Wait()
}

func (r *receiver) accept() {
	for {
		c, err := r.tcp.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns[c] = true
		r.most = max(r.most, len(r.conns))
		r.mu.Unlock()
		r.work.Go(func() {
			frames := dc09.NewScanner(c, 0)
			for {
				raw, err := frames.Next()
				if err != nil {
					break
				}
				if _, err := c.Write(r.answer(raw)); err != nil {
					break
				}
			}
			r.mu.Lock()
			delete(r.conns, c)
			r.mu.Unlock()
			c.Close()
		})
	}
}

func (r *receiver) packets() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := r.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		for raw, err := range dc09.Datagram(buf[:n], 0) {
			if err != nil {
				r.t.Errorf("packet %q: %v", buf[:n], err)
				continue
			}
			if reply := r.answer(raw); reply != nil {
				if _, err := r.udp.WriteTo(reply, from); err != nil {
					return
				}
			}
		}
	}
}

func (r *receiver) answer(raw []byte) []byte {
	f, err := dc09.Parse(raw)
	if err != nil {
		r.t.Errorf("%q: %v", raw, err)
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, known := r.heard[f.Account]
	if !known {
		r.t.Errorf("account %q is not in the registry", f.Account)
		return nil
	}
	if _, err := f.Signals(); f.Sealed() {
		err = f.Decrypt(r.keys[f.Account])
		if err != nil {
			r.t.Errorf("account %s: %v", f.Account, err)
		}
	} else if err != nil {
		r.t.Errorf("%q: %v", raw, err)
	}
	seen[int(f.Sequence)]++
	if r.mute != nil && r.mute(&f, seen[int(f.Sequence)]) {
		return nil
	}
	now := r.clock.Now()
	// At the test's speed a second of real delay is minutes of the town's time.
	reply, _ := dc09.ReplyFor(&f, nil, now, dc09.Rules{Ahead: 3 * time.Minute, Behind: 3 * time.Minute})
	switch reply {
	case dc09.ReplyNAK:
		r.naks++
	case dc09.ReplyACK:
		r.taken[f.Account] = append(r.taken[f.Account], f)
	}
	out, err := dc09.AppendReply(nil, &f, reply, r.keys[f.Account], now, nil)
	if err != nil {
		r.t.Errorf("replying to %q: %v", raw, err)
	}
	return out
}

// live runs the town until done says so.
func live(t *testing.T, town *Town, cfg Config, done func(p *Progress) bool) *Progress {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cfg.Progress = &Progress{}
	ended := make(chan error, 1)
	go func() { ended <- town.Run(ctx, cfg) }()
	for !done(cfg.Progress) {
		select {
		case err := <-ended:
			t.Fatalf("the town ended by itself: %v; %d acknowledged", err, cfg.Progress.Acknowledged.Load())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return cfg.Progress
}

func TestRunReportsToTheReceiver(t *testing.T) {
	town := skarrow()
	c := clock.Scaled(monday, 400)
	r := newReceiver(t, town, c, "127.0.0.1:0")
	p := live(t, town, Config{Clock: c, DC09: r.addr(), MaxConns: 24}, func(p *Progress) bool {
		return p.Acknowledged.Load() > 300
	})
	r.close()
	if p.Failed.Load() > 0 || p.Dropped.Load() > 0 {
		t.Errorf("%d failed, %d dropped", p.Failed.Load(), p.Dropped.Load())
	}
	if r.most > 24+1 { // the receiver may notice an end late
		t.Errorf("%d connections at once, at most 24 wanted", r.most)
	}
	var encrypted, alarms int
	for account, frames := range r.taken {
		for i, f := range frames {
			if i > 0 && f.Sequence != dc09.NextSequence(frames[i-1].Sequence) && f.Sequence != frames[i-1].Sequence {
				t.Errorf("account %s: %04d after %04d", account, f.Sequence, frames[i-1].Sequence)
			}
			if f.Encrypted {
				encrypted++
			}
			if signals, _ := f.Signals(); len(signals) == 1 && signals[0].Category == dc09.Burglary {
				alarms++
			}
		}
	}
	if encrypted == 0 || alarms == 0 {
		t.Errorf("%d encrypted frames and %d burglary signals", encrypted, alarms)
	}
}

func TestRunSetsAWrongClock(t *testing.T) {
	c := clock.Scaled(monday, 150)
	town := New(3)
	for _, p := range town.panels {
		if p.key != nil {
			p.skew = time.Hour
		}
	}
	r := newReceiver(t, town, c, "127.0.0.1:0")
	p := live(t, town, Config{Clock: c, DC09: r.addr()}, func(p *Progress) bool {
		return p.Refused.Load() >= 5 && p.Acknowledged.Load() >= 40
	})
	if p.Failed.Load() > 0 {
		t.Errorf("%d signals failed", p.Failed.Load())
	}
}

// A frame without reply comes again under the same number.
func TestRunRepeatsWhatIsNotAnswered(t *testing.T) {
	c := clock.Scaled(monday, 300)
	r := newReceiver(t, skarrow(), c, "127.0.0.1:0")
	r.mu.Lock()
	r.mute = func(f *dc09.Frame, times int) bool { return times == 1 && f.Sequence%3 == 0 }
	r.mu.Unlock()
	p := live(t, skarrow(), Config{Clock: c, DC09: r.addr()}, func(p *Progress) bool {
		return p.Repeated.Load() >= 5 && p.Acknowledged.Load() >= 60
	})
	r.close()
	again := 0
	for account, seen := range r.heard {
		for sequence, n := range seen {
			if sequence%3 == 0 && n > 1 {
				again++
			}
			if n > attempts {
				t.Errorf("account %s sent %04d %d times", account, sequence, n)
			}
		}
	}
	if again == 0 || p.Failed.Load() > 0 {
		t.Errorf("%d frames came again, %d signals failed", again, p.Failed.Load())
	}
}

// While nobody answers signals are given up; when somebody does, life goes on.
func TestRunOutlivesTheReceiver(t *testing.T) {
	c := clock.Scaled(monday, 400)
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := reserved.Addr().String()
	reserved.Close()
	var r *receiver
	live(t, skarrow(), Config{Clock: c, DC09: addr}, func(p *Progress) bool {
		if r == nil && c.Now().After(monday.Add(3*time.Minute)) {
			r = newReceiver(t, skarrow(), c, addr)
		}
		return p.Acknowledged.Load() >= 50
	})
}

func TestMonitorWritesWhatTrafficTells(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "zeek")
	start := monday.Add(2*time.Hour + 50*time.Minute) // a rotation is ten minutes away
	sc := Busy()
	sc.FlowsPerMinute, sc.Opening = 10, false
	p := live(t, skarrow(), Config{Clock: clock.Scaled(start, 3000), ZeekDir: dir, Scenario: sc}, func(*Progress) bool {
		rotated, _ := filepath.Glob(filepath.Join(dir, "conn.*.log"))
		return len(rotated) >= 1
	})
	files, _ := filepath.Glob(filepath.Join(dir, "conn*.log"))
	sort.Slice(files, func(i, j int) bool { return filepath.Base(files[i]) != logName && filepath.Base(files[j]) == logName })
	var got, want []byte
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, data...)
	}
	lines := bytes.Count(got, []byte("\n"))
	if uint64(lines) != p.Flows.Load() || lines < 20 {
		t.Fatalf("%d lines for %d flows", lines, p.Flows.Load())
	}
	// The clock ran on while the run began, so the first lines may be missing.
	for f := range skarrow().Traffic(start, sc) {
		if want = f.AppendJSON(want); len(want) >= len(got)+100_000 {
			break
		}
	}
	if !bytes.Contains(want, got) {
		t.Error("the log is not what Traffic tells")
	}
}

func TestRunNeedsAClock(t *testing.T) {
	if err := skarrow().Run(t.Context(), Config{}); err == nil {
		t.Error("no error without a clock")
	}
}
