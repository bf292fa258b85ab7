package incident

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

// Projection is the read model of incidents and their changes.
type Projection struct {
	logger *slog.Logger
}

var _ store.Projection = (*Projection)(nil)

// NewProjection returns the read model of incidents.
func NewProjection(logger *slog.Logger) *Projection { return &Projection{logger: logger} }

// Name implements store.Projection.
func (*Projection) Name() string { return "incidents" }

// Stream implements store.Projection.
func (*Projection) Stream() bus.Stream { return bus.Incidents }

// Tables implements store.Projection.
func (*Projection) Tables() []string { return []string{"incidents", "incident_changes"} }

// Apply implements store.Projection.
func (p *Projection) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	touched := map[event.ID]*Incident{}
	var order []event.ID
	for _, rec := range records {
		var c event.IncidentChange
		if err := json.Unmarshal(rec.Data, &c); err != nil {
			p.logger.Error("a change of an incident cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		c.Seq = rec.Seq
		in := touched[c.Incident]
		if in == nil {
			var err error
			if in, err = load(ctx, tx, c.Incident); err != nil {
				return err
			}
			touched[c.Incident] = in
			order = append(order, c.Incident)
		}
		if c.Version <= in.Version {
			continue
		}
		if err := in.Apply(&c); err != nil {
			p.logger.Error("a change of an incident is left out", "position", rec.Seq, "err", err)
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO incident_changes (incident, version, seq, time, body)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (incident, version) DO NOTHING`,
			store.Text(string(c.Incident)), c.Version, int64(rec.Seq), store.Micros(c.Time), store.Text(string(rec.Data)))
		if err != nil {
			return fmt.Errorf("storing change %d of incident %s: %w", c.Version, c.Incident, err)
		}
	}
	for _, id := range order {
		if err := put(ctx, tx, touched[id]); err != nil {
			return err
		}
	}
	return nil
}

func load(ctx context.Context, tx *sql.Tx, id event.ID) (*Incident, error) {
	var body string
	err := tx.QueryRowContext(ctx, `SELECT body FROM incidents WHERE id = $1`, store.Text(string(id))).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return &Incident{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading incident %s: %w", id, err)
	}
	var in Incident
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		return nil, fmt.Errorf("reading incident %s: %w", id, err)
	}
	return &in, nil
}

func put(ctx context.Context, tx *sql.Tx, in *Incident) error {
	if in.ID == "" {
		return nil // nothing could be applied
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding incident %s: %w", in.ID, err)
	}
	premises := ""
	if in.Premises != nil {
		premises = in.Premises.ID
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO incidents
			(id, number, state, grade, kind, priority, opened, updated, premises, version, seq, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, grade = excluded.grade, kind = excluded.kind,
			priority = excluded.priority, updated = excluded.updated, version = excluded.version,
			seq = excluded.seq, body = excluded.body`,
		store.Text(string(in.ID)), in.Number, string(in.State), store.Text(string(in.Grade)), store.Text(in.Kind), in.Priority, store.Micros(in.Opened),
		store.Micros(in.Updated), store.Text(premises), in.Version, int64(in.Seq), string(body))
	if err != nil {
		return fmt.Errorf("storing incident %s: %w", in.ID, err)
	}
	return nil
}
