package zeek

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Bounds. A line longer than the limit is reported and skipped; a header with
// more columns than MaxFields is refused.
const (
	DefaultMaxLine = 1 << 20 // bytes
	MaxFields      = 4096    // columns of a TSV header or members of a JSON object
	readChunk      = 64 << 10
	keepOfLong     = 4 << 10 // bytes of an over-long line kept in its LineError
)

// Errors that a LineError wraps.
var (
	ErrLineTooLong = errors.New("line is longer than the limit")
	ErrNoHeader    = errors.New("row comes before any #fields header")
	ErrColumns     = errors.New("row has another number of columns than its #fields header")
	ErrHeader      = errors.New("header line is malformed")
	ErrJSON        = errors.New("line is not one JSON object")
	ErrValue       = errors.New("value does not fit its type")
	ErrKind        = errors.New("record is of another log")
)

// LineError says which line could not be understood and why, and holds its
// bytes. Reading can go on after it.
type LineError struct {
	Name   string // the file, when named
	Line   int64  // from 1
	Offset int64  // bytes from the start of the input
	Raw    []byte // the line, without its end; cut to 4 KiB when over-long
	Err    error
}

// Error gives file, line and cause.
func (e *LineError) Error() string {
	name := e.Name
	if name == "" {
		name = "zeek log"
	}
	return fmt.Sprintf("%s: line %d: %v", name, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// liner cuts a stream into lines. At the end of the input it keeps an unfinished
// last line, so that a file which is still being written can be read on.
type liner struct {
	src     io.Reader
	max     int
	buf     []byte
	r, w    int   // unread bytes are buf[r:w]
	scanned int   // bytes after r already known to hold no newline
	offset  int64 // of buf[r] in the input
	long    bool  // inside an over-long line whose start is in lead
	lead    []byte
}

func newLiner(src io.Reader, maxLine int) *liner {
	if maxLine <= 0 {
		maxLine = DefaultMaxLine
	}
	return &liner{src: src, max: maxLine, buf: make([]byte, min(readChunk, maxLine+2))}
}

// next returns the next whole line without its end, valid until the next call.
// It returns ErrLineTooLong with the line's beginning for an over-long line, and
// io.EOF when no whole line is left; rest then has what remains.
func (l *liner) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.r+l.scanned:l.w], '\n'); i >= 0 {
			return l.take(l.scanned+i, 1)
		}
		l.scanned = l.w - l.r
		if l.scanned > l.max+1 {
			l.spill()
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// rest returns the unfinished last line as a line, for an input that has ended.
func (l *liner) rest() ([]byte, error) {
	if l.w == l.r && !l.long {
		return nil, io.EOF
	}
	return l.take(l.w-l.r, 0)
}

func (l *liner) take(n, end int) ([]byte, error) {
	line := l.buf[l.r : l.r+n]
	l.r += n + end
	l.offset += int64(n + end)
	l.scanned = 0
	if l.long {
		l.long = false
		return l.lead, ErrLineTooLong
	}
	if k := len(line); k > 0 && line[k-1] == '\r' {
		line = line[:k-1]
	}
	if len(line) > l.max {
		return line[:min(len(line), keepOfLong)], ErrLineTooLong
	}
	return line, nil
}

// spill drops what is buffered of an over-long line, keeping its beginning.
func (l *liner) spill() {
	if !l.long {
		l.long = true
		l.lead = append(l.lead[:0], l.buf[l.r:l.r+min(keepOfLong, l.w-l.r)]...)
	}
	l.offset += int64(l.w - l.r)
	l.r, l.w, l.scanned = 0, 0, 0
}

func (l *liner) fill() error {
	if l.r > 0 {
		copy(l.buf, l.buf[l.r:l.w])
		l.w -= l.r
		l.r = 0
	}
	if l.w == len(l.buf) {
		grown := make([]byte, min(2*len(l.buf), l.max+readChunk))
		copy(grown, l.buf[:l.w])
		l.buf = grown
	}
	for range 100 {
		n, err := l.src.Read(l.buf[l.w:])
		if n < 0 || n > len(l.buf)-l.w {
			return errors.New("reading zeek log: the reader returned an impossible count")
		}
		l.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
