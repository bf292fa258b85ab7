package zeek

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/protocol/tail"
)

// DefaultPoll is how often a Follower looks for more when it has read all.
const DefaultPoll = tail.DefaultPoll

// ErrGap says that the file at which a Follower stopped is gone, so lines may be
// missing. The Follower goes on with the file that is there now.
var ErrGap = tail.ErrGap

// Position says how far a Follower has read. It has a JSON form; hand it back in
// Follow to go on after the last record.
type Position struct {
	tail.Position
	Header string `json:"header,omitempty"` // the header lines in force there
}

// Follower reads a log that is being written, as a [tail.Follower] does.
//
// It is not for use by several goroutines.
type Follower struct {
	path  string
	lines *tail.Follower
	dec   *Decoder
	bad   error // what is wrong with the position to resume at
}

// Follow returns a Follower of the file at path, which need not exist yet. A nil
// from starts at the beginning. poll is how long it waits before it looks again,
// DefaultPoll when 0.
func Follow(path string, from *Position, poll time.Duration, opts ...Option) *Follower {
	o := options{name: path}
	for _, set := range opts {
		set(&o)
	}
	f := &Follower{path: path, dec: NewDecoder(o.name)}
	var at *tail.Position
	if from != nil {
		at = &from.Position
		if f.bad = f.dec.SetHeader(from.Header); f.bad != nil {
			at = nil
		}
	}
	f.lines = tail.Follow(path, at, tail.Options{Poll: poll, MaxLine: o.maxLine})
	return f
}

// Position returns the place after the last record or LineError that Next gave.
func (f *Follower) Position() Position {
	return Position{Position: f.lines.Position(), Header: f.dec.Header()}
}

// Close closes the file that is open, if any.
func (f *Follower) Close() error { return f.lines.Close() }

// Next returns the next record, valid until the next call, and waits for one
// when there is none yet. It returns ctx's error when ctx ends, a *LineError for a
// line that cannot be understood, an error wrapping ErrGap once when a rotated
// file could not be found again, one wrapping ErrHeader once when the header of a
// position to resume at is none, and the system's errors. After each of them Next
// may be called again.
func (f *Follower) Next(ctx context.Context) (*Record, error) {
	if err := f.bad; err != nil {
		f.bad = nil
		return nil, fmt.Errorf("resuming %s: it is read from its beginning: %w", f.path, err)
	}
	for {
		l, err := f.lines.Next(ctx)
		if err != nil && !errors.Is(err, tail.ErrLineTooLong) {
			return nil, err
		}
		rec, err := f.dec.decode(&l, err)
		if rec != nil || err != nil {
			return rec, err
		}
	}
}
