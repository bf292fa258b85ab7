package dc09_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
)

// BenchmarkRecall measures how fast a receiver that starts reads back which
// frames were taken up.
func BenchmarkRecall(b *testing.B) {
	const signals = 200_000
	st := start(b, setting{})
	res, err := dc09client.Bench(context.Background(), dc09client.BenchConfig{Addr: st.addr("tcp"), Window: 64, Frames: signals, Accounts: benchAccounts})
	if err != nil || res.Acked != signals {
		b.Fatalf("%+v, %v", res, err)
	}
	b.ResetTimer()
	begun := time.Now()
	for range b.N {
		st = st.restart(setting{})
		eventually(b, "the memory is read back", func() bool { return strings.Contains(st.said.String(), "signals_remembered=200000") })
	}
	b.ReportMetric(float64(signals*b.N)/time.Since(begun).Seconds(), "signals/s")
}
