package sense_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

var discard = slog.New(slog.DiscardHandler)

func openLog(t *testing.T, cfg bus.Config) *bus.Log {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	l, err := bus.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(l.Close))
	return l
}

// observed returns the observations on the log, without ticks.
func observed(t *testing.T, l *bus.Log) (out []event.Observation) {
	t.Helper()
	err := l.Each(context.Background(), bus.Observations, 0, func(r bus.Record) error {
		var o event.Observation
		if err := json.Unmarshal(r.Data, &o); err != nil {
			return err
		}
		if o.Seq = r.Seq; o.Kind != event.KindClockTick {
			out = append(out, o)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReceivedNeverGoesBackAlongTheLog(t *testing.T) {
	l := openLog(t, bus.Config{})
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clk, set := clock.Held(start)
	in := sense.NewIntake(l, clk, nil, discard, nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				set(start.Add(time.Duration((i*7919+g)%1000-500) * time.Millisecond)) // to and fro
				if err := in.ObserveAll(context.Background(), &event.Observation{ID: event.NewID("x", fmt.Sprint(g, i)), Source: "test"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	os := observed(t, l)
	if len(os) != 800 {
		t.Fatalf("%d observations", len(os))
	}
	if !slices.IsSortedFunc(os, func(a, b event.Observation) int { return a.Received.Compare(b.Received) }) {
		t.Error("Received goes back")
	}
	for _, o := range os {
		if !o.Time.Equal(o.Received) {
			t.Fatalf("Time %v is not Received %v", o.Time, o.Received)
		}
	}
}

// However many sources and reasons an edge gateway invents, the metrics stay small.
func TestMetricsAreBounded(t *testing.T) {
	l, reg := openLog(t, bus.Config{}), prometheus.NewRegistry()
	in := sense.NewIntake(l, clock.Wall(), nil, discard, reg)
	for i := range 2000 {
		o := &event.Observation{ID: event.NewID("x", fmt.Sprint(i)), Source: fmt.Sprint("source ", i), Retain: event.RetainHour}
		if err := in.Observe(t.Context(), o, func(uint64, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := len(f.GetMetric()); n > 600 {
			t.Errorf("%s has %d series", f.GetName(), n)
		}
	}
}

func TestWhatBelongsTogetherCommitsTogether(t *testing.T) {
	l := openLog(t, bus.Config{})
	in := sense.NewIntake(l, clock.Wall(), nil, discard, nil)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 20 {
				var os []*event.Observation
				for k := range 5 {
					os = append(os, &event.Observation{ID: event.NewID("x", fmt.Sprint(g, i, k)), Source: "test", Device: fmt.Sprint(g, "/", i)})
				}
				done := make(chan error, 1)
				if err := in.ObserveTogether(context.Background(), func(_ uint64, err error) { done <- err }, os...); err != nil {
					t.Error(err)
				} else if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	os := observed(t, l)
	if len(os) != 16*20*5 {
		t.Fatalf("%d observations", len(os))
	}
	for i := 0; i < len(os); i += 5 {
		for k := 1; k < 5; k++ {
			if os[i+k].Device != os[i].Device || os[i+k].Seq != os[i].Seq+uint64(k) {
				t.Fatalf("observation %d of a call is not beside the first", k)
			}
		}
	}
	done := make(chan error, 1)
	if err := in.ObserveTogether(context.Background(), func(_ uint64, err error) { done <- err }); err != nil || <-done != nil {
		t.Error("nothing to observe is not done at once")
	}
}

func TestObserveAllSaysThatTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, bus.Config{Dir: dir, Reserve: 1 << 60})
	in := sense.NewIntake(l, clock.Wall(), nil, discard, nil)
	o := &event.Observation{ID: "1", Source: "test"}
	if err := in.ObserveAll(context.Background(), o, o); !errors.Is(err, bus.ErrFull) {
		t.Errorf("ObserveAll: %v", err)
	}
	if err := in.Quarantine(context.Background(), "test", "here", "reason", "detail", []byte("x")); !errors.Is(err, bus.ErrFull) {
		t.Errorf("Quarantine: %v", err)
	}
}

func TestQuarantineKeepsBytesWithinBounds(t *testing.T) {
	l := openLog(t, bus.Config{})
	in := sense.NewIntake(l, clock.Fixed(time.Unix(0, 0)), nil, discard, nil)
	ctx := context.Background()
	big := []byte(strings.Repeat("x", event.MaxQuarantineBytes+5))
	for _, what := range [][]byte{[]byte("a\nb\x00"), []byte("a\nb\x00"), big} {
		if err := in.Quarantine(ctx, "test", "there", "reason", "what to do", what); err != nil {
			t.Fatal(err)
		}
	}
	var got []event.Quarantined
	if err := l.Each(ctx, bus.Quarantine, 0, func(r bus.Record) error {
		var q event.Quarantined
		defer func() { got = append(got, q) }()
		return json.Unmarshal(r.Data, &q)
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || string(got[0].Bytes) != "a\nb\x00" || got[0].From != "there" || got[0].ID == got[1].ID {
		t.Errorf("%+v", got)
	}
	if last := got[len(got)-1]; len(last.Bytes) != event.MaxQuarantineBytes || last.Cut != 5 {
		t.Errorf("%d bytes kept, %d cut", len(last.Bytes), last.Cut)
	}
}
