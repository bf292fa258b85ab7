package bus_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkFileSync is the limit that the disk sets to BenchmarkAppend: as many
// bytes as a commit of so many records has, written to a plain file and synced.
func BenchmarkFileSync(b *testing.B) {
	for _, records := range []int{1, 16, 64, 256, 1000} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "file"))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			frame := bytes.Repeat([]byte{'x'}, 301*records)
			start := time.Now()
			for b.Loop() {
				if _, err := f.Write(frame); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(records)/time.Since(start).Seconds(), "msg/s")
		})
	}
}
