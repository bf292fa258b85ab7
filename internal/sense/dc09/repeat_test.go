package dc09_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// acked sends a frame and fails unless it is acknowledged.
func acked(t *testing.T, c *dc09client.Client, frame string) {
	t.Helper()
	reply, err := c.SendRaw(context.Background(), []byte(frame))
	if err != nil || reply.Token != codec.TokenACK {
		t.Fatalf("%q: %v, %v", frame, reply.Token, err)
	}
}

func TestAFrameSentAgainIsOneObservation(t *testing.T) {
	st := start(t, setting{})
	key := testKey(t)
	c, other := st.dial("tcp"), st.dial("udp")
	at := time.Now()
	alarm := wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA003]`)
	for _, tt := range []struct {
		name  string
		via   *dc09client.Client
		wire  string
		total int // observations after it
	}{
		{"first", c, alarm, 1},
		{"again", c, alarm, 1},
		{"again, over the other path", other, alarm, 1},
		{"again, with a time stamp", c, wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA003]_10:00:00,01-02-2026`), 1},
		{"other content", c, wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA004]`), 2},
		{"other extended data", c, wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA003][Vhttps://example.org]`), 3},
		{"other sequence", c, wire(`"SIA-DCS"0008L0#1234[#1234|Nri1/BA003]`), 4},
		{"other line", c, wire(`"SIA-DCS"0007L1#1234[#1234|Nri1/BA003]`), 5},
		{"other receiver", c, wire(`"SIA-DCS"0007R1L0#1234[#1234|Nri1/BA003]`), 6},
		{"other account", c, wire(`"SIA-DCS"0007L0#AAA[#AAA|Nri1/BA003]`), 7},
		{"sequence 0000", c, wire(`"SIA-DCS"0000L0#1234[#1234|Nri1/BA003]`), 8},
		{"sequence 0000 again", c, wire(`"SIA-DCS"0000L0#1234[#1234|Nri1/BA003]`), 9},
		{"link test", c, wire(`"NULL"0009L0#1234[]`), 10},
		{"link test again", c, wire(`"NULL"0009L0#1234[]`), 11},
		{"encrypted", c, spec(t, "*SIA-DCS|#5678|Nri1/BA003", 7, at, key), 12},
		{"encrypted again, other pad and time", c, spec(t, "*SIA-DCS|#5678|Nri1/BA003", 7, at.Add(-2*time.Second), key), 12},
	} {
		acked(t, tt.via, tt.wire)
		if n := len(st.observations()); n != tt.total {
			t.Fatalf("%s: %d observations, want %d", tt.name, n, tt.total)
		}
	}
	distinct(t, st.observations())
	if got := st.metric("bluelamp_dc09_frames_total", "result", "repeat"); got != 4 {
		t.Errorf("%v repeats counted, want 4", got)
	}
}

func distinct(t *testing.T, obs []event.Observation) {
	t.Helper()
	seen := map[event.ID]bool{}
	for _, o := range obs {
		if seen[o.ID] {
			t.Errorf("two observations have id %s: %s", o.ID, o.Raw)
		}
		seen[o.ID] = true
	}
}

func TestAFrameSentAgainAfterARestartIsOneObservation(t *testing.T) {
	st := start(t, setting{})
	alarm := wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA003/TA004]`)
	sealed := spec(t, "*ADM-CID|#5678|1130 00 015", 8, time.Now(), testKey(t))
	c := st.dial("tcp")
	acked(t, c, alarm)
	acked(t, c, sealed)
	st = st.restart(setting{})
	c = st.dial("udp")
	acked(t, c, alarm)
	acked(t, c, sealed)
	if n := len(st.observations()); n != 3 {
		t.Errorf("%d observations, want the 3 of before the restart", n)
	}
	acked(t, c, wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA005]`))
	if n := len(st.observations()); n != 4 {
		t.Errorf("%d observations, want 4", n)
	}
	distinct(t, st.observations())
}

func TestRepeatsWaitForTheFirstOnesCommit(t *testing.T) {
	st := start(t, setting{})
	var wg sync.WaitGroup
	for i := range 32 {
		c := st.dial([]string{"tcp", "udp"}[i%2])
		wg.Go(func() {
			for seq := 1; seq <= 50; seq++ {
				reply, err := c.SendRaw(context.Background(), []byte(wire(fmt.Sprintf(`"SIA-DCS"%04dL0#1234[#1234|Nri1/BA003]`, seq))))
				if err != nil || reply.Token != codec.TokenACK {
					t.Errorf("%+v, %v", reply, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(st.observations()); n != 50 {
		t.Errorf("32 connections sent 50 frames each, all the same: %d observations, want 50", n)
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	st := start(t, setting{cfg: dc09.Config{TCP: "127.0.0.1:0", DedupEntries: 100}})
	c := st.dial("tcp")
	send := func(seq int) { acked(t, c, wire(fmt.Sprintf(`"SIA-DCS"%04dL0#1234[#1234|Nri1/BA003]`, seq))) }
	for seq := 1; seq <= 500; seq++ {
		send(seq)
		if n := st.metric("bluelamp_dc09_remembered_frames"); n > 100 {
			t.Fatalf("%v frames remembered", n)
		}
	}
	send(470) // still known
	send(1)   // forgotten: taken for new rather than lost
	if n := len(st.observations()); n != 501 {
		t.Errorf("%d observations, want 501", n)
	}
}

func TestAFullDiskIsNotAcknowledged(t *testing.T) {
	dir := t.TempDir()
	free := freeBytes(t, dir)
	const slack = 1 << 30
	if free < 6*slack {
		t.Skipf("needs 6 GiB of free disk, has %d MiB", free>>20)
	}
	first := start(t, setting{dir: dir}) // fills the registry
	st := first.restart(setting{reserve: free - slack})
	alarm := wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA003]`)
	stranger := wire(`"SIA-DCS"0007L0#9[#9|Nri1/BA003]`)
	c := st.dial("tcp")
	acked(t, c, wire(`"NULL"0001L0#1234[]`))

	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	if err := syscall.Fallocate(int(ballast.Fd()), 0, 0, 2*slack); err != nil {
		t.Skipf("this file system cannot set space aside: %v", err)
	}
	eventually(t, "the disk is full", func() bool { return st.log.Ready() != nil })
	for _, frame := range []string{alarm, stranger} {
		ctx, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer stop()
		if reply, err := c.SendRaw(ctx, []byte(frame)); !errors.Is(err, dc09client.ErrNoReply) {
			t.Errorf("%q: reply %v, %v; want none", frame, reply.Token, err)
		}
	}
	if !strings.Contains(st.said.String(), "was not acknowledged: the panel will send again") {
		t.Errorf("the log does not say it:\n%s", st.said)
	}
	if err := ballast.Truncate(0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the disk has space", func() bool { return st.log.Ready() == nil })
	acked(t, c, alarm) // on the same connection
	acked(t, c, alarm)
	if n := len(st.observations()); n != 2 {
		t.Errorf("%d observations, want 2", n)
	}
}

func freeBytes(t *testing.T, dir string) int64 {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	return int64(fs.Bavail) * fs.Bsize
}

func TestStoppingAnswersWhatWasTakenUp(t *testing.T) {
	st := start(t, setting{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	ackedRaw := map[string]bool{}
	var sent atomic.Int64
	for i := range 32 {
		c := st.dial("tcp")
		wg.Go(func() {
			for n := 1; ; n++ {
				frame := wire(fmt.Sprintf(`"SIA-DCS"%04dL%X#1234[#1234|Nri1/BA%d]`, n, i, n))
				reply, err := c.SendRaw(context.Background(), []byte(frame))
				if err != nil {
					return
				}
				if reply.Token == codec.TokenACK && reply.Sequence == uint16(n) {
					mu.Lock()
					ackedRaw[strings.Trim(frame, "\n\r")] = true
					mu.Unlock()
					sent.Add(1)
				}
			}
		})
	}
	eventually(t, "1,000 frames are acknowledged", func() bool { return sent.Load() > 1000 })
	st.halt()
	wg.Wait()
	logged := map[string]int{}
	for _, o := range st.observations() {
		logged[string(o.Raw)]++
	}
	for raw := range ackedRaw {
		if logged[raw] != 1 {
			t.Errorf("%s was acknowledged and is on the log %d times", raw, logged[raw])
		}
	}
	if extra := len(logged) - len(ackedRaw); extra > 32 {
		t.Errorf("%d frames are on the log without an ACK: more than one for each connection", extra)
	}
	if n := st.metric("bluelamp_dc09_connections"); n != 0 {
		t.Errorf("%v connections are left", n)
	}
}

func TestAnAddressInUseIsSaidClearly(t *testing.T) {
	st := start(t, setting{})
	for _, cfg := range []dc09.Config{{TCP: st.addr("tcp")}, {UDP: st.addr("udp")}} {
		_, err := dc09.New(cfg, st.in, st.reg, st.log, slog.New(slog.DiscardHandler), nil)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestAKeyThatIsPutTakesEffectAtOnce(t *testing.T) {
	st := start(t, setting{})
	c := st.dial("tcp")
	ctx := context.Background()
	acked(t, c, wire(`"SIA-DCS"0001L0#AAA[#AAA|Nri1/BA003]`))
	p := premises()[0]
	for i := range p.Accounts {
		if p.Accounts[i].Number == "AAA" {
			p.Accounts[i].Key = []byte(secret)
		}
	}
	if err := st.reg.Put(ctx, "test", p); err != nil {
		t.Fatal(err)
	}
	if reply, err := c.SendRaw(ctx, []byte(wire(`"SIA-DCS"0002L0#AAA[#AAA|Nri1/BA003]`))); err != nil || reply.Token != codec.TokenDUH {
		t.Errorf("plain: %v, %v", reply.Token, err)
	}
	acked(t, c, spec(t, "*SIA-DCS|#AAA|Nri1/BA003", 3, time.Now(), testKey(t)))
}

func TestBenchCountsWhatHappened(t *testing.T) {
	st := start(t, setting{})
	ctx := context.Background()
	var told atomic.Int64
	res, err := dc09client.Bench(ctx, dc09client.BenchConfig{
		Addr: st.addr("tcp"), Clients: 8, Window: 4, Duration: 1300 * time.Millisecond, Accounts: benchAccounts[:3],
		Progress: func(n int64) { told.Store(n) },
	})
	if n := int64(len(st.observations())); err != nil || res.Acked != n || n == 0 || res.Unanswered+res.Errors+res.NAK+res.DUH != 0 || told.Load() == 0 {
		t.Errorf("%+v, %v; %d observations", res, err, n)
	}
	if res.P50 <= 0 || res.P99 < res.P50 || res.P999 < res.P99 || res.Max < res.P999 {
		t.Errorf("%+v", res)
	}
	res, err = dc09client.Bench(ctx, dc09client.BenchConfig{Addr: st.addr("tcp"), Clients: 2, Frames: 100, Accounts: []string{"5678"}})
	if err != nil || res.DUH != 100 || res.Acked != 0 {
		t.Errorf("plain frames of an account with a key: %+v, %v", res, err)
	}
	time.AfterFunc(200*time.Millisecond, st.stop)
	res, err = dc09client.Bench(ctx, dc09client.BenchConfig{Addr: st.addr("tcp"), Clients: 4, Duration: 5 * time.Second, Accounts: benchAccounts})
	if err != nil || res.Errors < 4 || res.LastError == "" {
		t.Errorf("a receiver that stops: %+v, %v", res, err)
	}
	if _, err := dc09client.Bench(ctx, dc09client.BenchConfig{Addr: st.addr("tcp"), Accounts: benchAccounts}); err == nil {
		t.Error("a receiver that is not there is measured")
	}
}
