package sense

import (
	"context"
	"database/sql"
	"fmt"
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
	n, err := deleted(tx.ExecContext(ctx, `DELETE FROM quarantine WHERE received < $1`, store.Micros(before)))
	if err != nil {
		return 0, fmt.Errorf("deleting expired quarantine entries: %w", err)
	}
	return n, nil
}

// Erase deletes the rows of entries at log positions, and returns how many.
func (*QuarantineEntries) Erase(ctx context.Context, tx *sql.Tx, _, _ string, spans []bus.Span) (int64, error) {
	var all int64
	for _, sp := range spans {
		n, err := deleted(tx.ExecContext(ctx, `DELETE FROM quarantine WHERE seq BETWEEN $1 AND $2`, int64(sp.From), int64(sp.To)))
		if err != nil {
			return all, fmt.Errorf("deleting erased quarantine entries: %w", err)
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
func (*Devices) Erase(ctx context.Context, tx *sql.Tx, device, premises string, _ []bus.Span) (int64, error) {
	if device == "" && premises == "" {
		return 0, nil
	}
	n, err := deleted(tx.ExecContext(ctx, `DELETE FROM devices WHERE
		($1 <> '' AND (device = $1 OR substr(device, 1, $2) = $3)) OR ($4 <> '' AND premises = $4)`,
		store.Text(device), len([]rune(device))+1, store.Text(device)+"/", store.Text(premises)))
	if err != nil {
		return 0, fmt.Errorf("deleting the rows of an erased device: %w", err)
	}
	return n, nil
}

func deleted(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
