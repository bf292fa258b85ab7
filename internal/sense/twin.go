package sense

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// ClockState is what is known of a device's clock.
type ClockState string

// States of clocks.
const (
	ClockUnsaid ClockState = ""      // it says no times
	ClockRight  ClockState = "right" // within ClockTolerance
	ClockWrong  ClockState = "wrong" // its times are corrected
	ClockNone   ClockState = "none"  // off by more than ClockLost: its times are not used
)

// Twin is what one name of a source was last heard to be like.
type Twin struct {
	Source       string         `json:"source"`
	Device       string         `json:"device"`
	Enrolled     string         `json:"enrolled,omitempty"` // the registry's id
	Via          string         `json:"via,omitempty"`
	Premises     string         `json:"premises,omitempty"`
	Name         string         `json:"premises_name,omitempty"`
	State        DeviceState    `json:"state"`
	StateAt      time.Time      `json:"state_at,omitzero"`
	FirstHeard   time.Time      `json:"first_heard,omitzero"`
	LastHeard    time.Time      `json:"last_heard,omitzero"`
	LastKind     string         `json:"last_kind,omitempty"`
	Observations int64          `json:"observations"`
	Missed       int64          `json:"missed_frames,omitempty"`
	Misuse       int64          `json:"misuse,omitempty"`
	MisuseAt     time.Time      `json:"misuse_at,omitzero"`
	MisuseWords  string         `json:"misuse_words,omitempty"`
	Clock        ClockState     `json:"clock,omitempty"`
	ClockError   float64        `json:"clock_error_s,omitempty"` // ahead; behind: negative
	HealthAt     time.Time      `json:"health_at,omitzero"`
	Battery      *float64       `json:"battery_pct,omitempty"`
	LowBattery   *bool          `json:"low_battery,omitempty"`
	Voltage      *float64       `json:"voltage_v,omitempty"`
	Link         *float64       `json:"link_quality_pct,omitempty"`
	RSSI         *float64       `json:"rssi_dbm,omitempty"`
	Uptime       *time.Duration `json:"uptime_ns,omitempty"`
	Firmware     string         `json:"firmware,omitempty"`
	Problem      string         `json:"problem,omitempty"`

	retain event.Retention
}

// Value is what a device sensed at a time: a condition in State, or a
// measurement in Value.
type Value struct {
	Source   string          `json:"source"`
	Device   string          `json:"device"`
	Property event.Property  `json:"property"`
	Channel  string          `json:"channel,omitempty"`
	Name     string          `json:"name,omitempty"`
	State    string          `json:"state,omitempty"`
	Active   *bool           `json:"active,omitempty"`
	Value    *float64        `json:"value,omitempty"`
	Unit     string          `json:"unit,omitempty"`
	Time     time.Time       `json:"time"`
	Received time.Time       `json:"received"`
	Retain   event.Retention `json:"retain,omitempty"`
	Seq      uint64          `json:"seq"` // log position of the observation

	enrolled, premises string
}

// LowBatteryPct is the battery level below which a device needs attention.
const LowBatteryPct = 20.0

// WeakBattery reports whether a device's battery needs attention.
func (t *Twin) WeakBattery() bool {
	return t.LowBattery != nil && *t.LowBattery || t.Battery != nil && *t.Battery < LowBatteryPct
}

// Vitals sum up the twins of one entry of the registry: itself, under all its
// names, and the sensors behind it that have no entry of their own.
type Vitals struct {
	State        DeviceState `json:"state,omitempty"` // empty: nothing was heard or said of it yet
	LastHeard    time.Time   `json:"last_heard,omitzero"`
	Observations int64       `json:"observations"`
	Names        int         `json:"names"`        // how many twins
	Lost         int         `json:"lost"`         // of them, how many behind it are gone
	WeakBattery  int         `json:"weak_battery"` // how many have a weak battery
	ClockWrong   int         `json:"clock_wrong"`
	Misuse       int64       `json:"misuse"`
	Problems     int         `json:"problems"`
}

const twinColumns = `SELECT source, device, enrolled, via, premises, name, state, state_at, first_heard, last_heard, last_kind, retain,
	observations, missed, misuse, misuse_at, misuse_words, clock, clock_error, health_at, battery, low_battery, voltage, link, rssi, uptime,
	firmware, problem FROM twins`

// maxTwins bounds the twins of one device that are read at once.
const maxTwins = 500

// Twins returns the twins of an entry of the registry: its own first, then by name.
func (q *Queries) Twins(ctx context.Context, enrolled string) ([]Twin, error) {
	out, err := list(ctx, q.db, "a device's twins", scanTwin, twinColumns+` WHERE enrolled = $1 ORDER BY device, source LIMIT $2`, enrolled, maxTwins)
	slices.SortStableFunc(out, func(a, b Twin) int {
		return cmp.Compare(behind(a.Device, enrolled), behind(b.Device, enrolled))
	})
	return out, err
}

func behind(device, enrolled string) int {
	if device == enrolled {
		return 0
	}
	return 1
}

func scanTwin(r *sql.Rows, t *Twin) error {
	var stateAt, first, last, misuseAt, healthAt int64
	var low, uptime *int64
	err := r.Scan(&t.Source, &t.Device, &t.Enrolled, &t.Via, &t.Premises, &t.Name, &t.State, &stateAt, &first, &last, &t.LastKind, &t.retain,
		&t.Observations, &t.Missed, &t.Misuse, &misuseAt, &t.MisuseWords, &t.Clock, &t.ClockError, &healthAt, &t.Battery, &low, &t.Voltage, &t.Link,
		&t.RSSI, &uptime, &t.Firmware, &t.Problem)
	t.StateAt, t.FirstHeard, t.LastHeard = store.Time(stateAt), store.Time(first), store.Time(last)
	t.MisuseAt, t.HealthAt = store.Time(misuseAt), store.Time(healthAt)
	if low != nil {
		t.LowBattery = yes(*low != 0)
	}
	if uptime != nil {
		d := time.Duration(*uptime) * time.Microsecond
		t.Uptime = &d
	}
	return err
}

// Vitals sums up the twins of every entry of the registry that has any.
func (q *Queries) Vitals(ctx context.Context) (map[string]Vitals, error) {
	return q.vitals(ctx, `enrolled <> ''`)
}

// VitalsOf sums up the twins of one entry of the registry.
func (q *Queries) VitalsOf(ctx context.Context, enrolled string) (Vitals, error) {
	all, err := q.vitals(ctx, `enrolled = $1`, enrolled)
	return all[enrolled], err
}

func (q *Queries) vitals(ctx context.Context, which string, args ...any) (map[string]Vitals, error) {
	type row struct {
		id string
		Vitals
	}
	args = append(args, LowBatteryPct)
	low := map[bool]string{true: "$2", false: "$1"}[len(args) == 2]
	rows, err := list(ctx, q.db, "the devices' state", func(r *sql.Rows, v *row) error {
		var own string
		var last, ownAt int64
		err := r.Scan(&v.id, &own, &ownAt, &last, &v.Observations, &v.Names, &v.Lost, &v.WeakBattery, &v.ClockWrong, &v.Misuse, &v.Problems)
		v.LastHeard = store.Time(last)
		switch v.State = DeviceState(own); {
		case last > ownAt && last > 0, own == "" && last > 0:
			v.State = Heard // something behind it was, since
		}
		return err
	}, `SELECT enrolled,
			MAX(CASE WHEN device = enrolled THEN state ELSE '' END), MAX(CASE WHEN device = enrolled THEN state_at ELSE 0 END),
			MAX(last_heard), CAST(SUM(observations) AS BIGINT), COUNT(*),
			SUM(CASE WHEN device <> enrolled AND state IN ('gone', 'silent', 'unknown') THEN 1 ELSE 0 END),
			SUM(CASE WHEN low_battery = 1 OR battery < `+low+` THEN 1 ELSE 0 END),
			SUM(CASE WHEN clock IN ('wrong', 'none') THEN 1 ELSE 0 END), CAST(SUM(misuse) AS BIGINT),
			SUM(CASE WHEN problem <> '' THEN 1 ELSE 0 END)
		FROM twins WHERE `+which+` GROUP BY enrolled`, args...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Vitals, len(rows))
	for _, r := range rows {
		out[r.id] = r.Vitals
	}
	return out, nil
}

const valueColumns = `SELECT source, device, property, channel, name, state, active, value, unit, time, received, retain, seq FROM `

func scanValue(r *sql.Rows, v *Value) error {
	var active *int64
	var at, received, seq int64
	err := r.Scan(&v.Source, &v.Device, &v.Property, &v.Channel, &v.Name, &v.State, &active, &v.Value, &v.Unit, &at, &received, &v.Retain, &seq)
	v.Time, v.Received, v.Seq = store.Time(at), store.Time(received), uint64(seq)
	if active != nil {
		v.Active = yes(*active != 0)
	}
	return err
}

// Values returns the last value of all that an entry of the registry senses.
func (q *Queries) Values(ctx context.Context, enrolled string) ([]Value, error) {
	return list(ctx, q.db, "a device's values", scanValue, valueColumns+`twin_values
		WHERE enrolled = $1 ORDER BY device, property, channel, source LIMIT $2`, enrolled, 4*maxTwins)
}

// Readings returns the newest readings of an entry of the registry.
func (q *Queries) Readings(ctx context.Context, enrolled string, limit int) ([]Value, error) {
	return list(ctx, q.db, "a device's readings", scanValue, valueColumns+`readings
		WHERE enrolled = $1 ORDER BY time DESC, seq DESC LIMIT $2`, enrolled, limit)
}

// maxDay bounds the readings of one timeline.
const maxDay = 20_000

// Timeline returns what was sensed at premises in a span of time, in order, and
// of each sensor the last condition before the span. More than fits is cut off
// at the end, and full says so.
func (q *Queries) Timeline(ctx context.Context, premises string, from, to time.Time) (before, during []Value, full bool, err error) {
	during, err = list(ctx, q.db, "a timeline", scanValue, valueColumns+`readings
		WHERE premises = $1 AND time >= $2 AND time < $3 ORDER BY time, seq LIMIT $4`, premises, store.Micros(from), store.Micros(to), maxDay+1)
	if err != nil {
		return nil, nil, false, err
	}
	if full = len(during) > maxDay; full {
		during = during[:maxDay]
	}
	sensors, err := list(ctx, q.db, "a timeline's sensors", scanValue, valueColumns+`twin_values
		WHERE premises = $1 AND state <> '' ORDER BY device, property, channel LIMIT $2`, premises, maxTwins)
	if err != nil {
		return nil, nil, false, err
	}
	for _, s := range sensors {
		last, err := list(ctx, q.db, "a timeline's beginning", scanValue, valueColumns+`readings
			WHERE source = $1 AND device = $2 AND property = $3 AND channel = $4 AND premises = $5 AND slot <= $6 AND time < $7
			ORDER BY slot DESC, time DESC LIMIT 1`, s.Source, s.Device, string(s.Property), s.Channel, premises, from.Unix(), store.Micros(from))
		if err != nil {
			return nil, nil, false, err
		}
		before = append(before, last...)
	}
	return before, during, full, nil
}

// Days returns the first and the last time at which something was sensed at
// premises; zero times when nothing was.
func (q *Queries) Days(ctx context.Context, premises string) (first, last time.Time, err error) {
	var a, b sql.NullInt64
	err = q.db.Read().QueryRowContext(ctx, `SELECT MIN(time), MAX(time) FROM readings WHERE premises = $1`, premises).Scan(&a, &b)
	return store.Time(a.Int64), store.Time(b.Int64), err
}
