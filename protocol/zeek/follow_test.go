package zeek

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/protocol/tail"
)

func write(t testing.TB, path, text string, flag int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func line(n int) string { return fmt.Sprintf(`{"ts":1.5,"uid":"u%d"}`+"\n", n) }

// read takes n records and returns their uids.
func read(t testing.TB, f *Follower, n int) (uids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range n {
		rec, err := f.Next(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", uids, err)
		}
		uids = append(uids, rec.String("uid"))
	}
	return uids
}

func quiet(t testing.TB, f *Follower) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if rec, err := f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, %v; want to wait", rec, err)
	}
}

func want(t testing.TB, got []string, uids ...string) {
	t.Helper()
	if !slices.Equal(got, uids) {
		t.Fatalf("got %v, want %v", got, uids)
	}
}

func TestFollowThroughEveryRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "conn.log")
		f := Follow(path, nil, time.Second)
		defer f.Close()
		quiet(t, f) // the file does not exist yet

		write(t, path, line(1)+line(2)+line(3)[:9], 0)
		want(t, read(t, f, 2), "u1", "u2")
		quiet(t, f) // the last line has no end
		write(t, path, line(3)[9:], os.O_APPEND)
		want(t, read(t, f, 1), "u3")

		// Renamed and made anew; the old one gets one more line before it ends.
		old := path + ".1"
		if err := os.Rename(path, old); err != nil {
			t.Fatal(err)
		}
		quiet(t, f)
		write(t, old, line(4)+strings.TrimSuffix(line(5), "\n"), os.O_APPEND)
		write(t, path, line(6), 0)
		want(t, read(t, f, 3), "u4", "u5", "u6")

		// Truncated to something shorter, then to something longer.
		write(t, path, `{"ts":1,"uid":"x"}`+"\n", os.O_TRUNC)
		want(t, read(t, f, 1), "x")
		quiet(t, f)
		write(t, path, line(7)+line(8), os.O_TRUNC)
		want(t, read(t, f, 2), "u7", "u8")
	})
}

func TestFollowResumesInARotatedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "conn.log")
		write(t, path, connHead+connRow+strings.Replace(connRow, "Cuid", "C2", 1), 0)
		f := Follow(path, nil, time.Second)
		want(t, read(t, f, 1), "Cuid")
		saved, err := json.Marshal(f.Position())
		if err != nil {
			t.Fatal(err)
		}
		f.Close()

		if err := os.Rename(path, filepath.Join(dir, "conn.2022-06-17.log")); err != nil {
			t.Fatal(err)
		}
		write(t, path, line(3), 0)
		var pos Position
		if err := json.Unmarshal(saved, &pos); err != nil {
			t.Fatal(err)
		}
		f = Follow(path, &pos, time.Second)
		defer f.Close()
		want(t, read(t, f, 2), "C2", "u3") // the TSV row is read by the saved header
	})
}

func TestFollowSaysWhenTheFileIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "conn.log")
		write(t, path, line(1), 0)
		f := Follow(path, nil, time.Second)
		want(t, read(t, f, 1), "u1")
		pos := f.Position()
		f.Close()
		write(t, path, line(7)+line(8), os.O_TRUNC) // the same inode with other contents
		f = Follow(path, &pos, time.Second)
		defer f.Close()
		if _, err := f.Next(t.Context()); !errors.Is(err, ErrGap) {
			t.Fatalf("got %v, want ErrGap", err)
		}
		want(t, read(t, f, 2), "u7", "u8")
	})
}

func TestFollowRefusesAForeignHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conn.log")
	write(t, path, line(1), 0)
	f := Follow(path, &Position{Position: tail.Position{Offset: 3}, Header: "no header"}, time.Second)
	defer f.Close()
	if _, err := f.Next(t.Context()); !errors.Is(err, ErrHeader) {
		t.Fatalf("got %v, want ErrHeader", err)
	}
}

// Whatever happens to the file, and wherever the reader is stopped and started
// again, each whole line is read once and in order.
func TestFollowLosesNothingAndRepeatsNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "conn.log")
		written, rotated := 0, 0
		var got, all []string
		f := Follow(path, nil, time.Millisecond)
		defer func() { f.Close() }()
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				for range rapid.IntRange(1, 5).Draw(rt, "lines") {
					written++
					all = append(all, fmt.Sprintf("u%d", written))
					write(t, path, line(written), os.O_APPEND)
				}
			case 1:
				rotated++
				if f.Position().Inode == 0 { // a file never seen cannot be found again
					got = append(got, read(t, f, len(all)-len(got))...)
				}
				if err := os.Rename(path, fmt.Sprintf("%s.%d", path, rotated)); err == nil {
					// Zeek makes the new file when it writes to it; the follower must
					// have taken up every file before the next rotation.
					got = append(got, read(t, f, len(all)-len(got))...)
					written++
					all = append(all, fmt.Sprintf("u%d", written))
					write(t, path, line(written), os.O_APPEND)
					got = append(got, read(t, f, len(all)-len(got))...)
				}
			case 2:
				if n := len(all) - len(got); n > 0 {
					got = append(got, read(t, f, rapid.IntRange(1, n).Draw(rt, "read"))...)
				}
			case 3:
				pos := f.Position()
				f.Close()
				f = Follow(path, &pos, time.Millisecond)
			}
		}
		got = append(got, read(t, f, len(all)-len(got))...)
		if !slices.Equal(got, all) {
			rt.Fatalf("got %v, want %v", got, all)
		}
	})
}

func TestFollowRefusesDirectory(t *testing.T) {
	f := Follow(t.TempDir(), nil, time.Millisecond)
	defer func() { _ = f.Close() }()
	if _, err := f.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("following a directory: %v, want an error that says so", err)
	}
}
