package sense

import (
	"context"
	"database/sql"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Properties that are not of a Reading, as timelines show them.
const (
	PropertyAlarm     event.Property = "alarm"     // Channel is the zone, State "category state"
	PropertyCount     event.Property = "count"     // Channel is what was counted, and the lane
	PropertyDetection event.Property = "detection" // Channel is the camera, State what it saw
	PropertyGunshot   event.Property = "gunshot"   // State is how many rounds
	PropertyDevice    event.Property = "device"    // State is silent, returned, gone, present
)

// Slots of readings; see Twins.
const (
	measureSlot   = time.Minute
	conditionSlot = time.Second
)

type valueKey struct {
	deviceKey
	property event.Property
	channel  string
}

type readingKey struct {
	valueKey
	slot  int64
	state string
}

// slot is the second at which a value's slot of the timeline begins.
func (v *Value) slot() int64 {
	every := conditionSlot
	if v.Value != nil && v.State == "" {
		every = measureSlot
	}
	return v.Time.Truncate(every).Unix()
}

// valueOf returns what an observation adds to a timeline, when it does.
func valueOf(o *sensed) (Value, bool) {
	v := Value{
		Source: o.Source, Device: o.Device, enrolled: o.Enrolled, premises: o.Premises,
		Time: o.Time, Received: o.Received, Retain: o.Retain, Seq: o.seq,
	}
	switch {
	case o.Reading != nil:
		r := o.Reading
		v.Property, v.Channel, v.Name, v.State, v.Active, v.Value, v.Unit = r.Property, r.Channel, r.Name, r.State, r.Active, r.Value, r.Unit
	case o.Alarm != nil:
		v.alarm(o.Alarm)
	case o.Count != nil:
		n := float64(o.Count.In + o.Count.Out)
		if o.Count.Inside != nil {
			n = float64(*o.Count.Inside)
		}
		v.Property, v.Channel, v.Value, v.Unit = PropertyCount, strings.TrimSpace(o.Count.Of+" "+o.Count.Lane), &n, "1"
	case o.Detection != nil:
		if o.Detection.Phase == event.PhaseUpdate {
			return v, false
		}
		there := o.Detection.Phase == event.PhaseNew
		v.Property, v.Channel, v.State, v.Active = PropertyDetection, o.Detection.Camera, o.Detection.Label, &there
	case o.Gunshot != nil:
		v.Property, v.State, v.Active = PropertyGunshot, o.Gunshot.Rounds, yes(true)
	case o.Kind == event.KindSilent, o.Kind == event.KindReturned, o.Kind == event.KindGone, o.Kind == event.KindPresent:
		v.Property, v.State = PropertyDevice, strings.TrimPrefix(string(o.Kind), "device.")
		v.Active = yes(o.Kind == event.KindSilent || o.Kind == event.KindGone)
	default:
		return v, false
	}
	v.Property = event.Property(words(string(v.Property)))
	v.Channel, v.Name, v.State, v.Unit = words(v.Channel), words(v.Name), words(v.State), words(v.Unit)
	return v, true
}

// alarm takes an alarm panel's signal.
func (v *Value) alarm(a *event.Alarm) {
	v.Property, v.Channel, v.Name = PropertyAlarm, a.Zone, a.ZoneName
	v.State = string(a.Category) + " " + string(a.State)
	switch a.Category {
	case event.Test, event.OpenClose, event.Bypass, event.Comms, event.Power, event.Fault:
		v.Active = yes(false)
	default:
		v.Active = yes(a.State == event.AlarmNew)
	}
}

func yes(b bool) *bool { return &b }

func putValues(ctx context.Context, tx *sql.Tx, values map[valueKey]*Value) error {
	st, err := prepare(ctx, tx, len(values), `INSERT INTO twin_values
			(source, device, property, channel, enrolled, premises, name, state, active, value, unit, time, received, retain, seq)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (source, device, property, channel) DO UPDATE SET enrolled = excluded.enrolled, premises = excluded.premises,
			name = CASE WHEN excluded.name = '' THEN twin_values.name ELSE excluded.name END,
			state = excluded.state, active = excluded.active, value = excluded.value, unit = excluded.unit,
			time = excluded.time, received = excluded.received, retain = excluded.retain, seq = excluded.seq
		WHERE excluded.time >= twin_values.time`)
	if st == nil {
		return err
	}
	defer func() { _ = st.Close() }()
	list := make([]*Value, 0, len(values))
	for _, v := range values {
		list = append(list, v)
	}
	for _, v := range inOrder(list) {
		_, err := st.ExecContext(ctx, store.Text(v.Source), store.Text(v.Device), string(v.Property), v.Channel, store.Text(v.enrolled),
			store.Text(v.premises), v.Name, v.State, bit(v.Active), v.Value, v.Unit, store.Micros(v.Time), store.Micros(v.Received), string(v.Retain), int64(v.Seq))
		if err != nil {
			return fmt.Errorf("storing the last %s of %s %s: %w", v.Property, v.Source, v.Device, err)
		}
	}
	return nil
}

func putReadings(ctx context.Context, tx *sql.Tx, readings map[readingKey]*Value) error {
	st, err := prepare(ctx, tx, len(readings), `INSERT INTO readings
			(source, device, property, channel, slot, state, enrolled, premises, name, active, value, unit, time, received, retain, seq)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (source, device, property, channel, slot, state) DO UPDATE SET enrolled = excluded.enrolled, premises = excluded.premises,
			name = excluded.name, active = excluded.active, value = excluded.value, unit = excluded.unit,
			time = excluded.time, received = excluded.received, retain = excluded.retain, seq = excluded.seq
		WHERE excluded.time >= readings.time`)
	if st == nil {
		return err
	}
	defer func() { _ = st.Close() }()
	list := make([]*Value, 0, len(readings))
	for _, v := range readings {
		list = append(list, v)
	}
	for _, v := range inOrder(list) {
		_, err := st.ExecContext(ctx, store.Text(v.Source), store.Text(v.Device), string(v.Property), v.Channel, v.slot(), v.State, store.Text(v.enrolled),
			store.Text(v.premises), v.Name, bit(v.Active), v.Value, v.Unit, store.Micros(v.Time), store.Micros(v.Received), string(v.Retain), int64(v.Seq))
		if err != nil {
			return fmt.Errorf("storing a reading of %s %s: %w", v.Source, v.Device, err)
		}
	}
	return nil
}

// inOrder puts values in the order in which every process writes them.
func inOrder(list []*Value) []*Value {
	sort.Slice(list, func(i, j int) bool { return list[i].Seq < list[j].Seq })
	return list
}

// Expire deletes what was kept for a class of retention and was received before a
// time, and returns how many rows went.
func (*Twins) Expire(ctx context.Context, tx *sql.Tx, class event.Retention, before time.Time) (int64, error) {
	return deleteRows(ctx, tx, []string{
		`DELETE FROM readings WHERE retain = $1 AND received < $2`,
		`DELETE FROM twin_values WHERE retain = $1 AND received < $2`,
		// What is known from recordings only was never heard.
		`DELETE FROM twins WHERE retain = $1 AND last_heard < $2 AND (last_heard > 0 OR NOT EXISTS (
			SELECT 1 FROM twin_values WHERE twin_values.source = twins.source AND twin_values.device = twins.device))`,
	}, string(class), store.Micros(before))
}

// EraseDevice deletes all that is shown of a device: an entry of the registry
// with the sensors behind it that have none, or a source's name for a device.
func (*Twins) EraseDevice(ctx context.Context, tx *sql.Tx, device string) (int64, error) {
	return deleteRows(ctx, tx, []string{
		`DELETE FROM readings WHERE enrolled = $1 OR ` + isOrBehind,
		`DELETE FROM twin_values WHERE enrolled = $1 OR ` + isOrBehind,
		`DELETE FROM twins WHERE enrolled = $1 OR ` + isOrBehind,
	}, store.Text(device))
}

// isOrBehind selects a device's rows and those of "device/child".
const isOrBehind = `device = $1 OR substr(device, 1, length(CAST($1 AS TEXT)) + 1) = CAST($1 AS TEXT) || '/'`

// EraseDevice deletes what is shown of a device and of those behind it.
func (*Devices) EraseDevice(ctx context.Context, tx *sql.Tx, device string) (int64, error) {
	return deleteRows(ctx, tx, []string{`DELETE FROM devices WHERE ` + isOrBehind}, store.Text(device))
}

func deleteRows(ctx context.Context, tx *sql.Tx, queries []string, args ...any) (n int64, err error) {
	for _, q := range queries {
		res, err := tx.ExecContext(ctx, q, args...)
		if err != nil {
			return n, fmt.Errorf("deleting what is shown of devices: %w", err)
		}
		some, err := res.RowsAffected()
		if err != nil {
			return n, err
		}
		n += some
	}
	return n, nil
}
