package dc09_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
)

// BenchmarkReceive measures the whole way over TCP: 64 clients, the receiver,
// and a log that is synced before each reply, all in this process.
func BenchmarkReceive(b *testing.B) {
	for _, bb := range []struct {
		name            string
		clients, window int
		accounts        []string
		encrypted       bool
	}{
		{"clients=64", 64, 1, benchAccounts, false},
		{"clients=64/window=16", 64, 16, benchAccounts, false},
		{"clients=64/encrypted", 64, 1, []string{"5678"}, true},
		{"clients=1", 1, 1, benchAccounts, false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			st := start(b, setting{})
			cfg := dc09client.BenchConfig{Addr: st.addr("tcp"), Clients: bb.clients, Window: bb.window, Frames: b.N, Accounts: bb.accounts}
			if bb.encrypted {
				cfg.Key = testKey(b)
			}
			b.ReportAllocs()
			b.ResetTimer()
			res, err := dc09client.Bench(context.Background(), cfg)
			b.StopTimer()
			if err != nil || res.Acked != int64(b.N) {
				b.Fatalf("%+v, %v", res, err)
			}
			if n := st.metric("bluelamp_dc09_frames_total", "result", "repeat"); n != 0 {
				b.Fatalf("%v frames were taken for repeats and not put on the log", n)
			}
			commits := st.metric("bluelamp_log_commits_total", "stream", "OBSERVATIONS")
			b.ReportMetric(res.PerSecond, "signals/s")
			b.ReportMetric(commits/res.Elapsed.Seconds(), "fsyncs/s")
			b.ReportMetric(float64(res.P50.Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(res.P99.Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(res.P999.Microseconds())/1000, "p99.9-ms")
		})
	}
}

// BenchmarkIdleConnection measures the memory of a panel's connection that
// waits, the kernel's apart.
func BenchmarkIdleConnection(b *testing.B) {
	st := start(b, setting{})
	inUse := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc + m.StackInuse)
	}
	frame := []byte(wire(`"NULL"0001L0#1234[]`))
	reply := make([]byte, 256)
	before := inUse()
	for b.Loop() {
		c := st.hostile()
		if _, err := c.Write(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(reply); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((inUse()-before)/float64(b.N), "B/conn")
}
