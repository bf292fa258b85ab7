package incident

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var quiet = slog.New(slog.DiscardHandler)

func openLog(tb testing.TB, dir string) *bus.Log {
	tb.Helper()
	l, err := bus.Open(context.Background(), bus.Config{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	return l
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func appendTo(tb testing.TB, log *bus.Log, s bus.Stream, records ...[]byte) uint64 {
	tb.Helper()
	var last uint64
	for part := range slices.Chunk(records, bus.MaxBatch) {
		var err error
		if last, err = log.Append(context.Background(), s, part...); err != nil {
			tb.Fatal(err)
		}
	}
	return last
}

func raise(tb testing.TB, log *bus.Log, alerts ...*event.Alert) uint64 {
	tb.Helper()
	records := make([][]byte, len(alerts))
	for i, a := range alerts {
		records[i] = encode(a)
	}
	return appendTo(tb, log, bus.Alerts, records...)
}

// changesOf reads every change on the log.
func changesOf(tb testing.TB, log *bus.Log) []*event.IncidentChange {
	tb.Helper()
	var out []*event.IncidentChange
	err := log.Each(context.Background(), bus.Incidents, 0, func(r bus.Record) error {
		var c event.IncidentChange
		if err := json.Unmarshal(r.Data, &c); err != nil {
			return err
		}
		c.Seq = r.Seq
		out = append(out, &c)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// sum adds changes up.
func sum(tb testing.TB, changes []*event.IncidentChange) map[event.ID]*Incident {
	tb.Helper()
	out := map[event.ID]*Incident{}
	for _, c := range changes {
		if out[c.Incident] == nil {
			out[c.Incident] = &Incident{}
		}
		if err := out[c.Incident].Apply(c); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

var errCrash = errors.New("crash")

// runUntil runs a desk's stage until it has handled the record at a position, or
// for a time at most. A crash loses what was not saved.
func runUntil(tb testing.TB, log *bus.Log, st bus.Stage, pos uint64, most time.Duration, crash bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	handle, save := st.Handle, st.Save
	st.Handle = func(ctx context.Context, records []bus.Record) error {
		err := handle(ctx, records)
		if err == nil && records[len(records)-1].Seq >= pos {
			cancel()
		}
		return err
	}
	st.Save = func() ([]byte, error) {
		if crash && ctx.Err() != nil {
			return nil, errCrash
		}
		return save()
	}
	if err := log.Run(ctx, st, func() {}); err != nil && !errors.Is(err, errCrash) {
		tb.Fatal(err)
	}
}

// table is a desk for tests of what it decides: its log is real, its clock held,
// and alerts are handed to it at once.
type table struct {
	*Desk
	testing.TB
	at  time.Time
	set func(time.Time)
}

func newTable(tb testing.TB) *table {
	clk, set := clock.Held(noon)
	return &table{Desk: NewDesk(openLog(tb, tb.TempDir()), clk, quiet, nil), TB: tb, at: noon, set: set}
}

// wait lets time pass.
func (t *table) wait(d time.Duration) {
	t.at = t.at.Add(d)
	t.set(t.at)
}

// alert makes an alert of now.
func (t *table) alert(kind event.Kind, cause string, revision int, more ...func(*event.Alert)) *event.Alert {
	a := &event.Alert{
		ID: event.NewAlertID("test", cause, revision), Rule: "test", Kind: kind, Cause: cause, Revision: revision,
		Start: t.at, End: t.at, Raised: t.at, Subject: "Corner Shop", Premises: "shop", Reason: "Something at the shop.", Total: revision + 1,
	}
	for _, f := range more {
		f(a)
	}
	return a
}

// take hands alerts to the desk and returns their incidents, nil for one that
// belongs to none.
func (t *table) take(alerts ...*event.Alert) []*Incident {
	t.Helper()
	var out []*Incident
	for _, a := range alerts {
		before := len(changesOf(t, t.log))
		if err := t.handle(context.Background(), []bus.Record{{Data: encode(a)}}); err != nil {
			t.Fatal(err)
		}
		fresh := changesOf(t, t.log)[before:]
		if len(fresh) == 0 {
			out = append(out, nil)
			continue
		}
		in, err := t.Get(fresh[0].Incident)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &in)
	}
	return out
}

func (t *table) do(a Action) Incident {
	t.Helper()
	if a.By == "" {
		a.By = "op"
	}
	in, err := t.Do(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// shut grades and closes an incident.
func (t *table) shut(id event.ID) Incident {
	t.Helper()
	t.do(Action{Incident: id, Type: event.ChangeGraded, Grade: event.Prompt, Why: "weighed"})
	return t.do(Action{Incident: id, Type: event.ChangeClosed, Code: event.ClosedFalse, Why: "keyholder attended"})
}
