package bus_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/bus"
)

var classes = []string{"", "1h", "24h", "7d", "31d", "366d"}

// few makes rapid try fewer times, for checks that open a log each.
func few(t *testing.T, n string) {
	t.Helper()
	checks := flag.Lookup("rapid.checks").Value
	usual := checks.String()
	if err := checks.Set(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Set(usual) })
}

// holds reports whether any file below dir holds the bytes.
func holds(tb testing.TB, dir string, what []byte) bool {
	tb.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, what)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

// Calls of all classes at once: each class keeps its callers' order, a call's
// records lie side by side, and a position says where its record is.
func TestClassesKeepTheirOrder(t *testing.T) {
	l := open(t, t.TempDir())
	const callers, calls, size = 12, 30, 3
	var mu sync.Mutex
	lasts := map[string]uint64{}
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range calls {
				var records [][]byte
				for i := range size {
					records = append(records, fmt.Appendf(nil, "%d %d %d", c, n, i))
				}
				class := classes[(c+n/10)%len(classes)]
				pos, err := l.Append(t.Context(), bus.Observations.Kept(class), records...)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				lasts[class+" "+string(records[size-1])] = pos
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all := readAll(t, l, bus.Observations, 0)
	if len(all) != callers*calls*size {
		t.Fatalf("%d records, want %d", len(all), callers*calls*size)
	}
	next := map[int]int{} // a caller waits for each call, so its calls keep their order over all classes
	for i := 0; i < len(all); i += size {
		for j := range size {
			var c, n, k int
			r := all[i+j]
			if _, err := fmt.Sscanf(string(r.Data), "%d %d %d", &c, &n, &k); err != nil || k != j || n != next[c] || r.Class != classes[(c+n/10)%len(classes)] {
				t.Fatalf("record %d is %q of class %q: call %d, record %d expected (%v)", i+j, r.Data, r.Class, next[c], j, err)
			}
			if j > 0 && r.Seq != all[i].Seq+uint64(j) {
				t.Fatalf("record %d of a call lies at %d, the first at %d", j, r.Seq, all[i].Seq)
			}
			if j == size-1 {
				next[c]++
				if lasts[r.Class+" "+string(r.Data)] != r.Seq {
					t.Fatalf("the call was told %d, and its last record is at %d", lasts[r.Class+" "+string(r.Data)], r.Seq)
				}
			}
		}
	}
}

func TestUnknownClassesAreRefused(t *testing.T) {
	l := open(t, t.TempDir())
	for _, s := range []bus.Stream{bus.Observations.Kept("2h"), bus.Observations.Kept("24h.x"), bus.Audit.Kept("24h"), bus.Erasures.Kept("1h")} {
		if _, err := l.Append(t.Context(), s, line(1)); !errors.Is(err, bus.ErrClass) {
			t.Errorf("stream %s: %v, want ErrClass", s.Name, err)
		}
	}
}

// kept is what the model of TestErasingLeavesTheRest expects on the log.
type kept struct {
	pos   uint64
	data  string
	class string
}

// Whatever is appended, erased and expired, in whatever order: readers see what
// is left, at its positions, in order, from anywhere; before and after the log
// is opened anew.
func TestErasingLeavesTheRest(t *testing.T) {
	few(t, "20")
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		cfg := bus.Config{Dir: dir, Now: func() time.Time { return now }}
		l, err := bus.Open(t.Context(), cfg)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { l.Close() }()
		var model, gone []kept
		drop := func(match func(kept) bool) {
			for _, k := range model {
				if match(k) {
					gone = append(gone, k)
				}
			}
			model = slices.DeleteFunc(model, match)
		}
		n := 0
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"append", "append", "erase", "expire", "reopen", "wait"}).Draw(rt, "step") {
			case "append":
				class := rapid.SampledFrom(classes).Draw(rt, "class")
				var call [][]byte
				for range rapid.IntRange(1, 4).Draw(rt, "records") {
					call = append(call, line(n))
					n++
				}
				last, err := l.Append(t.Context(), bus.Observations.Kept(class), call...)
				if err != nil {
					rt.Fatal(err)
				}
				for i, r := range call {
					model = append(model, kept{last - uint64(len(call)-1-i), string(r), class})
				}
			case "erase":
				mod := rapid.IntRange(1, 4).Draw(rt, "every")
				match := func(data string) bool {
					var n int
					_, err := fmt.Sscanf(data, `{"n":%d}`, &n)
					return err == nil && n%mod == 0
				}
				if _, err := l.Erase(t.Context(), bus.Observations, bus.Erasure{Device: "d"}, func(r bus.Record) bool { return match(string(r.Data)) }); err != nil {
					rt.Fatal(err)
				}
				drop(func(k kept) bool { return match(k.data) })
			case "expire":
				class := rapid.SampledFrom(classes[1:]).Draw(rt, "class")
				now = now.Add(24 * time.Hour)
				if _, err := l.Expire(t.Context(), bus.Observations.Kept(class), now, "expired", "test"); err != nil {
					rt.Fatal(err)
				}
				drop(func(k kept) bool { return k.class == class })
			case "reopen":
				l.Close()
				if l, err = bus.Open(t.Context(), cfg); err != nil {
					rt.Fatal(err)
				}
			case "wait":
				now = now.Add(time.Hour)
			}
		}
		checkLeft(rt, l, model, gone)
		l.Close()
		if l, err = bus.Open(t.Context(), cfg); err != nil {
			rt.Fatal(err)
		}
		checkLeft(rt, l, model, gone)
	})
}

func checkLeft(rt *rapid.T, l *bus.Log, model, gone []kept) {
	ctx := context.Background()
	read := func(after uint64) (out []kept) {
		err := l.Each(ctx, bus.Observations, after, func(r bus.Record) error {
			out = append(out, kept{r.Seq, string(r.Data), r.Class})
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		return out
	}
	if got := read(0); !slices.Equal(got, model) {
		rt.Fatalf("the log holds\n%v\nwant\n%v", got, model)
	}
	last, err := l.Last(ctx, bus.Observations)
	want := uint64(0)
	if len(model) > 0 {
		want = model[len(model)-1].pos
	}
	if err != nil || last != want {
		rt.Fatalf("Last = %d, %v; want %d", last, err, want)
	}
	if len(model) > 0 {
		i := rapid.IntRange(0, len(model)-1).Draw(rt, "after")
		if got := read(model[i].pos); !slices.Equal(got, model[i+1:]) {
			rt.Fatalf("after %d the log holds %v, want %v", model[i].pos, got, model[i+1:])
		}
	}
	for _, k := range model {
		if r, err := l.Get(ctx, bus.Observations, k.pos); err != nil || string(r.Data) != k.data || r.Class != k.class {
			rt.Fatalf("Get(%d) = %s, %v; want %s", k.pos, r.Data, err, k.data)
		}
	}
	for _, k := range gone {
		if _, err := l.Get(ctx, bus.Observations, k.pos); !errors.Is(err, bus.ErrErased) || !errors.Is(err, bus.ErrNotFound) {
			rt.Fatalf("Get(%d) of an erased record = %v, want ErrErased", k.pos, err)
		}
	}
	if n, err := l.Behind(ctx, bus.Observations, last); err != nil || n != 0 {
		rt.Fatalf("Behind = %d, %v at the end", n, err)
	}
	if _, err := l.Get(ctx, bus.Observations, 1<<40); !errors.Is(err, bus.ErrNotFound) || errors.Is(err, bus.ErrErased) {
		rt.Fatalf("Get beyond the end = %v, want ErrNotFound", err)
	}
}

// A reader that follows the log meets what was erased before it came by as a
// gap, and misses nothing else.
func TestReaderPassesErasures(t *testing.T) {
	l := open(t, t.TempDir())
	var want []string
	for n := range 40 {
		appendAll(t, l, bus.Observations.Kept(classes[n%3]), line(2*n), line(2*n+1))
		want = append(want, string(line(2*n+1)))
	}
	if n, err := l.Erase(t.Context(), bus.Observations, bus.Erasure{}, even); err != nil || n != 40 {
		t.Fatalf("erased %d: %v", n, err)
	}
	r, err := l.Read(t.Context(), bus.Observations, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for len(got) < 41 {
		if len(got) == 40 { // all frames lie in patches: they came without a frame behind them
			appendAll(t, l, bus.Observations, line(1001))
			want = append(want, string(line(1001)))
		}
		records, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range records {
			got = append(got, string(rec.Data))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %v", got)
	}
}

func even(r bus.Record) bool {
	var n int
	_, err := fmt.Sscanf(string(r.Data), `{"n":%d}`, &n)
	return err == nil && n%2 == 0
}

// The end that a reader was told may be erased before it comes there.
func TestReaderWhoseEndIsErased(t *testing.T) {
	l := open(t, t.TempDir())
	appendAll(t, l, bus.Quarantine, line(1))
	end := appendAll(t, l, bus.Quarantine.Kept("31d"), line(2))
	r, err := l.Read(t.Context(), bus.Quarantine, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := l.Erase(t.Context(), bus.Quarantine, bus.Erasure{}, even); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 3 {
		records, err := r.NextTo(t.Context(), end)
		if err != nil {
			t.Fatal(err)
		}
		n += len(records)
		if len(records) == 0 {
			break
		}
	}
	if n < 1 || n > 2 { // the second may have been on its way already
		t.Errorf("read %d records", n)
	}
}

// What has expired is nowhere: the frames were never on disk in the clear, and
// the key, which was, is overwritten.
func TestExpiryDestroysTheKeys(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
	cfg := bus.Config{Dir: dir, Now: func() time.Time { return now }}
	l, err := bus.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := bus.Observations.Kept("24h")
	secret, stays := []byte("the-plate-AB12CDE"), []byte("the-alarm-of-shop-7")
	erased := appendAll(t, l, s, secret)
	appendAll(t, l, bus.Observations, stays)
	keys := rawKeys(t, dir)
	if len(keys) != 1 {
		t.Fatalf("%d keys on disk, want 1", len(keys))
	}
	if holds(t, dir, secret) || !holds(t, dir, stays) || !holds(t, dir, keys[0]) {
		t.Error("want the frame sealed, and its key and the frame that stays on disk")
	}
	if e, err := l.Expire(t.Context(), s, now, "", ""); err != nil || e.Frames != 0 {
		t.Errorf("before its window has ended: %+v, %v", e, err)
	}
	now = now.Add(24 * time.Hour)
	e, err := l.Expire(t.Context(), s, now.Add(-23*time.Hour), "kept for 24 hours", "retention")
	if err != nil || e.Frames != 1 || e.Class != "24h" || e.Stream != "OBSERVATIONS" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, when := range []string{"at once", "after a restart"} {
		if holds(t, dir, keys[0]) || holds(t, dir, secret) {
			t.Errorf("%s: what expired can still be read from the disk", when)
		}
		if _, err := l.Get(t.Context(), bus.Observations, erased); !errors.Is(err, bus.ErrErased) {
			t.Errorf("%s: %v", when, err)
		}
		if got := readAll(t, l, bus.Observations, 0); len(got) != 1 || !bytes.Equal(got[0].Data, stays) {
			t.Errorf("%s: %v", when, got)
		}
		l.Close()
		if l, err = bus.Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
}

// rawKeys finds the keys in the server's files.
func rawKeys(t *testing.T, dir string) (out [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log/jetstream/$G/streams/KEYS/msgs/*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for {
			_, rest, ok := bytes.Cut(data, []byte(`"key":"`))
			if !ok {
				break
			}
			key, _, _ := bytes.Cut(rest, []byte(`"`))
			out, data = append(out, key), rest
		}
	}
	return out
}

// Erased records are overwritten on disk, in frames of either sort, and so are
// the patches of frames that lose records again.
func TestErasedRecordsAreOverwritten(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	mark := func(n int) []byte { return fmt.Appendf(nil, "marker-of-person-%d-", n) }
	for range 3 {
		appendAll(t, l, bus.Observations, mark(1), mark(2), mark(3))
	}
	appendAll(t, l, bus.Observations, mark(2))
	for n := range 3 {
		if !holds(t, dir, mark(n+1)) {
			t.Fatal("the marker should be on disk")
		}
	}
	for n := 1; n <= 2; n++ {
		if _, err := l.Erase(t.Context(), bus.Observations, bus.Erasure{Device: "x"}, func(r bus.Record) bool { return bytes.Equal(r.Data, mark(n)) }); err != nil {
			t.Fatal(err)
		}
		if holds(t, dir, mark(n)) {
			t.Errorf("person %d is still on disk", n)
		}
	}
	l.Close()
	l = open(t, dir)
	if holds(t, dir, mark(1)) || holds(t, dir, mark(2)) || !holds(t, dir, mark(3)) {
		t.Error("after a restart the disk does not hold what it should")
	}
	if got := readAll(t, l, bus.Observations, 0); len(got) != 3 || got[0].Seq&1023 != 2 {
		t.Errorf("%v", got)
	}
}

// An erasure that is broken off after any step is finished when the log is
// opened again, or by the next run.
func TestInterruptedErasure(t *testing.T) {
	type stop struct{}
	for steps := 1; ; steps++ {
		dir := t.TempDir()
		now := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
		left := 1 << 30
		cfg := bus.Config{Dir: dir, Now: func() time.Time { return now }}.WithStep(func(string) {
			if left--; left == 0 {
				panic(stop{})
			}
		})
		l, err := bus.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		marker := []byte(`{"n":2,"x":"a-marker-to-erase"}`)
		for range 2 {
			appendAll(t, l, bus.Observations, line(1), marker, line(4))
			appendAll(t, l, bus.Observations.Kept("7d"), line(3), marker)
		}
		if _, err := l.Erase(t.Context(), bus.Observations, bus.Erasure{}, func(r bus.Record) bool { return string(r.Data) == string(line(4)) }); err != nil {
			t.Fatal(err)
		}
		left = steps
		stopped := func() (stopped bool) {
			defer func() {
				switch r := recover(); r.(type) {
				case nil:
				case stop:
					stopped = true
				default:
					panic(r)
				}
			}()
			_, err = l.Erase(context.Background(), bus.Observations, bus.Erasure{}, func(r bus.Record) bool { return bytes.Equal(r.Data, marker) })
			return false
		}()
		if err != nil {
			t.Fatal(err)
		}
		left = 1 << 30
		l.Close()
		if l, err = bus.Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range readAll(t, l, bus.Observations, 0) {
			got = append(got, string(r.Data))
		}
		if want := []string{`{"n":1}`, `{"n":3}`, `{"n":1}`, `{"n":3}`}; !slices.Equal(got, want) || holds(t, dir, []byte("a-marker-to-erase")) {
			t.Errorf("stopped after %d steps: %v, want %v", steps, got, want)
		}
		done := 0
		if err := l.EachErasure(t.Context(), 0, func(e bus.Erasure, _ uint64) error {
			if e.Done {
				done++
			}
			return nil
		}); err != nil || done != 2 {
			t.Errorf("stopped after %d steps: %d erasures noted as done: %v", steps, done, err)
		}
		l.Close()
		if !stopped {
			t.Logf("%d steps", steps-1)
			if steps < 4 {
				t.Error("the steps were not met")
			}
			return
		}
	}
}

func TestInterruptedExpiry(t *testing.T) {
	type stop struct{}
	for steps := 1; steps < 4; steps++ {
		now := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
		left := steps
		dir := t.TempDir()
		cfg := bus.Config{Dir: dir, Now: func() time.Time { return now }}.WithStep(func(string) {
			if left--; left == 0 {
				panic(stop{})
			}
		})
		l, err := bus.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		appendAll(t, l, bus.Observations.Kept("1h"), line(1))
		now = now.Add(5 * time.Minute)
		appendAll(t, l, bus.Observations.Kept("1h"), line(2))
		appendAll(t, l, bus.Observations, line(3))
		keys := rawKeys(t, dir)
		now = now.Add(2 * time.Hour)
		func() {
			defer func() { _ = recover() }()
			_, _ = l.Expire(t.Context(), bus.Observations.Kept("1h"), now, "", "")
		}()
		l.Close()
		if l, err = bus.Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Expire(t.Context(), bus.Observations.Kept("1h"), now, "", ""); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, l, bus.Observations, 0); len(got) != 1 || holds(t, dir, keys[0]) || holds(t, dir, keys[1]) {
			t.Errorf("stopped after %d steps: %d records left, or a key", steps, len(got))
		}
		l.Close()
	}
}

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
