package zeek

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bluelamp/bluelamp/protocol/tail"
)

// Bounds. A line longer than the limit is reported and skipped; a header with
// more columns than MaxFields is refused.
const (
	DefaultMaxLine = tail.DefaultMaxLine // bytes
	MaxFields      = 4096                // columns of a TSV header or members of a JSON object
)

// Errors that a LineError wraps.
var (
	ErrLineTooLong = tail.ErrLineTooLong
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

// bad returns the error of a line.
func (d *Decoder) bad(l *tail.Line, cause error) error {
	return &LineError{Name: d.name, Line: l.Number, Offset: l.Offset, Raw: bytes.Clone(l.Text), Err: cause}
}
