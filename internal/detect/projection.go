package detect

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Projection is the read model of alerts.
type Projection struct{ logger *slog.Logger }

var _ store.Projection = (*Projection)(nil)

// NewProjection returns the read model of alerts.
func NewProjection(logger *slog.Logger) *Projection { return &Projection{logger: logger} }

// Name implements store.Projection.
func (*Projection) Name() string { return "alerts" }

// Stream implements store.Projection.
func (*Projection) Stream() bus.Stream { return bus.Alerts }

// Tables implements store.Projection.
func (*Projection) Tables() []string { return []string{"alerts"} }

// Apply implements store.Projection.
func (p *Projection) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	for _, rec := range records {
		var a event.Alert
		if err := json.Unmarshal(rec.Data, &a); err != nil {
			p.logger.Error("an alert cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO alerts (id, seq, rule, kind, cause, premises, raised, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
			store.Text(string(a.ID)), int64(rec.Seq), store.Text(a.Rule), store.Text(string(a.Kind)), store.Text(a.Cause),
			store.Text(a.Premises), store.Micros(a.Raised), store.Text(string(rec.Data)))
		if err != nil {
			return fmt.Errorf("storing alert %s: %w", a.ID, err)
		}
	}
	return nil
}
