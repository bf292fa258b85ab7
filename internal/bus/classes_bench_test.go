package bus_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// BenchmarkAppendClasses is BenchmarkAppend with callers of several classes.
func BenchmarkAppendClasses(b *testing.B) {
	payload := bytes.Repeat([]byte{'x'}, 300)
	for _, n := range []int{1, 2, 5} {
		for _, callers := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("classes=%d/callers=%d", n, callers), func(b *testing.B) {
				l := open(b, b.TempDir())
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				start := time.Now()
				var wg sync.WaitGroup
				for c := range callers {
					wg.Go(func() {
						for left.Add(-1) >= 0 {
							if _, err := l.Append(context.Background(), bus.Observations.Kept(classes[1+c%n]), payload); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "msg/s")
			})
		}
	}
}

// BenchmarkExpire measures expiry of frames among others that stay.
func BenchmarkExpire(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", size), func(b *testing.B) {
			now := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
			l, err := bus.Open(context.Background(), bus.Config{Dir: b.TempDir(), Now: func() time.Time { return now }})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			const frames = 2000
			for b.Loop() {
				b.StopTimer()
				fill(b, l, size, frames)
				now = now.Add(25 * time.Hour)
				b.StartTimer()
				e, err := l.Expire(context.Background(), bus.Observations.Kept("24h"), now, "", "")
				if err != nil || e.Frames != frames {
					b.Fatalf("%+v, %v", e, err)
				}
			}
			b.ReportMetric(float64(b.N*frames)/b.Elapsed().Seconds(), "frames/s")
			b.ReportMetric(float64(b.N*frames*size)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkErase measures the erasure of one record in each of 200 frames, which
// lie in one file of the server's store.
func BenchmarkErase(b *testing.B) {
	l := open(b, b.TempDir())
	n := uint64(0)
	for b.Loop() {
		b.StopTimer()
		fill(b, l, 100, 100)
		b.StartTimer()
		var last uint64
		erased, err := l.Erase(context.Background(), bus.Observations, bus.Erasure{}, func(r bus.Record) bool {
			first := r.Frame() != last
			last = r.Frame()
			return first && r.Index() == 0
		})
		if err != nil || erased == 0 {
			b.Fatal(erased, err)
		}
		n += erased
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "frames/s")
}

// fill appends n calls of a class, with as many of another between them.
func fill(b *testing.B, l *bus.Log, size, n int) {
	b.Helper()
	var call [][]byte
	for range size {
		call = append(call, bytes.Repeat([]byte{'x'}, 300))
	}
	for range n {
		appendAll(b, l, bus.Observations, call...)
		appendAll(b, l, bus.Observations.Kept("24h"), call...)
	}
}

// BenchmarkReadGaps measures reading frames of 10 records; with gaps, every other
// frame has expired.
func BenchmarkReadGaps(b *testing.B) {
	for _, gaps := range []bool{false, true} {
		b.Run(fmt.Sprintf("gaps=%v", gaps), func(b *testing.B) {
			now := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
			l, err := bus.Open(context.Background(), bus.Config{Dir: b.TempDir(), Now: func() time.Time { return now }})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			fill(b, l, 10, 3000)
			if gaps {
				if _, err := l.Expire(context.Background(), bus.Observations.Kept("24h"), now.Add(48*time.Hour), "", ""); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			for b.Loop() {
				n += len(readAll(b, l, bus.Observations, 0))
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
