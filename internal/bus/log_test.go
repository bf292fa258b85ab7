package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bluelamp/bluelamp/internal/bus"
)

func line(n int) []byte { return fmt.Appendf(nil, `{"n":%d}`, n) }

func appendAll(tb testing.TB, l *bus.Log, s bus.Stream, records ...[]byte) uint64 {
	tb.Helper()
	pos, err := l.Append(context.Background(), s, records...)
	if err != nil {
		tb.Fatal(err)
	}
	return pos
}

func readAll(tb testing.TB, l *bus.Log, s bus.Stream, after uint64) []bus.Record {
	tb.Helper()
	var out []bus.Record
	if err := l.Each(context.Background(), s, after, func(r bus.Record) error {
		out = append(out, r)
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestEmptyStream(t *testing.T) {
	l := open(t, t.TempDir())
	if last, err := l.Last(t.Context(), bus.Alerts); last != 0 || err != nil {
		t.Errorf("Last = %d, %v; want 0", last, err)
	}
	if got := readAll(t, l, bus.Alerts, 0); len(got) != 0 {
		t.Errorf("read %d records of an empty stream", len(got))
	}
	for _, pos := range []uint64{0, 1, 1024, 1 << 40} {
		if _, err := l.Get(t.Context(), bus.Alerts, pos); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("Get(%d) = %v, want ErrNotFound", pos, err)
		}
	}
	if _, err := l.Value(t.Context(), bus.Snapshots, "none"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("Value = %v, want ErrNotFound", err)
	}
}

// Every position is found again, whichever record of whichever call it is.
func TestPositionsAreExact(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	var want [][]byte
	var lasts []uint64
	for call := range 12 {
		var records [][]byte
		for i := range 1 + call*7%5 {
			records = append(records, line(call*100+i))
		}
		if call == 3 {
			records = append(records, nil, []byte("{}"))
		}
		want = append(want, records...)
		lasts = append(lasts, appendAll(t, l, bus.Alerts, records...))
	}
	for _, when := range []string{"at once", "after reopening"} {
		t.Run(when, func(t *testing.T) {
			all := readAll(t, l, bus.Alerts, 0)
			if len(all) != len(want) {
				t.Fatalf("read %d records, want %d", len(all), len(want))
			}
			at := map[uint64]bool{}
			for i, r := range all {
				at[r.Seq] = true
				if !bytes.Equal(r.Data, want[i]) {
					t.Errorf("record %d is %s, want %s", i, r.Data, want[i])
				}
				if got, err := l.Get(t.Context(), bus.Alerts, r.Seq); err != nil || !bytes.Equal(got.Data, want[i]) || got.Seq != r.Seq {
					t.Errorf("Get(%d) = %s at %d, %v", r.Seq, got.Data, got.Seq, err)
				}
				rest := readAll(t, l, bus.Alerts, r.Seq)
				if len(rest) != len(all)-i-1 || len(rest) > 0 && rest[0].Seq != all[i+1].Seq {
					t.Errorf("after %d: %d records, want %d", r.Seq, len(rest), len(all)-i-1)
				}
			}
			for _, last := range lasts {
				if !at[last] {
					t.Errorf("Append returned position %d, which holds no record", last)
				}
				if _, err := l.Get(t.Context(), bus.Alerts, last+500); !errors.Is(err, bus.ErrNotFound) {
					t.Errorf("Get beyond a frame: %v, want ErrNotFound", err)
				}
			}
			if last, err := l.Last(t.Context(), bus.Alerts); err != nil || last != all[len(all)-1].Seq {
				t.Errorf("Last = %d, %v; want %d", last, err, all[len(all)-1].Seq)
			}
		})
		l.Close()
		l = open(t, dir)
	}
}

// The records of a call lie side by side, and a caller's calls keep their order.
func TestCallsStayTogetherAndInOrder(t *testing.T) {
	l := open(t, t.TempDir())
	const callers, calls, size = 16, 20, 7
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range calls {
				var records [][]byte
				for i := range size {
					records = append(records, fmt.Appendf(nil, "%d %d %d", c, n, i))
				}
				if _, err := l.Append(t.Context(), bus.Observations, records...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all := readAll(t, l, bus.Observations, 0)
	if len(all) != callers*calls*size {
		t.Fatalf("%d records, want %d", len(all), callers*calls*size)
	}
	next := map[int]int{}
	var last uint64
	for i := 0; i < len(all); i += size {
		var c, n, k int
		for j := range size {
			r := all[i+j]
			if _, err := fmt.Sscanf(string(r.Data), "%d %d %d", &c, &n, &k); err != nil || k != j || n != next[c] {
				t.Fatalf("record %d is %q, want call %d record %d: %v", i+j, r.Data, next[c], j, err)
			}
			if r.Seq <= last {
				t.Fatalf("position %d after %d", r.Seq, last)
			}
			last = r.Seq
		}
		next[c]++
	}
}

func TestReaderFollows(t *testing.T) {
	l := open(t, t.TempDir())
	r, err := l.Read(t.Context(), bus.Alerts, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n := range 50 {
		appendAll(t, l, bus.Alerts, line(n))
		got, err := r.Next(t.Context())
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].Data, line(n)) {
			t.Fatalf("Next = %v, %v; want record %d", got, err, n)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next = %v, want the context's error", err)
	}
	r.Close() // twice
}

func TestAppendRefuses(t *testing.T) {
	l := open(t, t.TempDir())
	many := make([][]byte, bus.MaxBatch+1)
	for name, c := range map[string]struct {
		records [][]byte
		want    error
	}{
		"a line break":     {[][]byte{[]byte("{}"), []byte("{\n}")}, bus.ErrNotALine},
		"too many records": {many, bus.ErrTooLarge},
		"too many bytes":   {[][]byte{make([]byte, bus.MaxMessage)}, bus.ErrTooLarge},
	} {
		if _, err := l.Append(t.Context(), bus.Alerts, c.records...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := l.Append(t.Context(), bus.Alerts); err != nil {
		t.Errorf("appending nothing: %v", err)
	}
	if err := l.Put(t.Context(), bus.Snapshots, "x", make([]byte, bus.MaxMessage+1)); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("a value that is too large: %v, want ErrTooLarge", err)
	}
	if last, err := l.Last(t.Context(), bus.Alerts); last != 0 || err != nil {
		t.Errorf("refused records were written: Last = %d, %v", last, err)
	}
	full := make([][]byte, bus.MaxBatch)
	for i := range full {
		full[i] = line(i)
	}
	appendAll(t, l, bus.Alerts, full...)
	large := bytes.Repeat([]byte{'x'}, bus.MaxMessage-1)
	appendAll(t, l, bus.Alerts, large)
	if got := readAll(t, l, bus.Alerts, 0); len(got) != bus.MaxBatch+1 || len(got[bus.MaxBatch].Data) != len(large) {
		t.Errorf("the largest call came back as %d records", len(got))
	}
}

// AppendAsync holds its callers back rather than queue without end.
func TestBackpressure(t *testing.T) {
	l := open(t, t.TempDir())
	var queued, done, most atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 15_000 {
				if err := l.AppendAsync(t.Context(), bus.Observations, func(_ uint64, err error) {
					if err != nil {
						t.Error(err)
					}
					done.Add(1)
				}, []byte("{}")); err != nil {
					t.Error(err)
				}
				waiting := queued.Add(1) - done.Load()
				if waiting > most.Load() {
					most.Store(waiting)
				}
			}
		})
	}
	wg.Wait()
	// What is being committed is not in the queue any more.
	if bound := int64(bus.MaxQueued + bus.MaxBatch + 4); most.Load() > bound {
		t.Errorf("%d records waited, want at most %d", most.Load(), bound)
	}
	l.Close()
	if done.Load() != 60_000 {
		t.Errorf("%d callers were answered, want all 60000", done.Load())
	}
}

func TestCloseAnswersEveryCaller(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	var acked, refused atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for {
				_, err := l.Append(context.Background(), bus.Alerts, []byte("{}"))
				if errors.Is(err, bus.ErrClosed) {
					refused.Add(1)
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
			}
		})
	}
	for acked.Load() < 500 {
		appendAll(t, l, bus.Alerts, []byte("{}"))
		acked.Add(1)
	}
	l.Close()
	wg.Wait()
	l.Close() // twice
	if refused.Load() != 50 {
		t.Errorf("%d callers told that the log is closed, want 50", refused.Load())
	}
	if got := len(readAll(t, open(t, dir), bus.Alerts, 0)); int64(got) != acked.Load() {
		t.Errorf("%d records on the log, %d acknowledged", got, acked.Load())
	}
}

func TestSecondProcessAttaches(t *testing.T) {
	dir := t.TempDir()
	owner := open(t, dir)
	if _, err := bus.Open(t.Context(), bus.Config{Dir: dir}); !errors.Is(err, bus.ErrInUse) {
		t.Fatalf("a second owner: %v, want ErrInUse", err)
	}
	other, err := bus.Open(t.Context(), bus.Config{Dir: dir, Attach: true})
	if err != nil {
		t.Fatal(err)
	}
	if other.Embedded() || !owner.Embedded() {
		t.Error("the owner's log must be the embedded one")
	}
	appendAll(t, other, bus.Alerts, line(1))
	appendAll(t, owner, bus.Alerts, line(2))
	for name, l := range map[string]*bus.Log{"owner": owner, "attached": other} {
		if got := readAll(t, l, bus.Alerts, 0); len(got) != 2 {
			t.Errorf("%s reads %d records, want 2", name, len(got))
		}
		if err := l.Ready(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	other.Close()
	appendAll(t, owner, bus.Alerts, line(3))
	owner.Close()
	if l, err := bus.Open(t.Context(), bus.Config{Dir: dir, Attach: true}); err != nil || !l.Embedded() {
		t.Errorf("with nobody there, Attach opens the log itself: %v", err)
	} else {
		l.Close()
	}
}

func TestValues(t *testing.T) {
	l := open(t, t.TempDir())
	for n := range 3 {
		for _, key := range []string{"a", "b"} {
			if err := l.Put(t.Context(), bus.Snapshots, key, fmt.Appendf(nil, "%s%d", key, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := l.Value(t.Context(), bus.Snapshots, "a"); err != nil || string(got) != "a2" {
		t.Errorf("Value = %q, %v; want the newest", got, err)
	}
}
