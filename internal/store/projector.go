package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// Projection turns a stream's records into rows.
type Projection interface {
	// Name is the key of the projection's position; it never changes.
	Name() string
	Stream() bus.Stream
	// Tables lists the tables that Apply alone writes; Rebuild empties them.
	Tables() []string
	// Apply writes the rows that follow from the records, in order. A record
	// that it cannot read it skips and says so: a bad record must not stop all
	// that come after it.
	Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error
}

// errMoved: another process has advanced the projection's position.
var errMoved = errors.New("the projection's position has moved")

// Project keeps a projection up to date until the context ends, and returns nil
// then. applied, if not nil, is called after each commit with the position that
// the rows now show.
func (db *DB) Project(ctx context.Context, log *bus.Log, p Projection, applied func(pos uint64)) error {
	for {
		pos, err := db.Position(ctx, p)
		if err == nil {
			err = db.project(ctx, log, p, pos, forever, func(pos uint64) bool {
				if applied != nil {
					applied(pos)
				}
				return true
			})
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errMoved):
		default:
			return fmt.Errorf("projection %s: %w", p.Name(), err)
		}
	}
}

// CatchUp applies all that the log holds now, and returns.
func (db *DB) CatchUp(ctx context.Context, log *bus.Log, p Projection, progress func(pos, end uint64)) error {
	end, err := log.Last(ctx, p.Stream())
	if err != nil {
		return fmt.Errorf("projection %s: %w", p.Name(), err)
	}
	for {
		pos, err := db.Position(ctx, p)
		if err != nil || pos >= end {
			return err
		}
		err = db.project(ctx, log, p, pos, end, func(pos uint64) bool {
			if progress != nil {
				progress(pos, end)
			}
			return pos < end
		})
		if err == nil {
			return nil // there, or what was left has been erased meanwhile
		}
		if !errors.Is(err, errMoved) {
			return fmt.Errorf("projection %s: %w", p.Name(), err)
		}
	}
}

// forever is the end that a projection which follows the log never comes to.
const forever = math.MaxUint64

// project applies records from the position on until more says to stop, or until
// none is left up to the end. It fails with errMoved where pos is not the
// projection's position any more.
func (db *DB) project(ctx context.Context, log *bus.Log, p Projection, pos, end uint64, more func(pos uint64) bool) error {
	r, err := log.Read(ctx, p.Stream(), pos)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		records, err := r.NextTo(ctx, end)
		if err != nil || len(records) == 0 {
			return err
		}
		next, began := records[len(records)-1].Seq, time.Now()
		err = db.Update(ctx, func(tx *sql.Tx) error {
			if err := advance(ctx, tx, p.Name(), pos, next); err != nil {
				return err
			}
			return p.Apply(ctx, tx, records)
		})
		if err != nil {
			return fmt.Errorf("applying records %d to %d: %w", records[0].Seq, next, err)
		}
		pos = next
		if !more(pos) {
			return nil
		}
		if end == forever && len(records) >= busy {
			rest(ctx, min(time.Since(began), longestRest))
		}
	}
}

// A projection that follows a busy stream rests after each transaction as long as
// that took: the processors are for those who take in first, and the next
// transaction, being larger, costs less for each record. What is shown lags by
// that much.
const (
	busy        = 64 // records of a transaction
	longestRest = 100 * time.Millisecond
)

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// advance moves the position from one place to the next, or fails with errMoved
// when it is not there any more.
func advance(ctx context.Context, tx *sql.Tx, name string, from, to uint64) error {
	q := `UPDATE positions SET pos = $1 WHERE name = $2 AND pos = $3`
	if from == 0 {
		q = `INSERT INTO positions (pos, name) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET pos = excluded.pos WHERE positions.pos = $3`
	}
	res, err := tx.ExecContext(ctx, q, int64(to), name, int64(from))
	if err != nil {
		return fmt.Errorf("moving the position of %s: %w", name, err)
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n != 1 {
		return errMoved
	}
	return nil
}

// Position returns how far the projection's rows go.
func (db *DB) Position(ctx context.Context, p Projection) (uint64, error) {
	var pos int64
	err := db.read.QueryRowContext(ctx, `SELECT pos FROM positions WHERE name = $1`, p.Name()).Scan(&pos)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("reading the position of %s: %w", p.Name(), err)
	}
	return uint64(pos), nil
}

// Rebuild empties the projections' tables and fills them again from the log. A
// server that is running goes on working meanwhile and sees the tables grow.
func (db *DB) Rebuild(ctx context.Context, log *bus.Log, ps []Projection, progress func(name string, pos, end uint64)) error {
	err := db.Update(ctx, func(tx *sql.Tx) error {
		for _, p := range ps {
			// The position first: it waits for a projector's transaction under
			// way, so that the deletions see that one's rows.
			if _, err := tx.ExecContext(ctx, `INSERT INTO positions (name, pos) VALUES ($1, 0)
				ON CONFLICT (name) DO UPDATE SET pos = 0`, p.Name()); err != nil {
				return fmt.Errorf("resetting the position of %s: %w", p.Name(), err)
			}
			for _, t := range p.Tables() {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+t); err != nil { //nolint:gosec // a table of our own
					return fmt.Errorf("emptying table %s: %w", t, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range ps {
		err := db.CatchUp(ctx, log, p, func(pos, end uint64) {
			if progress != nil {
				progress(p.Name(), pos, end)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
