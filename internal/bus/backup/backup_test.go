package backup_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/bus/backup"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func fixed() time.Time { return noon }

func open(t *testing.T, dir string) *bus.Log {
	t.Helper()
	l, err := bus.Open(context.Background(), bus.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func add(t *testing.T, l *bus.Log, s bus.Stream, records ...string) uint64 {
	t.Helper()
	var call [][]byte
	for _, r := range records {
		call = append(call, []byte(r))
	}
	pos, err := l.Append(t.Context(), s, call...)
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func create(t *testing.T, l *bus.Log, dir string) backup.Added {
	t.Helper()
	a, err := backup.At(dir, fixed).Create(t.Context(), l, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// content is all that a log holds, but for what never goes into a backup.
func content(t *testing.T, l *bus.Log) (out []string) {
	t.Helper()
	for _, s := range bus.Streams() {
		if s.Keyed {
			if err := l.EachValue(t.Context(), s, func(key string, v []byte) error {
				out = append(out, fmt.Sprintf("%s %s %q", s.Name, key, v))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := l.Each(t.Context(), s, 0, func(r bus.Record) error {
			if r.Class != "1h" {
				out = append(out, fmt.Sprintf("%s %d %s %q %s", s.Name, r.Seq, r.Class, r.Data, r.Time.UTC().Format(time.RFC3339Nano)))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// fill puts something of everything on a log.
func fill(t *testing.T, l *bus.Log, from int) {
	t.Helper()
	for n := from; n < from+10; n++ {
		for _, class := range []string{"", "1h", "24h", "31d"} {
			add(t, l, bus.Observations.Kept(class), fmt.Sprintf(`{"n":%d,"class":%q}`, n, class), fmt.Sprintf(`{ "n" : %d, "who":"<person %d>" }`, n, n%3))
		}
	}
	add(t, l, bus.Audit, `{"action":"a"}`)
	add(t, l, bus.Alerts, "no JSON at all \xff", "")
	if err := l.Put(t.Context(), bus.Snapshots, "stage", fmt.Appendf(nil, "state %d\x00", from)); err != nil {
		t.Fatal(err)
	}
}

func isPerson(n int) func(bus.Record) bool {
	return func(r bus.Record) bool { return bytes.Contains(r.Data, fmt.Appendf(nil, "<person %d>", n)) }
}

func erase(t *testing.T, l *bus.Log, n int) {
	t.Helper()
	if got, err := l.Erase(t.Context(), bus.Observations, bus.Erasure{Device: "d"}, isPerson(n)); err != nil || got == 0 {
		t.Fatalf("erased %d: %v", got, err)
	}
}

// A log that is restored holds what was there, at its positions, and goes on
// behind them; made in one run or in several.
func TestRestoreGivesBackTheLog(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	l := open(t, t.TempDir())
	fill(t, l, 0)
	erase(t, l, 1)
	create(t, l, dir)
	fill(t, l, 10)
	add(t, l, bus.Warnings, "{}")
	if _, err := l.Erase(t.Context(), bus.Warnings, bus.Erasure{}, func(bus.Record) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if a := create(t, l, dir); a.Records == 0 || a.Segments == 0 {
		t.Errorf("added %+v", a)
	}
	if a := create(t, l, dir); a.Records != 0 || a.Erased != 0 {
		t.Errorf("nothing is new, and %+v was added", a)
	}
	b := backup.At(dir, fixed)
	if problems, err := b.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if _, err := b.Restore(t.Context(), to, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restore(t.Context(), to, nil); !errors.Is(err, backup.ErrLogThere) {
		t.Errorf("restoring over a log: %v", err)
	}
	r := open(t, to)
	want, got := content(t, l), content(t, r)
	if !slices.Equal(got, want) {
		t.Errorf("restored\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, s := range []bus.Stream{bus.Observations, bus.Warnings, bus.Audit} {
		if a, b := add(t, l, s, "{}"), add(t, r, s, "{}"); a != b {
			t.Errorf("the next record of %s is at %d, want %d", s.Name, b, a)
		}
	}
	if _, err := r.Get(t.Context(), bus.Warnings, 1<<10); !errors.Is(err, bus.ErrErased) {
		t.Errorf("an erased record of the restored log: %v", err)
	}
}

// What is erased from the log goes from the backup's files and index too, and is
// not restored even from a copy of the backup that was not told.
func TestBackupForgets(t *testing.T) {
	dir := t.TempDir()
	l, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fill(t, l, 0)
	create(t, l, dir)
	erase(t, l, 2)
	if n := unpackedWith(t, dir, "<person 2>"); n == 0 {
		t.Fatal("the marker should be in the backup")
	}
	b := backup.At(dir, fixed)
	for range 2 {
		if err := b.Apply(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	if n := unpackedWith(t, dir, "<person 2>"); n != 0 {
		t.Errorf("%d files of the backup still hold what was erased", n)
	}
	if problems, err := b.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if _, err := l.Expire(t.Context(), bus.Observations.Kept("24h"), time.Now().Add(48*time.Hour), "", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	x, err := backup.ReadIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range x.Segments {
		if s.Class == "24h" {
			t.Errorf("the index still names %s", s.File)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "OBSERVATIONS", "24h", "*")); len(left) > 0 || len(x.Tombstones) < 3 {
		t.Errorf("left %v, %d tombstones", left, len(x.Tombstones))
	}
	to := t.TempDir()
	if _, err := b.Restore(t.Context(), to, nil); err != nil {
		t.Fatal(err)
	}
	observed := func(l *bus.Log) []string {
		return slices.DeleteFunc(content(t, l), func(s string) bool { return !strings.HasPrefix(s, "OBSERVATIONS") })
	}
	if want, got := observed(l), observed(open(t, to)); !slices.Equal(got, want) {
		t.Errorf("restored\n%v\nwant\n%v", got, want)
	}
}

// A backup whose segments were put back from elsewhere holds the ledger: what it
// names is left out when restoring.
func TestRestoreAppliesTheLedger(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	l := open(t, t.TempDir())
	fill(t, l, 0)
	create(t, l, dir)
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	erase(t, l, 0)
	if _, err := l.Expire(t.Context(), bus.Observations.Kept("31d"), time.Now().Add(48*time.Hour), "", ""); err != nil {
		t.Fatal(err)
	}
	create(t, l, dir)
	// The old observations with the new ledger.
	was, err := backup.ReadIndex(old)
	if err != nil {
		t.Fatal(err)
	}
	is, err := backup.ReadIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	is.Segments = slices.DeleteFunc(is.Segments, func(s backup.Segment) bool { return s.Stream == "OBSERVATIONS" })
	for _, s := range was.Segments {
		if s.Stream == "OBSERVATIONS" {
			is.Segments = append(is.Segments, s)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "old"), os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	for i := range is.Segments {
		if s := &is.Segments[i]; s.Stream == "OBSERVATIONS" {
			s.File = filepath.Join("old", s.File)
		}
	}
	if err := is.Write(dir); err != nil {
		t.Fatal(err)
	}
	done, err := backup.At(dir, fixed).Restore(t.Context(), to, nil)
	if err != nil || done.LeftOut == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if want, got := content(t, l), content(t, open(t, to)); !slices.Equal(got, want) {
		t.Errorf("restored\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	dir := t.TempDir()
	if _, err := backup.At(dir, fixed).Verify(t.Context()); !errors.Is(err, backup.ErrNoBackup) {
		t.Errorf("an empty directory: %v", err)
	}
	l := open(t, t.TempDir())
	fill(t, l, 0)
	create(t, l, dir)
	x, err := backup.ReadIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, x.Segments[0].File)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, x.Segments[1].File)); err != nil {
		t.Fatal(err)
	}
	b := backup.At(dir, fixed)
	if problems, err := b.Verify(t.Context()); err != nil || len(problems) != 2 {
		t.Errorf("%v, %v", problems, err)
	}
	if _, err := b.Restore(t.Context(), t.TempDir(), nil); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("restoring a damaged backup: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"version":1,"segments":[{"file":"../../etc/passwd"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(t.Context()); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a hostile index: %v", err)
	}
}

// unpackedWith counts the files of a backup that hold a text.
func unpackedWith(t *testing.T, dir, text string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".gz") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		zip, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(zip)
		if bytes.Contains(data, []byte(text)) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
