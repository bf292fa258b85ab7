package sense

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

var epoch = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// stamped is a simulated device: what it sends is stamped by its clock, and comes
// after a delay.
type stamped struct {
	t      testing.TB
	clocks *Clocks
	offset time.Duration // its clock's error at the start
	ppm    float64       // and how fast that grows
	random *rand.Rand
	jitter time.Duration // mean of the delay
}

func newStamped(t testing.TB) *stamped {
	return &stamped{t: t, clocks: newClocks(nil, slog.New(slog.DiscardHandler)), random: rand.New(rand.NewPCG(1, 2))}
}

func (s *stamped) error(at time.Time) time.Duration {
	return s.offset + time.Duration(s.ppm/1e6*float64(at.Sub(epoch)))
}

// say has the device say something at a time, heard later, and returns by how
// much the observation's time is wrong.
func (s *stamped) say(at, heard time.Time) time.Duration {
	s.t.Helper()
	stamp := at.Add(s.error(at))
	o := &event.Observation{Source: "test", Device: "d", Time: stamp, DeviceTime: &stamp}
	s.clocks.take(o, heard)
	if !o.DeviceTime.Equal(stamp) {
		s.t.Fatalf("the raw time %v became %v", stamp, *o.DeviceTime)
	}
	if got := stamp.Sub(o.Time).Seconds(); got-o.ClockError > 1e-6 || o.ClockError-got > 1e-6 {
		s.t.Fatalf("corrected by %v s, said %v", got, o.ClockError)
	}
	return o.Time.Sub(at)
}

func (s *stamped) delay() time.Duration {
	return 20*time.Millisecond + time.Duration(s.random.ExpFloat64()*float64(s.jitter))
}

// accuracy is what is promised of a corrected time once the error is known: an
// error up to the tolerance is let be, and the least delay of a window cannot be
// told from an error.
const accuracy = ClockTolerance + 2*time.Second

func TestClockErrorIsFound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStamped(t)
		s.offset = time.Duration(rapid.Int64Range(-36_000, 36_000).Draw(rt, "offset, s")) * time.Second
		s.ppm = rapid.Float64Range(-50, 50).Draw(rt, "drift, ppm")
		s.jitter = time.Duration(rapid.Int64Range(0, 1000).Draw(rt, "jitter, ms")) * time.Millisecond
		period := time.Duration(rapid.Int64Range(1, 600).Draw(rt, "period, s")) * time.Second
		settled := max(3*clockHalf, 3*clockHalfful*period) + 2*period
		at, outage := epoch, epoch.Add(settled*2)
		for i := 0; at.Before(epoch.Add(3 * settled)); i++ {
			at = at.Add(period)
			heard := at.Add(s.delay())
			if at.After(outage) && at.Before(outage.Add(time.Hour)) {
				heard = outage.Add(time.Hour + time.Duration(i)*time.Millisecond) // it kept what it had to say
			}
			wrong := s.say(at, heard)
			if at.Sub(epoch) > settled && wrong.Abs() > accuracy {
				rt.Fatalf("after %v (%d messages) a time is %v wrong; estimated %v, true %v", at.Sub(epoch), i, wrong, s.clocks.Error("test", "d"), s.error(at))
			}
		}
	})
}

func TestAClockThatIsSetIsFollowed(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, 10 * time.Second, -10 * time.Second, -time.Hour} {
		s := newStamped(t)
		s.jitter = 300 * time.Millisecond
		at, n := epoch, 0
		for ; n < 200; n++ {
			at = at.Add(10 * time.Second)
			s.say(at, at.Add(s.delay()))
		}
		s.offset += step
		within := 3*clockHalf + 2*10*time.Second
		if step > 0 {
			within = clockAhead * 10 * time.Second
		}
		for set := at; at.Before(set.Add(2 * time.Hour)); {
			at = at.Add(10 * time.Second)
			wrong := s.say(at, at.Add(s.delay()))
			if step > 0 && wrong > 10*time.Second || at.Sub(set) > within && wrong.Abs() > accuracy {
				t.Fatalf("%v after a step of %v a time is %v wrong", at.Sub(set), step, wrong)
			}
		}
	}
}

func TestLateAndBrokenMessagesDoNotFool(t *testing.T) {
	s := newStamped(t)
	at := epoch
	for range 100 {
		at = at.Add(30 * time.Second)
		s.say(at, at.Add(s.delay()))
	}
	// A backlog of a day that is worked off in 40 minutes.
	for i := range 2400 {
		if wrong := s.say(at.Add(time.Duration(i-2400)*36*time.Second), at.Add(time.Duration(i)*time.Second)); wrong.Abs() > accuracy {
			t.Fatalf("message %d of a backlog is %v wrong", i, wrong)
		}
	}
	at = at.Add(2400 * time.Second)
	for i := range 200 {
		at = at.Add(time.Second)
		if i%20 == 7 { // one stamp in twenty is broken
			s.offset = 300 * 24 * time.Hour
			if wrong := s.say(at, at.Add(s.delay())); wrong.Abs() > accuracy {
				t.Fatalf("a broken stamp made %v", wrong)
			}
			s.offset = 0
			continue
		}
		if wrong := s.say(at, at.Add(s.delay())); wrong.Abs() > accuracy {
			t.Fatalf("beside broken stamps a time is %v wrong", wrong)
		}
	}
}

func TestAheadWithDelaysThatDiffer(t *testing.T) {
	s := newStamped(t)
	s.offset, s.jitter = time.Hour, 20*time.Second
	at := epoch
	for i := range 200 {
		at = at.Add(30 * time.Second)
		if wrong := s.say(at, at.Add(s.delay())); i > 100 && wrong.Abs() > 10*time.Second {
			t.Fatalf("%v wrong", wrong)
		}
	}
}

func TestNoClockIsNoTime(t *testing.T) {
	c := newClocks(nil, slog.New(slog.DiscardHandler))
	for _, stamp := range []time.Time{time.Unix(12, 0), time.Date(2000, 1, 1, 0, 0, 9, 0, time.UTC), epoch.AddDate(20, 0, 0)} {
		o := &event.Observation{Time: stamp, DeviceTime: &stamp}
		c.take(o, epoch)
		if !o.Time.Equal(epoch) || o.ClockError != 0 || !o.DeviceTime.Equal(stamp) || c.Error("", "") != 0 {
			t.Errorf("%v became %+v", stamp, o)
		}
		own := epoch.Add(-time.Minute) // the source knows better
		o = &event.Observation{Time: own, DeviceTime: &stamp}
		if c.take(o, epoch); !o.Time.Equal(own) {
			t.Errorf("the source's own time became %v", o.Time)
		}
	}
}

func TestTheWayFromAnEdgeGatewayIsNoClockError(t *testing.T) {
	c := newClocks(nil, slog.New(slog.DiscardHandler))
	for i := range 100 {
		at := epoch.Add(time.Duration(i) * time.Minute)
		o := &event.Observation{Time: at, DeviceTime: &at, Edge: &event.Edge{Gateway: "g", Received: at.Add(time.Second)}}
		if c.take(o, at.Add(5*time.Hour)); !o.Time.Equal(at) || o.ClockError != 0 {
			t.Fatalf("%+v", o)
		}
	}
}

func TestClocksAreKnownAfterARestartAndBounded(t *testing.T) {
	log, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := newClocks(log, slog.New(slog.DiscardHandler))
	if err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		heard := epoch.Add(time.Duration(i) * time.Second)
		for dev, ahead := range map[string]time.Duration{"fast": time.Minute, "right": 0} {
			stamp := heard.Add(ahead)
			c.take(&event.Observation{Source: "s", Device: dev, Time: stamp, DeviceTime: &stamp}, heard)
		}
	}
	if err := c.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := newClocks(log, slog.New(slog.DiscardHandler))
	if err := again.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again.Error("s", "fast") != time.Minute || again.Error("s", "right") != 0 || len(again.now) != 1 {
		t.Errorf("%v, %v, %d", again.Error("s", "fast"), again.Error("s", "right"), len(again.now))
	}
	for i := range 3 * maxClocks {
		again.drift(deviceKey{"s", string(rune(i)) + "x"})
	}
	if n := len(again.now) + len(again.old); n > 2*maxClocks {
		t.Errorf("%d clocks are kept", n)
	}
}

func BenchmarkClock(b *testing.B) {
	c := newClocks(nil, slog.New(slog.DiscardHandler))
	names := make([]string, 10_000)
	for i := range names {
		names[i] = "hub-" + string(rune('a'+i%26)) + time.Duration(i).String()
	}
	stamp := epoch
	o := &event.Observation{Source: "zigbee2mqtt", DeviceTime: &stamp}
	for i := 0; b.Loop(); i++ {
		stamp = epoch.Add(time.Duration(i) * time.Millisecond)
		o.Device, o.Time, o.ClockError = names[i%len(names)], stamp, 0
		c.take(o, stamp.Add(50*time.Millisecond))
	}
}
