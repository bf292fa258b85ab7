package tail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// DefaultMaxLine is the longest line in bytes where none is given.
const DefaultMaxLine = 1 << 20

const (
	readChunk  = 64 << 10
	keepOfLong = 4 << 10 // bytes of an over-long line that are handed out
)

// ErrLineTooLong says that a line is longer than the limit. The line comes with
// it, cut to its first 4 KiB, and the next can be read.
var ErrLineTooLong = errors.New("line is longer than the limit")

// Line is one line. Its text is valid until the next is read.
type Line struct {
	Text   []byte // without its end
	Number int64  // from 1
	Offset int64  // of its first byte
	Next   int64  // of the byte after its end
}

// Scanner cuts a stream into lines. At the end of the input it keeps an
// unfinished last line, so that what is still being written can be read on.
type Scanner struct {
	src     io.Reader
	max     int
	buf     []byte
	r, w    int   // unread bytes are buf[r:w]
	scanned int   // bytes after r already known to hold no newline
	offset  int64 // of buf[r] in the input
	long    bool  // inside an over-long line whose start is in lead
	lead    []byte
	longAt  int64 // where that line began
	line    int64 // lines handed out
}

// NewScanner returns a Scanner of src with lines of at most maxLine bytes;
// DefaultMaxLine when that is not positive.
func NewScanner(src io.Reader, maxLine int) *Scanner {
	if maxLine <= 0 {
		maxLine = DefaultMaxLine
	}
	return &Scanner{src: src, max: maxLine, buf: make([]byte, min(readChunk, maxLine+2))}
}

// Next returns the next whole line. It returns ErrLineTooLong with the line's
// beginning for an over-long one, io.EOF when no whole line is left (Rest then
// has what remains), and the errors of the underlying reader as they are.
func (s *Scanner) Next() (Line, error) {
	for {
		if i := bytes.IndexByte(s.buf[s.r+s.scanned:s.w], '\n'); i >= 0 {
			return s.take(s.scanned+i, 1)
		}
		s.scanned = s.w - s.r
		if s.scanned > s.max+1 {
			s.spill()
		}
		if err := s.fill(); err != nil {
			return Line{}, err
		}
	}
}

// Rest returns the unfinished last line as a line, for an input that has ended;
// io.EOF when there is none.
func (s *Scanner) Rest() (Line, error) {
	if s.w == s.r && !s.long {
		return Line{}, io.EOF
	}
	return s.take(s.w-s.r, 0)
}

// Whole reports whether a whole line is there to be had without reading.
func (s *Scanner) Whole() bool { return bytes.IndexByte(s.buf[s.r+s.scanned:s.w], '\n') >= 0 }

func (s *Scanner) take(n, end int) (Line, error) {
	s.line++
	l := Line{Text: s.buf[s.r : s.r+n], Number: s.line, Offset: s.offset}
	s.r += n + end
	s.offset += int64(n + end)
	s.scanned = 0
	l.Next = s.offset
	if s.long {
		s.long = false
		l.Text, l.Offset = s.lead, s.longAt
		return l, ErrLineTooLong
	}
	if k := len(l.Text); k > 0 && l.Text[k-1] == '\r' {
		l.Text = l.Text[:k-1]
	}
	if len(l.Text) > s.max {
		l.Text = l.Text[:min(len(l.Text), keepOfLong)]
		return l, ErrLineTooLong
	}
	return l, nil
}

// spill drops what is buffered of an over-long line, keeping its beginning.
func (s *Scanner) spill() {
	if !s.long {
		s.long, s.longAt = true, s.offset
		s.lead = append(s.lead[:0], s.buf[s.r:s.r+min(keepOfLong, s.w-s.r)]...)
	}
	s.offset += int64(s.w - s.r)
	s.r, s.w, s.scanned = 0, 0, 0
}

func (s *Scanner) fill() error {
	if s.r > 0 {
		copy(s.buf, s.buf[s.r:s.w])
		s.w -= s.r
		s.r = 0
	}
	if s.w == len(s.buf) {
		grown := make([]byte, min(2*len(s.buf), s.max+readChunk))
		copy(grown, s.buf[:s.w])
		s.buf = grown
	}
	for range 100 {
		n, err := s.src.Read(s.buf[s.w:])
		if n < 0 || n > len(s.buf)-s.w {
			return fmt.Errorf("reading lines: the reader returned an impossible count, %d", n)
		}
		s.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
