package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

func mustKey(tb testing.TB, b []byte) *codec.Key {
	tb.Helper()
	k, err := codec.NewKey(b)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// wire encodes a frame.
func wire(tb testing.TB, spec string, seq uint16) []byte {
	tb.Helper()
	f, err := codec.ParseSpec(spec)
	if err != nil {
		tb.Fatal(err)
	}
	f.Sequence, f.Line = seq, "0"
	out, err := codec.Encode(nil, &f, nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// raw writes bytes, says that no more will come, and reads until the receiver
// closes.
func (p *platform) raw(what []byte) string {
	p.tb.Helper()
	c, err := net.Dial("tcp", p.DC09Addr())
	if err != nil {
		p.tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = c.Write(what) // the receiver may close before it has read all
	_ = c.(*net.TCPConn).CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	reply, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.tb.Errorf("%.40q: the connection stays open", what)
	}
	return string(reply)
}

// TestHostileInput gives a whole platform everything that a line can bring: it
// answers by the rules, keeps the bytes, and goes on working.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	p := start(t, testConfig(t.TempDir(), "127.0.0.1:0"), twoPremises()...)
	crawlers := p.crawl(200)

	good := wire(t, "SIA-DCS|#1234|Nri1/BA001", 1)
	damaged := append([]byte(nil), good...)
	damaged[1] = "10"[damaged[1]&1] // a digit of the checksum
	noise := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(noise)
	for _, tt := range []struct {
		name, reason, reply string // reply "" for none
		bytes               []byte
	}{
		{"truncated", "truncated", "", good[:len(good)-9]},
		{"oversize", "oversize", "", []byte("\n" + strings.Repeat("A", 3*dc09.DefaultMaxFrame))},
		{"wrong checksum", "checksum", "", damaged},
		{"unknown account", "unknown account", `"DUH"`, wire(t, "SIA-DCS|#9999|Nri1/BA001", 2)},
		{"plain where a key is known", "not encrypted", `"DUH"`, wire(t, "SIA-DCS|#5678|Nri1/BA001", 3)},
		{"random bytes", "garbage", "", noise},
		{"another protocol", "not a frame", "", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(p.quarantined())
			reply := p.raw(tt.bytes)
			if tt.reply == "" && reply != "" || !strings.Contains(reply, tt.reply) {
				t.Errorf("reply %q, want %q", reply, tt.reply)
			}
			waitFor(t, "an entry in quarantine", func() bool { return len(p.quarantined()) > before })
			p.checkKept(t, p.quarantined()[before:], tt.reason, tt.bytes)
		})
	}
	t.Run("wrong key", func(t *testing.T) {
		before := len(p.quarantined())
		if got := p.send("SIA-DCS|#5678|Nri1/BA002", 4, mustKey(t, []byte("FEDCBA9876543210"))); got != codec.TokenNAK {
			t.Errorf("reply %q, want NAK", got)
		}
		p.checkKept(t, p.quarantined()[before:], "key", nil)
	})

	// After all of it, and while the crawlers crawl, panels are served.
	if got := p.send("SIA-DCS|#1234|Nri1/BA003", 5, nil); got != codec.TokenACK {
		t.Fatalf("a good signal is answered %q", got)
	}
	if got := p.send("SIA-DCS|#5678|Nri1/BA004", 6, mustKey(t, bankKey)); got != codec.TokenACK {
		t.Fatalf("a good encrypted signal is answered %q", got)
	}
	p.becomesIncident("shop")
	p.becomesIncident("bank")
	if got := p.alarms(); len(got) != 2 || got[shop+"/3"] != 1 || got[bank+"/4"] != 1 {
		t.Errorf("on the log: %v, want the two good signals", got)
	}
	crawlers.ended(t)
	if !p.said.has("frame too slow") {
		t.Error("the log does not tell of frames that are too slow")
	}
}

// checkKept looks for an entry with the reason, whose bytes begin as those sent
// do, when these are known.
func (p *platform) checkKept(t *testing.T, es []event.Quarantined, reason string, sent []byte) {
	t.Helper()
	for _, e := range es {
		if e.Reason != reason {
			continue
		}
		frame := strings.Trim(string(sent), "\r\n")
		if len(e.Bytes) == 0 || e.Detail == "" || e.From == "" || sent != nil && !strings.Contains(frame, strings.Trim(string(e.Bytes[:min(8, len(e.Bytes))]), "\r\n")) {
			t.Errorf("kept: %q from %q, %q; sent %.60q", e.Bytes[:min(60, len(e.Bytes))], e.From, e.Detail, sent)
		}
		return
	}
	t.Errorf("no entry %q among %d", reason, len(es))
}

// crawlers are connections that send a byte now and then.
type crawlers struct {
	closed chan bool
	n      int
	begun  time.Time
}

func (p *platform) crawl(n int) *crawlers {
	p.tb.Helper()
	cs := &crawlers{closed: make(chan bool, n), n: n, begun: time.Now()}
	frame := wire(p.tb, "SIA-DCS|#1234|Nri1/BA009", 9)
	for range n {
		c, err := net.Dial("tcp", p.DC09Addr())
		if err != nil {
			p.tb.Fatal(err)
		}
		p.tb.Cleanup(func() { _ = c.Close() })
		go func() {
			for i := range len(frame) - 1 {
				if _, err := c.Write(frame[i : i+1]); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			_, err := io.Copy(io.Discard, c)
			cs.closed <- !errors.Is(err, os.ErrDeadlineExceeded)
		}()
	}
	return cs
}

// ended waits until the receiver has closed every one.
func (cs *crawlers) ended(t *testing.T) {
	t.Helper()
	for range cs.n {
		if !<-cs.closed {
			t.Fatal("a connection that crawls stays open")
		}
	}
	t.Logf("%d crawling connections closed within %v", cs.n, time.Since(cs.begun).Round(time.Second))
}

// TestFullDisk fills the disk below a running platform: panels hear nothing
// rather than a lie, and all goes on when there is space.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir, reserve, ballast := smallDisk(t)
	cfg := testConfig(dir, "127.0.0.1:0")
	cfg.Reserve = reserve >> 20
	p := start(t, cfg, twoPremises()...)
	acked := map[string]bool{}
	signal := func(n int) codec.Token {
		got := p.send(fmt.Sprintf("SIA-DCS|#1234|Nri1/BA%03d", n), uint16(n), nil)
		if got == codec.TokenACK {
			acked[fmt.Sprintf("%s/%d", shop, n)] = true
		}
		return got
	}
	if got := signal(1); got != codec.TokenACK {
		t.Fatalf("before: reply %q", got)
	}
	remove := fill(t, dir, ballast)
	waitFor(t, "the platform to say that the disk is full", func() bool { return p.said.has("the disk is full") && p.Ready() != nil })
	if !errors.Is(p.Ready(), bus.ErrFull) {
		t.Errorf("not ready because: %v", p.Ready())
	}
	for n := 2; n < 5; n++ {
		if got := signal(n); got != "" {
			t.Errorf("on a full disk: reply %q, want none", got)
		}
	}
	remove()
	waitFor(t, "the platform to be ready again", func() bool { return p.Ready() == nil })
	if got := signal(2); got != codec.TokenACK { // the panel tries again
		t.Errorf("after: reply %q", got)
	}
	p.becomesIncident("shop")
	have := p.alarms()
	for zone := range acked {
		if have[zone] != 1 {
			t.Errorf("the acknowledged signal %s is on the log %d times", zone, have[zone])
		}
	}
}

// smallDisk returns a directory, the bytes to reserve, and how many to fill so
// that less is free: on a disk of its own, or where that cannot be mounted on
// the test's disk, with a reserve just below what is free.
func smallDisk(t *testing.T) (dir string, reserve, ballast int64) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err == nil {
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		return dir, 64 << 20, 224 << 20
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free := int64(st.Bavail) * st.Bsize
	if free < 2<<30 {
		t.Skipf("no disk can be mounted, and only %d MiB are free", free>>20)
	}
	return dir, free - 512<<20, 1 << 30
}

// fill takes up bytes of a disk, as many as there are.
func fill(t *testing.T, dir string, bytes int64) (remove func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, bytes); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// fullPass sends an alarm and follows it to the read model.
func fullPass(t *testing.T, cfg app.Config) {
	t.Helper()
	p := start(t, cfg, twoPremises()...)
	if got := p.send("SIA-DCS|#1234|Nri1/BA003", 1, nil); got != codec.TokenACK {
		t.Fatalf("reply %q", got)
	}
	if got := p.send("SIA-DCS|#1234|Nri1/BA004", 2, nil); got != codec.TokenACK {
		t.Fatalf("reply %q", got)
	}
	if got := p.becomesIncident("shop"); got.Number != 1 {
		t.Errorf("incident %d", got.Number)
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir(), "127.0.0.1:0")
	cfg.DB = storetest.Postgres(t)
	fullPass(t, cfg)
}

// TestExternalServer keeps the log on a NATS server of its own, of one node.
func TestExternalServer(t *testing.T) {
	t.Parallel()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
		MaxPayload: bus.MaxMessage + 1<<20, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server did not start")
	}
	cfg := testConfig(t.TempDir(), "127.0.0.1:0")
	cfg.NATS, cfg.Replicas = srv.ClientURL(), 1
	fullPass(t, cfg)
	if _, err := os.Stat(filepath.Join(cfg.Data, "log")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log was made here too: %v", err)
	}
	cfg.Data, cfg.Replicas = t.TempDir(), 3
	a, err := app.New(context.Background(), cfg, app.Options{})
	if err == nil {
		a.Close()
		t.Fatal("one server keeps three copies")
	}
	if !strings.Contains(err.Error(), "--log-replicas") {
		t.Errorf("the error names no way out: %v", err)
	}
}
