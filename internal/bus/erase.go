package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bluelamp/bluelamp/internal/event"
)

// erasurePart is the most frames that one ledger record names.
const erasurePart = 500

// Erase erases, up to the present end of a stream, every record that match
// accepts. what says whose they are, why they go and who says so. Records that
// share a frame with them keep their positions. It returns how many went.
//
// When Erase has returned nil the records are overwritten on this machine's disk.
// When it is interrupted, the rest follows when the log is next opened by its
// owner, as far as it had come to the ledger.
func (l *Log) Erase(ctx context.Context, s Stream, what Erasure, match func(Record) bool) (records uint64, err error) {
	if !s.mayLack() {
		return 0, fmt.Errorf("stream %s keeps everything: nothing can be erased from it", s.Name)
	}
	l.erasing.Lock()
	defer l.erasing.Unlock()
	what.Stream = s.Name
	part := what
	finish := func() error {
		n, err := l.erasePart(ctx, s, part)
		records += n
		part = what
		return err
	}
	err = l.Each(ctx, s, 0, func(r Record) error {
		if !match(r) {
			return nil
		}
		if part.Frames == erasurePart && part.To != r.Frame() {
			if err := finish(); err != nil {
				return err
			}
		}
		part.add(r)
		return nil
	})
	if err == nil {
		err = finish()
	}
	if err != nil {
		return records, fmt.Errorf("erasing from stream %s: %w", s.Name, err)
	}
	return records, nil
}

// erasePart notes a part of an erasure in the ledger, and carries it out.
func (l *Log) erasePart(ctx context.Context, s Stream, part Erasure) (uint64, error) {
	if len(part.Spans) == 0 {
		return 0, nil
	}
	part.Time = l.cfg.Now().UTC()
	part.ID = event.NewID("erasure", s.Name, fmt.Sprint(part.Spans[0]), part.Time.Format(time.RFC3339Nano))
	if err := l.note(ctx, part); err != nil {
		return 0, err
	}
	return part.Records, l.carryOut(ctx, s, part)
}

// carryOut erases the spans of an erasure, and notes that it is done. It may be
// done again after any interruption.
func (l *Log) carryOut(ctx context.Context, s Stream, e Erasure) error {
	byFrame := map[uint64][]Span{}
	var frames []uint64
	for _, sp := range e.Spans {
		f := frameOf(sp.From)
		if byFrame[f] == nil {
			frames = append(frames, f)
		}
		byFrame[f] = append(byFrame[f], sp)
	}
	for _, f := range frames {
		if err := l.eraseIn(ctx, s, f, byFrame[f]); err != nil {
			return fmt.Errorf("erasing from frame %d: %w", f, err)
		}
	}
	return l.note(ctx, Erasure{ID: e.ID, Time: l.cfg.Now().UTC(), Stream: e.Stream, Device: e.Device, Premises: e.Premises, Done: true})
}

// eraseIn erases records of one frame: it writes the patch, overwrites the patch
// that there was, then the frame.
func (l *Log) eraseIn(ctx context.Context, s Stream, seq uint64, spans []Span) error {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return err
	}
	f, err := l.stored(ctx, s, seq)
	if errors.Is(err, ErrNotFound) {
		return l.overwrite(ctx, st, seq)
	}
	if err != nil {
		return err
	}
	patch, left := blank(f.data, seq, spans)
	class, key, _ := s.sealedBy(f.subject)
	subject := patchSubject(s, class, key, seq)
	before := ^uint64(0)
	if left > 0 {
		before, err = l.putPatch(ctx, s, f, subject, patch)
		if err != nil {
			return err
		}
		l.step("patched")
	}
	if f.patched {
		if err := l.shredBefore(ctx, patches, subject, before); err != nil {
			return err
		}
		l.step("shredded")
	}
	return l.overwrite(ctx, st, seq)
}

// putPatch stores a patch, and returns its place.
func (l *Log) putPatch(ctx context.Context, s Stream, f frame, subject string, patch []byte) (uint64, error) {
	if class, id, _ := s.sealedBy(f.subject); id != "" {
		k, err := l.key(ctx, s, class, id)
		if err != nil {
			return 0, err
		}
		patch = k.seal(nil, patch)
	}
	msg := &nats.Msg{Subject: subject, Data: patch, Header: nats.Header{}}
	msg.Header.Set(timeHeader, f.at.UTC().Format(time.RFC3339Nano))
	return l.send(ctx, patches, msg)
}

// blank returns a frame with empty lines in place of the spans, and how many
// lines are left that are not empty.
func blank(data []byte, seq uint64, spans []Span) (out []byte, left int) {
	for i := 0; len(data) > 0; i++ {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		pos := position(seq, i)
		if slices.ContainsFunc(spans, func(sp Span) bool { return sp.From <= pos && pos <= sp.To }) {
			line = nil
		}
		if len(line) > 0 {
			left++
		}
		out = appendRecord(out, line)
	}
	return out, left
}

// Expire erases every record of the stream's class (see Kept) whose window of
// time (see Window) ended at a time or before. It returns what it wrote to the
// ledger; no frames, and nothing was written.
func (l *Log) Expire(ctx context.Context, s Stream, before time.Time, why, by string) (Erasure, error) {
	l.erasing.Lock()
	defer l.erasing.Unlock()
	e, err := l.expire(ctx, s, before, why, by)
	if err != nil {
		return e, fmt.Errorf("expiring class %s of stream %s: %w", s.class, s.Name, err)
	}
	return e, nil
}

func (l *Log) expire(ctx context.Context, s Stream, before time.Time, why, by string) (Erasure, error) {
	e := Erasure{Time: l.cfg.Now().UTC(), Stream: s.Name, Class: s.class, Why: why, By: by}
	window, err := Window(s.class)
	if err != nil {
		return e, err
	}
	e.Before = before.UTC().Truncate(window)
	e.ID = event.NewID("erasure", s.Name, s.class, e.Before.Format(time.RFC3339))
	ids, err := l.classKeys(ctx, s, s.class, e.Before)
	if err != nil || len(ids) == 0 {
		return e, err
	}
	for _, id := range ids {
		if err := l.survey(ctx, s, &e, id); err != nil {
			return e, err
		}
	}
	if e.Frames > 0 {
		if err := l.note(ctx, e); err != nil {
			return e, err
		}
		l.step("noted")
	}
	for _, id := range ids {
		if err := l.purge(ctx, s, s.sealed(s.class, id)); err != nil {
			return e, err
		}
		if err := l.purge(ctx, patches, strings.TrimSuffix(patchSubject(s, s.class, id, 0), "0")+"*"); err != nil {
			return e, err
		}
		l.step("purged")
		if err := l.destroyKey(ctx, s, s.class, id); err != nil {
			return e, err
		}
		l.step("destroyed")
	}
	return e, nil
}

// survey adds to an erasure what a key sealed.
func (l *Log) survey(ctx context.Context, s Stream, e *Erasure, id string) error {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return err
	}
	subject := s.sealed(s.class, id)
	add := func(frame, n uint64) {
		if e.From == 0 || frame < e.From {
			e.From = frame
		}
		e.To = max(e.To, frame)
		e.Frames += n
	}
	first, err := st.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(subject))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		return err
	default:
		last, err := st.GetLastMsgForSubject(ctx, subject)
		if err != nil {
			return err
		}
		info, err := st.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return err
		}
		add(first.Sequence, info.State.Subjects[subject]-1)
		add(last.Sequence, 1)
	}
	refs, err := l.patchesOf(ctx, s, 0, ^uint64(0), false)
	for _, ref := range refs {
		if strings.HasPrefix(ref.subject, strings.TrimSuffix(patchSubject(s, s.class, id, 0), "0")) {
			add(ref.frame, 1)
		}
	}
	return err
}

func (l *Log) purge(ctx context.Context, s Stream, subject string) error {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return err
	}
	return st.Purge(ctx, jetstream.WithPurgeSubject(subject))
}

// step lets a test stop an erasure between two steps.
func (l *Log) step(name string) {
	if l.cfg.step != nil {
		l.cfg.step(name)
	}
}

// finishErasures carries out what the ledger holds and does not say is done. An
// expiry needs no such care: the next one finds the keys that are left.
func (l *Log) finishErasures(ctx context.Context) error {
	open := map[event.ID]Erasure{}
	err := l.EachErasure(ctx, 0, func(e Erasure, _ uint64) error {
		switch {
		case e.Done:
			delete(open, e.ID)
		case len(e.Spans) > 0:
			open[e.ID] = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range open {
		s, err := streamOf(e.Stream)
		if err == nil {
			err = l.carryOut(ctx, s, e)
		}
		if err != nil {
			return err
		}
		l.logger.Info("finished an erasure that had been interrupted", "erasure", e.ID, "stream", e.Stream, "records", e.Records)
	}
	return nil
}

func streamOf(name string) (Stream, error) {
	for _, s := range Streams() {
		if s.Name == name {
			return s, nil
		}
	}
	return Stream{}, fmt.Errorf("the log has no stream %q", name)
}
