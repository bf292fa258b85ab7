package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/detect/alarm"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/store"
)

// room is a control room on real engines: log, database, desk, detectors.
type room struct {
	site   *Site
	log    *bus.Log
	db     *store.DB
	desk   *incident.Desk
	intake *sense.Intake
	reg    *registry.Registry
	url    string
	set    func(time.Time)
	clock  *clock.Clock
	seq    int
}

var roomStart = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)

// newRoom starts a control room on an empty database, and stops it when the
// test ends.
func newRoom(t testing.TB, db *store.DB) *room {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	log, err := bus.Open(ctx, bus.Config{Dir: t.TempDir()})
	must(t, err)
	rm := &room{log: log, db: db}
	rm.clock, rm.set = clock.Held(roomStart)
	logger := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	sealer, err := seal.New(make([]byte, 32))
	must(t, err)
	rm.reg, err = registry.New(ctx, log, sealer, rm.clock, logger)
	must(t, err)
	must(t, rm.reg.Put(ctx, "import", testPremises()...))
	rm.intake = sense.NewIntake(log, rm.clock, logger, nil)
	rm.desk = incident.NewDesk(log, rm.clock, logger, nil)
	incidents := incident.NewProjection(logger)
	rm.site, err = New(rm.deps(t, logger, incidents))
	must(t, err)

	running := make(chan error, 16)
	n := 0
	run := func(fn func() error) { n++; go func() { running <- fn() }() }
	ready := make(chan struct{}, 2)
	stage := func(st bus.Stage) { run(func() error { return log.Run(ctx, st, func() { ready <- struct{}{} }) }) }
	stage(rm.desk.Stage())
	stage(detect.NewPipeline(log, logger, nil, alarm.New(alarm.Default())).Stage())
	<-ready
	<-ready
	project := func(p store.Projection, applied func(uint64)) {
		run(func() error { return db.Project(ctx, log, p, applied) })
	}
	project(incidents, rm.site.Feed().Notify)
	project(sense.NewDevices(logger), nil)
	project(sense.NewQuarantineEntries(logger), nil)
	rm.others(project, logger)
	run(func() error { return rm.site.Run(ctx) })
	srv := httptest.NewServer(rm.site)
	rm.url = srv.URL
	t.Cleanup(func() {
		stop()
		for range n {
			if err := <-running; err != nil {
				t.Errorf("a part ended with %v", err)
			}
		}
		srv.Close()
		log.Close()
	})
	return rm
}

func testPremises() []registry.Premises {
	return []registry.Premises{
		{
			ID: "lantern-3", Name: "Corner shop, 3 Lantern Row", Address: "3 Lantern Row, Skerrywick", Kind: "shop",
			Place: place.Point{Lat: 54.7061, Lon: 2.6612}, URN: "SK-0031",
			Accounts: []registry.Account{{Number: "3007", Class: "SP3", Zones: map[string]registry.Zone{
				"001": {Name: "Front door", Kind: event.ZonePerimeter}, "004": {Name: "Stock room", Kind: event.ZoneInterior},
			}}},
			Keyholders: []registry.Keyholder{{Name: "Ada Mensah", Phone: "01632 960001"}},
		},
		{
			ID: "quay-11", Name: "Savings bank, 11 Quay Street", Address: "11 Quay Street, Skerrywick", Kind: "bank",
			Place: place.Point{Lat: 54.7039, Lon: 2.6571}, URN: "SK-0002",
			Accounts: []registry.Account{{Number: "3002", Class: "SP4", Zones: map[string]registry.Zone{
				"009": {Name: "Counter button", Kind: event.ZoneHoldUp},
			}}},
			Keyholders: []registry.Keyholder{{Name: "Noor Okafor", Phone: "01632 960002"}},
		},
	}
}

// alarm has a panel say something, and waits for nothing.
func (rm *room) alarm(t testing.TB, account, code string, category event.AlarmCategory, zone string) {
	t.Helper()
	f, ok := rm.reg.Account(account)
	if !ok {
		t.Fatalf("no account %s", account)
	}
	rm.seq++
	p, z := f.Premises, f.Account.Zones[zone]
	raw := fmt.Sprintf("\n0000%04X\"SIA-DCS\"%04dL0#%s[#%s|Nri1/%s%s]\r", 40, rm.seq, account, account, code, zone)
	o := &event.Observation{
		ID: event.NewID("test", fmt.Sprint(rm.seq)), Kind: event.KindAlarm, Source: "dc09", Device: account,
		Time: rm.clock.Now(), Premises: p.ID, PremisesName: p.Name, Place: &p.Place, Raw: []byte(raw),
		Alarm: &event.Alarm{Account: account, Category: category, State: event.AlarmNew, Code: code, Zone: zone,
			ZoneKind: z.Kind, ZoneName: z.Name, Sequence: rm.seq},
	}
	must(t, rm.intake.ObserveAll(t.Context(), o))
}

// waitFor waits until something holds; the test fails after a long time.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// queue waits for as many open incidents in the read model.
func (rm *room) queue(t testing.TB, n int) []incident.Incident {
	t.Helper()
	var out []incident.Incident
	waitFor(t, fmt.Sprintf("%d incidents", n), func() bool {
		var err error
		out, _, err = rm.site.Incidents.Queue(t.Context(), incident.Start, 100)
		must(t, err)
		return len(out) == n
	})
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	if os.Getenv("BLUELAMP_TEST_LOG") != "" {
		w.t.Logf("%s", b)
	}
	return len(b), nil
}
