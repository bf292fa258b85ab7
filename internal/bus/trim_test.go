package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// What was trimmed is gone, for this process and the next, and what follows is as
// it was: positions never come a second time.
func TestTrim(t *testing.T) {
	ctx := t.Context()
	cfg := bus.Config{Dir: t.TempDir(), Reserve: 1}
	log, err := bus.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { log.Close() }()
	var at []uint64
	for n := range 30 {
		s := bus.Observations
		if n%2 == 0 {
			s = s.Kept(string(event.RetainWeek))
		}
		pos, err := log.Append(ctx, s, fmt.Appendf(nil, `{"n":%d}`, n))
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, pos)
	}
	// A patch of a trimmed frame goes with it.
	if _, err := log.Erase(ctx, bus.Observations, bus.Erasure{Why: "test"}, func(r bus.Record) bool { return string(r.Data) == `{"n":3}` }); err != nil {
		t.Fatal(err)
	}
	if err := log.Trim(ctx, bus.Observations, at[20]); err != nil {
		t.Fatal(err)
	}
	for again := range 2 {
		n := 20
		err := log.Each(ctx, bus.Observations, 0, func(r bus.Record) error {
			if r.Seq != at[n] || string(r.Data) != fmt.Sprintf(`{"n":%d}`, n) {
				t.Errorf("position %d: %s, want n = %d at %d", r.Seq, r.Data, n, at[n])
			}
			n++
			return nil
		})
		if err != nil || n != 30 {
			t.Errorf("time %d: read up to %d: %v", again, n, err)
		}
		if _, err := log.Get(ctx, bus.Observations, at[5]); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("trimmed record: %v", err)
		}
		log.Close()
		if log, err = bus.Open(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Trim(ctx, bus.Observations, ^uint64(0)); err != nil { // the newest frame stays
		t.Fatal(err)
	}
	if last, err := log.Last(ctx, bus.Observations); err != nil || last != at[29] {
		t.Errorf("newest record at %d, want %d: %v", last, at[29], err)
	}
	if err := log.Trim(ctx, bus.Audit, 1); err == nil {
		t.Error("the record of who did what was trimmed")
	}
}

func TestFramesBack(t *testing.T) {
	at := func(frame uint64) uint64 { return frame << 10 }
	for _, c := range []struct{ pos, back, want uint64 }{
		{0, 3, 0}, {at(2) + 7, 3, 0}, {at(4), 3, 0}, {at(5) + 9, 3, at(2) - 1}, {at(9), 0, at(9) - 1},
	} {
		if got := bus.FramesBack(c.pos, c.back); got != c.want {
			t.Errorf("FramesBack(%d, %d) = %d, want %d", c.pos, c.back, got, c.want)
		}
	}
}
