package sense

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"sort"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Devices is the read model of devices: who was heard, when, and who is silent.
type Devices struct{ logger *slog.Logger }

var _ store.Projection = (*Devices)(nil)

// NewDevices returns the read model of devices.
func NewDevices(logger *slog.Logger) *Devices { return &Devices{logger: logger} }

// Name implements store.Projection.
func (*Devices) Name() string { return "devices" }

// Stream implements store.Projection.
func (*Devices) Stream() bus.Stream { return bus.Observations }

// Tables implements store.Projection.
func (*Devices) Tables() []string { return []string{"devices"} }

// deviceKey names a device.
type deviceKey struct{ source, device string }

// Apply implements store.Projection. It sums up the records first, so that a
// busy device costs one row, not one a signal.
func (d *Devices) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	sums := map[deviceKey]*Device{}
	for _, rec := range records {
		var o struct {
			heardOf
			Premises     string `json:"premises"`
			PremisesName string `json:"premises_name"`
			Supervision  *struct {
				Class string `json:"class"`
			} `json:"supervision"`
		}
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			d.logger.Error("an observation cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		state, said := stateOf(o.Kind)
		if !said {
			continue
		}
		k := deviceKey{o.Source, o.Device}
		s := sums[k]
		if s == nil {
			s = &Device{Source: o.Source, Device: o.Device}
			sums[k] = s
		}
		s.Premises, s.Name, s.LastKind = o.Premises, o.PremisesName, string(o.Kind)
		if o.Supervision != nil {
			s.Class = o.Supervision.Class
		}
		if o.Recorded {
			s.Observations++
			continue
		}
		if s.State = state; heardBy(o.Kind) {
			s.LastHeard = o.Received
			s.Observations++
			if s.FirstHeard.IsZero() {
				s.FirstHeard = o.Received
			}
		}
	}
	return upsert(ctx, tx, sums)
}

func upsert(ctx context.Context, tx *sql.Tx, sums map[deviceKey]*Device) error {
	if len(sums) == 0 {
		return nil
	}
	st, err := tx.PrepareContext(ctx, `INSERT INTO devices
			(source, device, premises, name, state, class, first_heard, last_heard, last_kind, observations)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (source, device) DO UPDATE SET premises = excluded.premises, name = excluded.name,
			state = CASE WHEN excluded.state = '' THEN devices.state ELSE excluded.state END,
			class = CASE WHEN excluded.class = '' THEN devices.class ELSE excluded.class END,
			first_heard = CASE WHEN devices.first_heard = 0 THEN excluded.first_heard ELSE devices.first_heard END,
			last_heard = CASE WHEN excluded.last_heard = 0 THEN devices.last_heard ELSE excluded.last_heard END,
			last_kind = CASE WHEN excluded.state = '' THEN devices.last_kind ELSE excluded.last_kind END,
			observations = devices.observations + excluded.observations`)
	if err != nil {
		return fmt.Errorf("preparing to store devices: %w", err)
	}
	defer func() { _ = st.Close() }()
	keys := make([]deviceKey, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	// In one order, so that two processes cannot wait for each other's rows.
	sort.Slice(keys, func(i, j int) bool {
		return keys[i].source < keys[j].source || keys[i].source == keys[j].source && keys[i].device < keys[j].device
	})
	for _, k := range keys {
		s := sums[k]
		_, err := st.ExecContext(ctx, store.Text(s.Source), store.Text(s.Device), store.Text(s.Premises), store.Text(s.Name), string(s.State),
			store.Text(s.Class), store.Micros(s.FirstHeard), store.Micros(s.LastHeard), store.Text(s.LastKind), s.Observations)
		if err != nil {
			return fmt.Errorf("storing device %s %s: %w", s.Source, s.Device, err)
		}
	}
	return nil
}
