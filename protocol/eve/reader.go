package eve

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/bluelamp/bluelamp/protocol/tail"
)

// LineError says which line could not be understood and why, and holds its
// bytes. Reading can go on after it.
type LineError struct {
	Name string // the file, when named
	Line int64  // from 1
	Raw  []byte // the line, without its end; cut when over-long
	Err  error
}

// Error gives file, line and cause.
func (e *LineError) Error() string {
	name := e.Name
	if name == "" {
		name = "EVE log"
	}
	return fmt.Sprintf("%s: line %d: %v", name, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// Reader reads the events of a file from beginning to end.
type Reader struct {
	name  string
	lines *tail.Scanner
	parse *Parser
	at    tail.Line
}

// NewReader returns a Reader of src, whose name is used in errors. Lines may have
// up to tail.DefaultMaxLine bytes.
func NewReader(src io.Reader, name string) *Reader {
	return &Reader{name: name, lines: tail.NewScanner(src, 0), parse: NewParser()}
}

// Line returns the line that was read last, valid until the next Read.
func (r *Reader) Line() tail.Line { return r.at }

// Read reads the next event into e, and passes over empty lines. It returns
// io.EOF at the end, a *LineError for a line that cannot be understood (reading
// can go on), and any other error of the underlying reader.
func (r *Reader) Read(e *Event) error {
	for {
		l, err := r.lines.Next()
		if errors.Is(err, io.EOF) {
			l, err = r.lines.Rest()
		}
		switch {
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil && !errors.Is(err, tail.ErrLineTooLong):
			return fmt.Errorf("reading EVE log after line %d: %w", r.at.Number, err)
		}
		r.at = l
		if err == nil && len(bytes.TrimSpace(l.Text)) == 0 {
			continue
		}
		if err == nil {
			err = r.parse.Parse(l.Text, e)
		}
		if err != nil {
			return &LineError{Name: r.name, Line: l.Number, Raw: bytes.Clone(l.Text), Err: err}
		}
		return nil
	}
}
