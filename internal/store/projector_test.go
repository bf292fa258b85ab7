package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// tally counts how often each record was applied. Its table has no key, so a
// record that is applied twice shows.
type tally struct{}

func (tally) Name() string       { return "tally" }
func (tally) Stream() bus.Stream { return bus.Alerts }
func (tally) Tables() []string   { return []string{"tally"} }

func (tally) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	for _, r := range records {
		if _, err := tx.ExecContext(ctx, `INSERT INTO tally (seq, body) VALUES ($1, $2)`, int64(r.Seq), string(r.Data)); err != nil {
			return err
		}
	}
	return nil
}

var _ store.Projection = tally{}

func openLog(tb testing.TB) *bus.Log {
	tb.Helper()
	l, err := bus.Open(context.Background(), bus.Config{Dir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	return l
}

func openTally(tb testing.TB, url string) *store.DB {
	tb.Helper()
	db, err := store.Open(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	exec(tb, db, `CREATE TABLE IF NOT EXISTS tally (seq BIGINT NOT NULL, body TEXT NOT NULL)`)
	return db
}

// write appends records n to m-1 in calls of random size.
func write(tb testing.TB, log *bus.Log, n, m int) {
	tb.Helper()
	for n < m {
		var call [][]byte
		for range min(1+rand.IntN(5), m-n) {
			call = append(call, fmt.Appendf(nil, `{"n":%d}`, n))
			n++
		}
		if _, err := log.Append(context.Background(), bus.Alerts, call...); err != nil {
			tb.Error(err)
			return
		}
	}
}

// check fails unless the table holds the log's records, each once.
func check(tb testing.TB, log *bus.Log, db *store.DB) {
	tb.Helper()
	want := map[int64]string{}
	if err := log.Each(context.Background(), bus.Alerts, 0, func(r bus.Record) error {
		want[int64(r.Seq)] = string(r.Data)
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	rows, err := db.Read().Query(`SELECT seq, body, COUNT(*) FROM tally GROUP BY seq, body`)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	got := 0
	for rows.Next() {
		var seq int64
		var body string
		var n int
		if err := rows.Scan(&seq, &body, &n); err != nil {
			tb.Fatal(err)
		}
		if n != 1 || want[seq] != body {
			tb.Errorf("record %d applied %d times as %s, want once as %s", seq, n, body, want[seq])
		}
		got++
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	if got != len(want) {
		tb.Errorf("%d records applied, want %d", got, len(want))
	}
}

func catchUp(tb testing.TB, log *bus.Log, db *store.DB) {
	tb.Helper()
	if err := db.CatchUp(context.Background(), log, tally{}, nil); err != nil {
		tb.Fatal(err)
	}
}

func TestProjectAppliesOnceHoweverOftenStopped(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		log, db := openLog(t), openTally(t, url)
		var writing sync.WaitGroup
		writing.Go(func() { write(t, log, 0, 300) })
		for range 12 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(15))*time.Millisecond)
			if err := db.Project(ctx, log, tally{}, nil); err != nil {
				t.Error(err)
			}
			cancel()
		}
		writing.Wait()
		catchUp(t, log, db)
		check(t, log, db)
		if err := db.CatchUp(t.Context(), log, tally{}, nil); err != nil { // nothing left to do
			t.Error(err)
		}
	})
}

func TestProjectorsAtOnceApplyOnce(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		log := openLog(t)
		ctx, stop := context.WithCancel(t.Context())
		var projecting sync.WaitGroup
		var dbs []*store.DB
		for range 3 { // each as a process of its own would
			db := openTally(t, url)
			dbs = append(dbs, db)
			projecting.Go(func() {
				if err := db.Project(ctx, log, tally{}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		write(t, log, 0, 300)
		catchUp(t, log, dbs[0])
		check(t, log, dbs[0])
		stop()
		projecting.Wait()
	})
}

func TestRebuildEqualsTheFirstBuild(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		log, db := openLog(t), openTally(t, url)
		write(t, log, 0, 200)
		catchUp(t, log, db)
		exec(t, db, `UPDATE tally SET body = 'spoilt' WHERE seq % 3 = 0`)
		exec(t, db, `DELETE FROM tally WHERE seq % 3 = 1`)
		var reached, end uint64
		err := db.Rebuild(t.Context(), log, []store.Projection{tally{}}, func(name string, p, e uint64) {
			if name != "tally" || p < reached {
				t.Errorf("progress %s %d after %d", name, p, reached)
			}
			reached, end = p, e
		})
		if err != nil {
			t.Fatal(err)
		}
		if reached != end || end == 0 {
			t.Errorf("progress ended at %d of %d", reached, end)
		}
		check(t, log, db)
	})
}

// A rebuild empties tables while projectors of other processes write them.
func TestRebuildWhileProjecting(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		log := openLog(t)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var running, writing sync.WaitGroup
		for range 2 {
			db := openTally(t, url)
			running.Go(func() {
				if err := db.Project(ctx, log, tally{}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		db := openTally(t, url)
		writing.Go(func() { write(t, log, 0, 300) })
		for range 6 {
			if err := db.Rebuild(t.Context(), log, []store.Projection{tally{}}, nil); err != nil {
				t.Error(err)
			}
		}
		writing.Wait()
		catchUp(t, log, db)
		check(t, log, db)
		stop()
		running.Wait()
	})
}

// The rebuild of a projection that has never run meets its first transaction.
func TestRebuildMeetsTheFirstProjection(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		log, db, other := openLog(t), openTally(t, url), openTally(t, url)
		write(t, log, 0, 20)
		for range 8 {
			exec(t, db, `DELETE FROM positions`)
			exec(t, db, `DELETE FROM tally`)
			var both sync.WaitGroup
			both.Go(func() { catchUp(t, log, other) })
			if err := db.Rebuild(t.Context(), log, []store.Projection{tally{}}, nil); err != nil {
				t.Error(err)
			}
			both.Wait()
			check(t, log, db)
		}
	})
}

func BenchmarkProject(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			url := b.TempDir() + "/bench.db"
			if kind == "postgres" {
				url = storetest.Postgres(b)
			}
			log, db := openLog(b), openTally(b, url)
			for n := 0; n < b.N; n += bus.MaxBatch {
				var call [][]byte
				for i := n; i < min(n+bus.MaxBatch, b.N); i++ {
					call = append(call, fmt.Appendf(nil, `{"n":%d}`, i))
				}
				if _, err := log.Append(context.Background(), bus.Alerts, call...); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			catchUp(b, log, db)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
