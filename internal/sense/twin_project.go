package sense

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Twins is the read model of what each device last said, how it is, and what was
// sensed over time.
type Twins struct{ logger *slog.Logger }

var _ store.Projection = (*Twins)(nil)

// NewTwins returns the read model of the devices' twins.
func NewTwins(logger *slog.Logger) *Twins { return &Twins{logger: logger} }

// Name implements store.Projection.
func (*Twins) Name() string { return "twins" }

// Stream implements store.Projection.
func (*Twins) Stream() bus.Stream { return bus.Observations }

// Tables implements store.Projection.
func (*Twins) Tables() []string { return []string{"twins", "twin_values", "readings"} }

// sensed is what the twins read of an observation.
type sensed struct {
	Kind       event.Kind       `json:"kind"`
	Source     string           `json:"source"`
	Device     string           `json:"device"`
	Via        string           `json:"via"`
	Enrolled   string           `json:"enrolled"`
	Time       time.Time        `json:"time"`
	DeviceTime *time.Time       `json:"device_time"`
	Received   time.Time        `json:"received"`
	ClockError float64          `json:"clock_error_s"`
	Premises   string           `json:"premises"`
	Name       string           `json:"premises_name"`
	Retain     event.Retention  `json:"retain"`
	Alarm      *event.Alarm     `json:"alarm"`
	Reading    *event.Reading   `json:"reading"`
	Count      *event.Count     `json:"count"`
	Detection  *event.Detection `json:"detection"`
	Gunshot    *event.Gunshot   `json:"gunshot"`
	Radio      *event.Radio     `json:"radio"`
	Health     *event.Health    `json:"health"`
	Misuse     *event.Misuse    `json:"misuse"`
	Edge       *event.Edge      `json:"edge"`
	Recorded   bool             `json:"recorded"`

	seq uint64
}

// Apply implements store.Projection. It sums up the records first, so that a
// busy device costs one row, not one a signal.
func (p *Twins) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	twins := map[deviceKey]*Twin{}
	values, readings := map[valueKey]*Value{}, map[readingKey]*Value{}
	for _, rec := range records {
		var o sensed
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			p.logger.Error("an observation cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		if o.Kind == event.KindClockTick || o.Device == "" {
			continue
		}
		o.seq = rec.Seq
		k := deviceKey{o.Source, o.Device}
		if twins[k] == nil {
			twins[k] = &Twin{Source: o.Source, Device: o.Device}
		}
		twins[k].hear(&o)
		v, ok := valueOf(&o)
		if !ok {
			continue
		}
		vk := valueKey{k, v.Property, v.Channel}
		if old := values[vk]; old == nil || !v.Time.Before(old.Time) {
			values[vk] = &v
		}
		rk := readingKey{vk, v.slot(), v.State}
		if old := readings[rk]; old == nil || !v.Time.Before(old.Time) {
			readings[rk] = &v
		}
	}
	if err := putTwins(ctx, tx, twins); err != nil {
		return err
	}
	if err := putValues(ctx, tx, values); err != nil {
		return err
	}
	return putReadings(ctx, tx, readings)
}

// hear takes what an observation says of its device.
func (t *Twin) hear(o *sensed) {
	t.Via, t.Enrolled, t.Premises, t.Name = o.Via, o.Enrolled, o.Premises, o.Name
	if state, said := stateOf(o.Kind); said && !o.Recorded {
		t.State, t.StateAt = state, o.Received
	}
	if o.Misuse != nil {
		t.Misuse++
		t.MisuseAt, t.MisuseWords = o.Received, o.Misuse.What+": "+o.Misuse.Detail
	}
	if !heardBy(o.Kind) {
		return
	}
	t.Observations++
	if o.Recorded {
		if t.LastHeard.IsZero() {
			t.retain = o.Retain
		}
		return
	}
	t.LastHeard, t.LastKind, t.retain = o.Received, string(o.Kind), o.Retain
	if t.FirstHeard.IsZero() {
		t.FirstHeard = o.Received
	}
	if o.DeviceTime != nil {
		t.Clock, t.ClockError = ClockRight, o.ClockError
		if o.ClockError != 0 {
			t.Clock = ClockWrong
		}
		if o.Edge == nil && o.DeviceTime.Sub(o.Received).Abs() > ClockLost {
			t.Clock = ClockNone
		}
	}
	if o.Radio != nil {
		t.Missed += int64(o.Radio.Missed)
		if o.Radio.RSSI != 0 {
			t.RSSI = &o.Radio.RSSI
		}
	}
	if o.Health != nil {
		t.well(o.Health, o.Received)
	}
}

// well takes a health report.
func (t *Twin) well(h *event.Health, at time.Time) {
	keep := func(is **float64, now *float64) {
		if now != nil {
			*is = now
		}
	}
	keep(&t.Battery, h.Battery)
	keep(&t.Voltage, h.Voltage)
	keep(&t.Link, h.LinkQuality)
	keep(&t.RSSI, h.RSSI)
	if h.LowBattery != nil {
		t.LowBattery = h.LowBattery
	}
	if h.Uptime != nil {
		t.Uptime = h.Uptime
	}
	if h.Firmware != "" {
		t.Firmware = h.Firmware
	}
	t.HealthAt, t.Problem = at, h.Problem
}

// stateOf returns the state that an observation of a kind puts its device in,
// where it does.
func stateOf(k event.Kind) (DeviceState, bool) {
	switch k {
	case event.KindSilent:
		return Silent, true
	case event.KindUnknown:
		return Unknown, true
	case event.KindGone:
		return Gone, true
	case event.KindMisuse, event.KindClockTick:
		return "", false
	}
	return Heard, true
}

// heardBy reports whether an observation of a kind means that the device itself
// was heard: what the platform or a broker says of it does not.
func heardBy(k event.Kind) bool {
	switch k {
	case event.KindSilent, event.KindUnknown, event.KindReturned, event.KindGone, event.KindMisuse, event.KindClockTick:
		return false
	}
	return true
}

func putTwins(ctx context.Context, tx *sql.Tx, twins map[deviceKey]*Twin) error {
	st, err := prepare(ctx, tx, len(twins), `INSERT INTO twins (source, device, enrolled, via, premises, name, state, state_at,
			first_heard, last_heard, last_kind, retain, observations, missed, misuse, misuse_at, misuse_words,
			clock, clock_error, health_at, battery, low_battery, voltage, link, rssi, uptime, firmware, problem)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28)
		ON CONFLICT (source, device) DO UPDATE SET
			enrolled = excluded.enrolled, via = excluded.via, premises = excluded.premises, name = excluded.name,
			state = CASE WHEN excluded.state = '' THEN twins.state ELSE excluded.state END,
			state_at = CASE WHEN excluded.state = '' THEN twins.state_at ELSE excluded.state_at END,
			first_heard = CASE WHEN twins.first_heard = 0 THEN excluded.first_heard ELSE twins.first_heard END,
			last_heard = CASE WHEN excluded.last_heard = 0 THEN twins.last_heard ELSE excluded.last_heard END,
			last_kind = CASE WHEN excluded.last_heard = 0 THEN twins.last_kind ELSE excluded.last_kind END,
			retain = CASE WHEN excluded.last_heard = 0 THEN twins.retain ELSE excluded.retain END,
			observations = twins.observations + excluded.observations,
			missed = twins.missed + excluded.missed, misuse = twins.misuse + excluded.misuse,
			misuse_at = CASE WHEN excluded.misuse_at = 0 THEN twins.misuse_at ELSE excluded.misuse_at END,
			misuse_words = CASE WHEN excluded.misuse_at = 0 THEN twins.misuse_words ELSE excluded.misuse_words END,
			clock = CASE WHEN excluded.clock = '' THEN twins.clock ELSE excluded.clock END,
			clock_error = CASE WHEN excluded.clock = '' THEN twins.clock_error ELSE excluded.clock_error END,
			health_at = CASE WHEN excluded.health_at = 0 THEN twins.health_at ELSE excluded.health_at END,
			problem = CASE WHEN excluded.health_at = 0 THEN twins.problem ELSE excluded.problem END,
			firmware = CASE WHEN excluded.firmware = '' THEN twins.firmware ELSE excluded.firmware END,
			battery = COALESCE(excluded.battery, twins.battery), low_battery = COALESCE(excluded.low_battery, twins.low_battery),
			voltage = COALESCE(excluded.voltage, twins.voltage), link = COALESCE(excluded.link, twins.link),
			rssi = COALESCE(excluded.rssi, twins.rssi), uptime = COALESCE(excluded.uptime, twins.uptime)`)
	if st == nil {
		return err
	}
	defer func() { _ = st.Close() }()
	keys := make([]deviceKey, 0, len(twins))
	for k := range twins {
		keys = append(keys, k)
	}
	// In one order, so that two processes cannot wait for each other's rows.
	sort.Slice(keys, func(i, j int) bool { return keys[i].before(keys[j]) })
	for _, k := range keys {
		t := twins[k]
		var uptime *int64
		if t.Uptime != nil {
			us := t.Uptime.Microseconds()
			uptime = &us
		}
		_, err := st.ExecContext(ctx, store.Text(t.Source), store.Text(t.Device), store.Text(t.Enrolled), store.Text(t.Via),
			store.Text(t.Premises), store.Text(t.Name), string(t.State), store.Micros(t.StateAt), store.Micros(t.FirstHeard),
			store.Micros(t.LastHeard), store.Text(t.LastKind), string(t.retain), t.Observations, t.Missed, t.Misuse, store.Micros(t.MisuseAt),
			words(t.MisuseWords), string(t.Clock), t.ClockError, store.Micros(t.HealthAt), t.Battery, bit(t.LowBattery), t.Voltage, t.Link,
			t.RSSI, uptime, words(t.Firmware), words(t.Problem))
		if err != nil {
			return fmt.Errorf("storing the twin of %s %s: %w", t.Source, t.Device, err)
		}
	}
	return nil
}

// prepare prepares a statement that will be used n times; none for 0.
func prepare(ctx context.Context, tx *sql.Tx, n int, query string) (*sql.Stmt, error) {
	if n == 0 {
		return nil, nil //nolint:nilnil // nothing to do, and nothing wrong
	}
	st, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("preparing to store twins: %w", err)
	}
	return st, nil
}

func (k deviceKey) before(other deviceKey) bool {
	return k.source < other.source || k.source == other.source && k.device < other.device
}

// bit is how tables hold a yes or no that may be unsaid.
func bit(b *bool) *int64 {
	if b == nil {
		return nil
	}
	var n int64
	if *b {
		n = 1
	}
	return &n
}

// maxWords bounds a text that a device says of itself, in bytes.
const maxWords = 500

func words(s string) string {
	if len(s) > maxWords {
		s = s[:maxWords]
	}
	return store.Text(s)
}
