package sense_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// house is a log and the twins that are made of it, on each database.
type house struct {
	t   *testing.T
	log *bus.Log
	db  *store.DB
	q   *sense.Queries
	in  *sense.Intake
	now time.Time
	set func(time.Time)
	n   int
}

func eachHouse(t *testing.T, fn func(h *house)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := &house{t: t, log: openLog(t, bus.Config{}), db: db, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
		clk, set := clock.Held(h.now)
		h.set = set
		h.q = sense.NewQueries(db, h.log)
		h.in = sense.NewIntake(h.log, clk, nil, discard, nil)
		fn(h)
	})
}

func (h *house) pass(d time.Duration) {
	h.now = h.now.Add(d)
	h.set(h.now)
}

// say has a sensor of hub-7 say something.
func (h *house) say(os ...event.Observation) {
	h.t.Helper()
	for _, o := range os {
		h.n++
		o.ID = event.NewID(fmt.Sprint(h.n))
		if o.Source == "" {
			o.Source = "test"
		}
		if o.Enrolled == "" {
			o.Enrolled = "hub-7"
		}
		if o.Retain == "" {
			o.Retain = event.RetainMonth
		}
		if err := h.in.ObserveAll(context.Background(), &o); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) project() {
	h.t.Helper()
	if err := h.db.CatchUp(context.Background(), h.log, sense.NewTwins(discard), nil); err != nil {
		h.t.Fatal(err)
	}
}

func num(v float64) *float64 { return &v }
func is(b bool) *bool        { return &b }

func state(device, s string) event.Observation {
	return event.Observation{Kind: event.KindState, Device: device, Premises: "home", Reading: &event.Reading{Property: event.Contact, State: s, Active: is(s == "open")}}
}

func measure(device string, v float64) event.Observation {
	return event.Observation{Kind: event.KindMeasure, Device: device, Premises: "home", Reading: &event.Reading{Property: event.Temperature, Value: &v, Unit: "Cel"}}
}

func TestTwinKeepsTheLastOfEverything(t *testing.T) {
	eachHouse(t, func(h *house) {
		ctx := context.Background()
		h.say(event.Observation{Kind: event.KindHealth, Device: "hub-7", Health: &event.Health{Firmware: "1.2"}})
		h.say(event.Observation{Kind: event.KindHealth, Device: "hub-7/door", Health: &event.Health{Battery: num(90), LinkQuality: num(40), Problem: "cold"}})
		h.say(state("hub-7/door", "open"))
		h.project() // in two transactions
		h.pass(time.Minute)
		h.say(event.Observation{Kind: event.KindHealth, Device: "hub-7/door", Health: &event.Health{Battery: num(11)}})
		h.say(state("hub-7/door", "closed"), event.Observation{Kind: event.KindUplink, Device: "hub-7/door", Radio: &event.Radio{Missed: 3}})
		late := state("hub-7/door", "ajar")
		late.Time = h.now.Add(-30 * time.Second) // said before, heard after
		h.say(late)
		h.say(event.Observation{Kind: event.KindMisuse, Device: "hub-7", Misuse: &event.Misuse{What: event.MisuseFlood, Detail: "600 in a second"}})
		h.say(event.Observation{Kind: event.KindState, Device: "hub-7/door", Reading: &event.Reading{Property: event.Contact, Channel: "2", State: "open\x00\xff"}})
		h.project()

		twins, err := h.q.Twins(ctx, "hub-7")
		if err != nil || len(twins) != 2 {
			t := h.t
			t.Fatalf("%+v, %v", twins, err)
		}
		hub, door := twins[0], twins[1]
		if hub.Device != "hub-7" || hub.Firmware != "1.2" || hub.Misuse != 1 || hub.Observations != 1 || hub.State != sense.Heard {
			h.t.Errorf("hub %+v", hub)
		}
		if *door.Battery != 11 || !door.WeakBattery() || *door.Link != 40 || door.Problem != "" || door.Missed != 3 || door.Observations != 7 || !door.LastHeard.Equal(h.now) {
			h.t.Errorf("door %+v", door)
		}
		values, err := h.q.Values(ctx, "hub-7")
		if err != nil || len(values) != 2 || values[0].State != "closed" || *values[0].Active || values[1].Channel != "2" {
			h.t.Errorf("values %+v, %v", values, err)
		}
		v, err := h.q.VitalsOf(ctx, "hub-7")
		if err != nil || v.State != sense.Heard || v.Names != 2 || v.WeakBattery != 1 || v.Misuse != 1 || v.Observations != 8 {
			h.t.Errorf("vitals %+v, %v", v, err)
		}
	})
}

func TestStatesOfADevice(t *testing.T) {
	eachHouse(t, func(h *house) {
		want := func(state sense.DeviceState) {
			h.t.Helper()
			h.project()
			v, err := h.q.VitalsOf(context.Background(), "hub-7")
			if err != nil || v.State != state {
				h.t.Fatalf("%+v, %v; want %s", v, err, state)
			}
			h.pass(time.Second)
		}
		want("")
		h.say(event.Observation{Kind: event.KindUnknown, Device: "hub-7", Supervision: &event.Supervision{}})
		want(sense.Unknown)
		h.say(state("hub-7/door", "open"))
		want(sense.Heard) // a sensor behind it was heard, so it was
		h.say(event.Observation{Kind: event.KindGone, Device: "hub-7"})
		want(sense.Gone)
		h.say(event.Observation{Kind: event.KindPresent, Device: "hub-7"})
		want(sense.Heard)
		h.say(event.Observation{Kind: event.KindSilent, Device: "hub-7", Supervision: &event.Supervision{}})
		want(sense.Silent)
		h.say(event.Observation{Kind: event.KindMisuse, Device: "hub-7", Misuse: &event.Misuse{}})
		want(sense.Silent) // somebody may only pretend to be it
		h.say(event.Observation{Kind: event.KindReturned, Device: "hub-7", Supervision: &event.Supervision{}})
		want(sense.Heard)
	})
}

func TestClockOfATwin(t *testing.T) {
	eachHouse(t, func(h *house) {
		for _, c := range []struct {
			ahead time.Duration
			want  sense.ClockState
		}{{time.Second, sense.ClockRight}, {time.Hour, sense.ClockWrong}, {-30 * 366 * 24 * time.Hour, sense.ClockNone}} {
			o := state("hub-7/"+string(c.want), "open")
			at := h.now.Add(c.ahead)
			o.Time, o.DeviceTime = at, &at
			h.say(o)
		}
		h.project()
		twins, err := h.q.Twins(context.Background(), "hub-7")
		if err != nil || len(twins) != 3 {
			h.t.Fatalf("%+v, %v", twins, err)
		}
		for _, tw := range twins {
			if "hub-7/"+string(tw.Clock) != tw.Device {
				h.t.Errorf("%s: %q, %v s", tw.Device, tw.Clock, tw.ClockError)
			}
		}
	})
}

func TestReadingsAreSampledAndExpire(t *testing.T) {
	eachHouse(t, func(h *house) {
		ctx := context.Background()
		for i := range 120 { // two minutes
			h.say(measure("hub-7/hall", float64(i)))
			if i%40 == 0 {
				h.project()
			}
			h.pass(time.Second)
		}
		h.say(state("hub-7/door", "open"))
		day := state("hub-7/door", "closed")
		day.Retain = event.RetainDay
		h.pass(time.Second)
		h.say(day)
		h.project()
		before, during, full, err := h.q.Timeline(ctx, "home", h.now.Add(-time.Hour), h.now.Add(time.Hour))
		if err != nil || full || len(before) != 0 || len(during) != 4 || *during[0].Value != 59 || *during[1].Value != 119 {
			h.t.Fatalf("%+v, %+v, %v, %v", before, during, full, err)
		}
		if values, _ := h.q.Values(ctx, "hub-7"); *values[1].Value != 119 {
			h.t.Errorf("%+v", values)
		}
		before, during, _, err = h.q.Timeline(ctx, "home", h.now, h.now.Add(time.Hour))
		if err != nil || len(before) != 1 || before[0].State != "open" || len(during) != 1 {
			h.t.Errorf("%+v, %+v, %v", before, during, err)
		}
		if first, last, err := h.q.Days(ctx, "home"); err != nil || !first.Equal(h.now.Add(-62*time.Second)) || !last.Equal(h.now) {
			h.t.Errorf("days %v, %v, %v", first, last, err)
		}

		tw := sense.NewTwins(discard)
		expire := func(class event.Retention, before time.Time) (n int64) {
			h.t.Helper()
			err := h.db.Update(ctx, func(tx *sql.Tx) (err error) { n, err = tw.Expire(ctx, tx, class, before); return err })
			if err != nil {
				h.t.Fatal(err)
			}
			return n
		}
		later := h.now.Add(time.Microsecond)
		if n := expire(event.RetainDay, h.now); n != 0 {
			h.t.Errorf("%d expired too early", n)
		}
		if n := expire(event.RetainDay, later); n != 3 { // the reading, the value, the twin
			h.t.Errorf("%d of the day's class expired", n)
		}
		if n := expire(event.RetainMonth, later); n != 5 { // three readings, a value, a twin
			h.t.Errorf("%d of the month's class expired", n)
		}
		if v, err := h.q.VitalsOf(ctx, "hub-7"); err != nil || v.Names != 0 {
			h.t.Errorf("left %+v, %v", v, err)
		}
	})
}

func TestEraseDeviceAndRebuild(t *testing.T) {
	eachHouse(t, func(h *house) {
		ctx := context.Background()
		h.say(state("hub-7/door", "open"), state("hub-7", "open"))
		other := state("hub-70/door", "open")
		other.Enrolled = "hub-70"
		h.say(other)
		h.project()
		erase := func(device string) (n int64) {
			h.t.Helper()
			err := h.db.Update(ctx, func(tx *sql.Tx) (err error) {
				n, err = sense.NewTwins(discard).EraseDevice(ctx, tx, device)
				return err
			})
			if err != nil {
				h.t.Fatal(err)
			}
			return n
		}
		if n := erase("hub-7"); n != 6 {
			h.t.Errorf("%d rows erased", n)
		}
		if v, _ := h.q.Vitals(ctx); len(v) != 1 || v["hub-70"].Names != 1 {
			h.t.Errorf("left %+v", v)
		}
		if err := h.db.Rebuild(ctx, h.log, []store.Projection{sense.NewTwins(discard)}, nil); err != nil {
			h.t.Fatal(err)
		}
		if v, _ := h.q.Vitals(ctx); len(v) != 2 || v["hub-7"].Names != 2 {
			h.t.Errorf("rebuilt %+v", v)
		}
	})
}

// BenchmarkVitals reads the state of 10,000 hubs with two sensors each.
func BenchmarkVitals(b *testing.B) {
	db := storetest.SQLite(b)
	ctx := context.Background()
	tw := sense.NewTwins(discard)
	for hub := range 10_000 {
		err := db.Update(ctx, func(tx *sql.Tx) error {
			var recs []bus.Record
			for s := range 3 {
				recs = append(recs, bus.Record{Seq: uint64(hub*3 + s + 1), Data: fmt.Appendf(nil,
					`{"kind":"sensor.state","source":"z2m","device":"hub-%d/s%d","enrolled":"hub-%d","time":"2026-05-01T12:00:00Z","received":"2026-05-01T12:00:00Z","reading":{"property":"contact","state":"open"}}`, hub, s, hub)})
			}
			return tw.Apply(ctx, tx, recs)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	q := sense.NewQueries(db, nil)
	for b.Loop() {
		if v, err := q.Vitals(ctx); err != nil || len(v) != 10_000 {
			b.Fatal(len(v), err)
		}
	}
}
