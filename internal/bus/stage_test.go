package bus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"pgregory.net/rapid"
)

// doubler copies each record of Alerts to Incidents, twice over, numbered. It
// drops what Recover has shown it.
type doubler struct {
	log   *bus.Log
	Sum   int             // what the outputs depend on besides the input
	Seen  map[string]bool // ids written
	crash func() bool     // asked between the writing and the return
}

func (d *doubler) handle(ctx context.Context, records []bus.Record) error {
	for _, r := range records {
		d.Sum++
		for i := range 2 {
			id := fmt.Sprintf(`{"id":"%d.%d","from":%s}`, d.Sum, i, r.Data)
			if d.Seen[id] {
				continue
			}
			if _, err := d.log.Append(ctx, bus.Incidents, []byte(id)); err != nil {
				return err
			}
			d.Seen[id] = true
			if d.crash() {
				return context.Canceled
			}
		}
	}
	return nil
}

func (d *doubler) stage(every time.Duration) bus.Stage {
	return bus.Stage{
		Name: "doubler", In: bus.Alerts, Out: bus.Incidents, Checkpoint: every,
		Handle:  d.handle,
		Recover: func(r bus.Record) error { d.Seen[string(r.Data)] = true; return nil },
		Save:    func() ([]byte, error) { return json.Marshal(d) },
		Load:    func(state []byte) error { return json.Unmarshal(state, d) },
	}
}

// A stage that is stopped anywhere, with or without saving, writes each output
// once, and the same outputs as one that was never stopped.
func TestStageWritesOnceWhereverItCrashes(t *testing.T) {
	checks := flag.Lookup("rapid.checks").Value
	usual := checks.String()
	if err := checks.Set("25"); err != nil { // each opens a log
		t.Fatal(err)
	}
	defer func() { _ = checks.Set(usual) }()
	rapid.Check(t, func(rt *rapid.T) {
		l, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir()})
		if err != nil {
			rt.Fatal(err)
		}
		defer l.Close()
		total := 0
		for range rapid.IntRange(1, 4).Draw(rt, "lives") {
			var call [][]byte
			for range rapid.IntRange(0, 20).Draw(rt, "new records") {
				call = append(call, line(total))
				total++
			}
			if _, err := l.Append(t.Context(), bus.Alerts, call...); err != nil {
				rt.Fatal(err)
			}
			life(rt, l, rapid.IntRange(1, 60).Draw(rt, "outputs until the crash"), rapid.Bool().Draw(rt, "checkpoints"))
		}
		if _, err := l.Append(t.Context(), bus.Alerts, line(total)); err != nil {
			rt.Fatal(err)
		}
		total++
		life(rt, l, 1<<30, true)
		checkDoubled(rt, l, total)
	})
}

// life runs the stage until it crashes after n outputs, or is idle.
func life(rt *rapid.T, l *bus.Log, n int, checkpoints bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d := &doubler{log: l, Seen: map[string]bool{}}
	d.crash = func() bool { n--; return n < 0 }
	every := time.Hour
	if checkpoints {
		every = time.Millisecond
	}
	st := d.stage(every)
	end, err := l.Last(ctx, bus.Alerts)
	if err != nil {
		rt.Fatal(err)
	}
	handle := st.Handle
	st.Handle = func(ctx context.Context, records []bus.Record) error {
		err := handle(ctx, records)
		if err == nil && records[len(records)-1].Seq >= end {
			cancel()
		}
		return err
	}
	patience := 100 * time.Millisecond // when all was handled before
	if n == 1<<30 {
		patience = time.Minute
	}
	idle := time.AfterFunc(patience, cancel)
	defer idle.Stop()
	if err := l.Run(ctx, st, func() {}); err != nil && n >= 0 {
		rt.Fatal(err)
	}
}

func checkDoubled(rt *rapid.T, l *bus.Log, total int) {
	seen := map[string]int{}
	if err := l.Each(context.Background(), bus.Incidents, 0, func(r bus.Record) error {
		seen[string(r.Data)]++
		return nil
	}); err != nil {
		rt.Fatal(err)
	}
	for n := range total {
		for i := range 2 {
			id := fmt.Sprintf(`{"id":"%d.%d","from":%s}`, n+1, i, line(n))
			if seen[id] != 1 {
				rt.Errorf("%s is on the log %d times", id, seen[id])
			}
			delete(seen, id)
		}
	}
	if len(seen) > 0 {
		rt.Errorf("unexpected outputs: %v", seen)
	}
}

func TestStageWithLargeState(t *testing.T) {
	l := open(t, t.TempDir())
	appendAll(t, l, bus.Alerts, line(1))
	state := bytes.Repeat([]byte("state"), bus.MaxMessage*7/10/5)
	var loaded []byte
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		err := l.Run(ctx, bus.Stage{
			Name: "large", In: bus.Alerts, Out: bus.Incidents,
			Handle:  func(context.Context, []bus.Record) error { cancel(); return nil },
			Recover: func(bus.Record) error { return nil },
			Save:    func() ([]byte, error) { return state, nil },
			Load:    func(s []byte) error { loaded = s; return nil },
		}, func() {
			if loaded != nil {
				cancel()
			}
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(loaded, state) {
		t.Errorf("a state of %d bytes came back with %d", len(state), len(loaded))
	}
}
