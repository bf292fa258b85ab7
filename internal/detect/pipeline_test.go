package detect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/detect/alarm"
	"github.com/bluelamp/bluelamp/internal/event"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func openLog(tb testing.TB, dir string) *bus.Log {
	tb.Helper()
	l, err := bus.Open(context.Background(), bus.Config{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Close)
	return l
}

// town makes n observations of alarm panels and the clock.
func town(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(7, 7))
	kinds := []event.AlarmCategory{event.Burglary, event.Burglary, event.HoldUp, event.Tamper, event.OpenClose}
	states := []event.AlarmState{event.AlarmNew, event.AlarmNew, event.AlarmRestored}
	out := make([][]byte, n)
	at := noon
	for i := range out {
		at = at.Add(time.Duration(rnd.IntN(120)) * time.Second)
		account := strconv.Itoa(rnd.IntN(20))
		o := event.Observation{
			ID: event.NewID("town", strconv.Itoa(i)), Kind: event.KindAlarm, Source: "dc09", Device: account, Time: at, Received: at,
			Premises: "p" + account, PremisesName: "Premises " + account,
			Alarm: &event.Alarm{
				Account: account, Category: kinds[rnd.IntN(len(kinds))], State: states[rnd.IntN(len(states))], Zone: strconv.Itoa(rnd.IntN(4)),
			},
		}
		if rnd.IntN(5) == 0 {
			o.Kind, o.Alarm = event.KindClockTick, nil
		}
		out[i] = encode(&o)
	}
	return out
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

func readAll(tb testing.TB, log *bus.Log, s bus.Stream) []bus.Record {
	tb.Helper()
	var out []bus.Record
	err := log.Each(context.Background(), s, 0, func(r bus.Record) error {
		out = append(out, r)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// expected is what the detectors find in the log's observations, without a log
// around them.
func expected(tb testing.TB, log *bus.Log, ds ...detect.Detector) []string {
	tb.Helper()
	run := detect.NewRun(ds...)
	var out []string
	for _, r := range readAll(tb, log, bus.Observations) {
		var o event.Observation
		if json.Unmarshal(r.Data, &o) != nil {
			continue
		}
		o.Seq = r.Seq
		for _, a := range run.Observe(&o) {
			out = append(out, string(encode(&a)))
		}
	}
	return out
}

func alertsOf(tb testing.TB, log *bus.Log) []string {
	tb.Helper()
	var out []string
	for _, r := range readAll(tb, log, bus.Alerts) {
		out = append(out, string(r.Data))
	}
	return out
}

var errCrash = errors.New("crash")

// runUntil runs a stage until it has handled the record at the given position,
// or for the given time at most. A crash loses what was not saved.
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
	if err := log.Run(ctx, st, func() {}); err != nil && !errors.Is(err, errCrash) && ctx.Err() == nil {
		tb.Fatal(err)
	}
}

func equal(tb testing.TB, got, want []string) {
	tb.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			tb.Fatalf("%d alerts, want %d; the first difference is number %d", len(got), len(want), i)
		}
	}
}

func TestPipelineWritesWhatDetectorsFind(t *testing.T) {
	log := openLog(t, t.TempDir())
	var said bytes.Buffer
	reg := prometheus.NewRegistry()
	appendTo(t, log, bus.Observations, town(2500)...)
	end := appendTo(t, log, bus.Observations, []byte(`{"id":`), encode(&event.Observation{Kind: event.KindClockTick, Received: noon.AddDate(0, 1, 0)}))
	p := detect.NewPipeline(log, slog.New(slog.NewTextHandler(&said, nil)), reg, alarm.New(alarm.Default()))
	runUntil(t, log, p.Stage(), end, time.Minute, false)
	got := alertsOf(t, log)
	equal(t, got, expected(t, log, alarm.New(alarm.Default())))
	if len(got) < 500 {
		t.Errorf("only %d alerts", len(got))
	}
	if !strings.Contains(said.String(), "an observation cannot be read and is left out") {
		t.Errorf("nothing is said of what cannot be read: %s", said.String())
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := 0.0
	for _, m := range families[0].GetMetric() {
		counted += m.GetCounter().GetValue()
	}
	if families[0].GetName() != "bluelamp_alerts_total" || int(counted) != len(got) {
		t.Errorf("%s counts %v of %d alerts", families[0].GetName(), counted, len(got))
	}
}

// However often the pipeline crashes, the alerts on the log are those of a run
// that nothing disturbed.
func TestPipelineAfterCrashes(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(3, uint64(time.Now().UnixNano())))
	observations := town(12_000)
	for round := range 15 {
		log := openLog(t, dir)
		part := observations[:min(len(observations), 300+rnd.IntN(400))]
		observations = observations[len(part):]
		end := appendTo(t, log, bus.Observations, part...)
		p := detect.NewPipeline(log, slog.New(slog.DiscardHandler), nil, alarm.New(alarm.Default()))
		st := p.Stage()
		st.Checkpoint = time.Duration(1+rnd.IntN(20)) * time.Millisecond
		pos := end - uint64(rnd.IntN(len(part))) // some rounds leave a rest
		runUntil(t, log, st, pos, time.Duration(1+rnd.IntN(60))*time.Millisecond, round%3 != 0)
		log.Close()
	}
	log := openLog(t, dir)
	end := appendTo(t, log, bus.Observations, append(observations, encode(&event.Observation{Kind: event.KindClockTick, Received: noon}))...)
	p := detect.NewPipeline(log, slog.New(slog.DiscardHandler), nil, alarm.New(alarm.Default()))
	runUntil(t, log, p.Stage(), end, time.Minute, false)
	equal(t, alertsOf(t, log), expected(t, log, alarm.New(alarm.Default())))
}

// wordy raises alerts that are as large as alerts get.
type wordy struct{ n int }

func (*wordy) Name() string                     { return "wordy" }
func (*wordy) Advance(time.Time) []event.Alert  { return nil }
func (w *wordy) MarshalBinary() ([]byte, error) { return []byte(strconv.Itoa(w.n)), nil }
func (w *wordy) UnmarshalBinary(b []byte) (err error) {
	w.n, err = strconv.Atoi(string(b))
	return err
}

func (w *wordy) Observe(o *event.Observation) []event.Alert {
	w.n++
	a := event.Alert{Rule: "wordy", Kind: event.KindScanHorizontal, Cause: strconv.Itoa(w.n), Start: o.Time, End: o.Time, Subject: "somebody"}
	a.ID = event.NewAlertID(a.Rule, a.Cause, 0)
	for i := range event.MaxAlertRefs {
		a.Observations = append(a.Observations, event.Ref{ID: event.NewID("o", strconv.Itoa(i)), Seq: o.Seq, Name: strings.Repeat("C", 18)})
	}
	return []event.Alert{a}
}

// A thousand alerts of the largest kind do not fit one commit.
func TestPipelineWritesLargeAlerts(t *testing.T) {
	log := openLog(t, t.TempDir())
	end := appendTo(t, log, bus.Observations, town(600)...)
	p := detect.NewPipeline(log, slog.New(slog.DiscardHandler), nil, &wordy{})
	ticks := 0
	for _, r := range readAll(t, log, bus.Observations) {
		if bytes.Contains(r.Data, []byte(event.KindClockTick)) {
			ticks++
		}
	}
	runUntil(t, log, p.Stage(), end, time.Minute, false)
	if got := len(alertsOf(t, log)); got != 600-ticks {
		t.Errorf("%d alerts of %d observations", got, 600-ticks)
	}
}

// A saved state that a detector cannot read costs that detector its memory, not
// the platform its start.
func TestPipelineStartsWithoutADetectorsState(t *testing.T) {
	log := openLog(t, t.TempDir())
	end := appendTo(t, log, bus.Observations, town(10)...)
	old := &wordy{}
	runUntil(t, log, detect.NewPipeline(log, slog.New(slog.DiscardHandler), nil, old).Stage(), end, time.Minute, false)
	var said bytes.Buffer
	end = appendTo(t, log, bus.Observations, town(20)[10:]...)
	p := detect.NewPipeline(log, slog.New(slog.NewTextHandler(&said, nil)), nil, changed{&wordy{}})
	runUntil(t, log, p.Stage(), end, time.Minute, false)
	if !strings.Contains(said.String(), "detector=wordy") {
		t.Errorf("nothing is said of the lost state: %s", said.String())
	}
}

// changed is a wordy of a later version.
type changed struct{ *wordy }

func (changed) UnmarshalBinary([]byte) error { return fmt.Errorf("another version") }
