package issue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Projection is the read model of the force's warnings: what the public's page and
// feed show.
type Projection struct{ logger *slog.Logger }

var _ store.Projection = (*Projection)(nil)

// NewProjection returns the read model of the force's warnings.
func NewProjection(logger *slog.Logger) *Projection { return &Projection{logger: logger} }

// Name implements store.Projection.
func (*Projection) Name() string { return "warnings" }

// Stream implements store.Projection.
func (*Projection) Stream() bus.Stream { return bus.Warnings }

// Tables implements store.Projection.
func (*Projection) Tables() []string { return []string{"warnings"} }

// Apply implements store.Projection.
func (p *Projection) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	for _, rec := range records {
		var c Change
		if err := json.Unmarshal(rec.Data, &c); err != nil {
			p.logger.Error("a change of a warning cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		changed, err := apply(func(id event.ID) (*Warning, error) { return load(ctx, tx, id) }, &c)
		if errors.Is(err, errStale) {
			p.logger.Warn("a change of a warning is left out", "position", rec.Seq, "err", err)
			continue
		}
		if err != nil {
			return err
		}
		for _, w := range changed {
			if err := put(ctx, tx, w, rec.Seq); err != nil {
				return err
			}
		}
		if c.Type == ChangeIssued {
			_, err := tx.ExecContext(ctx, `UPDATE warnings SET document = $1 WHERE id = $2`, store.Text(string(c.Document)), store.Text(string(c.Warning)))
			if err != nil {
				return fmt.Errorf("storing the message of warning %s: %w", c.Warning, err)
			}
		}
	}
	return nil
}

func load(ctx context.Context, tx *sql.Tx, id event.ID) (*Warning, error) {
	var body string
	err := tx.QueryRowContext(ctx, `SELECT body FROM warnings WHERE id = $1`, store.Text(string(id))).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // no such warning is no error
	}
	if err != nil {
		return nil, fmt.Errorf("reading warning %s: %w", id, err)
	}
	w := &Warning{}
	if err := json.Unmarshal([]byte(body), w); err != nil {
		return nil, fmt.Errorf("reading warning %s: %w", id, err)
	}
	return w, nil
}

func put(ctx context.Context, tx *sql.Tx, w *Warning, seq uint64) error {
	body, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encoding warning %s: %w", w.ID, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO warnings (id, state, status, msg_type, replaced, sent, expires, seq, body, document)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '')
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, status = excluded.status, msg_type = excluded.msg_type,
			replaced = excluded.replaced, sent = excluded.sent, expires = excluded.expires, seq = excluded.seq, body = excluded.body`,
		store.Text(string(w.ID)), string(w.State), store.Text(string(w.Status)), store.Text(string(w.MsgType)), store.Text(string(w.ReplacedBy)),
		store.Micros(w.Sent), store.Micros(w.Expires), int64(seq), store.Text(string(body)))
	if err != nil {
		return fmt.Errorf("storing warning %s: %w", w.ID, err)
	}
	return nil
}
