package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bluelamp/bluelamp/internal/event"
)

// erasurePart is the most frames that one ledger record names.
const erasurePart = 500

// Span is a range of positions, both ends in it.
type Span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Erasure is a record of the stream Erasures: what was erased, and why. It is
// written before anything is erased, so that an erasure that was interrupted is
// known and finished when the log is next opened. It says nothing of what the
// erased records said.
type Erasure struct {
	ID     event.ID  `json:"id"`
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"`

	// Expiry: everything of the class that was written before a time.
	Class  string    `json:"class,omitempty"`
	Before time.Time `json:"before,omitzero"`

	// Erasure of single records: whose they were, and where.
	Device   string `json:"device,omitempty"`
	Premises string `json:"premises,omitempty"`
	Spans    []Span `json:"spans,omitempty"`

	From    uint64 `json:"from,omitempty"` // first and last frame with erased records
	To      uint64 `json:"to,omitempty"`
	Frames  uint64 `json:"frames,omitempty"`
	Records uint64 `json:"records,omitempty"` // where they were counted

	Why  string `json:"why,omitempty"`
	By   string `json:"by,omitempty"`
	Done bool   `json:"done,omitempty"` // the erasure of this id is complete
}

// Covers reports whether the erasure erased a record of its stream.
func (e *Erasure) Covers(r Record) bool {
	if e.Class != "" {
		return r.Class == e.Class && r.Time.Before(e.Before)
	}
	i := sort.Search(len(e.Spans), func(i int) bool { return e.Spans[i].To >= r.Seq })
	return i < len(e.Spans) && e.Spans[i].From <= r.Seq
}

// note appends to the ledger. It does so on a full disk too, below the reserve:
// erasing is what frees it.
func (l *Log) note(ctx context.Context, e Erasure) error {
	data, err := json.Marshal(e)
	if err == nil {
		_, err = l.send(ctx, Erasures, &nats.Msg{Subject: Erasures.frames(), Data: appendRecord(nil, data)})
	}
	if err != nil {
		return fmt.Errorf("nothing was erased, since it could not be recorded: %w", err)
	}
	return nil
}

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
	flush := func() error {
		if len(part.Spans) == 0 {
			return nil
		}
		part.Time = l.cfg.Now().UTC()
		part.ID = event.NewID("erasure", s.Name, fmt.Sprint(part.Spans[0]), part.Time.Format(time.RFC3339Nano))
		err := l.note(ctx, part)
		if err == nil {
			err = l.carryOut(ctx, s, part)
		}
		records += part.Records
		part = what
		return err
	}
	err = l.Each(ctx, s, 0, func(r Record) error {
		if !match(r) {
			return nil
		}
		if f := r.Frame(); part.To != f {
			if part.Frames == erasurePart {
				if err := flush(); err != nil {
					return err
				}
			}
			part.Frames++
			part.To = f
			if part.From == 0 {
				part.From = f
			}
		}
		part.Records++
		if n := len(part.Spans); n > 0 && part.Spans[n-1].To == r.Seq-1 {
			part.Spans[n-1].To = r.Seq
		} else {
			part.Spans = append(part.Spans, Span{r.Seq, r.Seq})
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return records, fmt.Errorf("erasing from stream %s: %w", s.Name, err)
	}
	return records, nil
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

// EachErasure calls fn with the ledger's records after a position, and theirs.
func (l *Log) EachErasure(ctx context.Context, after uint64, fn func(e Erasure, pos uint64) error) error {
	return l.Each(ctx, Erasures, after, func(r Record) error {
		var e Erasure
		if err := json.Unmarshal(r.Data, &e); err != nil {
			l.logger.Error("a record of an erasure cannot be read and is left out", "position", r.Seq, "err", err)
			return nil
		}
		return fn(e, r.Seq)
	})
}

// ledger remembers which frames lie in what was erased, to tell a record that
// was erased from one that never was.
type ledger struct {
	mu    sync.Mutex
	pos   uint64
	spans map[string][]Span // frames, by stream; apart and in order
}

// erased reports whether a frame lies in what the ledger says was erased.
func (l *Log) erased(ctx context.Context, s Stream, frame uint64) (bool, error) {
	g := &l.ledger
	g.mu.Lock()
	defer g.mu.Unlock()
	fresh := false
	err := l.EachErasure(ctx, g.pos, func(e Erasure, pos uint64) error {
		if g.spans == nil {
			g.spans = map[string][]Span{}
		}
		for _, sp := range e.Spans {
			g.spans[e.Stream] = append(g.spans[e.Stream], Span{frameOf(sp.From), frameOf(sp.To)})
		}
		if e.Class != "" && e.From > 0 {
			g.spans[e.Stream] = append(g.spans[e.Stream], Span{e.From, e.To})
		}
		g.pos, fresh = pos, true
		return nil
	})
	if err != nil {
		return false, err
	}
	if fresh {
		for name, spans := range g.spans {
			g.spans[name] = joined(spans)
		}
	}
	spans := g.spans[s.Name]
	i := sort.Search(len(spans), func(i int) bool { return spans[i].To >= frame })
	return i < len(spans) && spans[i].From <= frame, nil
}

// joined sorts spans and joins those that touch.
func joined(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int {
		if a.From < b.From {
			return -1
		}
		return 1
	})
	out := spans[:0]
	for _, sp := range spans {
		if n := len(out); n > 0 && sp.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, sp.To)
		} else {
			out = append(out, sp)
		}
	}
	return out
}
