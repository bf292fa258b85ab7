package bus

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// Append commits records to a stream and returns the position of the last. When
// it returns nil they are on disk. They commit together or not at all, so there
// may be at most MaxBatch of them.
//
// Errors: ErrFull, ErrTooLarge, ErrNotALine, ErrClass, ErrClosed: nothing was written. On
// any other the outcome is unknown, as it is after a lost connection; the caller
// may try again with records of the same ids.
func (l *Log) Append(ctx context.Context, s Stream, records ...[]byte) (uint64, error) {
	type result struct {
		seq uint64
		err error
	}
	done := make(chan result, 1)
	if err := l.AppendAsync(ctx, s, func(seq uint64, err error) { done <- result{seq, err} }, records...); err != nil {
		return 0, err
	}
	select {
	case r := <-done:
		return r.seq, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// AppendAsync queues records for the next commit and calls done when they are
// on disk or have failed; done must not block. It blocks while MaxQueued records
// wait, and returns an error, without calling done, if they could not be queued.
// The records must not be changed before done.
func (l *Log) AppendAsync(ctx context.Context, s Stream, done func(last uint64, err error), records ...[]byte) error {
	if len(records) == 0 {
		done(0, nil)
		return nil
	}
	size := 0
	for _, r := range records {
		size += len(r) + 1
		if bytes.IndexByte(r, '\n') >= 0 {
			return fmt.Errorf("%w: for stream %s: %.60q", ErrNotALine, s.Name, r)
		}
	}
	if len(records) > MaxBatch || size > MaxMessage {
		return fmt.Errorf("%w: %d records, %d bytes for stream %s", ErrTooLarge, len(records), size, s.Name)
	}
	if s.class != "" {
		if _, err := Window(s.class); err != nil || !s.mayLack() {
			return fmt.Errorf("%w: %q, stream %s", ErrClass, s.class, s.Name)
		}
	}
	if err := l.disk.err(); err != nil {
		return err
	}
	w, err := l.writer(s)
	if err != nil {
		return err
	}
	return w.enqueue(ctx, &pending{class: s.class, records: records, size: size, done: done})
}

func (l *Log) writer(s Stream) (*writer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	w := l.writers[s.Name]
	if w == nil {
		w = newWriter(l, s)
		l.writers[s.Name] = w
	}
	return w, nil
}

// pending is one call's records, waiting for a commit.
type pending struct {
	class   string
	records [][]byte
	size    int
	done    func(uint64, error)
}

// writer commits one stream's records, one frame at a time. While a frame is
// being synced the next one gathers, so the busier the stream, the larger the
// frames. A lone record is never held up. A commit of several retention classes
// writes a frame for each, one behind the other (commit.go).
type writer struct {
	log    *Log
	stream Stream

	mu     sync.Mutex
	queue  []*pending
	queued int           // records in queue
	space  chan struct{} // closed and renewed when the queue shrinks
	closed bool

	classes map[string]*classWriter // of the goroutine that commits
	wake    chan struct{}
	done    chan struct{}
}

func newWriter(l *Log, s Stream) *writer {
	w := &writer{log: l, stream: s, space: make(chan struct{}), classes: map[string]*classWriter{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *writer) enqueue(ctx context.Context, p *pending) error {
	for {
		w.mu.Lock()
		if w.closed {
			w.mu.Unlock()
			return ErrClosed
		}
		if w.queued == 0 || w.queued+len(p.records) <= MaxQueued {
			w.queue = append(w.queue, p)
			w.queued += len(p.records)
			w.mu.Unlock()
			select {
			case w.wake <- struct{}{}:
			default:
			}
			return nil
		}
		space := w.space
		w.mu.Unlock()
		w.log.met.blocked.WithLabelValues(w.stream.Name).Inc()
		select {
		case <-space:
		case <-ctx.Done():
			return fmt.Errorf("waiting for room on stream %s: %w", w.stream.Name, ctx.Err())
		}
	}
}

func (w *writer) run() {
	defer close(w.done)
	last := 0
	for range w.wake {
		for {
			w.gather(last)
			batch, n := w.take()
			if n == 0 {
				break
			}
			w.commit(batch, n)
			last = n
		}
		w.mu.Lock()
		closed := w.closed && len(w.queue) == 0 // what came since the last look has sent a wake
		w.mu.Unlock()
		if closed {
			return
		}
	}
}

// gather waits a moment for as many records as the last frame held: senders
// that wait for their acknowledgement before they send again come back together
// just after a commit, and one sync for all of them costs little more than one
// for the first.
func (w *writer) gather(last int) {
	if last < 2 {
		return
	}
	t := time.NewTimer(gatherTime)
	defer t.Stop()
	for {
		w.mu.Lock()
		enough := w.queued >= last || w.queued == 0 || w.closed
		w.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-w.wake:
		case <-t.C:
			return
		}
	}
}

// take removes the next batch from the queue: whole calls, in order, up to the
// bounds of a commit.
func (w *writer) take() ([]*pending, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size, i := 0, 0, 0
	for ; i < len(w.queue); i++ {
		p := w.queue[i]
		if i > 0 && (n+len(p.records) > MaxBatch || size+p.size > MaxBatchBytes) {
			break
		}
		n += len(p.records)
		size += p.size
	}
	batch := w.queue[:i:i]
	w.queue = w.queue[i:]
	if len(w.queue) == 0 {
		w.queue = nil
	}
	w.queued -= n
	close(w.space)
	w.space = make(chan struct{})
	return batch, n
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-w.done
}
