package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/bluelamp/bluelamp/internal/bus"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrNoEntry: the audit log has no entry of that number.
var ErrNoEntry = errors.New("no such entry in the audit log")

// ErrProof: a proof does not show what it should.
var ErrProof = errors.New("the proof does not hold")

// Proof shows, to whoever has the log's public key and nothing else, that an
// entry is in the log.
type Proof struct {
	Leaf       int64       `json:"leaf"`       // the entry's number, from 0
	Record     string      `json:"record"`     // the entry's exact bytes
	Checkpoint string      `json:"checkpoint"` // signed tree that holds it
	Hashes     []tlog.Hash `json:"hashes"`     // path to the root (RFC 6962, section 2.1.1)
}

// Check checks the proof with the log's public key and returns the entry.
//
// Errors: ErrProof, ErrCheckpoint.
func (p Proof) Check(key string) (Entry, error) {
	c, err := ParseCheckpoint([]byte(p.Checkpoint), key)
	if err != nil {
		return Entry{}, err
	}
	if err := tlog.CheckRecord(p.Hashes, c.Size, c.Root, p.Leaf, tlog.RecordHash([]byte(p.Record))); err != nil {
		return Entry{}, fmt.Errorf("%w: entry %d: %w", ErrProof, p.Leaf, err)
	}
	return parseEntry([]byte(p.Record))
}

// Prove returns proofs for entries by their numbers, in one walk over the log.
//
// Errors: ErrNoEntry; ErrProof if the log contradicts its last checkpoint.
func (l *Log) Prove(ctx context.Context, leaves ...int64) ([]Proof, error) {
	c, err := l.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	want := map[int64]tlog.Hash{} // stored hashes that the proofs need
	records := map[int64]string{}
	for _, n := range leaves {
		if n < 0 || n >= c.Size {
			return nil, fmt.Errorf("%w: %d of %d", ErrNoEntry, n, c.Size)
		}
		records[n] = ""
		// The first run only learns which hashes it needs.
		_, _ = tlog.ProveRecord(c.Size, n, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			for _, i := range indexes {
				want[i] = tlog.Hash{}
			}
			return nil, errors.New("only asking")
		}))
	}
	if err := l.collect(ctx, c, want, records); err != nil {
		return nil, err
	}
	var out []Proof
	for _, n := range leaves {
		hashes, err := tlog.ProveRecord(c.Size, n, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			var out []tlog.Hash
			for _, i := range indexes {
				out = append(out, want[i])
			}
			return out, nil
		}))
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", ErrProof, n, err)
		}
		p := Proof{Leaf: n, Record: records[n], Checkpoint: c.Text, Hashes: hashes}
		if _, err := p.Check(l.key); errors.Is(err, ErrProof) {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

var errEnough = errors.New("walked far enough")

// collect walks the log and fills in the wanted hashes and records.
func (l *Log) collect(ctx context.Context, c Checkpoint, want map[int64]tlog.Hash, records map[int64]string) error {
	var t tree
	err := l.cfg.Log.Each(ctx, bus.Audit, 0, func(r bus.Record) error {
		if t.Size == c.Size {
			return errEnough
		}
		if _, ok := records[t.Size]; ok {
			records[t.Size] = string(r.Data)
		}
		t.add(tlog.RecordHash(r.Data), func(level int, n int64, h tlog.Hash) {
			if i := tlog.StoredHashIndex(level, n); len(want) > 0 {
				if _, ok := want[i]; ok {
					want[i] = h
				}
			}
		})
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("walking the audit log: %w", err)
	}
	return nil
}
