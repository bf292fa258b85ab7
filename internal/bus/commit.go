package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// classWriter makes the frames of one retention class of a stream.
type classWriter struct {
	class string
	key   *frameKey // of the window of the last commit; nil: the class is not sealed

	batch  []*pending // of the commit under way
	frame  []byte     // reused from commit to commit
	sealed []byte
}

// commit writes what one commit gathered: a frame for each class that is in it,
// in the order in which the classes first came. Within a class the order of the
// calls is kept; a record may lie behind one of another class that came up to a
// commit later.
func (w *writer) commit(batch []*pending, n int) {
	start := time.Now()
	groups := w.grouped(batch)
	if err := w.log.disk.look(); err != nil { // the writer itself may fill a disk between two looks of the guard
		for _, g := range groups {
			w.finish(g, 0, err)
		}
	} else if len(groups) == 1 {
		frame, err := w.write(groups[0])
		w.finish(groups[0], frame, err)
	} else {
		w.pipeline(groups)
	}
	w.log.met.commitSeconds.WithLabelValues(w.stream.Name).Observe(time.Since(start).Seconds())
}

// grouped shares the calls out by class.
func (w *writer) grouped(batch []*pending) []*classWriter {
	var out []*classWriter
	for _, p := range batch {
		g := w.classes[p.class]
		if g == nil {
			g = &classWriter{class: p.class}
			w.classes[p.class] = g
		}
		if len(g.batch) == 0 {
			out = append(out, g)
		}
		g.batch = append(g.batch, p)
	}
	return out
}

// message makes a group's frame, and its key where a new window has begun.
func (w *writer) message(ctx context.Context, g *classWriter) (*nats.Msg, error) {
	g.frame = g.frame[:0]
	for _, p := range g.batch {
		for _, r := range p.records {
			g.frame = appendRecord(g.frame, r)
		}
	}
	if g.class == "" {
		return &nats.Msg{Subject: w.stream.frames(), Data: g.frame}, nil
	}
	now := w.log.cfg.Now()
	if g.key == nil || now.Before(g.key.From) || !now.Before(g.key.Until) {
		key, err := w.log.makeKey(ctx, w.stream, g.class, now)
		if err != nil {
			return nil, err
		}
		g.key = key
	}
	g.sealed = g.key.seal(g.sealed[:0], g.frame)
	return &nats.Msg{Subject: w.stream.sealed(g.class, g.key.id), Data: g.sealed}, nil
}

// write writes a group's frame and returns its number.
func (w *writer) write(g *classWriter) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	msg, err := w.message(ctx, g)
	if err != nil {
		return 0, err
	}
	return w.log.send(ctx, w.stream, msg)
}

// pipeline writes several frames without waiting for each before the next. One
// that fails in passing is sent again with its id.
func (w *writer) pipeline(groups []*classWriter) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	type sent struct {
		msg *nats.Msg
		id  string
		ack jetstream.PubAckFuture
		err error
	}
	all := make([]sent, len(groups))
	for i, g := range groups {
		s := &all[i]
		if s.msg, s.err = w.message(ctx, g); s.err != nil {
			continue
		}
		s.id = nuid.Next()
		first := &nats.Msg{Subject: s.msg.Subject, Data: s.msg.Data}
		s.ack, s.err = w.log.js.PublishMsgAsync(first, jetstream.WithExpectStream(w.stream.Name), jetstream.WithMsgID(s.id), jetstream.WithRetryAttempts(0))
	}
	late := time.NewTimer(answerTimeout)
	defer late.Stop()
	for i, g := range groups {
		s, frame := &all[i], uint64(0)
		if s.ack != nil && s.err == nil {
			select {
			case ack := <-s.ack.Ok():
				frame = ack.Sequence
			case s.err = <-s.ack.Err():
			case <-late.C:
				late.Reset(0) // for those that come after
				s.err = context.DeadlineExceeded
			}
		}
		if s.err != nil && s.msg != nil && passing(s.err) {
			frame, s.err = w.log.sendAs(ctx, w.stream, s.msg, s.id)
		}
		w.finish(g, frame, diskError(s.err))
	}
}

// finish answers the calls of a group.
func (w *writer) finish(g *classWriter, frame uint64, err error) {
	n := 0
	for _, p := range g.batch {
		n += len(p.records)
	}
	met := w.log.met
	if err != nil {
		met.failed.WithLabelValues(w.stream.Name).Add(float64(n))
		err = fmt.Errorf("committing %d records to stream %s: %w", n, w.stream.Name, err)
		w.log.logger.Error("a commit failed", "stream", w.stream.Name, "records", n, "err", err)
	} else {
		met.commits.WithLabelValues(w.stream.Name).Inc()
		met.appended.WithLabelValues(w.stream.Name).Add(float64(n))
	}
	index := -1
	for _, p := range g.batch {
		index += len(p.records)
		if err != nil {
			p.done(0, err)
		} else {
			p.done(position(frame, index), nil)
		}
	}
	clear(g.batch)
	g.batch = g.batch[:0]
}

// send writes one message and returns its number. It carries an id of its own,
// so that a repeat after a lost answer is not written twice.
func (l *Log) send(ctx context.Context, s Stream, msg *nats.Msg) (uint64, error) {
	return l.sendAs(ctx, s, msg, nuid.Next())
}

func (l *Log) sendAs(ctx context.Context, s Stream, msg *nats.Msg, name string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	id := jetstream.WithMsgID(name)
	for {
		attempt, stop := context.WithTimeout(ctx, answerTimeout)
		ack, err := l.js.PublishMsg(attempt, msg, jetstream.WithExpectStream(s.Name), id, jetstream.WithRetryAttempts(0))
		stop()
		if err == nil {
			return ack.Sequence, nil
		}
		if !passing(err) || ctx.Err() != nil {
			return 0, diskError(err)
		}
		select {
		case <-time.After(retryWait):
		case <-ctx.Done():
			return 0, err
		}
	}
}

// passing reports whether an error is of the kind that a cluster gives while a
// leader dies and another is chosen: the frame may have been taken or not.
func passing(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode == 10008 // temporarily unavailable
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionReconnecting)
}

// diskError names the full disk among the server's errors.
func diskError(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == 10023 || api.ErrorCode == 10047) { // insufficient resources
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
