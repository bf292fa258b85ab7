package sense

import (
	"context"
	"database/sql"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Expire deletes the rows of entries that were received before a time, and
// returns how many. Entries have one retention class, event.RetainMonth.
func (*QuarantineEntries) Expire(ctx context.Context, tx *sql.Tx, class event.Retention, before time.Time) (int64, error) {
	if class != event.RetainMonth {
		return 0, nil
	}
	return deleteRows(ctx, tx, []string{`DELETE FROM quarantine WHERE received < $1`}, store.Micros(before))
}

// Erase deletes the rows of entries at log positions, and returns how many.
func (*QuarantineEntries) Erase(ctx context.Context, tx *sql.Tx, _, _ string, spans []bus.Span) (all int64, err error) {
	for _, sp := range spans {
		n, err := deleteRows(ctx, tx, []string{`DELETE FROM quarantine WHERE seq BETWEEN $1 AND $2`}, int64(sp.From), int64(sp.To))
		if err != nil {
			return all, err
		}
		all += n
	}
	return all, nil
}

// Expire deletes nothing: a row sums a device up, and goes when the device is
// erased.
func (*Devices) Expire(context.Context, *sql.Tx, event.Retention, time.Time) (int64, error) {
	return 0, nil
}

// Erase deletes the rows of a device and of what lies behind it ("hub/child"), or
// of the devices of premises, and returns how many.
func (d *Devices) Erase(ctx context.Context, tx *sql.Tx, device, premises string, _ []bus.Span) (int64, error) {
	return eraseWhose(ctx, tx, d.EraseDevice, d.Tables(), device, premises)
}

// Erase deletes what is shown of a device, or of the devices of premises, and
// returns how many rows that were.
func (t *Twins) Erase(ctx context.Context, tx *sql.Tx, device, premises string, _ []bus.Span) (int64, error) {
	return eraseWhose(ctx, tx, t.EraseDevice, t.Tables(), device, premises)
}

// eraseWhose deletes the rows of a device, or those of premises.
func eraseWhose(ctx context.Context, tx *sql.Tx, eraseDevice func(context.Context, *sql.Tx, string) (int64, error), tables []string, device, premises string) (int64, error) {
	if device != "" {
		return eraseDevice(ctx, tx, device)
	}
	if premises == "" {
		return 0, nil
	}
	var queries []string
	for _, table := range tables {
		queries = append(queries, `DELETE FROM `+table+` WHERE premises = $1`)
	}
	return deleteRows(ctx, tx, queries, store.Text(premises))
}
