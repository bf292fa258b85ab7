package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// ends returns the number of the last frame that a stream was given, and that of
// the newest which is still there, 0 for none.
func (l *Log) ends(ctx context.Context, s Stream) (last, newest uint64, err error) {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the end of stream %s: %w", s.Name, err)
	}
	last = st.CachedInfo().State.LastSeq
	if st.CachedInfo().State.Msgs == 0 && last == 0 {
		return 0, 0, nil
	}
	m, err := st.GetLastMsgForSubject(ctx, s.Prefix+".>")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return last, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("reading the end of stream %s: %w", s.Name, err)
	}
	return max(last, m.Sequence), m.Sequence, nil
}

// Last returns the position of the stream's newest record, 0 if it is empty.
func (l *Log) Last(ctx context.Context, s Stream) (uint64, error) {
	last, err := l.last(ctx, s)
	return last.Seq, err
}

// Behind returns how many commits of a stream lie after a position: at most so
// many, where some between were erased.
func (l *Log) Behind(ctx context.Context, s Stream, pos uint64) (uint64, error) {
	_, newest, err := l.ends(ctx, s)
	return newest - min(frameOf(pos), newest), err
}

// lastLook bounds how many frames are tried for one that can be read.
const lastLook = 1 << 16

func (l *Log) last(ctx context.Context, s Stream) (Record, error) {
	var last Record
	_, newest, err := l.ends(ctx, s)
	if err != nil {
		return last, err
	}
	for n := newest; n > 0 && newest-n < lastLook; n-- { // the newest, but where what it holds is no frame of ours
		f, err := l.stored(ctx, s, n)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return last, err
		}
		records := cutFrame(nil, f.data, n, f.at, f.class, 0)
		if f.patched {
			records = slices.DeleteFunc(records, func(r Record) bool { return len(r.Data) == 0 })
		}
		if len(records) > 0 {
			last = records[len(records)-1]
			break
		}
	}
	if !s.mayLack() {
		return last, nil
	}
	refs, err := l.patchesOf(ctx, s, newest+1, ^uint64(0), false)
	for _, ref := range slices.Backward(refs) {
		records, err := l.patch(ctx, s, ref, 0)
		if errors.Is(err, ErrNotFound) || err == nil && len(records) == 0 {
			continue
		}
		if err != nil {
			return last, err
		}
		return records[len(records)-1], nil
	}
	return last, err
}

// Get returns the record at a position.
//
// Errors: ErrErased, when there was one; ErrNotFound.
func (l *Log) Get(ctx context.Context, s Stream, pos uint64) (Record, error) {
	if frameOf(pos) == 0 { // the server takes 0 for a malformed request
		return Record{}, fmt.Errorf("%w: %s %d", ErrNotFound, s.Name, pos)
	}
	f, err := l.stored(ctx, s, frameOf(pos))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Record{}, fmt.Errorf("reading position %d: %w", pos, err)
	}
	if err == nil {
		recs := cutFrame(nil, f.data, f.seq, f.at, f.class, pos-1)
		if len(recs) > 0 && recs[0].Seq == pos {
			if f.patched && len(recs[0].Data) == 0 {
				return Record{}, fmt.Errorf("%w: %s %d", ErrErased, s.Name, pos)
			}
			return recs[0], nil
		}
		return Record{}, fmt.Errorf("%w: %s %d", ErrNotFound, s.Name, pos)
	}
	gone := errors.Is(err, ErrErased)
	if !gone && s.mayLack() {
		if gone, err = l.erased(ctx, s, frameOf(pos)); err != nil {
			return Record{}, fmt.Errorf("reading position %d: %w", pos, err)
		}
	}
	if gone {
		return Record{}, fmt.Errorf("%w: %s %d", ErrErased, s.Name, pos)
	}
	return Record{}, fmt.Errorf("%w: %s %d", ErrNotFound, s.Name, pos)
}
