package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Restorer puts frames into an empty stream at the numbers that they had, so
// that positions hold. It belongs to one goroutine.
type Restorer struct {
	log    *Log
	stream Stream
	next   uint64
	keys   map[string]*frameKey // by class, the newest
}

// ErrNotEmpty: the stream holds something, so that nothing can be restored to it.
var ErrNotEmpty = errors.New("the stream is not empty")

// Restore begins to restore a stream that is not keyed.
//
// Errors: ErrNotEmpty.
func (l *Log) Restore(ctx context.Context, s Stream) (*Restorer, error) {
	last, err := l.End(ctx, s)
	if err != nil {
		return nil, err
	}
	if last > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotEmpty, s.Name)
	}
	return &Restorer{log: l, stream: s, next: 1, keys: map[string]*frameKey{}}, nil
}

// End returns the number of the last frame that a stream was given, whether or
// not it is still there.
func (l *Log) End(ctx context.Context, s Stream) (uint64, error) {
	last, _, err := l.ends(ctx, s)
	return last, err
}

// Put restores a frame, whose number must be beyond that of the last; where there
// is none between, the stream has a gap. Records that were erased are nil. A
// frame of a class that expires is sealed for the window in which it was written.
func (r *Restorer) Put(ctx context.Context, number uint64, class string, at time.Time, records [][]byte) error {
	if number < r.next || len(records) == 0 || len(records) > MaxBatch {
		return fmt.Errorf("restoring frame %d of stream %s with %d records: out of order or bounds", number, r.stream.Name, len(records))
	}
	if err := r.skipTo(ctx, number); err != nil {
		return err
	}
	var data []byte
	whole := true
	for _, rec := range records {
		whole = whole && rec != nil
		data = appendRecord(data, rec)
	}
	subject, key, err := r.sealing(ctx, class, at)
	if err != nil {
		return err
	}
	if !whole {
		if !r.stream.mayLack() {
			return fmt.Errorf("restoring stream %s: frame %d lacks records, and nothing may be missing there", r.stream.Name, number)
		}
		id := ""
		if key != nil {
			id = key.id
		}
		f := frame{seq: number, at: at, subject: subject}
		_, err := r.log.putPatch(ctx, r.stream, f, patchSubject(r.stream, class, id, number), data)
		return err // the number stays a gap, which the next frame's skip passes
	}
	if key != nil {
		data = key.seal(nil, data)
	}
	msg := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	msg.Header.Set(timeHeader, at.UTC().Format(time.RFC3339Nano))
	return r.send(ctx, msg, number)
}

func (r *Restorer) send(ctx context.Context, msg *nats.Msg, number uint64) error {
	got, err := r.log.send(ctx, r.stream, msg)
	if err == nil && got != number {
		err = fmt.Errorf("it became frame %d: something else writes to the log", got)
	}
	if err != nil {
		return fmt.Errorf("restoring frame %d of stream %s: %w", number, r.stream.Name, err)
	}
	r.next = number + 1
	return nil
}

// sealing returns the subject and the key for frames of a class and a time.
func (r *Restorer) sealing(ctx context.Context, class string, at time.Time) (string, *frameKey, error) {
	if class == "" {
		return r.stream.frames(), nil, nil
	}
	k := r.keys[class]
	if k == nil || at.Before(k.From) || !at.Before(k.Until) {
		var err error
		if k, err = r.log.makeKey(ctx, r.stream, class, at); err != nil {
			return "", nil, fmt.Errorf("restoring class %s of stream %s: %w", class, r.stream.Name, err)
		}
		r.keys[class] = k
	}
	return r.stream.sealed(class, k.id), k, nil
}

// gap is the subject of what holds a number that has no frame, until Close.
func (s Stream) gap() string { return s.Prefix + ".gap" }

func (r *Restorer) skipTo(ctx context.Context, number uint64) error {
	for r.next < number {
		if err := r.send(ctx, &nats.Msg{Subject: r.stream.gap()}, r.next); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the restoration. What is appended then comes behind the last number
// that the stream had given.
func (r *Restorer) Close(ctx context.Context, last uint64) error {
	if err := r.skipTo(ctx, last+1); err != nil {
		return err
	}
	if r.stream.Forever {
		return nil
	}
	if err := r.log.purge(ctx, r.stream, r.stream.gap()); err != nil {
		return fmt.Errorf("restoring stream %s: %w", r.stream.Name, err)
	}
	return nil
}
