package app_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
)

// TestEdgeLosesNothing cuts a gateway's link for an hour (see hour), kills the
// gateway twice meanwhile and the centre once afterwards, and joins the link: each
// message that a device heard acknowledged is at the centre once, in order for
// each device. The link is TLS, with a certificate that nobody but the gateway
// trusts.
func TestEdgeLosesNothing(t *testing.T) {
	rounds := 1
	if v := os.Getenv(edgeRounds); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := selfSigned(t)
	centre := edgePart{Centre: true, Dir: t.TempDir(), Port: freePort(t), Cert: cert, Key: key}
	line := newCable(t, centre.Port)
	cab := edgePart{Dir: t.TempDir(), Port: freePort(t), URL: "https://" + line.ln.Addr().String(), Cert: cert}

	killCentre := startPart(t, centre)
	waitFor(t, "the centre", func() bool { return reach(centre.Port) })
	killCab := startPart(t, cab)
	waitForEntries(t, cab.Port)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	devices := make([]*streetDevice, edgeDevices)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range devices {
		devices[i] = &streetDevice{id: edgeDevice(i), addr: cab.Port, window: 1 + i%2*9, clock: hour(begin, time.Duration(rounds)*3*edgePhase)}
		wg.Go(func() { devices[i].run(ctx) })
	}
	more := func(n int64) {
		t.Helper()
		before := ackedBy(devices)
		waitFor(t, "messages to be acknowledged", func() bool { return ackedBy(devices) >= before+n })
	}
	for round := range rounds {
		more(100)
		line.cut()
		for range 2 {
			time.Sleep(edgePhase)
			more(100)
			killCab()
			killCab = startPart(t, cab)
		}
		time.Sleep(edgePhase)
		more(100)
		line.join()
		more(100)
		killCentre()
		killCentre = startPart(t, centre)
		waitFor(t, "the centre", func() bool { return reach(centre.Port) }) // it holds its log then, and we open it beside
		more(100)
		t.Logf("round %d: %d acknowledged in all", round+1, ackedBy(devices))
	}
	stop()
	wg.Wait()
	waitForEdge(t, centre.Dir, devices)
	killCentre()
	killCab()
	checkEdge(t, centre.Dir, devices)
}

// forwarded returns the numbers that came of each device, in order, and how far
// apart in their own time the first and the last are.
func forwarded(t *testing.T, log *bus.Log) (came map[string][]int, span time.Duration) {
	t.Helper()
	came = map[string][]int{}
	var first, last time.Time
	each(t, log, bus.Observations, func(rec bus.Record) {
		var o event.Observation
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			t.Fatal(err)
		}
		if o.Edge == nil || len(o.Raw) == 0 {
			return
		}
		var said []struct{ V float64 }
		if err := json.Unmarshal(o.Raw, &said); err != nil || len(said) != 1 || o.DeviceTime == nil {
			t.Fatalf("%s: %v", o.Raw, err)
		}
		came[o.Via] = append(came[o.Via], int(said[0].V))
		if first.IsZero() || o.DeviceTime.Before(first) {
			first = *o.DeviceTime
		}
		if o.DeviceTime.After(last) {
			last = *o.DeviceTime
		}
	})
	return came, last.Sub(first)
}

// waitForEdge waits until the centre has as much as was acknowledged, and for
// what may come too much.
func waitForEdge(t *testing.T, dir string, devices []*streetDevice) {
	t.Helper()
	log, err := bus.Open(t.Context(), bus.Config{Dir: dir, Attach: true, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	waitFor(t, "what was acknowledged to arrive", func() bool {
		time.Sleep(100 * time.Millisecond)
		came, _ := forwarded(t, log)
		for _, d := range devices {
			if n := len(came[d.id]); n < int(d.acked.Load()) {
				return false
			}
		}
		return true
	})
	time.Sleep(time.Second)
}

func checkEdge(t *testing.T, dir string, devices []*streetDevice) {
	t.Helper()
	log, err := bus.Open(context.Background(), bus.Config{Dir: dir, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	came, span := forwarded(t, log)
	total, again := 0, int64(0)
	for _, d := range devices {
		for i, n := range came[d.id] {
			if n != i {
				t.Fatalf("%s: message %d came when %d was due", d.id, n, i)
			}
		}
		// Of the last lot some may have been kept without an answer.
		if n := len(came[d.id]); n < int(d.acked.Load()) || n > d.sent {
			t.Errorf("%s: %d messages arrived, %d were acknowledged and %d sent", d.id, n, d.acked.Load(), d.sent)
		}
		total += len(came[d.id])
		again += d.again.Load()
	}
	each(t, log, bus.Quarantine, func(rec bus.Record) { t.Errorf("in quarantine: %s", rec.Data) })
	t.Logf("%d messages, of %v by their devices' clocks; %d had to be sent again", total, span.Round(time.Second), again)
	if span < 30*time.Minute {
		t.Errorf("the messages span %v only", span)
	}
}

// inside runs a gateway in this process until the returned function is called.
func (p edgePart) inside(t *testing.T, reserve int64) (g *app.Gateway, stop func()) {
	t.Helper()
	cfg := p.gatewayConfig()
	cfg.Reserve = reserve
	g, err := app.NewGateway(context.Background(), cfg, p.link(), clock.Wall(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		g.Close()
	})
	t.Cleanup(stop)
	return g, stop
}

// TestEdgeDoors tries what keeps a gateway's doors shut: a centre that it does not
// trust, a full disk, and a device that the centre revokes.
func TestEdgeDoors(t *testing.T) {
	cert, key := selfSigned(t)
	at := edgePart{Centre: true, Dir: t.TempDir(), Port: freePort(t), Cert: cert, Key: key}
	centre := start(t, at.centreConfig())
	if err := enrolEdge(centre.Registry()); err != nil {
		t.Fatal(err)
	}
	cab := edgePart{Dir: t.TempDir(), Port: freePort(t), URL: "https://" + at.Port}

	cab.Cert, _ = selfSigned(t) // another authority's
	g, stop := cab.inside(t, 1)
	time.Sleep(time.Second)
	d := edgeDevice(0)
	opts := mqttclient.Options{Addr: g.MQTTAddr(), ID: "d", User: d, Password: secretOf(d), Clean: true}
	if _, err := mqttclient.Dial(t.Context(), opts); err == nil {
		t.Fatal("the gateway has its entries from a centre that it cannot trust")
	}
	stop()
	cab.Cert = cert
	_, stop = cab.inside(t, 1)
	waitForEntries(t, cab.Port)
	stop()

	// A full disk: no PUBACK, and the device keeps its message.
	_, stop = cab.inside(t, 1<<40)
	sensor := &streetDevice{id: d, addr: cab.Port, window: 1, clock: time.Now}
	c, err := mqttclient.Dial(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	lot := []mqttclient.Message{sensor.message()}
	if _, err := sensor.publish(c, lot, false); err == nil {
		t.Error("acknowledged on a full disk")
	}
	_ = c.Drop()
	stop()
	cab.inside(t, 1)
	if c, err = mqttclient.Dial(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	if _, err := sensor.publish(c, lot, true); err != nil {
		t.Errorf("with space again: %v", err)
	}
	waitFor(t, "the message", func() bool {
		came, _ := forwarded(t, centre.log)
		return len(came[d]) == 1
	})

	gone, err := centre.Registry().Device(d)
	if err != nil {
		t.Fatal(err)
	}
	revoked := *gone
	revoked.Revoked = true
	if err := centre.Registry().PutDevices(t.Context(), "test", revoked); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	waitFor(t, "the revoked device to be cut off", func() bool {
		_ = c.Ping()
		p, err := c.Get()
		return err != nil || p.Type == mqttclient.TypeDisconnect
	})
	t.Logf("cut off after %v", time.Since(began))
	if _, err := mqttclient.Dial(t.Context(), opts); err == nil {
		t.Error("a revoked device was let in")
	}
	waitFor(t, "its attempt to be told of", func() bool {
		found := false
		each(t, centre.log, bus.Observations, func(rec bus.Record) {
			var o event.Observation
			if json.Unmarshal(rec.Data, &o) == nil && o.Misuse != nil && o.Edge != nil {
				found = found || o.Device == "cab/mqtt/"+d
			}
		})
		return found
	})
}
