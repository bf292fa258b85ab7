package sense_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// watch is a supervisor on a clock that the test holds.
type watch struct {
	t    *testing.T
	log  *bus.Log
	in   *sense.Intake
	reg  *registry.Registry
	now  time.Time
	set  func(time.Time)
	stop context.CancelFunc
	done chan error
}

func newWatch(t *testing.T) *watch {
	t.Helper()
	ctx := context.Background()
	w := &watch{t: t, log: openLog(t, bus.Config{}), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	clk, set := clock.Held(w.now)
	w.set = set
	sealer, err := seal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if w.reg, err = registry.New(ctx, w.log, sealer, clk, discard); err != nil {
		t.Fatal(err)
	}
	if err := w.reg.Put(ctx, "test", registry.Premises{
		ID: "bank", Name: "Bank", Place: place.Point{Lat: 54.5, Lon: 2.5}, Accounts: []registry.Account{
			{Number: "fast", Class: "SP6"}, {Number: "mid", Class: "SP5"}, {Number: "free", Class: "none"},
		},
	}); err != nil {
		t.Fatal(err)
	}
	w.in = sense.NewIntake(w.log, clk, nil, discard, nil)
	return w
}

// run starts the supervisor's stage; crash makes its end lose the state since
// the last save, of which there is none then.
func (w *watch) run(crash bool) {
	w.t.Helper()
	st := sense.NewSupervisor(w.in, w.reg, "dc09", discard).Stage()
	if crash {
		st.Save = func() ([]byte, error) { return nil, errors.New("crash") }
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.done = stop, make(chan error, 1)
	go func() { w.done <- w.log.Run(ctx, st, func() {}) }()
	w.t.Cleanup(stop)
}

func (w *watch) end() {
	w.t.Helper()
	w.stop()
	if err := <-w.done; err != nil && !strings.Contains(err.Error(), "crash") {
		w.t.Error(err)
	}
}

// pass lets seconds pass, each with its tick.
func (w *watch) pass(seconds int) {
	w.t.Helper()
	for range seconds {
		w.now = w.now.Add(time.Second)
		w.set(w.now)
		w.put(event.Observation{ID: event.NewID("tick", w.now.String()), Kind: event.KindClockTick, Source: "clock"})
	}
}

func (w *watch) hear(account string) {
	w.t.Helper()
	w.put(event.Observation{ID: event.NewID("alarm", account, w.now.String()), Kind: event.KindAlarm, Source: "dc09", Device: account, Alarm: &event.Alarm{Account: account}})
}

func (w *watch) put(o event.Observation) {
	w.t.Helper()
	if err := w.in.ObserveAll(context.Background(), &o); err != nil {
		w.t.Fatal(err)
	}
}

// want waits until the supervisor has said exactly this, in any order.
func (w *watch) want(said ...string) {
	w.t.Helper()
	slices.Sort(said)
	var got []string
	for range 2000 {
		got = nil
		for _, o := range observed(w.t, w.log) {
			if o.Supervision != nil {
				got = append(got, fmt.Sprintf("%s %s", strings.TrimPrefix(string(o.Kind), "device."), o.Device))
			}
		}
		slices.Sort(got)
		if slices.Equal(got, said) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatalf("said %q, want %q", got, said)
}

func TestSilentReturnedUnknown(t *testing.T) {
	w := newWatch(t)
	w.run(false)
	w.pass(1)
	w.hear("fast")
	w.pass(22)
	w.want()
	w.pass(1) // 20 s and the grace are over
	w.want("silent fast")
	w.pass(69)
	w.want("silent fast")
	w.pass(1) // 90 s and the grace since the account was first known
	w.want("silent fast", "unknown mid")
	w.hear("fast")
	w.hear("mid")
	w.hear("stranger")
	w.pass(1)
	w.want("silent fast", "unknown mid", "returned fast", "returned mid")
	w.pass(30)
	w.want("silent fast", "unknown mid", "returned fast", "returned mid", "silent fast")
	w.end()

	for _, o := range observed(t, w.log) {
		if o.Kind != event.KindSilent || o.Supervision == nil {
			continue
		}
		s := o.Supervision
		if o.Premises != "bank" || o.Place == nil || s.Class != "SP6" || s.Reporting != 20*time.Second || s.LastHeard == nil || o.Time.Sub(*s.LastHeard) < s.Reporting {
			t.Errorf("%+v %+v", o, s)
		}
	}
}

// say has a device behind a hub speak.
func (w *watch) say(kind event.Kind, device, via string) {
	w.t.Helper()
	w.put(event.Observation{ID: event.NewID(string(kind), device, w.now.String()), Kind: kind, Source: "zigbee2mqtt", Device: device, Via: via})
}

func TestEnrolledDevicesAreSupervised(t *testing.T) {
	ctx := context.Background()
	w := newWatch(t)
	given := w.now.Add(-time.Hour)
	hub := registry.Device{
		ID: "hub", Name: "Hub", Premises: "bank", Reporting: time.Minute,
		Basis: event.Consent, Consent: &registry.Consent{Given: given},
	}
	if err := w.reg.AmendDevices(
		ctx, "test", hub, registry.Device{ID: "eui", Name: "Bin", Aliases: []string{"hub/bin"}, Reporting: 30 * time.Second},
		registry.Device{ID: "never", Name: "Never", Reporting: 2 * time.Minute, Speaks: []string{"frigate"}}, registry.Device{ID: "free", Name: "Free"},
	); err != nil {
		t.Fatal(err)
	}
	w.run(false)
	w.pass(1)
	w.say(event.KindState, "hub/bin", "hub") // the bin and its hub were heard
	w.say(event.KindState, "free", "free")
	w.pass(33)
	w.want("silent eui", "unknown fast")
	w.say(event.KindState, "hub/door", "hub") // a sensor of its own: the hub was heard
	w.pass(55)
	w.say(event.KindMisuse, "hub", "hub") // nobody knows who it was
	w.say(event.KindGone, "hub", "hub")
	w.pass(8)
	w.want("silent eui", "silent hub", "unknown mid", "unknown fast")
	w.say(event.KindState, "hub/bin", "hub")
	w.pass(27)
	said := []string{"silent eui", "silent hub", "unknown mid", "returned eui", "returned hub", "unknown never", "unknown fast"}
	w.want(said...)
	w.say(event.KindState, "never", "never")
	w.pass(1)
	w.want(append(said, "returned never")...)
	w.end()

	// What may not be kept is not expected, and gets its time when it may be again.
	if err := w.reg.Withdraw(ctx, "test", "hub"); err != nil {
		t.Fatal(err)
	}
	w.run(false)
	w.pass(100)
	said = append(said, "returned never", "silent eui")
	w.want(said...)
	if err := w.reg.AmendDevices(ctx, "test", hub); err != nil {
		t.Fatal(err)
	}
	w.pass(55)
	said = append(said, "silent never")
	w.want(said...)
	w.pass(10)
	w.want(append(said, "silent hub")...)
	w.end()

	for _, o := range observed(t, w.log) {
		if o.Supervision == nil || o.Device == "mid" || o.Device == "fast" {
			continue
		}
		source := "zigbee2mqtt"
		if o.Device == "never" && o.Kind != event.KindSilent {
			source = "frigate"
		}
		if o.Source != source || o.Enrolled != o.Device || o.Supervision.Class != sense.ClassEnrolled || (o.Premises == "bank") != (o.Device == "hub") {
			t.Errorf("%s %+v", o.Kind, o)
		}
	}
}

func TestSupervisionOutlivesARestart(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			w := newWatch(t)
			w.run(crash)
			w.pass(1)
			w.hear("fast")
			w.hear("mid")
			w.pass(25)
			w.want("silent fast")
			w.end()

			w.run(false) // after a crash it reads everything again
			w.pass(3)
			w.want("silent fast")
			w.hear("fast")
			w.pass(1)
			w.want("silent fast", "returned fast")
			w.pass(10)
			w.want("silent fast", "returned fast")
			w.pass(60)
			w.want("silent fast", "returned fast", "silent fast", "silent mid")
			w.end()

			w.run(false)
			w.pass(2)
			w.want("silent fast", "returned fast", "silent fast", "silent mid")
			w.end()
		})
	}
}

func TestNobodyIsSilentWhileThePlatformDoesNotListen(t *testing.T) {
	w := newWatch(t)
	w.run(false)
	w.pass(1)
	w.hear("fast")
	w.hear("mid")
	w.pass(5)
	w.want()
	w.end()

	w.now = w.now.Add(time.Hour) // down
	w.run(false)
	w.pass(20)
	w.want()
	w.hear("mid")
	w.pass(5)
	w.want("silent fast")
	w.end()
}

func TestTickerTicks(t *testing.T) {
	l := openLog(t, bus.Config{})
	in := sense.NewIntake(l, clock.Scaled(time.Unix(0, 0), 5), nil, discard, nil)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sense.NewTicker(in, discard).Run(ctx) }()
	r, err := l.Read(ctx, bus.Observations, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 3 {
		if _, err := r.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
