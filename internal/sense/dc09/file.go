package dc09

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// File reads recorded frames from beginning to end, as they were on the line or
// one a line. There is no registry: every account is taken as premises of its
// own, and encrypted frames cannot be read. A frame without a time stamp counts
// as sent with the one before it. A frame that cannot be used gives an error,
// and the next can be read.
func File(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return func(yield func(*event.Observation, error) bool) {
		lines := bufio.NewScanner(src)
		lines.Buffer(nil, codec.MaxFrame+2)
		lines.Split(betweenLineEnds)
		rec := Receiver{cfg: Config{}.withDefaults()}
		now := time.Unix(0, 0).UTC()
		for n := 1; lines.Scan(); n++ {
			os, err := rec.recorded(lines.Bytes(), name+" "+strconv.Itoa(n), &now)
			if err != nil && !yield(nil, fmt.Errorf("%s: frame %d: %w", name, n, err)) {
				return
			}
			for _, o := range os {
				if !yield(o, nil) {
					return
				}
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("reading %s: %w", name, err))
		}
	}
}

// betweenLineEnds splits at LF and CR, of which frames contain neither.
func betweenLineEnds(data []byte, atEOF bool) (int, []byte, error) {
	start := 0
	for start < len(data) && (data[start] == '\n' || data[start] == '\r') {
		start++
	}
	if end := bytes.IndexAny(data[start:], "\r\n"); end >= 0 {
		return start + end + 1, data[start : start+end], nil
	}
	if atEOF && start < len(data) {
		return len(data), data[start:], nil
	}
	return start, nil, nil
}

// recorded returns what a frame of a file says. origin tells it apart from equal
// frames elsewhere. now is the time of the newest frame, and moves on with it.
func (r *Receiver) recorded(raw []byte, origin string, now *time.Time) ([]*event.Observation, error) {
	f, err := codec.Parse(raw)
	if err != nil {
		return nil, err
	}
	if f.Token.IsReply() {
		return nil, errReply
	}
	if f.Sealed() {
		return nil, fmt.Errorf("%w: it is encrypted, and a file has no keys", codec.ErrKey)
	}
	signals, err := codec.AppendSignals(nil, &f)
	if err != nil {
		return nil, err
	}
	if f.Time.After(*now) {
		*now = f.Time
	}
	account := &registry.Account{Number: f.Account}
	v := verdict{frame: f, signals: signals, found: registry.Found{
		Account: account, Premises: &registry.Premises{ID: f.Account, Name: "account " + f.Account},
	}}
	out := r.observations(&v, fingerprintOf(&f), origin, bytes.Clone(raw), *now)
	for _, o := range out {
		o.Place = nil
		o.Received = *now
		if o.Time.IsZero() {
			o.Time = *now
		}
	}
	return out, nil
}
