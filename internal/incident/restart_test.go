package incident

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
)

// town makes n alerts of several premises and attackers, each cause growing by
// its revisions.
func town(rnd *rand.Rand, n int) []*event.Alert {
	kinds := []event.Kind{
		event.KindIntruderUnconfirmed, event.KindIntruderUnconfirmed, event.KindIntruderConfirmed, event.KindHoldUp, event.KindTamper,
		event.KindFire, event.KindDeviceSilent, event.KindRestored, event.KindRestored, event.KindScanHorizontal,
	}
	revisions := map[string]int{}
	at := noon
	out := make([]*event.Alert, n)
	for i := range out {
		at = at.Add(time.Duration(rnd.IntN(60)) * time.Second)
		premises := fmt.Sprint("p", rnd.IntN(30))
		cause := fmt.Sprint(premises, "/", rnd.IntN(3), "/", i/200)
		a := &event.Alert{
			Rule: "town", Kind: kinds[rnd.IntN(len(kinds))], Cause: cause, Revision: revisions[cause], Start: at, End: at, Raised: at,
			Subject: premises, Premises: premises, Reason: "Something at " + premises + ".", Total: revisions[cause] + 1,
		}
		if a.Kind == event.KindScanHorizontal {
			a.Premises = ""
		}
		revisions[cause]++
		a.ID = event.NewAlertID(a.Rule, a.Cause, a.Revision)
		out[i] = a
	}
	return out
}

// feed raises alerts little by little, and returns the position of the last.
func feed(tb testing.TB, log *bus.Log, alerts []*event.Alert) (last uint64) {
	for part := range slices.Chunk(alerts, 7) {
		last = raise(tb, log, part...)
		time.Sleep(500 * time.Microsecond)
	}
	return last
}

// done is an action that was taken.
type done struct {
	incident event.ID
	version  int
	typ      event.ChangeType
	by       string
}

// operate acts at random on the desk's incidents until the context ends, and
// returns what the desk said it had done.
func operate(ctx context.Context, tb testing.TB, d *Desk, who string, seed uint64) []done {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var out []done
	for ctx.Err() == nil {
		d.mu.Lock()
		var ids []event.ID
		for id := range d.book.incidents {
			ids = append(ids, id)
		}
		d.mu.Unlock()
		if len(ids) == 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		slices.Sort(ids)
		a := Action{Incident: ids[rnd.IntN(len(ids))], By: who, Why: "because", Grade: event.Prompt, Code: event.ClosedFalse, AssignedTo: "Unit 1"}
		a.Type = []event.ChangeType{
			event.ChangeAcknowledged, event.ChangeAttending, event.ChangeGraded, event.ChangeNoted,
			event.ChangeAssigned, event.ChangeClosed, event.ChangeReopened,
		}[rnd.IntN(7)]
		time.Sleep(time.Millisecond) // people are not that fast; and it bounds the history
		in, err := d.Do(ctx, a)
		switch {
		case errors.Is(err, ErrStopped):
			return out
		case err == nil:
			out = append(out, done{a.Incident, in.Version, a.Type, who})
		case errors.Is(err, ErrNotAllowed), errors.Is(err, ErrNotFound), ctx.Err() != nil:
		default:
			tb.Errorf("%s: %v", a.Type, err)
		}
	}
	return out
}

// whole checks that a log of changes contradicts neither itself nor the desk.
func whole(tb testing.TB, log *bus.Log, d *Desk, actions []done) {
	tb.Helper()
	changes := changesOf(tb, log)
	versions, ids, alerts, numbers := map[event.ID]int{}, map[event.ID]bool{}, map[event.ID]bool{}, 0
	acted := map[done]bool{}
	for _, c := range changes {
		if versions[c.Incident]++; c.Version != versions[c.Incident] {
			tb.Fatalf("change %d of incident %s is version %d", versions[c.Incident], c.Incident, c.Version)
		}
		if ids[c.ID] {
			tb.Fatalf("change %s twice", c.ID)
		}
		ids[c.ID] = true
		if c.Type == event.ChangeOpened {
			if numbers++; c.Number != numbers {
				tb.Fatalf("incident %s has number %d after %d", c.Incident, c.Number, numbers-1)
			}
		}
		if c.Alert != nil {
			if alerts[c.Alert.ID] {
				tb.Fatalf("alert %s twice", c.Alert.ID)
			}
			alerts[c.Alert.ID] = true
		}
		if c.By != event.System {
			acted[done{c.Incident, c.Version, c.Type, c.By}] = true
		}
	}
	for _, a := range actions {
		if !acted[a] {
			tb.Fatalf("%+v is not on the log", a)
		}
	}
	for id, want := range sum(tb, changes) {
		got, err := d.Get(id)
		if err != nil {
			tb.Fatal(err)
		}
		if string(encode(got)) != string(encode(want)) {
			tb.Fatalf("the desk has\n%s\nthe log adds up to\n%s", encode(got), encode(want))
		}
	}
}

// However often the desk crashes while people act, every alert is in one
// incident, every action that was confirmed is there, and desk and log agree.
func TestDeskAfterCrashes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	alerts := town(rnd, 4000)
	dir := t.TempDir()
	clk := clock.Fixed(noon)
	var actions []done
	var raised []*event.Alert
	for round := 0; ; round++ {
		log := openLog(t, dir)
		n := min(len(alerts), 200+rnd.IntN(300))
		part := alerts[:n]
		raised, alerts = append(raised, alerts[:n]...), alerts[n:]
		d := NewDesk(log, clk, quiet, nil)
		st := d.Stage()
		st.Checkpoint = time.Duration(1+rnd.IntN(15)) * time.Millisecond
		pos, most := uint64(math.MaxUint64), time.Duration(5+rnd.IntN(250))*time.Millisecond
		last := len(alerts) == 0
		if last {
			pos, most = raise(t, log, part...), time.Minute
			part = nil
		}
		ready := make(chan struct{})
		recovered := st.Handle
		var once sync.Once
		st.Handle = func(ctx context.Context, records []bus.Record) error {
			once.Do(func() { close(ready) }) // people come when the desk has recovered
			return recovered(ctx, records)
		}
		ctx, stop := context.WithCancel(context.Background())
		var people sync.WaitGroup
		var mu sync.Mutex
		for i := range 2 {
			seed := rnd.Uint64()
			people.Go(func() {
				select {
				case <-ready:
				case <-ctx.Done():
					return
				}
				did := operate(ctx, t, d, fmt.Sprint("op-", i), seed)
				mu.Lock()
				defer mu.Unlock()
				actions = append(actions, did...)
			})
		}
		people.Go(func() { feed(t, log, part) })
		runUntil(t, log, st, pos, most, !last && rnd.IntN(3) > 0)
		stop()
		people.Wait()
		if last {
			// A later desk knows what this one did after its last checkpoint.
			again := NewDesk(log, clk, quiet, nil)
			end := raise(t, log, raised[len(raised)-1])
			runUntil(t, log, again.Stage(), end, time.Minute, false)
			whole(t, log, again, actions)
			break
		}
		log.Close()
	}
	if len(actions) == 0 {
		t.Error("nobody acted")
	}
	t.Logf("%d alerts, %d actions", len(raised), len(actions))
}

// Without people, crashes leave no trace at all.
func TestDeskAfterCrashesEqualsOneThatHadNone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	alerts := town(rnd, 3000)
	history := func(dir string, crashes int) []*event.IncidentChange {
		log := openLog(t, dir)
		end := raise(t, log, alerts...)
		for range crashes {
			d := NewDesk(log, clock.Fixed(noon), quiet, nil)
			st := d.Stage()
			st.Checkpoint = time.Duration(1+rnd.IntN(20)) * time.Millisecond
			runUntil(t, log, st, end, time.Duration(1+rnd.IntN(40))*time.Millisecond, rnd.IntN(3) > 0)
			log.Close()
			log = openLog(t, dir)
		}
		// One more, from which nothing follows: there may be no other left.
		end = raise(t, log, &event.Alert{ID: "last", Kind: event.KindRestored, Cause: "nobody's"})
		runUntil(t, log, NewDesk(log, clock.Fixed(noon), quiet, nil).Stage(), end, time.Minute, false)
		out := changesOf(t, log)
		for _, c := range out {
			c.Seq = 0
		}
		return out
	}
	want := history(t.TempDir(), 0)
	got := history(t.TempDir(), 12)
	if len(got) != len(want) {
		t.Fatalf("%d changes, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := *got[i], *want[i]
		ga, wa := g.Alert, w.Alert
		g.Alert, w.Alert = nil, nil
		if !reflect.DeepEqual(g, w) || (ga == nil) != (wa == nil) || ga != nil && ga.ID != wa.ID {
			t.Fatalf("change %d is\n%s\nwant\n%s", i, encode(got[i]), encode(want[i]))
		}
	}
}

// A person acts between the two halves of a checkpoint: when the end of the log
// has been read, and the state has not been taken.
func TestActionWithinACheckpoint(t *testing.T) {
	dir := t.TempDir()
	log := openLog(t, dir)
	clk := clock.Fixed(noon)
	d := NewDesk(log, clk, quiet, nil)
	a := town(rand.New(rand.NewPCG(1, 1)), 1)[0]
	a.Kind = event.KindFire
	end := raise(t, log, a)
	st := d.Stage()
	save := st.Save
	id := event.NewID("incident", string(a.ID))
	st.Save = func() ([]byte, error) {
		if _, err := d.Do(context.Background(), Action{Incident: id, By: "op", Type: event.ChangeNoted, Why: "within the checkpoint"}); err != nil {
			t.Error(err)
		}
		return save()
	}
	runUntil(t, log, st, end, time.Minute, false)
	again := NewDesk(log, clk, quiet, nil)
	b := *a
	b.Revision, b.ID = 1, event.NewAlertID(b.Rule, b.Cause, 1)
	end = raise(t, log, &b)
	runUntil(t, log, again.Stage(), end, time.Minute, false)
	whole(t, log, again, []done{{id, 2, event.ChangeNoted, "op"}})
	if in, err := again.Get(id); err != nil || in.Version != 3 {
		t.Errorf("version %d, %v", in.Version, err)
	}
}
