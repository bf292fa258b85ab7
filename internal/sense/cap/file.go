package cap

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// File reads the messages of a file from beginning to end: one, several after one
// another, or those within a feed. Signatures are not looked at. They come in the
// order in which they were sent, and Received is when that was. A message that
// cannot be read gives an error that names its line, and the next can be read. An
// entry of a feed that only links to its message is an error too: nothing is
// fetched.
func File(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return func(yield func(*event.Observation, error) bool) {
		data, err := io.ReadAll(io.LimitReader(src, codec.MaxDocument+1))
		if err != nil {
			yield(nil, fmt.Errorf("reading %s: %w", name, err))
			return
		}
		r := &Reader{policy: Ignore, logger: slog.New(slog.DiscardHandler)}
		os, errs := r.all(name, data)
		for _, err := range errs {
			if !yield(nil, err) {
				return
			}
		}
		slices.SortStableFunc(os, func(a, b *event.Observation) int { return a.Time.Compare(b.Time) })
		for _, o := range os {
			o.Device, o.Received = name, o.Time
			if !yield(o, nil) {
				return
			}
		}
	}
}

// ends is later than any message was sent.
var ends = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// all reads all messages of a file.
func (r *Reader) all(name string, data []byte) (os []*event.Observation, errs []error) {
	n := 0
	for m, err := range codec.Find(data) {
		if err == nil {
			n++
			var some []*event.Observation
			if some, err = r.Read(m.Data, name, ends); err == nil {
				os = append(os, some...)
				continue
			}
			err = fmt.Errorf("the message at line %d: %w", m.Line, err)
		}
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	if feed, err := codec.ReadFeed(data); err == nil {
		for _, e := range feed.Entries {
			if e.Data == nil {
				errs = append(errs, fmt.Errorf("%s: the feed's entry %.100q only links to its message: fetch %.200q and replay that", name, e.ID, e.Link))
			}
		}
	} else if n == 0 && errs == nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, errors.New("there is no CAP 1.2 message in it")))
	}
	return os, errs
}
