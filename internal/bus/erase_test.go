package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

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
