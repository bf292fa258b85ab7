package dc09_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/dc09"
)

// hostile opens a bare connection.
func (st *station) hostile() net.Conn {
	st.tb.Helper()
	c, err := net.Dial("tcp", st.addr("tcp"))
	if err != nil {
		st.tb.Fatal(err)
	}
	st.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// closed waits until the receiver has closed the connection.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

// works shows that the receiver still serves panels.
func (st *station) works(t *testing.T) {
	t.Helper()
	acked(t, st.dial("tcp"), wire(`"NULL"0001L0#1234[]`))
	if st.rcv.UDPAddr() != "" {
		acked(t, st.dial("udp"), wire(`"NULL"0001L0#1234[]`))
	}
}

func TestBadConnectionsAreClosedAndKept(t *testing.T) {
	short := dc09.Config{TCP: "127.0.0.1:0", FrameTimeout: 150 * time.Millisecond, FirstTimeout: 300 * time.Millisecond, IdleTimeout: 400 * time.Millisecond}
	noise := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	for _, tt := range []struct {
		name, send, reason string // how the connection ends
		keeps              string // reason in the quarantine, "" for none
	}{
		{"oversize", "\n" + strings.Repeat("A", 5000), "oversize", "oversize"},
		{"no line at all", strings.Repeat("A", 64<<10), "no frames", "garbage"},
		{"random bytes", string(noise), "no frames", "garbage"},
		{"another protocol", "GET / HTTP/1.1\r\n" + strings.Repeat("X-A: b\r\n", 20) + "\r\n", "no frames", "not a frame"},
		{"half a frame and silence", good[:20], "frame too slow", "truncated"},
		{"nothing", "", "no frame", ""},
		{"only refused frames", wire(`"NULL"0001L0#9[]`), "no frame", "unknown account"},
		{"a panel gone quiet", good, "idle", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := start(t, setting{cfg: short})
			c := st.hostile()
			_, _ = c.Write([]byte(tt.send)) // the receiver may close before it has read all
			closed(t, c)
			eventually(t, "the connection counts as ended: "+tt.reason, func() bool {
				return st.metric("bluelamp_dc09_connections_closed_total", "reason", tt.reason) == 1
			})
			reasons, entry := st.quarantine()
			if tt.keeps == "" && len(reasons) > 0 || tt.keeps != "" && !strings.Contains(strings.Join(reasons, ","), tt.keeps) {
				t.Errorf("quarantine %q, want %q", reasons, tt.keeps)
			}
			if tt.keeps != "" && len(entry.Bytes) == 0 {
				t.Error("no bytes are kept")
			}
			if said := st.said.String(); tt.reason != "idle" && !strings.Contains(said, tt.reason) {
				t.Errorf("the log does not say %q:\n%s", tt.reason, said)
			}
			st.works(t)
		})
	}
}

func TestASlowFrameHasItsTimeAsAWhole(t *testing.T) {
	st := start(t, setting{cfg: dc09.Config{TCP: "127.0.0.1:0", FrameTimeout: 300 * time.Millisecond}})
	c := st.hostile()
	begun := time.Now()
	for _, b := range []byte(good) {
		if _, err := c.Write([]byte{b}); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	closed(t, c)
	if st.metric("bluelamp_dc09_connections_closed_total", "reason", "frame too slow") != 1 {
		t.Errorf("a frame that trickled in for %v was waited for", time.Since(begun))
	}
	if n := len(st.observations()); n != 0 {
		t.Errorf("%d observations", n)
	}
	st.works(t)
}

func TestASenderThatDoesNotReadIsClosed(t *testing.T) {
	st := start(t, setting{cfg: dc09.Config{TCP: "127.0.0.1:0", WriteTimeout: 200 * time.Millisecond}})
	c := st.hostile()
	_ = c.(*net.TCPConn).SetReadBuffer(1 << 10)
	many := strings.Repeat(wire(`"SIA-DCS"0007L0#1234[#1234|Nri1/BA003]`), 2000)
	_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	for {
		if _, err := c.Write([]byte(many)); err != nil {
			break
		}
	}
	eventually(t, "it is closed", func() bool {
		return st.metric("bluelamp_dc09_connections_closed_total", "reason", "replies not read") == 1
	})
	st.works(t)
}

func TestConnectionsAreBounded(t *testing.T) {
	for _, cfg := range []dc09.Config{
		{TCP: "127.0.0.1:0", MaxConns: 3},
		{TCP: "127.0.0.1:0", MaxConnsPerIP: 3},
	} {
		st := start(t, setting{cfg: cfg})
		var conns []net.Conn
		for range 3 {
			conns = append(conns, st.hostile())
		}
		eventually(t, "three are in", func() bool { return st.metric("bluelamp_dc09_connections") == 3 })
		closed(t, st.hostile())
		if n := st.metric("bluelamp_dc09_connections_closed_total", "reason", "no place"); n != 1 {
			t.Errorf("%v turned away, want 1", n)
		}
		if !strings.Contains(st.said.String(), "turned away") {
			t.Error("the log does not say it")
		}
		_ = conns[0].Close()
		eventually(t, "a place is free", func() bool { return st.metric("bluelamp_dc09_connections") == 2 })
		st.works(t)
	}
}

func TestBadDatagrams(t *testing.T) {
	st := start(t, setting{cfg: dc09.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"}})
	c, err := net.Dial("udp", st.addr("udp"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	noise := make([]byte, 1400)
	random := rand.NewChaCha8([32]byte{2})
	for range 50 {
		_, _ = random.Read(noise)
		_, _ = c.Write(noise)
	}
	for _, s := range []string{"", "\n", "\r", "x", good[:30], "\n" + strings.Repeat("A", 60_000), strings.Repeat("\nA\r", 20_000)} {
		_, _ = c.Write([]byte(s))
	}
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := c.Read(noise); err == nil {
		t.Errorf("what is no frame drew the reply %q", noise[:n])
	}
	st.works(t)
	reasons, _ := st.quarantine()
	all := strings.Join(reasons, ",")
	for _, want := range []string{"garbage", "truncated", "oversize", "not a frame"} {
		if !strings.Contains(all, want) {
			t.Errorf("quarantine has no %q", want)
		}
	}
}

func TestAFloodOfRubbishDoesNotFillTheDisk(t *testing.T) {
	st := start(t, setting{})
	c := st.dial("udp")
	for range 200 { // 20 rejects a datagram at most
		_, _ = c.SendRaw(expired(), []byte(strings.Repeat(wire(`"NULL"0001L0#9[]`), 20)))
	}
	st.works(t)
	reasons, _ := st.quarantine()
	if len(reasons) > 2600 {
		t.Errorf("%d entries in quarantine", len(reasons))
	}
}

func expired() context.Context {
	ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
	_ = stop // the deadline ends it
	return ctx
}
