package sense

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
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
	Gone    DeviceState = "gone" // it or its hub said that it goes, or its last will did
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
	}, `SELECT source, COUNT(*), SUM(CASE WHEN state IN ('silent', 'gone') THEN 1 ELSE 0 END),
			SUM(CASE WHEN state = 'unknown' THEN 1 ELSE 0 END), CAST(SUM(observations) AS BIGINT), MAX(last_heard)
		FROM devices GROUP BY source ORDER BY source`)
}

// Devices returns the devices of a source, those that need attention first.
func (q *Queries) Devices(ctx context.Context, source string, limit int) ([]Device, error) {
	return list(ctx, q.db, "devices", scanDevice, deviceColumns+` WHERE source = $1
		ORDER BY CASE state WHEN 'silent' THEN 0 WHEN 'gone' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END, last_heard DESC, device LIMIT $2`, source, limit)
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
