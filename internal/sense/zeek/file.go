package zeek

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/zeek"
)

// Row is what one line of a file gave: an observation, or why there is none.
type Row struct {
	Observation *event.Observation // nil when the line was left or is bad
	Line        int64
	Label       string // of a labelled data set
	Detailed    string
	Err         error // what is wrong with the line; the next can be read
}

// File reads a log from beginning to end. An observation's Received is when the
// monitor must have written the line: the latest end of any connection so far.
// The last row has the reader's error, if that is not the end of the file.
func File(name string, src io.Reader) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		r := zeek.NewReader(src, zeek.Named(name))
		m := mapper{sensor: name}
		var received time.Time
		for {
			rec, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var bad *zeek.LineError
			if errors.As(err, &bad) {
				if !yield(Row{Line: bad.Line, Err: err}) {
					return
				}
				continue
			}
			if err != nil {
				yield(Row{Err: fmt.Errorf("reading %s: %w", name, err)})
				return
			}
			o, written, err := m.observe(rec)
			row := Row{Line: rec.Line, Observation: o}
			if err != nil {
				row.Err = fmt.Errorf("%s: line %d: %w", name, rec.Line, err)
			}
			if o != nil {
				if written.After(received) {
					received = written
				}
				o.Received = received
				if o.Kind == event.KindFlow {
					row.Label, row.Detailed = m.conn.Label, m.conn.DetailedLabel
				}
			}
			if !yield(row) {
				return
			}
		}
	}
}
