package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	framesAhead = 64                     // frames that a reader holds before it is asked for them
	idleLook    = 200 * time.Millisecond // after which a reader looks whether what it waits for was erased
)

// Reader gives a stream's records in order. It belongs to one goroutine.
type Reader struct {
	log    *Log
	stream Stream
	after  uint64
	since  time.Time // records that the log took earlier are left out
	reads  jetstream.Consumer
	cons   jetstream.ConsumeContext
	frames chan frame
	stop   chan struct{}
	once   sync.Once

	next    uint64        // number of the frame that comes next where nothing was erased; 0: not known yet
	held    *frame        // came and could not be handed out yet
	looked  bool          // whether erased frames at the end were looked for
	arrived atomic.Uint64 // frames that came
	fresh   uint64        // of them, those that came before the patches were last looked up
}

// frame is a frame on its way to the reader.
type frame struct {
	data    []byte
	seq     uint64
	at      time.Time
	subject string
	class   string
	patched bool
	n       uint64 // how many came before it
	err     error
}

// Read starts reading a stream after the given position; 0 reads all of it.
// Records become visible when their commit is on disk. Close the reader when
// done with it.
func (l *Log) Read(ctx context.Context, s Stream, after uint64) (*Reader, error) {
	first := max(frameOf(after), 1)
	return l.read(ctx, s, after, time.Time{}, first, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   first,
	})
}

func (l *Log) read(ctx context.Context, s Stream, after uint64, since time.Time, next uint64, cfg jetstream.OrderedConsumerConfig) (*Reader, error) {
	c, err := l.js.OrderedConsumer(ctx, s.Name, cfg)
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	r := &Reader{log: l, stream: s, reads: c, after: after, since: since, next: next, frames: make(chan frame, framesAhead), stop: make(chan struct{})}
	// The handler blocks while the reader is behind; the bound on unfetched
	// frames then holds the server back.
	r.cons, err = c.Consume(func(m jetstream.Msg) {
		f := frame{data: m.Data(), subject: m.Subject(), n: r.arrived.Add(1)}
		meta, err := m.Metadata()
		if err != nil {
			f.err = err
		} else {
			f.seq, f.at = meta.Sequence.Stream, takenAt(m.Headers(), meta.Timestamp)
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

// takenAt is when the log took a message: by its header where it was moved since.
func takenAt(h nats.Header, stamp time.Time) time.Time {
	if v := h.Get(timeHeader); v != "" {
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at
		}
	}
	return stamp
}

// Close ends the reader, and takes its consumer off the server: that would keep it
// for minutes, and keeps a bounded number.
func (r *Reader) Close() {
	r.once.Do(func() {
		close(r.stop)
		r.cons.Stop()
		info := r.reads.CachedInfo()
		if info == nil {
			return
		}
		ctx, stop := context.WithTimeout(context.Background(), answerTimeout)
		defer stop()
		if err := r.log.js.DeleteConsumer(ctx, r.stream.Name, info.Name); err != nil {
			r.log.logger.Debug("a reader's consumer was left to the server", "stream", r.stream.Name, "err", err)
		}
	})
}

// Next waits for records and returns those that are there, in order: at least
// one, and not many more than MaxBatch. It ends with the context's error, and
// may then be called again.
func (r *Reader) Next(ctx context.Context) ([]Record, error) {
	return r.gather(ctx, ^uint64(0))
}

// NextTo is Next for a reader that goes no further than to an end that it was
// told (see Log.Last): it returns nothing once no more records are left up to
// there, which may be because they were erased meanwhile.
func (r *Reader) NextTo(ctx context.Context, end uint64) ([]Record, error) {
	return r.gather(ctx, end)
}

func (r *Reader) gather(ctx context.Context, end uint64) ([]Record, error) {
	var out []Record
	for len(out) < MaxBatch {
		if r.held == nil && !r.receive(ctx, len(out) == 0, end) {
			if len(out) > 0 {
				break
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if r.next > 0 && frameOf(end) < r.next {
				return nil, nil
			}
			more, err := r.look(ctx)
			if err != nil && !r.rideOut(ctx, err) {
				return nil, err
			}
			out = more
			continue
		}
		more, err := r.cut(ctx, *r.held)
		if err != nil && len(out) > 0 {
			break // it is still held
		}
		if err != nil && r.rideOut(ctx, err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading stream %s: %w", r.stream.Name, err)
		}
		r.next, r.held = r.held.seq+1, nil
		out = append(out, more...)
	}
	r.after = out[len(out)-1].Seq
	return out, nil
}

// rideOut waits a moment after an error of the kind that passes, and reports
// whether to try again.
func (r *Reader) rideOut(ctx context.Context, err error) bool {
	if !passing(err) || ctx.Err() != nil {
		return false
	}
	r.log.logger.Debug("a reader waits for the log", "stream", r.stream.Name, "err", err)
	select {
	case <-time.After(retryWait):
		return true
	case <-ctx.Done():
		return false
	}
}

// receive holds the next frame. It reports false when there is none now; where
// wait says so, it waits until the context ends, or until it is time to look
// whether what is expected was erased.
func (r *Reader) receive(ctx context.Context, wait bool, end uint64) bool {
	select {
	case f := <-r.frames:
		r.held = &f
		return true
	default:
	}
	if !wait || r.next > 0 && frameOf(end) < r.next {
		return false
	}
	var idle <-chan time.Time
	if end != ^uint64(0) || !r.looked {
		t := time.NewTimer(idleLook)
		defer t.Stop()
		idle = t.C
	}
	select {
	case f := <-r.frames:
		r.held = &f
		return true
	case <-idle:
	case <-ctx.Done():
	}
	return false
}

// cut returns what a frame adds: the patches in the gap before it, and its own
// records.
func (r *Reader) cut(ctx context.Context, f frame) ([]Record, error) {
	if f.err != nil {
		return nil, f.err
	}
	var out []Record
	if r.stream.mayLack() && (r.next == 0 || f.seq > r.next) {
		// A patch is written before its frame goes, so a look that is younger
		// than the frame behind the gap has seen the patch.
		arrived, known := r.arrived.Load(), f.n <= r.fresh
		var err error
		if out, err = r.fill(ctx, r.next, f.seq, known); err != nil {
			return nil, err
		}
		if !known {
			r.fresh = arrived
		}
	}
	data, class, err := r.log.unseal(ctx, r.stream, f.subject, f.data)
	switch {
	case errors.Is(err, errSealed):
		r.log.logger.Debug("a frame is left out", "stream", r.stream.Name, "frame", f.seq, "err", err)
		return out, nil
	case errors.Is(err, ErrNotFound): // not a frame
		return out, nil
	case err != nil:
		return nil, err
	}
	if f.at.Before(r.since) {
		return out, nil
	}
	return cutFrame(out, data, f.seq, f.at, class, r.after), nil
}

// fill returns the records of the patches of a gap; known says that they have
// been looked up.
func (r *Reader) fill(ctx context.Context, from, before uint64, known bool) ([]Record, error) {
	refs, err := r.log.patchesOf(ctx, r.stream, from, before, known)
	if err != nil {
		return nil, err
	}
	var out []Record
	for _, ref := range refs {
		recs, err := r.log.patch(ctx, r.stream, ref, r.after)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, rec := range recs {
			if !rec.Time.Before(r.since) {
				out = append(out, rec)
			}
		}
	}
	return out, nil
}

// look finds what is left of frames at the end of the stream, behind which no
// frame comes that would show the gap.
func (r *Reader) look(ctx context.Context) ([]Record, error) {
	if !r.stream.mayLack() {
		r.looked = true
		return nil, nil
	}
	end, newest, err := r.log.ends(ctx, r.stream)
	if err != nil {
		return nil, err
	}
	if newest >= max(r.next, 1) {
		return nil, nil // on its way
	}
	out, err := r.fill(ctx, r.next, end+1, false)
	if err != nil {
		return nil, err
	}
	r.next, r.looked = max(r.next, end+1), true
	return out, nil
}

// Each calls fn with every record after a position up to the present end, in
// order. It stops at fn's first error.
func (l *Log) Each(ctx context.Context, s Stream, after uint64, fn func(Record) error) error {
	first := max(frameOf(after), 1)
	return l.each(ctx, s, after, time.Time{}, first, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   first,
	}, fn)
}

// EachSince is Each for the records that the log took at a time or later.
func (l *Log) EachSince(ctx context.Context, s Stream, since time.Time, fn func(Record) error) error {
	return l.each(ctx, s, 0, since, 0, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy,
		OptStartTime:  &since,
	}, fn)
}

func (l *Log) each(ctx context.Context, s Stream, after uint64, since time.Time, next uint64, cfg jetstream.OrderedConsumerConfig, fn func(Record) error) error {
	end, err := l.last(ctx, s)
	if err != nil || end.Seq <= after || end.Time.Before(since) {
		return err
	}
	last := end.Seq
	r, err := l.read(ctx, s, after, since, next, cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	for after < last {
		records, err := r.NextTo(ctx, last)
		if err != nil || len(records) == 0 {
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
