package incident

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// history is a log on which a desk and a person worked, and the desk that took
// over.
func history(t *testing.T) (*bus.Log, *Desk) {
	log := openLog(t, t.TempDir())
	clk := clock.Scaled(noon, 1000)
	first, second := NewDesk(log, clk, quiet, nil), NewDesk(log, clk, quiet, nil)
	alerts := town(rand.New(rand.NewPCG(11, 11)), 600)
	ctx, stop := context.WithCancel(context.Background())
	var others sync.WaitGroup
	others.Go(func() { feed(t, log, alerts[1:]) })
	others.Go(func() { operate(ctx, t, first, "op", 5) })
	runUntil(t, log, first.Stage(), math.MaxUint64, 400*time.Millisecond, false)
	stop()
	others.Wait()
	runUntil(t, log, second.Stage(), raise(t, log, alerts[0]), time.Minute, false)
	return log, second
}

// The read model is the desk's memory, after any history, built at once or anew.
func TestProjectionEqualsTheDesk(t *testing.T) {
	log, d := history(t)
	// Marks that no reader can use, left out alike.
	appendTo(t, log, bus.Incidents, []byte(`{"id":`), encode(&event.IncidentChange{Incident: "gap\x00", Version: 7, Type: event.ChangeNoted}))
	changes := changesOfReadable(t, log)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		p := NewProjection(quiet)
		if err := db.CatchUp(ctx, log, p, nil); err != nil {
			t.Fatal(err)
		}
		check := func() {
			q := NewQueries(db)
			counts := map[State]int{}
			for id := range d.book.incidents {
				want, err := d.Get(id)
				if err != nil {
					t.Fatal(err)
				}
				counts[want.State]++
				got, err := q.ByID(ctx, id)
				if err != nil || string(encode(got)) != string(encode(want)) {
					t.Fatalf("%v: stored\n%s\nthe desk has\n%s", err, encode(got), encode(want))
				}
				cs, err := q.Changes(ctx, id)
				if err != nil || len(cs) != want.Version || cs[len(cs)-1].Seq != want.Seq {
					t.Fatalf("%d changes of version %d, %v", len(cs), want.Version, err)
				}
			}
			got, err := q.Counts(ctx)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(counts) {
				t.Errorf("counts %v, want %v, %v", got, counts, err)
			}
			if _, err := q.ByID(ctx, "nothing"); !errors.Is(err, ErrNotFound) {
				t.Errorf("nothing: %v", err)
			}
		}
		check()
		if err := db.Rebuild(ctx, log, []store.Projection{p}, nil); err != nil {
			t.Fatal(err)
		}
		check()
		pages(t, db, d, changes)
	})
}

func changesOfReadable(tb testing.TB, log *bus.Log) int {
	n := 0
	if err := log.Each(context.Background(), bus.Incidents, 0, func(bus.Record) error { n++; return nil }); err != nil {
		tb.Fatal(err)
	}
	return n
}

// pages walks the lists with every size of page.
func pages(t *testing.T, db *store.DB, d *Desk, changes int) {
	ctx, q := context.Background(), NewQueries(db)
	open := 0
	for _, in := range d.book.incidents {
		if in.State != Closed {
			open++
		}
	}
	for _, size := range []int{1, 2, 7, 500, 0} {
		seen := map[event.ID]bool{}
		var last *Incident
		for at := (&Start); at != nil; {
			page, next, err := q.Queue(ctx, *at, size)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				in := &page[i]
				if seen[in.ID] || in.State == Closed {
					t.Fatalf("pages of %d: %s, which is %s, again", size, in.Ref, in.State)
				}
				seen[in.ID] = true
				if last != nil && (in.Priority > last.Priority || in.Priority == last.Priority && in.Opened.Before(last.Opened)) {
					t.Fatalf("pages of %d: %s (%d) after %s (%d)", size, in.Ref, in.Priority, last.Ref, last.Priority)
				}
				last = in
			}
			at = next
		}
		if len(seen) != open {
			t.Errorf("pages of %d: %d incidents, want %d", size, len(seen), open)
		}
		before, n := 0, 0
		for {
			page, err := q.Recent(ctx, before, size)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, in := range page {
				if before != 0 && in.Number >= before {
					t.Fatalf("recent, pages of %d: number %d after %d", size, in.Number, before)
				}
				before = in.Number
				n++
			}
		}
		if n != len(d.book.incidents) {
			t.Errorf("recent, pages of %d: %d incidents, want %d", size, n, len(d.book.incidents))
		}
		var after uint64
		n = 0
		for {
			page, err := q.Changed(ctx, after, size)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, in := range page {
				if in.Seq <= after {
					t.Fatalf("changed, pages of %d: position %d after %d", size, in.Seq, after)
				}
				after = in.Seq
				n++
			}
		}
		if n != len(d.book.incidents) || changes == 0 {
			t.Errorf("changed, pages of %d: %d incidents, want %d", size, n, len(d.book.incidents))
		}
	}
}
