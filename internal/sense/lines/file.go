package lines

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/tail"
)

// File reads a log from beginning to end. An observation's Received is when the
// monitor must have written the line: the latest time of any so far. A line that
// cannot be read gives an error that names it, and the next can be read; the
// reader's own error is the last.
func (d Dialect) File(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return func(yield func(*event.Observation, error) bool) {
		s := tail.NewScanner(src, 0)
		m := d.NewMapper(name, name)
		var received time.Time
		for {
			l, err := s.Next()
			if errors.Is(err, io.EOF) {
				l, err = s.Rest()
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil && !errors.Is(err, tail.ErrLineTooLong) {
				yield(nil, fmt.Errorf("reading %s: %w", name, err))
				return
			}
			var o *event.Observation
			var written time.Time
			if err == nil {
				o, written, err = m.Observe(&l)
			}
			switch {
			case err != nil:
				err, o = fmt.Errorf("%s: line %d: %w", name, l.Number, err), nil
			case o == nil:
				continue
			default:
				if written.After(received) {
					received = written
				}
				o.Received = received
			}
			if !yield(o, err) {
				return
			}
		}
	}
}
