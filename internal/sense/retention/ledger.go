package retention

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Rows is a read model that holds rows of what expires or can be erased. Its
// methods must bear being called again for rows that are gone.
type Rows interface {
	// Stream is the stream that the rows show.
	Stream() bus.Stream
	// Expire deletes the rows of a class from before a time, and returns how many.
	Expire(ctx context.Context, tx *sql.Tx, class event.Retention, before time.Time) (int64, error)
	// Erase deletes the rows of a device or of premises, or of records at
	// positions, and returns how many. What is not known is empty.
	Erase(ctx context.Context, tx *sql.Tx, device, premises string, spans []bus.Span) (int64, error)
}

// Ledger is the read model of what was erased. Applying a record deletes the rows
// of other read models that belong to it, in the same transaction.
type Ledger struct {
	rows   []Rows
	logger *slog.Logger
}

var _ store.Projection = (*Ledger)(nil)

// NewLedger returns the read model of what was erased, over the read models that
// must forget it.
func NewLedger(logger *slog.Logger, rows ...Rows) *Ledger { return &Ledger{rows: rows, logger: logger} }

// Name implements store.Projection.
func (*Ledger) Name() string { return "erasures" }

// Stream implements store.Projection.
func (*Ledger) Stream() bus.Stream { return bus.Erasures }

// Tables implements store.Projection.
func (*Ledger) Tables() []string { return []string{"erasures"} }

// Apply implements store.Projection.
func (l *Ledger) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	for _, rec := range records {
		var e bus.Erasure
		if err := json.Unmarshal(rec.Data, &e); err != nil {
			l.logger.Error("a record of an erasure cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		if err := l.forget(ctx, tx, &e); err != nil {
			return err
		}
		if err := note(ctx, tx, &e, rec.Seq); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes rows. A record that says that an erasure is done deletes once
// more: a projection may have been about to write a row when the first came.
func (l *Ledger) forget(ctx context.Context, tx *sql.Tx, e *bus.Erasure) error {
	for _, rows := range l.rows {
		if rows.Stream().Name != e.Stream {
			continue
		}
		var n int64
		var err error
		if e.Class != "" {
			n, err = rows.Expire(ctx, tx, event.Retention(e.Class), e.Before)
		} else {
			n, err = rows.Erase(ctx, tx, e.Device, e.Premises, e.Spans)
		}
		if err != nil {
			return fmt.Errorf("erasure %s: %w", e.ID, err)
		}
		if n > 0 {
			l.logger.Info("rows erased", "stream", e.Stream, "class", e.Class, "rows", n)
		}
	}
	return nil
}

func note(ctx context.Context, tx *sql.Tx, e *bus.Erasure, seq uint64) error {
	var err error
	if e.Done {
		_, err = tx.ExecContext(ctx, `UPDATE erasures SET done = 1 WHERE id = $1`, string(e.ID))
	} else {
		// An expiry that was interrupted is noted again with what was left.
		_, err = tx.ExecContext(ctx, `INSERT INTO erasures
				(id, seq, time, stream, class, before, device, premises, frames, records, why, by_whom, done)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)
			ON CONFLICT (id) DO UPDATE SET seq = excluded.seq`,
			string(e.ID), int64(seq), store.Micros(e.Time), store.Text(e.Stream), store.Text(e.Class), store.Micros(e.Before),
			store.Text(e.Device), store.Text(e.Premises), int64(e.Frames), int64(e.Records), store.Text(e.Why), store.Text(e.By))
	}
	if err != nil {
		return fmt.Errorf("storing erasure %s: %w", e.ID, err)
	}
	return nil
}

// RowsOf returns those of the read models that hold rows which can go.
func RowsOf(ps []store.Projection) []Rows {
	var out []Rows
	for _, p := range ps {
		if r, ok := p.(Rows); ok {
			out = append(out, r)
		}
	}
	return out
}
