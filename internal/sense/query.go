package sense

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// DeviceState says whether a device keeps its promise to report.
type DeviceState string

// Device states. Unknown differs from silent: such a device was never heard.
const (
	Heard   DeviceState = "heard"
	Silent  DeviceState = "silent"
	Unknown DeviceState = "unknown"
)

// Device is a row of the source health page.
type Device struct {
	Source       string      `json:"source"`
	Device       string      `json:"device"`
	Premises     string      `json:"premises,omitempty"`
	Name         string      `json:"name,omitempty"`
	State        DeviceState `json:"state"`
	Class        string      `json:"class,omitempty"`
	FirstHeard   time.Time   `json:"first_heard,omitzero"`
	LastHeard    time.Time   `json:"last_heard,omitzero"`
	LastKind     string      `json:"last_kind"`
	Observations int64       `json:"observations"`
}

// SourceHealth sums up the devices of one source.
type SourceHealth struct {
	Source       string    `json:"source"`
	Devices      int       `json:"devices"`
	Silent       int       `json:"silent"`
	Unknown      int       `json:"unknown"`
	Observations int64     `json:"observations"`
	LastHeard    time.Time `json:"last_heard,omitzero"`
}

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

// ErrNotFound: the read model has no such entry.
var ErrNotFound = errors.New("not found")

// Queries reads the read models of devices and of the quarantine.
type Queries struct {
	db  *store.DB
	log *bus.Log
}

// NewQueries returns the queries of a database and the log that it shows.
func NewQueries(db *store.DB, log *bus.Log) *Queries { return &Queries{db: db, log: log} }

// Sources sums up every source.
func (q *Queries) Sources(ctx context.Context) ([]SourceHealth, error) {
	return list(ctx, q.db, "sources", func(r *sql.Rows, s *SourceHealth) error {
		var last int64
		err := r.Scan(&s.Source, &s.Devices, &s.Silent, &s.Unknown, &s.Observations, &last)
		s.LastHeard = store.Time(last)
		return err
	}, `SELECT source, COUNT(*), SUM(CASE WHEN state = 'silent' THEN 1 ELSE 0 END),
			SUM(CASE WHEN state = 'unknown' THEN 1 ELSE 0 END), CAST(SUM(observations) AS BIGINT), MAX(last_heard)
		FROM devices GROUP BY source ORDER BY source`)
}

// Devices returns the devices of a source, those that need attention first.
func (q *Queries) Devices(ctx context.Context, source string, limit int) ([]Device, error) {
	return list(ctx, q.db, "devices", scanDevice, deviceColumns+` WHERE source = $1
		ORDER BY CASE state WHEN 'silent' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END, last_heard DESC, device LIMIT $2`, source, limit)
}

// DevicesAt returns the devices of the given premises.
func (q *Queries) DevicesAt(ctx context.Context, premises string) ([]Device, error) {
	return list(ctx, q.db, "devices", scanDevice, deviceColumns+` WHERE premises = $1 ORDER BY source, device LIMIT 1000`, premises)
}

const deviceColumns = `SELECT source, device, premises, name, state, class, first_heard, last_heard, last_kind, observations FROM devices`

func scanDevice(r *sql.Rows, d *Device) error {
	var first, last int64
	err := r.Scan(&d.Source, &d.Device, &d.Premises, &d.Name, &d.State, &d.Class, &first, &last, &d.LastKind, &d.Observations)
	d.FirstHeard, d.LastHeard = store.Time(first), store.Time(last)
	return err
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

// Observation returns one observation from the log.
//
// Errors: bus.ErrNotFound.
func (q *Queries) Observation(ctx context.Context, seq uint64) (event.Observation, error) {
	rec, err := q.log.Get(ctx, bus.Observations, seq)
	if err != nil {
		return event.Observation{}, err
	}
	var o event.Observation
	if err := json.Unmarshal(rec.Data, &o); err != nil {
		return event.Observation{}, fmt.Errorf("reading the observation at %d: %w", seq, err)
	}
	o.Seq = seq
	return o, nil
}

func list[T any](ctx context.Context, db *store.DB, what string, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, fmt.Errorf("reading %s: %w", what, err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}
