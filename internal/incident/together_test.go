package incident

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Several people act on one incident while alerts come in: each change has a
// version of its own, and of those who saw the same version one succeeds.
func TestPeopleActTogether(t *testing.T) {
	log := openLog(t, t.TempDir())
	d := NewDesk(log, clock.Fixed(noon), quiet, nil)
	a := town(rand.New(rand.NewPCG(1, 1)), 1)[0]
	a.Kind = event.KindFire
	id := event.NewID("incident", string(a.ID))
	raise(t, log, a)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := log.Run(ctx, d.Stage(), func() {}); err != nil {
			t.Error(err)
		}
	})
	for {
		if _, err := d.Get(id); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	const rounds, people = 15, 6
	var succeeded int
	var actions []done
	for range rounds {
		seen, err := d.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		var won, lost atomic.Int32
		var mu sync.Mutex
		var at sync.WaitGroup
		for p := range people {
			at.Go(func() {
				in, err := d.Do(context.Background(), Action{Incident: id, Version: seen.Version, By: fmt.Sprint("op-", p), Type: event.ChangeNoted, Why: "n"})
				switch {
				case err == nil:
					won.Add(1)
					mu.Lock()
					actions = append(actions, done{id, in.Version, event.ChangeNoted, fmt.Sprint("op-", p)})
					mu.Unlock()
				case errors.Is(err, ErrChanged):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		a.Revision++
		a.ID = event.NewAlertID(a.Rule, a.Cause, a.Revision)
		raise(t, log, a)
		at.Wait()
		if won.Load() > 1 || won.Load()+lost.Load() != people {
			t.Fatalf("%d of %d saw their action done, %d were told to look again", won.Load(), people, lost.Load())
		}
		succeeded += int(won.Load())
	}
	stop()
	wg.Wait()
	if succeeded == 0 {
		t.Error("nobody succeeded")
	}
	a.Revision++
	a.ID = event.NewAlertID(a.Rule, a.Cause, a.Revision)
	again := NewDesk(log, clock.Fixed(noon), quiet, nil)
	runUntil(t, log, again.Stage(), raise(t, log, a), time.Minute, false)
	whole(t, log, again, actions)
}

// BenchmarkFuse measures what one alert costs the desk, without the log: alerts
// of open incidents, of which there are many.
func BenchmarkFuse(b *testing.B) {
	for _, open := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			d := NewDesk(nil, clock.Fixed(noon), quiet, nil)
			alerts := make([]*event.Alert, open)
			for i := range alerts {
				p := strconv.Itoa(i)
				alerts[i] = &event.Alert{
					ID: event.ID(p), Kind: event.KindIntruderUnconfirmed, Cause: "c" + p, Start: noon, End: noon, Raised: noon, Subject: p, Premises: p, Total: 1,
				}
				d.fuse(alerts[i])
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				a := *alerts[i%open]
				a.Revision = 1 + i/open
				a.ID = event.ID("again " + strconv.Itoa(i))
				if len(d.fuse(&a)) != 1 {
					b.Fatal("not fused")
				}
				if i++; i%10_000 == 0 {
					clear(d.book.alerts)
				}
			}
		})
	}
}

// BenchmarkSave measures a checkpoint of a desk with as many open incidents as
// it takes, and how large it is.
func BenchmarkSave(b *testing.B) {
	d := NewDesk(nil, clock.Fixed(noon), quiet, nil)
	for i := range maxOpen {
		p := event.NewID("premises", strconv.Itoa(i))
		d.fuse(&event.Alert{
			ID: event.NewID("alert", string(p)), Kind: event.KindIntruderUnconfirmed, Cause: "alarm/dc09/1234/" + string(p),
			Start: noon, End: noon, Raised: noon, Subject: "Premises " + string(p), Premises: string(p), Total: 1,
		})
	}
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		state, err := d.save()
		if err != nil {
			b.Fatal(err)
		}
		size = len(state)
	}
	b.ReportMetric(float64(size), "bytes")
	if size*16/9 > bus.MaxMessage {
		b.Errorf("a checkpoint of %d bytes is more than the log takes", size)
	}
}

// BenchmarkHandle measures the desk with its log: alerts in, durable changes out.
func BenchmarkHandle(b *testing.B) {
	d := NewDesk(openLog(b, b.TempDir()), clock.Fixed(noon), quiet, nil)
	records := make([]bus.Record, 1000)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range records {
			n++
			p := strconv.Itoa(n % 500)
			records[i] = bus.Record{Seq: uint64(n), Data: encode(&event.Alert{
				ID: event.ID(strconv.Itoa(n)), Kind: event.KindTamper, Cause: p, Revision: n, Start: noon, End: noon, Raised: noon, Subject: p, Premises: p, Total: n,
			})}
		}
		b.StartTimer()
		if err := d.handle(context.Background(), records); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(records))*float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}
