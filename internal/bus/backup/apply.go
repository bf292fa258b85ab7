package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// forgotten is what a ledger says was erased, by stream.
type forgotten map[string]*lost

// lost is what was erased from one stream.
type lost struct {
	before map[string]time.Time // by class
	spans  []bus.Span           // positions, apart and in order once sorted
}

func (f forgotten) add(e bus.Erasure) {
	l := f[e.Stream]
	if l == nil {
		l = &lost{before: map[string]time.Time{}}
		f[e.Stream] = l
	}
	if e.Class != "" && e.Before.After(l.before[e.Class]) {
		l.before[e.Class] = e.Before
	}
	l.spans = append(l.spans, e.Spans...)
}

// sort makes what was added ready to be asked.
func (f forgotten) sort() {
	for _, l := range f {
		slices.SortFunc(l.spans, func(a, b bus.Span) int {
			if a.From < b.From {
				return -1
			}
			return 1
		})
		out := l.spans[:0]
		for _, sp := range l.spans {
			if n := len(out); n > 0 && sp.From <= out[n-1].To+1 {
				out[n-1].To = max(out[n-1].To, sp.To)
			} else {
				out = append(out, sp)
			}
		}
		l.spans = out
	}
}

// covers reports whether a record of a stream was erased.
func (f forgotten) covers(stream string, r bus.Record) bool {
	l := f[stream]
	return l != nil && (r.Time.Before(l.before[r.Class]) || l.touches(r.Seq, r.Seq))
}

// touches reports whether a position between two was erased.
func (l *lost) touches(first, last uint64) bool {
	i := sort.Search(len(l.spans), func(i int) bool { return l.spans[i].To >= first })
	return i < len(l.spans) && l.spans[i].From <= last
}

// Apply erases from the backup what the log's ledger says was erased since the
// backup last looked. A backup that does not exist yet has nothing to erase.
//
// Errors: ErrInUse, ErrDamaged.
func (d *Dir) Apply(ctx context.Context, log *bus.Log) error {
	x, err := ReadIndex(d.path)
	if errors.Is(err, ErrNoBackup) {
		return nil
	}
	if err != nil {
		return err
	}
	last, err := log.Last(ctx, bus.Erasures)
	if err != nil || last <= x.Applied {
		return err
	}
	held, err := lock(d.path)
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	if x, err = ReadIndex(d.path); err != nil { // again, now that nobody else changes it
		return err
	}
	if _, err := d.follow(ctx, log, x); err != nil {
		return err
	}
	x.Updated = d.now().UTC()
	return x.write(d.path)
}

// follow brings segments and index up to the ledger's end, and returns how many
// records went.
func (d *Dir) follow(ctx context.Context, log *bus.Log, x *Index) (int, error) {
	gone := forgotten{}
	applied := x.Applied
	if err := log.EachErasure(ctx, x.Applied, func(e bus.Erasure, pos uint64) error {
		gone.add(e)
		applied = pos
		return nil
	}); err != nil {
		return 0, fmt.Errorf("reading what was erased: %w", err)
	}
	gone.sort()
	erased := 0
	for i := range x.Segments {
		n, err := d.erase(x, &x.Segments[i], gone)
		if err != nil {
			return erased, err
		}
		erased += n
	}
	x.Segments = slices.DeleteFunc(x.Segments, func(s Segment) bool { return s.Records == 0 })
	x.Applied = applied
	return erased, nil
}

// erase takes from a segment what was erased, and returns how many records it
// was. A segment of which only a part has expired stays until all of it has.
func (d *Dir) erase(x *Index, s *Segment, gone forgotten) (int, error) {
	l := gone[s.Stream]
	if l == nil {
		return 0, nil
	}
	n := 0
	switch {
	case s.Newest.Before(l.before[s.Class]):
		n = s.Records
		s.Records = 0
		if err := os.Remove(filepath.Join(d.path, s.File)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("removing segment %s: %w", s.File, err)
		}
	case l.touches(s.First, s.Last):
		was := s.Records
		if err := d.rewrite(x, s, l); err != nil {
			return 0, err
		}
		n = was - s.Records
	}
	if n > 0 {
		x.Tombstones = append(x.Tombstones, Tombstone{File: s.File, Stream: s.Stream, Class: s.Class, Time: d.now().UTC(), Records: n})
	}
	return n, nil
}

// rewrite writes a segment anew without the erased records. The index is written
// before the old file goes: whatever is interrupted, it names a file that is there.
func (d *Dir) rewrite(x *Index, s *Segment, l *lost) error {
	w := &segmentWriter{seg: Segment{File: renewed(s.File), Stream: s.Stream, Class: s.Class}}
	if err := w.open(filepath.Join(d.path, w.seg.File)); err != nil {
		return err
	}
	for r, err := range s.records(d.path) {
		if errors.Is(err, os.ErrNotExist) && s.Records > 0 {
			err = fmt.Errorf("%w (restore it, or remove its line from the index)", err)
		}
		if err == nil && !l.touches(r.Seq, r.Seq) {
			err = w.add(r)
		}
		if err != nil {
			w.abandon()
			return fmt.Errorf("erasing from segment %s: %w", s.File, err)
		}
	}
	old := s.File
	if w.seg.Records == 0 {
		w.abandon()
		s.Records = 0
	} else {
		seg, err := w.finish(d.path)
		if err != nil {
			return err
		}
		*s = seg
	}
	if err := x.without().write(d.path); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(d.path, old)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing segment %s: %w", old, err)
	}
	return nil
}

// without returns the index without the segments that hold nothing any more.
func (x *Index) without() *Index {
	out := *x
	out.Segments = slices.DeleteFunc(slices.Clone(x.Segments), func(s Segment) bool { return s.Records == 0 })
	return &out
}

// renewed returns another name for a segment: "day-7.jsonl.gz" becomes
// "day-7r.jsonl.gz", then "day-7rr.jsonl.gz".
func renewed(name string) string {
	const end = ".jsonl.gz"
	if len(name) > len(end) && name[len(name)-len(end):] == end {
		return name[:len(name)-len(end)] + "r" + end
	}
	return name + "r"
}
