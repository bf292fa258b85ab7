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
	few(t, "10")
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
