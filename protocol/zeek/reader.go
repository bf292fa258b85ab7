package zeek

import (
	"errors"
	"fmt"
	"io"

	"github.com/bluelamp/bluelamp/protocol/tail"
)

// Reader reads the records of a log.
type Reader struct {
	lines *tail.Scanner
	dec   *Decoder
	line  int64
}

// Option sets how a Reader or a Follower reads.
type Option func(*options)

type options struct {
	name    string
	maxLine int
}

// Named gives the file's name, which is used in errors and, for a log that does
// not say its kind, to find it.
func Named(name string) Option { return func(o *options) { o.name = name } }

// MaxLine sets the longest line in bytes, DefaultMaxLine when it is not given.
func MaxLine(n int) Option { return func(o *options) { o.maxLine = n } }

// NewReader returns a Reader of src.
func NewReader(src io.Reader, opts ...Option) *Reader {
	var o options
	for _, set := range opts {
		set(&o)
	}
	return &Reader{lines: tail.NewScanner(src, o.maxLine), dec: NewDecoder(o.name)}
}

// Read returns the next record, valid until the next call. It returns io.EOF at
// the end, a *LineError for a line that cannot be understood (reading can go on),
// and any other error of the underlying reader as it is.
func (r *Reader) Read() (*Record, error) {
	for {
		l, err := r.lines.Next()
		if errors.Is(err, io.EOF) {
			l, err = r.lines.Rest()
		}
		if err != nil && !errors.Is(err, tail.ErrLineTooLong) {
			if !errors.Is(err, io.EOF) {
				err = fmt.Errorf("reading zeek log after line %d: %w", r.line, err)
			}
			return nil, err
		}
		r.line = l.Number
		rec, err := r.dec.decode(&l, err)
		if rec != nil || err != nil {
			return rec, err
		}
	}
}
