package sense_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// doors is a dialect of one word.
type doors struct{}

func (doors) Name() string              { return "doors" }
func (doors) Matches(topic string) bool { return strings.HasPrefix(topic, "door/") }
func (doors) Observe(m *sense.Message) ([]*event.Observation, error) {
	if s := string(m.Payload); s != "open" && s != "closed" {
		return nil, fmt.Errorf("%w: %q is neither open nor closed", sense.ErrUnreadable, s)
	}
	return []*event.Observation{{Kind: event.KindState, Reading: &event.Reading{Property: event.Contact, State: string(m.Payload)}}}, nil
}

// ward is a quarantine on real engines.
type ward struct {
	log     *bus.Log
	db      *store.DB
	in      *sense.Intake
	board   *sense.Switchboard
	reg     *registry.Registry
	queries *sense.Queries
	clock   *clock.Clock
	set     func(time.Time)
	model   *sense.QuarantineEntries
}

var wardStart = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)

func newWard(t testing.TB, db *store.DB) *ward {
	t.Helper()
	log, err := bus.Open(context.Background(), bus.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(log.Close)
	w := &ward{log: log, db: db, model: sense.NewQuarantineEntries(discard)}
	w.clock, w.set = clock.Held(wardStart)
	sealer, err := seal.New(make([]byte, 32))
	must(t, err)
	w.reg, err = registry.New(t.Context(), w.log, sealer, w.clock, discard)
	must(t, err)
	must(t, w.reg.Put(t.Context(), "test", registry.Premises{ID: "mill-2", Name: "Old mill", Kind: "home", Place: place.Point{Lat: 55, Lon: 3}, Basis: event.Consent}))
	must(t, w.reg.PutDevices(t.Context(), "test", registry.Device{ID: "hub-7", Name: "Hub", Premises: "mill-2"}))
	w.in = sense.NewIntake(w.log, w.clock, w.reg, discard, nil)
	w.board = sense.NewSwitchboard(w.in, doors{})
	w.queries = sense.NewQueries(db, w.log)
	return w
}

func (w *ward) desk() *sense.QuarantineDesk {
	lines := sense.NewLineReplayer(w.in, func(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
		return func(yield func(*event.Observation, error) bool) {
			b, _ := io.ReadAll(src)
			if string(b) == "bad" {
				yield(nil, errors.New("it is bad"))
				return
			}
			yield(&event.Observation{ID: event.NewID("line", name), Kind: event.KindState, Source: "lines", Device: "x"}, nil)
		}
	})
	return sense.NewQuarantineDesk(w.queries, w.log, w.clock, sense.NewMessageReplayer(w.board, w.reg), map[string]sense.Replayer{"lines": lines}, discard)
}

// says has the hub say something, and brings the read model up to date.
func (w *ward) says(t *testing.T, topic, what string) event.ID {
	t.Helper()
	d, err := w.reg.Device("hub-7")
	must(t, err)
	done := make(chan error, 1)
	must(t, w.board.Take(t.Context(), &sense.Message{Device: d, Topic: topic, Payload: []byte(what), Received: w.clock.Now()}, func(err error) { done <- err }))
	if err := <-done; err == nil {
		t.Fatalf("%s %s is understood", topic, what)
	}
	w.catchUp(t)
	rows, err := w.queries.QuarantineRows(t.Context(), "", 0, 1)
	must(t, err)
	return rows[0].ID
}

func (w *ward) catchUp(t *testing.T) {
	t.Helper()
	must(t, w.db.CatchUp(t.Context(), w.log, w.model, nil))
}

func (w *ward) row(t *testing.T, id event.ID) sense.QuarantineRow {
	t.Helper()
	w.catchUp(t)
	r, err := w.queries.QuarantineRow(t.Context(), id)
	must(t, err)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnEntryIsMendedAndReplayedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWard(t, db)
		desk := w.desk()
		id := w.says(t, "door/front", "opne")
		w.set(wardStart.Add(time.Hour))
		a := sense.Attempt{Entry: id, By: "ada", Why: "a typing mistake"}
		if err := desk.Replay(t.Context(), a); !errors.Is(err, sense.ErrStillRefused) || !strings.Contains(err.Error(), "neither open nor closed") {
			t.Fatalf("replayed as it is: %v", err)
		}
		if r := w.row(t, id); r.Outcome != sense.OutcomeOpen || r.Tries != 1 || r.Claim != "" || !strings.Contains(r.Problem, "neither") || r.Device != "hub-7" || r.Topic != "door/front" {
			t.Errorf("after a failure: %+v", r)
		}
		a.Bytes = []byte("open")
		must(t, desk.Replay(t.Context(), a))
		// The read model is behind now, on purpose: the log alone must know.
		if err := desk.Replay(t.Context(), a); !errors.Is(err, sense.ErrSettled) && !errors.Is(err, sense.ErrUnderWay) {
			t.Errorf("replayed a second time: %v", err)
		}
		if r := w.row(t, id); r.Outcome != sense.OutcomeReplayed || !r.Fixed || r.OutcomeBy != "ada" || r.OutcomeWhy != "a typing mistake" {
			t.Errorf("after the replay: %+v", r)
		}
		if err := desk.Discard(t.Context(), a); !errors.Is(err, sense.ErrSettled) {
			t.Errorf("discarded afterwards: %v", err)
		}
		os := observed(t, w.log)
		if len(os) != 1 || os[0].Reading.State != "open" || !os[0].Time.Equal(wardStart) || !os[0].Received.Equal(wardStart.Add(time.Hour)) || os[0].Premises != "mill-2" {
			t.Errorf("observed %+v", os)
		}
		if groups, err := w.queries.QuarantineGroups(t.Context()); err != nil || len(groups) != 0 {
			t.Errorf("open groups: %v %v", groups, err)
		}
		if rows, err := w.queries.QuarantineFind(t.Context(), sense.QuarantineFilter{Settled: true, Device: "hub-7"}, 0, 10); err != nil || len(rows) != 1 {
			t.Errorf("settled rows: %v %v", rows, err)
		}
	})
}

// TestOfManyOneReplays lets several desks, as of several processes, race.
func TestOfManyOneReplays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWard(t, db)
		for range 5 {
			id := w.says(t, "door/front", "opne")
			var wg sync.WaitGroup
			errs := make([]error, 6)
			for i := range errs {
				desk := w.desk()
				wg.Go(func() {
					errs[i] = desk.Replay(context.Background(), sense.Attempt{Entry: id, By: fmt.Sprint(i), Bytes: []byte("open")})
				})
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !errors.Is(err, sense.ErrUnderWay) && !errors.Is(err, sense.ErrSettled) {
					t.Error(err)
				}
			}
			if won != 1 {
				t.Errorf("%d won: %v", won, errs)
			}
			w.set(w.clock.Now().Add(time.Second))
			if r := w.row(t, id); r.Outcome != sense.OutcomeReplayed {
				t.Errorf("it is %+v", r)
			}
		}
		if os := observed(t, w.log); len(os) != 5 {
			t.Errorf("%d observations of 5", len(os))
		}
	})
}

func TestALostAttemptIsFinishedOrDoneAgain(t *testing.T) {
	for _, had := range []bool{true, false} {
		t.Run(fmt.Sprintf("had effect %v", had), func(t *testing.T) {
			w := newWard(t, storetest.SQLite(t))
			id := w.says(t, "door/front", "opne")
			// What a process leaves that is killed in the middle.
			note, err := json.Marshal(map[string]any{"entry": id, "outcome": "begun", "claim": "LOST", "by": "bob", "time": w.clock.Now()})
			must(t, err)
			_, err = w.log.Append(t.Context(), bus.Quarantine, note)
			must(t, err)
			w.catchUp(t)
			if had {
				entry, err := w.queries.QuarantineEntry(t.Context(), id)
				must(t, err)
				must(t, sense.NewMessageReplayer(w.board, w.reg).Replay(t.Context(), entry, []byte("open")))
			}
			desk := w.desk()
			a := sense.Attempt{Entry: id, By: "ada", Bytes: []byte("open")}
			if err := desk.Replay(t.Context(), a); !errors.Is(err, sense.ErrUnderWay) {
				t.Errorf("at once: %v", err)
			}
			w.set(wardStart.Add(time.Hour))
			if err := desk.Replay(t.Context(), a); !errors.Is(err, sense.ErrUnderWay) || !strings.Contains(err.Error(), "give that attempt up") {
				t.Errorf("later, without giving it up: %v", err)
			}
			a.GivenUp = w.row(t, id).ClaimAt
			must(t, desk.Replay(t.Context(), a))
			if r := w.row(t, id); r.Outcome != sense.OutcomeReplayed || r.OutcomeBy != "ada" {
				t.Errorf("it is %+v", r)
			}
			if os := observed(t, w.log); len(os) != 1 {
				t.Errorf("%d observations", len(os))
			}
		})
	}
}

func TestAGroupIsReplayedAfterItsCauseWasMended(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWard(t, db)
		for i := range 250 {
			w.set(wardStart.Add(time.Duration(i) * time.Second))
			must(t, w.in.QuarantineMessage(t.Context(), event.Quarantined{Source: "message", From: "hub-7", Device: "hub-7", Topic: "door/front", Reason: "unknown topic", Detail: "no such dialect", Bytes: []byte(map[bool]string{true: "open", false: "ajar"}[i%10 != 0])}))
		}
		must(t, w.in.Quarantine(t.Context(), "lines", "a.log:1", "unknown topic", "another source", []byte("good")))
		must(t, w.in.QuarantineMessage(t.Context(), event.Quarantined{Source: "message", From: "hub-7", Device: "hub-7", Topic: "door/front", Reason: "may not be kept", Detail: "no basis"}))
		w.catchUp(t)
		groups, err := w.queries.QuarantineGroups(t.Context())
		must(t, err)
		if len(groups) != 3 || groups[0].Count != 250 || groups[0].Senders != 1 || groups[2].Reason != "may not be kept" && groups[1].Reason != "may not be kept" {
			t.Fatalf("groups: %+v", groups)
		}
		desk := w.desk()
		said := 0
		j, err := desk.WorkAll(t.Context(), sense.QuarantineFilter{Source: "message", Reason: "unknown topic"}, "ada", "the dialect is there now", false, func(sense.Job) { said++ })
		must(t, err)
		if j.Total != 250 || j.Done != 225 || j.Refused != 25 || said != 250 || !strings.Contains(j.Problem, "ajar") {
			t.Errorf("the job: %+v, said %d", j, said)
		}
		os := observed(t, w.log)
		if len(os) != 225 {
			t.Fatalf("%d observations", len(os))
		}
		for i := 1; i < len(os); i++ {
			if !os[i].Time.After(os[i-1].Time) {
				t.Fatalf("observation %d is not in the order of arrival", i)
			}
		}
		j, err = desk.WorkAll(t.Context(), sense.QuarantineFilter{Reason: "may not be kept"}, "ada", "", false, nil)
		must(t, err)
		if j.Refused != 1 || !strings.Contains(j.Problem, "nothing of what arrived was kept") {
			t.Errorf("what has no bytes: %+v", j)
		}
		w.catchUp(t)
		before, err := w.queries.QuarantineFind(t.Context(), sense.QuarantineFilter{}, 0, 1000)
		must(t, err)
		must(t, w.db.Rebuild(t.Context(), w.log, []store.Projection{w.model}, nil))
		after, err := w.queries.QuarantineFind(t.Context(), sense.QuarantineFilter{}, 0, 1000)
		must(t, err)
		if len(before) != 27 || !reflect.DeepEqual(before, after) {
			t.Errorf("%d open rows, %d after a rebuild", len(before), len(after))
		}
	})
}

func TestTheDeskWorksOnWhatIsStarted(t *testing.T) {
	w := newWard(t, storetest.SQLite(t))
	w.says(t, "door/front", "opne")
	w.says(t, "door/back", "opne")
	desk := w.desk()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- desk.Run(ctx) }()
	j, err := desk.Start(t.Context(), sense.QuarantineFilter{Reason: "unreadable message"}, "ada", "an old test", true)
	must(t, err)
	for end := time.Now().Add(20 * time.Second); j.Ended.IsZero() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		j, err = desk.Job(j.ID)
		must(t, err)
	}
	if j.Done != 2 || j.Stopped != "" || j.Seen() != 2 {
		t.Errorf("the job: %+v", j)
	}
	w.catchUp(t)
	if _, err := desk.Start(t.Context(), sense.QuarantineFilter{}, "ada", "", false); !errors.Is(err, sense.ErrNotFound) {
		t.Errorf("work on nothing: %v", err)
	}
	stop()
	must(t, <-ended)
}

func TestWhatCannotBeReplayed(t *testing.T) {
	w := newWard(t, storetest.SQLite(t))
	desk := w.desk()
	for name, c := range map[string]struct {
		entry event.Quarantined
		says  string
	}{
		"no way back":    {event.Quarantined{Source: "dc09", Bytes: []byte("x")}, "no way back in"},
		"no bytes":       {event.Quarantined{Source: "lines"}, "nothing of what arrived was kept"},
		"cut":            {event.Quarantined{Source: "lines", Bytes: []byte("x"), Cut: 5}, "5 are missing"},
		"line":           {event.Quarantined{Source: "lines", Bytes: []byte("x")}, ""},
		"device's":       {event.Quarantined{Source: "doors", Device: "hub-7", Topic: "door/x", Bytes: []byte("x")}, ""},
		"device's cut":   {event.Quarantined{Source: "doors", Device: "hub-7", Topic: "door/x", Bytes: []byte("x"), Cut: 1}, "1 are missing"},
		"no topic known": {event.Quarantined{Source: "doors", Device: "hub-7", Bytes: []byte("x")}, "no way back in"},
	} {
		err := desk.CannotReplay(&c.entry)
		if (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) || !errors.Is(err, sense.ErrCannotReplay)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	id := w.says(t, "door/front", "opne")
	if err := desk.Replay(t.Context(), sense.Attempt{Entry: id, Bytes: []byte{}}); !errors.Is(err, sense.ErrCannotReplay) {
		t.Errorf("emptied: %v", err)
	}
	if err := desk.Replay(t.Context(), sense.Attempt{Entry: id, Bytes: make([]byte, sense.MaxReplay+1)}); !errors.Is(err, sense.ErrCannotReplay) {
		t.Errorf("blown up: %v", err)
	}
	d, err := w.reg.Device("hub-7")
	must(t, err)
	gone := *d
	gone.Revoked = true
	must(t, w.reg.PutDevices(t.Context(), "test", gone))
	if err := desk.Replay(t.Context(), sense.Attempt{Entry: id, Bytes: []byte("open")}); !errors.Is(err, registry.ErrRevoked) {
		t.Errorf("of a revoked device: %v", err)
	}
}

// BenchmarkReplayAGroup measures entries a second: three commits each.
func BenchmarkReplayAGroup(b *testing.B) {
	w := newWard(b, storetest.SQLite(b))
	for range b.N {
		must(b, w.in.QuarantineMessage(b.Context(), event.Quarantined{Source: "message", From: "hub-7", Device: "hub-7", Topic: "door/front", Reason: "unknown topic", Bytes: []byte("open")}))
	}
	// The intake lets only so many in a second; what it dropped is not measured.
	must(b, w.db.CatchUp(b.Context(), w.log, w.model, nil))
	desk := w.desk()
	b.ResetTimer()
	j, err := desk.WorkAll(b.Context(), sense.QuarantineFilter{}, "ada", "", false, nil)
	must(b, err)
	b.ReportMetric(float64(j.Done)/b.Elapsed().Seconds(), "entries/s")
}
