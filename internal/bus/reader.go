package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const framesAhead = 64 // frames that a reader holds before it is asked for them

// Reader gives a stream's records in order. It belongs to one goroutine.
type Reader struct {
	stream Stream
	after  uint64
	cons   jetstream.ConsumeContext
	frames chan frame
	stop   chan struct{}
	once   sync.Once
}

type frame struct {
	data []byte
	seq  uint64
	at   time.Time
	err  error
}

// Read starts reading a stream after the given position; 0 reads all of it.
// Records become visible when their commit is on disk. Close the reader when
// done with it.
func (l *Log) Read(ctx context.Context, s Stream, after uint64) (*Reader, error) {
	return l.read(ctx, s, after, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   max(frameOf(after), 1),
	})
}

func (l *Log) read(ctx context.Context, s Stream, after uint64, cfg jetstream.OrderedConsumerConfig) (*Reader, error) {
	c, err := l.js.OrderedConsumer(ctx, s.Name, cfg)
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	r := &Reader{stream: s, after: after, frames: make(chan frame, framesAhead), stop: make(chan struct{})}
	// The handler blocks while the reader is behind; the bound on unfetched
	// frames then holds the server back.
	r.cons, err = c.Consume(func(m jetstream.Msg) {
		f := frame{data: m.Data()}
		meta, err := m.Metadata()
		if err != nil {
			f.err = err
		} else {
			f.seq, f.at = meta.Sequence.Stream, meta.Timestamp
		}
		select {
		case r.frames <- f:
		case <-r.stop:
		}
	}, jetstream.PullMaxMessages(framesAhead), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		l.logger.Debug("a reader was interrupted and resumes", "stream", s.Name, "err", err)
	}))
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	return r, nil
}

// Close ends the reader.
func (r *Reader) Close() {
	r.once.Do(func() {
		close(r.stop)
		r.cons.Stop()
	})
}

// Next waits for records and returns those that are there, in order: at least
// one, and fewer than 2*MaxBatch. It ends with the context's error.
func (r *Reader) Next(ctx context.Context) ([]Record, error) {
	var out []Record
	for len(out) == 0 {
		select {
		case f := <-r.frames:
			if f.err != nil {
				return nil, fmt.Errorf("reading stream %s: %w", r.stream.Name, f.err)
			}
			out = cutFrame(out, f.data, f.seq, f.at, r.after)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for len(out) < MaxBatch {
		select {
		case f := <-r.frames:
			if f.err != nil {
				return nil, fmt.Errorf("reading stream %s: %w", r.stream.Name, f.err)
			}
			out = cutFrame(out, f.data, f.seq, f.at, r.after)
		default:
			r.after = out[len(out)-1].Seq
			return out, nil
		}
	}
	r.after = out[len(out)-1].Seq
	return out, nil
}

// Last returns the position of the stream's newest record, 0 if it is empty.
func (l *Log) Last(ctx context.Context, s Stream) (uint64, error) {
	last, err := l.last(ctx, s)
	return last.Seq, err
}

// Behind returns how many commits of a stream lie after a position.
func (l *Log) Behind(ctx context.Context, s Stream, pos uint64) (uint64, error) {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return 0, fmt.Errorf("reading the end of stream %s: %w", s.Name, err)
	}
	return st.CachedInfo().State.LastSeq - min(frameOf(pos), st.CachedInfo().State.LastSeq), nil
}

func (l *Log) last(ctx context.Context, s Stream) (Record, error) {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return Record{}, fmt.Errorf("reading the end of stream %s: %w", s.Name, err)
	}
	n := st.CachedInfo().State.LastSeq
	if n == 0 {
		return Record{}, nil
	}
	m, err := st.GetMsg(ctx, n)
	if err != nil {
		return Record{}, fmt.Errorf("reading the end of stream %s: %w", s.Name, err)
	}
	records := cutFrame(nil, m.Data, n, m.Time, 0)
	return records[len(records)-1], nil
}

// Get returns the record at a position.
//
// Errors: ErrNotFound.
func (l *Log) Get(ctx context.Context, s Stream, pos uint64) (Record, error) {
	if frameOf(pos) == 0 { // the server takes 0 for a malformed request
		return Record{}, fmt.Errorf("%w: %s %d", ErrNotFound, s.Name, pos)
	}
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return Record{}, fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	m, err := st.GetMsg(ctx, frameOf(pos))
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return Record{}, fmt.Errorf("reading stream %s at %d: %w", s.Name, pos, err)
	}
	if err == nil {
		if recs := cutFrame(nil, m.Data, m.Sequence, m.Time, pos-1); len(recs) > 0 && recs[0].Seq == pos {
			return recs[0], nil
		}
	}
	return Record{}, fmt.Errorf("%w: %s %d", ErrNotFound, s.Name, pos)
}

// Each calls fn with every record after a position up to the present end, in
// order. It stops at fn's first error.
func (l *Log) Each(ctx context.Context, s Stream, after uint64, fn func(Record) error) error {
	return l.each(ctx, s, after, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   max(frameOf(after), 1),
	}, fn)
}

// EachSince is Each for the records that the log took at a time or later.
func (l *Log) EachSince(ctx context.Context, s Stream, since time.Time, fn func(Record) error) error {
	return l.each(ctx, s, 0, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy,
		OptStartTime:  &since,
	}, fn)
}

func (l *Log) each(ctx context.Context, s Stream, after uint64, cfg jetstream.OrderedConsumerConfig, fn func(Record) error) error {
	end, err := l.last(ctx, s)
	if err != nil || end.Seq <= after || cfg.OptStartTime != nil && end.Time.Before(*cfg.OptStartTime) {
		return err
	}
	last := end.Seq
	r, err := l.read(ctx, s, after, cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	for after < last {
		records, err := r.Next(ctx)
		if err != nil {
			return err
		}
		for _, rec := range records {
			if rec.Seq > last {
				return nil
			}
			if err := fn(rec); err != nil {
				return err
			}
			after = rec.Seq
		}
	}
	return nil
}

// Put stores the value of a key in a keyed stream, on disk when it returns nil.
func (l *Log) Put(ctx context.Context, s Stream, key string, value []byte) error {
	if err := l.disk.err(); err != nil {
		return err
	}
	if len(value) > MaxMessage {
		return fmt.Errorf("%w: the value of %s has %d bytes", ErrTooLarge, key, len(value))
	}
	if _, err := l.js.Publish(ctx, s.Prefix+"."+key, value, jetstream.WithExpectStream(s.Name)); err != nil {
		return fmt.Errorf("storing %s in stream %s: %w", key, s.Name, diskError(err))
	}
	return nil
}

// Value returns the newest value of a key in a keyed stream.
//
// Errors: ErrNotFound.
func (l *Log) Value(ctx context.Context, s Stream, key string) ([]byte, error) {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	m, err := st.GetLastMsgForSubject(ctx, s.Prefix+"."+key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w: %s in %s", ErrNotFound, key, s.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s in stream %s: %w", key, s.Name, err)
	}
	return m.Data, nil
}
