package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// A patch is what is left of a frame from which records were erased: the same
// lines, with an empty one in place of each that was erased, so that the others
// keep their positions. It is sealed as the frame was, so that it expires with
// it. Whoever meets a gap in a stream looks for the patch.

// timeHeader tells when the log took a frame that is not in its first place any
// more.
const timeHeader = "Bluelamp-Time"

// patchRef names a patch.
type patchRef struct {
	frame   uint64
	subject string
}

// patchIndex remembers which patches there are.
type patchIndex struct {
	mu        sync.Mutex
	last, all uint64 // of the stream of patches when it was read
	known     bool
	of        map[string][]patchRef // by stream, in order
}

func patchSubject(s Stream, class, key string, frame uint64) string {
	if key == "" {
		class, key = "-", "-"
	}
	return fmt.Sprintf("%s.%s.%s.%s.%d", patches.Prefix, s.Name, class, key, frame)
}

// patchesOf returns the patches of a stream's frames from one to before another,
// as they are now or, where known says that this will do, as they were when the
// log last looked.
func (l *Log) patchesOf(ctx context.Context, s Stream, from, before uint64, known bool) ([]patchRef, error) {
	x := &l.patched
	x.mu.Lock()
	defer x.mu.Unlock()
	if !known || !x.known {
		if err := l.lookUpPatches(ctx); err != nil {
			return nil, fmt.Errorf("reading which frames were patched: %w", err)
		}
	}
	refs := x.of[s.Name]
	i := sort.Search(len(refs), func(i int) bool { return refs[i].frame >= from })
	j := sort.Search(len(refs), func(j int) bool { return refs[j].frame >= before })
	if i >= j {
		return nil, nil
	}
	return slices.Clone(refs[i:j]), nil
}

// lookUpPatches brings the index up to date.
func (l *Log) lookUpPatches(ctx context.Context) error {
	st, err := l.js.Stream(ctx, patches.Name)
	if err != nil {
		return err
	}
	x, now := &l.patched, st.CachedInfo().State
	if x.known && x.last == now.LastSeq && x.all == now.Msgs {
		return nil
	}
	of := map[string][]patchRef{}
	if now.Msgs > 0 {
		subjects, err := l.subjects(ctx, patches, patches.Prefix+".>")
		if err != nil {
			return err
		}
		for _, sub := range subjects {
			part := strings.Split(sub, ".")
			if frame, err := strconv.ParseUint(part[len(part)-1], 10, 64); err == nil && len(part) == 5 {
				of[part[1]] = append(of[part[1]], patchRef{frame, sub})
			}
		}
		for _, refs := range of {
			slices.SortFunc(refs, func(a, b patchRef) int { return cmp.Compare(a.frame, b.frame) })
		}
	}
	x.of, x.last, x.all, x.known = of, now.LastSeq, now.Msgs, true
	return nil
}

// patch returns the records of a patch, without those that were erased.
//
// Errors: ErrNotFound, when it is not there any more.
func (l *Log) patch(ctx context.Context, s Stream, ref patchRef, after uint64) ([]Record, error) {
	f, err := l.readPatch(ctx, s, ref)
	if err != nil {
		return nil, err
	}
	all := cutFrame(nil, f.data, f.seq, f.at, f.class, after)
	return slices.DeleteFunc(all, func(r Record) bool { return len(r.Data) == 0 }), nil
}

func (l *Log) readPatch(ctx context.Context, s Stream, ref patchRef) (frame, error) {
	st, err := l.js.Stream(ctx, patches.Name)
	if err != nil {
		return frame{}, fmt.Errorf("reading a patched frame: %w", err)
	}
	m, err := st.GetLastMsgForSubject(ctx, ref.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return frame{}, fmt.Errorf("%w: %s frame %d", ErrNotFound, s.Name, ref.frame)
	}
	if err != nil {
		return frame{}, fmt.Errorf("reading a patched frame: %w", err)
	}
	subject := s.frames()
	if part := strings.Split(ref.subject, "."); len(part) == 5 && part[2] != "-" {
		subject = s.sealed(part[2], part[3])
	}
	f := frame{seq: ref.frame, at: takenAt(m.Header, m.Time), subject: subject, patched: true}
	f.data, f.class, err = l.unseal(ctx, s, subject, m.Data)
	if errors.Is(err, errSealed) {
		return frame{}, fmt.Errorf("%w: %s frame %d: %w", ErrNotFound, s.Name, ref.frame, err)
	}
	return f, err
}

// stored returns a frame as it stands: patched, or as it was written.
//
// Errors: ErrNotFound.
func (l *Log) stored(ctx context.Context, s Stream, seq uint64) (frame, error) {
	if s.mayLack() {
		refs, err := l.patchesOf(ctx, s, seq, seq+1, false)
		if err != nil {
			return frame{}, err
		}
		if len(refs) > 0 {
			return l.readPatch(ctx, s, refs[0])
		}
	}
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return frame{}, fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	m, err := st.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return frame{}, fmt.Errorf("%w: %s frame %d", ErrNotFound, s.Name, seq)
	}
	if err != nil {
		return frame{}, fmt.Errorf("reading stream %s at frame %d: %w", s.Name, seq, err)
	}
	f := frame{seq: seq, at: takenAt(m.Header, m.Time), subject: m.Subject}
	f.data, f.class, err = l.unseal(ctx, s, m.Subject, m.Data)
	if errors.Is(err, errSealed) {
		return frame{}, fmt.Errorf("%w: %s frame %d: %w", ErrErased, s.Name, seq, err)
	}
	return f, err
}

// mayLack reports whether the stream may have gaps that patches fill.
func (s Stream) mayLack() bool { return !s.Keyed && !s.Forever }

// subjects lists a stream's subjects that match a filter, sorted.
func (l *Log) subjects(ctx context.Context, s Stream, filter string) ([]string, error) {
	st, err := l.js.Stream(ctx, s.Name)
	if err == nil {
		var info *jetstream.StreamInfo
		if info, err = st.Info(ctx, jetstream.WithSubjectFilter(filter)); err == nil {
			out := make([]string, 0, len(info.State.Subjects))
			for sub := range info.State.Subjects {
				out = append(out, sub)
			}
			sort.Strings(out)
			return out, nil
		}
	}
	return nil, fmt.Errorf("listing what stream %s holds: %w", s.Name, err)
}

// shred overwrites on disk every message of a subject.
func (l *Log) shred(ctx context.Context, s Stream, subject string) error {
	return l.shredBefore(ctx, s, subject, ^uint64(0))
}

// shredBefore overwrites the messages of a subject before a sequence number.
func (l *Log) shredBefore(ctx context.Context, s Stream, subject string, before uint64) error {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return err
	}
	for {
		m, err := st.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && m.Sequence >= before {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.overwrite(ctx, st, m.Sequence); err != nil {
			return err
		}
	}
}

// overwrite overwrites one message on disk, if it is there.
func (l *Log) overwrite(ctx context.Context, st jetstream.Stream, seq uint64) error {
	if _, err := st.GetMsg(ctx, seq); errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	return st.SecureDeleteMsg(ctx, seq)
}
