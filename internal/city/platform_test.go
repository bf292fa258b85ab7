package city

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/store"
)

// The whole platform hears the opening over its real ports, and makes one
// incident of each story that should become one.
func TestPlatformHearsTheTown(t *testing.T) {
	const speed, span = 300, 42 * time.Minute
	clk, town := clock.Scaled(monday, speed), skarrow()
	cfg := platformConfig(t, "127.0.0.1:0")
	a := startPlatform(t, cfg, clk, town)
	from := clk.Now()
	p := live(t, town, Config{Clock: clk, From: from, MQTT: a.MQTTAddr(), Intake: a.IntakeURL()}, func(*Progress) bool {
		return clk.Now().After(from.Add(span))
	})
	if p.Unsaid.Load() > 0 || p.Dropped.Load() > 0 || p.Said.Load() < 500 {
		t.Errorf("%d messages said, %d given up, %d dropped", p.Said.Load(), p.Unsaid.Load(), p.Dropped.Load())
	}
	wantIncidents(t, cfg, town.toBecome(from, from.Add(span), Busy()))
	log, err := bus.Open(t.Context(), bus.Config{Dir: cfg.Data, Attach: true})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if n, err := log.Last(t.Context(), bus.Quarantine); err != nil || n > 0 {
		t.Errorf("%d messages in quarantine: %v", n, err)
	}
}

func platformConfig(t *testing.T, mqtt string) app.Config {
	return app.Config{
		Data: t.TempDir(), Reserve: 1, Zone: "Europe/London", MQTT: mqtt, Intake: "127.0.0.1:0", CAPPolicy: "prefer", CAPSender: "test", CAPName: "test",
	}
}

// startPlatform runs a platform that knows the town until the test ends.
func startPlatform(t *testing.T, cfg app.Config, clk *clock.Clock, town *Town) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), cfg, app.Options{Clock: clk, Logger: discard, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	settle(t, a.Registry(), town)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		a.Close()
	})
	for a.Ready() != nil {
		time.Sleep(5 * time.Millisecond)
	}
	return a
}

// While the gateway is away devices try again, and connect when it is there.
func TestRunOutlivesTheGateway(t *testing.T) {
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := reserved.Addr().String()
	reserved.Close()
	clk, town := clock.Scaled(monday, 400), skarrow()
	var a *app.App
	p := live(t, town, Config{Clock: clk, MQTT: addr}, func(p *Progress) bool {
		if a == nil && clk.Now().After(monday.Add(3*time.Minute)) {
			a = startPlatform(t, platformConfig(t, addr), clk, town)
		}
		return p.Said.Load() >= 100
	})
	if p.Said.Load() < 100 {
		t.Errorf("%d messages said", p.Said.Load())
	}
}

// What the intake cannot take now is posted again; what it refuses is not.
func TestPosterRepeatsWhatMayHelp(t *testing.T) {
	answers := []int{503, 429, 204, 422, 204}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		if user != loraServer || secret != skarrow().secret(loraServer) || r.URL.String() != "/in/"+loraServer+"/chirpstack?event=up" {
			t.Errorf("%s by %q", r.URL, user)
		}
		w.WriteHeader(answers[asked])
		asked++
	}))
	defer server.Close()
	cfg := Config{Intake: server.URL, Progress: &Progress{}, Logger: discard}
	poster := newPoster(skarrow(), cfg, loraServer)
	defer poster.client.CloseIdleConnections()
	for range 3 {
		poster.deliver(t.Context(), &Message{Device: loraServer, Topic: "chirpstack?event=up", Body: []byte("{}")})
	}
	if p := cfg.Progress; asked != 5 || p.Said.Load() != 2 || p.Unsaid.Load() != 1 || p.Repeated.Load() != 2 {
		t.Errorf("asked %d times, %d said, %d given up, %d repeated", asked, p.Said.Load(), p.Unsaid.Load(), p.Repeated.Load())
	}
}

// toBecome lists what the devices' stories of a span are to become.
func (t *Town) toBecome(from, to time.Time, sc Scenario) (out []event.Kind) {
	told := map[string]bool{}
	for m := range t.Messages(from, sc) {
		if m.At.After(to) {
			break
		}
		name, _, _ := strings.Cut(m.Story, "/")
		if kind := incidents[Story(name)]; kind != "" && !told[m.Story] {
			told[m.Story] = true
			out = append(out, kind)
		}
	}
	slices.Sort(out)
	return out
}

// wantIncidents waits until the read model has an incident for each of some
// causes, and no more.
func wantIncidents(t *testing.T, cfg app.Config, want []event.Kind) {
	t.Helper()
	db, err := store.Open(t.Context(), cfg.Database())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got []event.Kind
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		all, err := incident.NewQueries(db).Recent(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		got = got[:0]
		for _, in := range all {
			if len(in.Causes) != 1 {
				t.Errorf("incident %d has %d causes", in.Number, len(in.Causes))
			}
			for _, c := range in.Causes {
				got = append(got, c.Kind)
			}
		}
		slices.Sort(got)
		if len(got) >= len(want) || time.Now().After(deadline) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("incidents of %v, want %v", got, want)
	}
}
