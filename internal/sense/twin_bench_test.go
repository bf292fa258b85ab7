package sense_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// BenchmarkTwins applies batches of 1,000 readings of 500 sensors.
func BenchmarkTwins(b *testing.B) {
	db := storetest.SQLite(b)
	ctx := context.Background()
	tw := sense.NewTwins(discard)
	seq := 0
	for b.Loop() {
		recs := make([]bus.Record, 1000)
		for i := range recs {
			seq++
			at := fmt.Sprintf("2026-05-01T%02d:%02d:%02dZ", seq/3600000%24, seq/60000%60, seq/1000%60)
			recs[i] = bus.Record{Seq: uint64(seq), Data: fmt.Appendf(nil,
				`{"kind":"sensor.state","source":"z2m","device":"hub-%d/s%d","enrolled":"hub-%d","time":%q,"received":%q,"reading":{"property":"contact","state":"open","active":true}}`,
				i%100, i%5, i%100, at, at)}
		}
		if err := db.Update(ctx, func(tx *sql.Tx) error { return tw.Apply(ctx, tx, recs) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "observations/s")
}
