package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

func openBus(tb testing.TB, dir string) *bus.Log {
	tb.Helper()
	l, err := bus.Open(context.Background(), bus.Config{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	return l
}

func openAudit(tb testing.TB, dir string, log *bus.Log) *audit.Log {
	tb.Helper()
	l, err := audit.Open(context.Background(), audit.Config{Log: log, Dir: dir, Now: clock})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	return l
}

func entry(n int) audit.Entry {
	return audit.Entry{
		Actor: fmt.Sprintf("p%d", n%3), ActorName: "Sam Vale", Role: "operator",
		Action: audit.RecordOpened, Operation: audit.Consultation, Object: fmt.Sprintf("premises/%d", n),
		Purpose: "respond", Why: fmt.Sprintf("call %d", n), Detail: map[string]string{"field": "keyholders"}, Remote: "192.0.2.7",
	}
}

// record appends entries from to to-1 and signs a checkpoint.
func record(tb testing.TB, l *audit.Log, from, to int) audit.Checkpoint {
	tb.Helper()
	for n := from; n < to; n++ {
		if err := l.Record(context.Background(), entry(n)); err != nil {
			tb.Fatal(err)
		}
	}
	c, err := l.Checkpoint(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func verify(tb testing.TB, log *bus.Log, ev audit.Evidence) audit.Report {
	tb.Helper()
	r, err := audit.Verify(context.Background(), log, ev)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestUntouchedLogVerifies(t *testing.T) {
	dir := t.TempDir()
	size := 0
	var roots []string
	for range 3 { // lives of the server
		log := openBus(t, dir)
		l := openAudit(t, dir, log)
		if err := l.Trouble(); err != nil {
			t.Fatal(err)
		}
		c := record(t, l, size, size+7)
		size += 7
		if err := l.Record(t.Context(), entry(size)); err != nil { // covered by Close
			t.Fatal(err)
		}
		size++
		l.Close()
		r := verify(t, log, audit.Evidence{Dir: dir, Known: [][]byte{[]byte(c.Text)}})
		if !r.OK() || r.Size != int64(size) || r.Covered != int64(size) {
			t.Fatalf("verdict: %s; %+v", r, r)
		}
		roots = append(roots, r.Root)
		log.Close()
	}
	if r := verify(t, openBus(t, dir), audit.Evidence{Dir: dir}); r.Checkpoints != 7 || r.Root != roots[2] {
		t.Errorf("verdict: %+v, want 7 checkpoints and root %s", r, roots[2])
	}
	fi, err := os.Stat(filepath.Join(dir, audit.KeyFile))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", fi.Mode(), err)
	}
}

func TestEmptyLogVerifies(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	openAudit(t, dir, log)
	if r := verify(t, log, audit.Evidence{Dir: dir}); !r.OK() || r.Size != 0 {
		t.Errorf("verdict: %+v", r)
	}
}

func TestRecordRefusesAndCuts(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	if err := l.Record(t.Context(), audit.Entry{}); !errors.Is(err, audit.ErrNoAction) {
		t.Errorf("an entry without an action: %v", err)
	}
	long := audit.Entry{Action: audit.SignInFailed, ActorName: strings.Repeat("é", 400), Why: strings.Repeat("x\x00\n", 5000)}
	if err := l.Record(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if err := log.Each(t.Context(), bus.Audit, 0, func(r bus.Record) error {
		if len(r.Data) > 20_000 || bytes.IndexByte(r.Data, 0) >= 0 || !strings.Contains(string(r.Data), "é…") {
			t.Errorf("record of %d bytes: %.900s", len(r.Data), r.Data)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	log.Close()
	if err := l.Record(t.Context(), entry(1)); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("recording without a log: %v", err)
	}
}

func TestProofs(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	const size = 37
	record(t, l, 0, size-1)
	if err := l.Record(t.Context(), entry(size-1)); err != nil { // not signed over yet
		t.Fatal(err)
	}
	var leaves []int64
	for n := range int64(size) {
		leaves = append(leaves, n)
	}
	proofs, err := l.Prove(t.Context(), leaves...)
	if err != nil {
		t.Fatal(err)
	}
	for n, p := range proofs {
		e, err := p.Check(l.Key())
		if err != nil || e.Why != fmt.Sprintf("call %d", n) {
			t.Errorf("entry %d: %+v, %v", n, e, err)
		}
		forged := p
		forged.Record = strings.Replace(p.Record, "Sam", "Max", 1)
		if _, err := forged.Check(l.Key()); !errors.Is(err, audit.ErrProof) {
			t.Errorf("a forged entry %d: %v", n, err)
		}
		forged = p
		forged.Leaf++
		if _, err := forged.Check(l.Key()); !errors.Is(err, audit.ErrProof) {
			t.Errorf("entry %d as another: %v", n, err)
		}
		forged = p
		forged.Checkpoint = strings.Replace(p.Checkpoint, "\n37\n", "\n38\n", 1)
		if _, err := forged.Check(l.Key()); !errors.Is(err, audit.ErrCheckpoint) {
			t.Errorf("a forged checkpoint: %v", err)
		}
	}
	for _, n := range []int64{-1, size} {
		if _, err := l.Prove(t.Context(), n); !errors.Is(err, audit.ErrNoEntry) {
			t.Errorf("proving entry %d: %v", n, err)
		}
	}
}

func TestSearch(t *testing.T) {
	dir := t.TempDir()
	log := openBus(t, dir)
	l := openAudit(t, dir, log)
	record(t, l, 0, 30)
	if _, err := log.Append(t.Context(), bus.Audit, []byte("not JSON")); err != nil {
		t.Fatal(err)
	}
	later := entry(31)
	later.Time = noon.Add(time.Hour)
	later.Action = audit.SignedIn
	if err := l.Record(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := db.CatchUp(t.Context(), log, audit.Projection{}, nil); err != nil {
			t.Fatal(err)
		}
		search := func(q audit.Query) []audit.Row {
			t.Helper()
			rows, err := audit.Search(t.Context(), db, q)
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		for name, c := range map[string]struct {
			q    audit.Query
			want int
		}{
			"all":              {audit.Query{}, 32},
			"by actor":         {audit.Query{Actor: "p1"}, 11},
			"one object":       {audit.Query{Object: "premises/3"}, 1},
			"a kind of object": {audit.Query{Object: "premises/"}, 31},
			"an action":        {audit.Query{Action: string(audit.SignedIn)}, 1},
			"an area":          {audit.Query{Action: "record."}, 30},
			"unreadable":       {audit.Query{Action: string(audit.Unreadable)}, 1},
			"late":             {audit.Query{From: noon.Add(time.Minute), Action: "session."}, 1},
			"early":            {audit.Query{To: noon.Add(time.Minute), Object: "premises/"}, 30},
		} {
			if got := search(c.q); len(got) != c.want {
				t.Errorf("%s: %d entries, want %d", name, len(got), c.want)
			}
		}
		var before *int64
		next := int64(31)
		for {
			page := search(audit.Query{Limit: 7, Before: before})
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				if r.Leaf != next {
					t.Fatalf("entry %d, want %d", r.Leaf, next)
				}
				next--
			}
			before = &page[len(page)-1].Leaf
		}
		if next != -1 {
			t.Errorf("the pages end at entry %d", next+1)
		}
		got := search(audit.Query{Object: "premises/4"})[0]
		want := entry(4)
		want.Time = noon
		if fmt.Sprint(got.Entry) != fmt.Sprint(want) {
			t.Errorf("found %+v, want %+v", got.Entry, want)
		}
		p, err := l.Prove(t.Context(), got.Leaf)
		if err != nil || !strings.Contains(p[0].Record, `"call 4"`) {
			t.Errorf("its proof: %+v, %v", p, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	dir := b.TempDir()
	l := openAudit(b, dir, openBus(b, dir))
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if err := l.Record(context.Background(), entry(n)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	log := openBus(b, dir)
	l := openAudit(b, dir, log)
	fill(b, log, max(b.N, 100))
	if _, err := l.Checkpoint(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if r := verify(b, log, audit.Evidence{Dir: dir}); !r.OK() {
		b.Fatal(r)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkProve(b *testing.B) {
	dir := b.TempDir()
	log := openBus(b, dir)
	l := openAudit(b, dir, log)
	const size = 100_000
	fill(b, log, size)
	if _, err := l.Checkpoint(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for n := range b.N {
		if _, err := l.Prove(context.Background(), int64(n%size)); err != nil {
			b.Fatal(err)
		}
	}
}
