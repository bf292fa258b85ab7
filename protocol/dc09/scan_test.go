package dc09

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// pieces runs a scanner to its end and writes down what it found.
func pieces(t testing.TB, r io.Reader, limit int) (list []string) {
	t.Helper()
	s := NewScanner(r, limit)
	for {
		frame, err := s.Next()
		var bad *BadBytes
		switch {
		case err == nil:
			list = append(list, "frame "+string(frame))
		case errors.As(err, &bad):
			list = append(list, fmt.Sprintf("%v %s", bad.Reason, bad.Bytes))
		case err == io.EOF:
			return list
		default:
			return append(list, "end "+err.Error())
		}
		if len(s.buf) > s.max+2 {
			t.Fatalf("buffer grew to %d bytes, limit %d", len(s.buf), s.max)
		}
	}
}

func TestScanner(t *testing.T) {
	garbage, oversize, truncated := ErrGarbage.Error()+" ", ErrOversize.Error()+" ", ErrTruncated.Error()+" "
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"one", "\nabc\r", []string{"frame abc"}},
		{"joined", "\nabc\r\ndef\r", []string{"frame abc", "frame def"}},
		{"line ends between", "\r\n\n\n\r\r\nabc\r\r\n", []string{"frame abc"}},
		{"exactly the limit", "\n12345678\r", []string{"frame 12345678"}},
		{"one over", "\n123456789\r\nabc\r", []string{oversize + "12345678", garbage + "9\r", "frame abc"}},
		{"garbage first", "xyz\nabc\r", []string{garbage + "xyz", "frame abc"}},
		{"long garbage", "1234567890123\nabc\r", []string{garbage + "12345678", garbage + "90123", "frame abc"}},
		{"garbage last", "\nabc\rxyz", []string{"frame abc", garbage + "xyz"}},
		{"broken off", "\nab\nabc\r", []string{garbage + "ab", "frame abc"}},
		{"end inside", "\nabc\r\nab", []string{"frame abc", truncated + "ab"}},
		{"no LF", "abc\r\ndef\r", []string{garbage + "abc\r", "frame def"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"whole":     strings.NewReader(tt.in),
				"by byte":   iotest.OneByteReader(strings.NewReader(tt.in)),
				"halves":    iotest.HalfReader(strings.NewReader(tt.in)),
				"err early": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				if got := pieces(t, r, 8); fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("%s: %q, want %q", name, got, tt.want)
				}
			}
			var got []string
			for frame, err := range Datagram([]byte(tt.in), 8) {
				if bad := new(BadBytes); errors.As(err, &bad) {
					got = append(got, fmt.Sprintf("%v %s", bad.Reason, bad.Bytes))
				} else {
					got = append(got, "frame "+string(frame))
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("datagram: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestScannerSplitEverywhere(t *testing.T) {
	stream := "xx\n" + wireGood + "\r\n" + wireCutShort + "\r\n" + wireEncrypted + "\rzz\n" + wireStamped + "\r"
	want := fmt.Sprint(pieces(t, strings.NewReader(stream), 0))
	for i := range stream {
		r := io.MultiReader(strings.NewReader(stream[:i]), strings.NewReader(stream[i:]))
		if got := fmt.Sprint(pieces(t, r, 0)); got != want {
			t.Fatalf("split at %d: %s, want %s", i, got, want)
		}
	}
}

func TestScannerReaderErrors(t *testing.T) {
	broken := errors.New("connection reset")
	r := io.MultiReader(strings.NewReader("\nabc\r\nde"), iotest.ErrReader(broken))
	got := pieces(t, r, 0)
	want := []string{"frame abc", ErrTruncated.Error() + " de", "end connection reset"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := pieces(t, stuck{}, 0); fmt.Sprint(got) != "[end "+io.ErrNoProgress.Error()+"]" {
		t.Errorf("a reader that gives nothing: %q", got)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestScannerStaysSmall(t *testing.T) {
	s := NewScanner(bytes.NewReader(bytes.Repeat([]byte("\n"+wireGood+"\r"), 1000)), 0)
	for range 1000 {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.buf) != scanStart {
		t.Errorf("buffer has %d bytes for short frames, want %d", len(s.buf), scanStart)
	}
	if s.Buffered() != 0 {
		t.Errorf("%d bytes left", s.Buffered())
	}
}
