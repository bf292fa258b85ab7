package tail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func scan(t testing.TB, s *Scanner) (lines []string) {
	t.Helper()
	for {
		l, err := s.Next()
		if errors.Is(err, io.EOF) {
			l, err = s.Rest()
		}
		switch {
		case errors.Is(err, io.EOF):
			return lines
		case errors.Is(err, ErrLineTooLong):
			lines = append(lines, fmt.Sprintf("%d@%d-%d long %s", l.Number, l.Offset, l.Next, l.Text))
		case err != nil:
			t.Fatal(err)
		default:
			lines = append(lines, fmt.Sprintf("%d@%d-%d %s", l.Number, l.Offset, l.Next, l.Text))
		}
	}
}

func TestScan(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":           {"", nil},
		"one without end":   {"a", []string{"1@0-1 a"}},
		"both line ends":    {"a\r\nb\n\nc", []string{"1@0-3 a", "2@3-5 b", "3@5-6 ", "4@6-7 c"}},
		"a return within":   {"a\rb\n", []string{"1@0-4 a\rb"}},
		"at the limit":      {"12345678\nx\n", []string{"1@0-9 12345678", "2@9-11 x"}},
		"beyond it":         {"123456789\nx\n", []string{"1@0-10 long 123456789", "2@10-12 x"}},
		"far beyond it":     {"1234567890abc\nx", []string{"1@0-14 long 1234567890", "2@14-15 x"}},
		"and without end":   {"x\n123456789", []string{"1@0-2 x", "2@2-11 long 123456789"}},
		"two long in a row": {"123456789\n123456789\n", []string{"1@0-10 long 123456789", "2@10-20 long 123456789"}},
	} {
		t.Run(name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"whole": strings.NewReader(c.in), "byte by byte": iotest.OneByteReader(strings.NewReader(c.in)),
			} {
				if got := scan(t, NewScanner(src, 8)); !slices.Equal(got, c.want) {
					t.Errorf("%s: got %q, want %q", how, got, c.want)
				}
			}
		})
	}
}

func TestOverlongLineIsBoundedInMemory(t *testing.T) {
	s := NewScanner(io.MultiReader(io.LimitReader(endless{}, 8<<20), strings.NewReader("\nshort\n")), 1000)
	l, err := s.Next()
	if !errors.Is(err, ErrLineTooLong) || len(l.Text) > keepOfLong || l.Offset != 0 || l.Next != 8<<20+1 {
		t.Fatalf("line %d to %d of %d bytes, %v", l.Offset, l.Next, len(l.Text), err)
	}
	if len(s.buf) > 1000+readChunk {
		t.Errorf("the buffer grew to %d", len(s.buf))
	}
	if l, err = s.Next(); err != nil || string(l.Text) != "short" || l.Number != 2 {
		t.Errorf("then %q, %v", l.Text, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

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

// read takes n lines.
func read(t testing.TB, f *Follower, n int) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range n {
		l, err := f.Next(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", lines, err)
		}
		lines = append(lines, string(l.Text))
	}
	return lines
}

func quiet(t testing.TB, f *Follower) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if l, err := f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %q, %v; want to wait", l.Text, err)
	}
}

func want(t testing.TB, got []string, lines ...string) {
	t.Helper()
	if !slices.Equal(got, lines) {
		t.Fatalf("got %q, want %q", got, lines)
	}
}

func TestFollowThroughEveryRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		f := Follow(path, nil, Options{})
		defer f.Close()
		quiet(t, f) // the file does not exist yet

		write(t, path, "one\ntwo\nthr", 0)
		want(t, read(t, f, 2), "one", "two")
		quiet(t, f) // the last line has no end
		write(t, path, "ee\n", os.O_APPEND)
		want(t, read(t, f, 1), "three")

		// Renamed and made anew; the old one gets more before it ends.
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		quiet(t, f)
		write(t, path+".1", "four\nfive", os.O_APPEND)
		write(t, path, "six\n", 0)
		want(t, read(t, f, 3), "four", "five", "six")
		if p := f.Position(); p.Line != 1 || p.Offset != 4 {
			t.Errorf("at %+v: the new file begins at line 1", p)
		}

		// Copied and truncated: to something shorter, then to something longer.
		write(t, path, "x\n", os.O_TRUNC)
		want(t, read(t, f, 1), "x")
		quiet(t, f)
		write(t, path, "seven\neight\n", os.O_TRUNC)
		want(t, read(t, f, 2), "seven", "eight")
	})
}

func TestFollowSaysWhenTheFileIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		write(t, path, "one\n", 0)
		f := Follow(path, nil, Options{})
		want(t, read(t, f, 1), "one")
		pos := f.Position()
		f.Close()
		write(t, path, "seven\neight\n", os.O_TRUNC) // the same inode with other contents
		f = Follow(path, &pos, Options{})
		defer f.Close()
		if _, err := f.Next(t.Context()); !errors.Is(err, ErrGap) {
			t.Fatalf("got %v, want ErrGap", err)
		}
		want(t, read(t, f, 2), "seven", "eight")
	})
}

func TestFollowRefusesDirectory(t *testing.T) {
	f := Follow(t.TempDir(), nil, Options{})
	defer f.Close()
	if _, err := f.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("following a directory: %v, want an error that says so", err)
	}
}

// Whatever becomes of the file, and wherever the reader is stopped and started
// again from its saved position, each whole line is read once and in order.
func TestFollowLosesNothingAndRepeatsNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "log")
		var got, all []string
		add := func() {
			all = append(all, fmt.Sprintf("line %d", len(all)+1))
			write(t, path, all[len(all)-1]+"\n", os.O_APPEND)
		}
		f := Follow(path, nil, Options{Poll: time.Millisecond})
		defer func() { f.Close() }()
		rest := func() { got = append(got, read(t, f, len(all)-len(got))...) }
		for step := range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				for range rapid.IntRange(1, 5).Draw(rt, "lines") {
					add()
				}
			case 1: // rotated: the follower must have taken up every file before the next
				rest()
				if err := os.Rename(path, fmt.Sprintf("%s.%d", path, step)); err == nil {
					add()
					rest()
				}
			case 2:
				if n := len(all) - len(got); n > 0 {
					got = append(got, read(t, f, rapid.IntRange(1, n).Draw(rt, "read"))...)
				}
			case 3:
				saved, err := json.Marshal(f.Position())
				var pos Position
				if err = errors.Join(err, f.Close(), json.Unmarshal(saved, &pos)); err != nil {
					rt.Fatal(err)
				}
				f = Follow(path, &pos, Options{Poll: time.Millisecond})
			}
		}
		rest()
		if !slices.Equal(got, all) {
			rt.Fatalf("got %v, want %v", got, all)
		}
	})
}

// FuzzScanner holds the scanner to bytes.Lines, whatever the input and however
// it comes.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("a\r\nbb\n\nccc"), 3, true)
	f.Add([]byte(strings.Repeat("x", 5000)+"\ny\n"), 100, false)
	f.Fuzz(func(t *testing.T, in []byte, most int, slow bool) {
		if most < 1 || most > 1<<16 {
			most = 10
		}
		var src io.Reader = bytes.NewReader(in)
		if slow {
			src = iotest.HalfReader(src)
		}
		s := NewScanner(src, most)
		at := int64(0)
		number := int64(0)
		for whole := range bytes.Lines(in) {
			l, err := s.Next()
			if errors.Is(err, io.EOF) {
				l, err = s.Rest()
			}
			number++
			text := bytes.TrimSuffix(bytes.TrimSuffix(whole, []byte("\n")), []byte("\r"))
			if l.Number != number || l.Offset != at || l.Next != at+int64(len(whole)) {
				t.Fatalf("line %d at %d to %d, want %d at %d to %d", l.Number, l.Offset, l.Next, number, at, at+int64(len(whole)))
			}
			at = l.Next
			switch {
			case errors.Is(err, ErrLineTooLong):
				if len(text) <= most-1 || !bytes.HasPrefix(whole, l.Text) || len(l.Text) > keepOfLong {
					t.Fatalf("%d bytes are too long for %d", len(text), most)
				}
			case err != nil:
				t.Fatal(err)
			case !bytes.Equal(l.Text, text):
				t.Fatalf("got %q, want %q", l.Text, text)
			}
		}
		if _, err := s.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %v", err)
		}
	})
}
