package sense

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// QuarantineGroup is the entries of one source with one reason.
type QuarantineGroup struct {
	Source string    `json:"source"`
	Reason string    `json:"reason"`
	Count  int       `json:"count"`
	Newest time.Time `json:"newest"`
}

// QuarantineRow is one entry without its bytes.
type QuarantineRow struct {
	ID       event.ID  `json:"id"`
	Seq      uint64    `json:"seq"`
	Source   string    `json:"source"`
	From     string    `json:"from"`
	Received time.Time `json:"received"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
	Size     int       `json:"size"`
}

// QuarantineEntries is the read model of the quarantine. The bytes stay on the
// log; see Queries.QuarantineEntry.
type QuarantineEntries struct{ logger *slog.Logger }

var _ store.Projection = (*QuarantineEntries)(nil)

// NewQuarantineEntries returns the read model of the quarantine.
func NewQuarantineEntries(logger *slog.Logger) *QuarantineEntries {
	return &QuarantineEntries{logger: logger}
}

// Name implements store.Projection.
func (*QuarantineEntries) Name() string { return "quarantine" }

// Stream implements store.Projection.
func (*QuarantineEntries) Stream() bus.Stream { return bus.Quarantine }

// Tables implements store.Projection.
func (*QuarantineEntries) Tables() []string { return []string{"quarantine"} }

// Apply implements store.Projection.
func (p *QuarantineEntries) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	for _, rec := range records {
		var q event.Quarantined
		if err := json.Unmarshal(rec.Data, &q); err != nil {
			p.logger.Error("a quarantine entry cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO quarantine (id, seq, source, origin, received, reason, detail, size)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
			string(q.ID), int64(rec.Seq), store.Text(q.Source), store.Text(q.From), store.Micros(q.Received), store.Text(q.Reason), store.Text(q.Detail), len(q.Bytes)+q.Cut)
		if err != nil {
			return fmt.Errorf("storing quarantine entry %s: %w", q.ID, err)
		}
	}
	return nil
}

// QuarantineGroups returns the quarantine by source and reason, largest first.
func (q *Queries) QuarantineGroups(ctx context.Context) ([]QuarantineGroup, error) {
	return list(ctx, q.db, "the quarantine", func(r *sql.Rows, g *QuarantineGroup) error {
		var newest int64
		err := r.Scan(&g.Source, &g.Reason, &g.Count, &newest)
		g.Newest = store.Time(newest)
		return err
	}, `SELECT source, reason, COUNT(*), MAX(received) FROM quarantine GROUP BY source, reason ORDER BY COUNT(*) DESC, source, reason`)
}

// QuarantineRows returns entries, the newest first, before the given log
// position (0: from the newest). An empty reason means all.
func (q *Queries) QuarantineRows(ctx context.Context, reason string, before uint64, limit int) ([]QuarantineRow, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return list(ctx, q.db, "the quarantine", func(r *sql.Rows, e *QuarantineRow) error {
		var at, seq int64
		err := r.Scan(&e.ID, &seq, &e.Source, &e.From, &at, &e.Reason, &e.Detail, &e.Size)
		e.Received, e.Seq = store.Time(at), uint64(seq)
		return err
	}, `SELECT id, seq, source, origin, received, reason, detail, size FROM quarantine
		WHERE seq < $1 AND ($2 = '' OR reason = $2) ORDER BY seq DESC LIMIT $3`, int64(before), reason, limit)
}

// QuarantineEntry returns one entry with its bytes, from the log.
//
// Errors: ErrNotFound.
func (q *Queries) QuarantineEntry(ctx context.Context, id event.ID) (event.Quarantined, error) {
	var seq int64
	err := q.db.Read().QueryRowContext(ctx, `SELECT seq FROM quarantine WHERE id = $1`, string(id)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Quarantined{}, fmt.Errorf("quarantine entry %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return event.Quarantined{}, fmt.Errorf("reading quarantine entry %s: %w", id, err)
	}
	rec, err := q.log.Get(ctx, bus.Quarantine, uint64(seq))
	if err != nil {
		return event.Quarantined{}, err
	}
	var e event.Quarantined
	if err := json.Unmarshal(rec.Data, &e); err != nil {
		return event.Quarantined{}, fmt.Errorf("reading quarantine entry %s: %w", id, err)
	}
	return e, nil
}
