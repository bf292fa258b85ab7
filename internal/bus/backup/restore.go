package backup

import (
	"container/heap"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// Verify reads the whole backup and compares it with its index. It returns what
// is wrong, in words.
//
// Errors: ErrNoBackup, ErrDamaged when the index itself cannot be read.
func (d *Dir) Verify(ctx context.Context) (problems []string, err error) {
	x, err := ReadIndex(d.path)
	if err != nil {
		return nil, err
	}
	for _, s := range x.Segments {
		if err := d.check(s.File, s.Bytes, s.SHA256); err != nil {
			problems = append(problems, err.Error())
			continue
		}
		n, first, last := 0, uint64(0), uint64(0)
		for r, err := range s.records(d.path) {
			if err != nil {
				problems = append(problems, err.Error())
				break
			}
			if n == 0 {
				first = r.Seq
			}
			n, last = n+1, r.Seq
		}
		if n != s.Records || first != s.First || last != s.Last {
			problems = append(problems, fmt.Sprintf("%s holds %d records at %d to %d, and the index says %d at %d to %d", s.File, n, first, last, s.Records, s.First, s.Last))
		}
		if ctx.Err() != nil {
			return problems, ctx.Err()
		}
	}
	for _, v := range x.Values {
		if err := d.check(v.File, v.Bytes, v.SHA256); err != nil {
			problems = append(problems, err.Error())
		}
	}
	return problems, nil
}

func (d *Dir) check(file string, size int64, sum string) error {
	n, got, err := checksum(filepath.Join(d.path, file))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if n != size || got != sum {
		return fmt.Errorf("%w: %s is not what was written", ErrDamaged, file)
	}
	return nil
}

// Restored is what Restore put on the log.
type Restored struct {
	Records int `json:"records"`
	LeftOut int `json:"left_out"` // since the ledger says that they were erased
}

// ErrLogThere: the data directory holds a log already.
var ErrLogThere = errors.New("holds a log already: name a new data directory")

// Restore fills a new log in a data directory from the backup, every record at
// its position. What the ledger in the backup says was erased stays away. A
// restoration that fails leaves a part of a log: remove it and begin again.
//
// Errors: ErrLogThere, ErrNoBackup, ErrDamaged.
func (d *Dir) Restore(ctx context.Context, data string, progress func(stream string, records int)) (Restored, error) {
	var done Restored
	if _, err := os.Stat(filepath.Join(data, "log")); err == nil {
		return done, fmt.Errorf("%s %w", data, ErrLogThere)
	}
	problems, err := d.Verify(ctx)
	if err != nil {
		return done, err
	}
	if len(problems) > 0 {
		return done, fmt.Errorf("%w: %s (and %d more): see 'bluelamp backup verify'", ErrDamaged, problems[0], len(problems)-1)
	}
	x, err := ReadIndex(d.path)
	if err != nil {
		return done, err
	}
	log, err := bus.Open(ctx, bus.Config{Dir: data, Now: d.now, Unsynced: true})
	if err != nil {
		return done, err
	}
	err = d.restore(ctx, log, x, &done, progress)
	log.Close()
	if err == nil {
		err = syncTree(filepath.Join(data, "log"))
	}
	return done, err
}

func (d *Dir) restore(ctx context.Context, log *bus.Log, x *Index, done *Restored, progress func(string, int)) error {
	gone := forgotten{}
	for r, err := range d.merged(x, bus.Erasures) {
		var e bus.Erasure
		if err == nil {
			err = json.Unmarshal(r.Data, &e)
		}
		if err != nil {
			return fmt.Errorf("reading what was erased: %w", err)
		}
		gone.add(e)
	}
	gone.sort()
	for _, s := range bus.Streams() {
		var err error
		if s.Keyed {
			err = d.restoreValues(ctx, log, x, s)
		} else {
			err = d.restoreStream(ctx, log, x, s, gone, done, progress)
		}
		if err != nil {
			return fmt.Errorf("restoring stream %s: %w", s.Name, err)
		}
	}
	return nil
}

func (d *Dir) restoreStream(ctx context.Context, log *bus.Log, x *Index, s bus.Stream, gone forgotten, done *Restored, progress func(string, int)) error {
	to, err := log.Restore(ctx, s)
	if err != nil {
		return err
	}
	var frame []bus.Record
	put := func() error {
		if len(frame) == 0 {
			return nil
		}
		first, last := frame[0], frame[len(frame)-1]
		records := make([][]byte, last.Index()+1)
		for _, r := range frame {
			records[r.Index()] = r.Data
		}
		frame = frame[:0]
		return to.Put(ctx, first.Frame(), first.Class, first.Time, records)
	}
	for r, err := range d.merged(x, s) {
		if err != nil {
			return err
		}
		if gone.covers(s.Name, r) {
			done.LeftOut++
			continue
		}
		if len(frame) > 0 && r.Frame() != frame[0].Frame() {
			if err := put(); err != nil {
				return err
			}
		}
		frame = append(frame, r)
		if done.Records++; progress != nil {
			progress(s.Name, done.Records)
		}
	}
	if err := put(); err != nil {
		return err
	}
	return to.Close(ctx, x.Streams[s.Name].End)
}

func (d *Dir) restoreValues(ctx context.Context, log *bus.Log, x *Index, s bus.Stream) error {
	for _, v := range x.Values {
		if v.Stream != s.Name {
			continue
		}
		for line, err := range lines(filepath.Join(d.path, v.File)) {
			var kv value
			var data []byte
			if err == nil {
				err = json.Unmarshal(line, &kv)
			}
			if err == nil {
				data, err = base64.StdEncoding.DecodeString(kv.Value)
			}
			if err != nil {
				return fmt.Errorf("%w: %s: %w", ErrDamaged, v.File, err)
			}
			if err := log.Put(ctx, s, kv.Key, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// head is a segment under way, and its next record.
type head struct {
	next bus.Record
	pull func() (bus.Record, error, bool)
	stop func()
}

type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return h[i].next.Seq < h[j].next.Seq }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(v any)        { *h = append(*h, v.(*head)) }
func (h *heads) Pop() any {
	last := len(*h) - 1
	v := (*h)[last]
	*h = (*h)[:last]
	return v
}

// merged reads a stream's segments as one, in the order of positions. It opens a
// segment when its turn comes.
func (d *Dir) merged(x *Index, s bus.Stream) iter.Seq2[bus.Record, error] {
	return func(yield func(bus.Record, error) bool) {
		var wait []Segment
		for _, seg := range x.Segments {
			if seg.Stream == s.Name {
				wait = append(wait, seg)
			}
		}
		slices.SortFunc(wait, func(a, b Segment) int { return int(int64(a.First) - int64(b.First)) })
		var open heads
		defer func() {
			for _, h := range open {
				h.stop()
			}
		}()
		for len(wait) > 0 || len(open) > 0 {
			for len(wait) > 0 && (len(open) == 0 || wait[0].First <= open[0].next.Seq) {
				h := &head{}
				h.pull, h.stop = iter.Pull2(wait[0].records(d.path))
				wait = wait[1:]
				if !h.advance(&open, yield) {
					return
				}
			}
			if len(open) == 0 {
				continue
			}
			h := heap.Pop(&open).(*head)
			if !yield(h.next, nil) {
				h.stop()
				return
			}
			if !h.advance(&open, yield) {
				return
			}
		}
	}
}

// advance takes a segment's next record and puts the segment back among those
// that are open, unless it has ended.
func (h *head) advance(open *heads, yield func(bus.Record, error) bool) bool {
	r, err, ok := h.pull()
	if !ok {
		h.stop()
		return true
	}
	if err != nil {
		h.stop()
		yield(r, err)
		return false
	}
	h.next = r
	heap.Push(open, h)
	return true
}

// syncTree puts every file below a directory on disk.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() && !e.IsDir() {
			return err
		}
		return syncDir(path)
	})
}
