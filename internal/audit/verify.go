package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// maxSuspects bounds the entries that are compared one by one with the table to
// find the one that was changed.
const maxSuspects = 100_000

// Evidence is what a log is verified against.
type Evidence struct {
	Dir   string    // data directory: public key and checkpoints
	Key   string    // the public key, if kept elsewhere; empty: that of Dir
	Known [][]byte  // checkpoints that were kept elsewhere
	DB    *store.DB // nil, or the table of entries: it says which entry was changed
}

// Report is the verdict on an audit log.
type Report struct {
	Size        int64  // entries on the log
	Root        string // of the tree over them, in base64
	Checkpoints int    // signed by the log's key
	Covered     int64  // entries that a checkpoint vouches for
	Problems    []Problem
}

// Problem is a place where the log is not what it was.
type Problem struct {
	From, To int64 // entries From to To-1 are in doubt
	What     string
}

// OK reports whether nothing was found to be wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// String says the verdict in a sentence or two.
func (r Report) String() string {
	if r.OK() {
		return fmt.Sprintf("%d entries; %d checkpoints agree, and vouch for the first %d. Root %s.", r.Size, r.Checkpoints, r.Covered, r.Root)
	}
	return fmt.Sprintf("%d entries, but the log is not what it was: %s.", r.Size, r.Problems[0].What)
}

// Verify walks the whole log and compares it with every checkpoint. The first
// problem of the report is the first bad place. The error is about the walk.
func Verify(ctx context.Context, log *bus.Log, ev Evidence) (Report, error) {
	v := &verification{ev: ev}
	if err := v.gather(ctx, log); err != nil {
		return Report{}, fmt.Errorf("verifying the audit log: %w", err)
	}
	v.meet(ctx, time.Time{})
	err := log.Each(ctx, bus.Audit, 0, func(r bus.Record) error { return v.take(ctx, r) })
	if err != nil {
		return Report{}, fmt.Errorf("verifying the audit log: %w", err)
	}
	return v.verdict(), nil
}

type verification struct {
	ev     Evidence
	report Report
	points []Checkpoint // by size; those met are cut off

	tree     tree
	frame    uint64
	good     int64       // size at which a checkpoint last agreed
	suspects []tlog.Hash // leaves since then
	bad      bool        // a checkpoint has disagreed: all later ones will
}

// gather collects the checkpoints from all places and checks their signatures.
func (v *verification) gather(ctx context.Context, log *bus.Log) error {
	key := v.ev.Key
	if key == "" {
		var err error
		if key, err = PublicKey(v.ev.Dir); err != nil {
			return err
		}
	}
	file, err := os.ReadFile(filepath.Join(v.ev.Dir, CheckpointsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	texts, _ := SplitCheckpoints(file)
	data, err := log.Value(ctx, bus.Snapshots, stateKey)
	switch {
	case errors.Is(err, bus.ErrNotFound):
	case err != nil:
		return err
	default:
		var s state
		if err := json.Unmarshal(data, &s); err != nil {
			v.problem(0, 0, "the checkpoint on the log cannot be read: "+err.Error())
		} else {
			texts = append(texts, []byte(s.Checkpoint))
		}
	}
	seen := map[string]bool{}
	for i, t := range append(texts, v.ev.Known...) {
		if seen[string(t)] {
			continue
		}
		seen[string(t)] = true
		c, err := ParseCheckpoint(t, key)
		if err != nil {
			v.problem(0, 0, fmt.Sprintf("checkpoint %d of %d: %v", i+1, len(texts)+len(v.ev.Known), err))
			continue
		}
		v.points = append(v.points, c)
	}
	v.report.Checkpoints = len(v.points)
	sort.SliceStable(v.points, func(i, j int) bool { return v.points[i].Size < v.points[j].Size })
	return nil
}

func (v *verification) problem(from, to int64, what string) {
	v.report.Problems = append(v.report.Problems, Problem{From: from, To: to, What: what})
}

func (v *verification) take(ctx context.Context, r bus.Record) error {
	if f := r.Frame(); f > v.frame+1 {
		v.problem(v.tree.Size, v.tree.Size, fmt.Sprintf("before entry %d, of %s, the stream lacks %s of entries, which were destroyed or removed",
			v.tree.Size, r.Time.UTC().Format(time.RFC3339), plural(f-v.frame-1, "commit")))
	}
	v.frame = r.Frame()
	if _, err := parseEntry(r.Data); err != nil {
		v.problem(v.tree.Size, v.tree.Size+1, fmt.Sprintf("entry %d, of %s, is not an entry: %v", v.tree.Size, r.Time.UTC().Format(time.RFC3339), err))
	}
	h := tlog.RecordHash(r.Data)
	if len(v.suspects) < maxSuspects {
		v.suspects = append(v.suspects, h)
	}
	v.tree.add(h, nil)
	v.meet(ctx, r.Time)
	return ctx.Err()
}

// meet compares the tree with the checkpoints over as many entries.
func (v *verification) meet(ctx context.Context, at time.Time) {
	for ; len(v.points) > 0 && v.points[0].Size == v.tree.Size; v.points = v.points[1:] {
		c := v.points[0]
		switch {
		case c.Root == v.tree.root():
			v.good, v.suspects = c.Size, v.suspects[:0]
		case !v.bad:
			v.bad = true
			v.problem(v.good, c.Size, v.blame(ctx, c, at))
		}
	}
}

// blame says where, between the last checkpoint that agrees and the first that
// does not, the log was changed.
func (v *verification) blame(ctx context.Context, c Checkpoint, at time.Time) string {
	what := fmt.Sprintf("among entries %d to %d, up to %s, something was altered, removed, moved or put in: the checkpoint signed at %s disagrees",
		v.good, c.Size-1, at.UTC().Format(time.RFC3339), c.Time.Format(time.RFC3339))
	if v.ev.DB == nil {
		return what
	}
	rows, err := v.ev.DB.Read().QueryContext(ctx, `SELECT leaf, hash, action, actor_name FROM audit WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf`, v.good, c.Size)
	if err != nil {
		return what
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var leaf int64
		var hash, action, name string
		if rows.Scan(&leaf, &hash, &action, &name) != nil {
			break
		}
		if i := leaf - v.good; i < int64(len(v.suspects)) && v.suspects[i].String() != hash {
			return fmt.Sprintf("%s; entry %d is the first that differs from what the table read, which was %s by %q", what, leaf, action, name)
		}
	}
	if rows.Err() != nil {
		return what + "; the table of entries, which might say which, cannot be read"
	}
	return what
}

func (v *verification) verdict() Report {
	v.report.Size, v.report.Covered = v.tree.Size, v.good
	root := v.tree.root()
	v.report.Root = root.String()
	if len(v.points) > 0 {
		c := v.points[len(v.points)-1]
		v.problem(v.tree.Size, c.Size, fmt.Sprintf("the log ends after %d entries, but the checkpoint signed at %s is over %d: at least %d were removed",
			v.tree.Size, c.Time.Format(time.RFC3339), c.Size, c.Size-v.tree.Size))
	}
	if v.report.Checkpoints == 0 && v.tree.Size > 0 {
		v.problem(0, v.tree.Size, "no checkpoint of this log's key is there to vouch for any of its entries")
	}
	return v.report
}

func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
