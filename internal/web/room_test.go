package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/city"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/detect/alarm"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
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
	board  *sense.Switchboard
	ward   *sense.QuarantineDesk

	mappings *mapping.Catalogue
	url      string
	set      func(time.Time)
	clock    *clock.Clock
	seq      int
	audit    *audit.Log
	people   *auth.Auth
	dir      string
	town     *city.Town
}

// theTown lies under the maps.
var theTown = sync.OnceValue(func() *city.Town { return city.New(1) })

var roomStart = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)

// newRoom starts a control room on an empty database, and stops it when the
// test ends.
func newRoom(t testing.TB, db *store.DB) *room {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	dir := t.TempDir()
	log, err := bus.Open(ctx, bus.Config{Dir: dir})
	must(t, err)
	rm := &room{log: log, db: db, dir: dir, town: theTown()}
	rm.clock, rm.set = clock.Held(roomStart)
	logger := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	sealer, err := seal.New(make([]byte, 32))
	must(t, err)
	rm.reg, err = registry.New(ctx, log, sealer, rm.clock, logger)
	must(t, err)
	must(t, rm.reg.Put(ctx, "import", testPremises()...))
	rm.audit, err = audit.Open(ctx, audit.Config{Log: log, Dir: dir, Now: rm.clock.Now, Logger: logger})
	must(t, err)
	rm.intake = sense.NewIntake(log, rm.clock, nil, logger, nil)
	rm.desk = incident.NewDesk(log, rm.clock, logger, nil)
	rm.mappings, err = mapping.Open(ctx, log, rm.clock, logger)
	must(t, err)
	rm.board = sense.NewSwitchboard(rm.intake, mapping.NewDialect(rm.mappings))
	rm.ward = sense.NewQuarantineDesk(sense.NewQueries(db, log), log, rm.clock, sense.NewMessageReplayer(rm.board, rm.reg), nil, logger)
	incidents := incident.NewProjection(logger)
	rm.people, err = auth.New(ctx, auth.Config{
		Log: log, DB: db, Audit: rm.audit, Sealer: sealer, Logger: logger, Hash: auth.HashCost{Memory: 64, Time: 1, Threads: 1},
	})
	must(t, err)
	rm.site, err = New(Deps{
		Desk: rm.desk, Incidents: incident.NewQueries(db), Sense: sense.NewQueries(db, log), Registry: rm.reg, Quarantine: rm.ward, Mappings: rm.mappings,
		Clock: rm.clock, People: rm.people, Audit: rm.audit, Log: log, DB: db, Dir: dir,
		Shown:   func(ctx context.Context) (uint64, error) { return db.Position(ctx, incidents) },
		BaseMap: rm.town.GeoJSON, Metrics: promhttp.Handler(), Logger: logger, Version: "test",
	})
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
	project(sense.NewTwins(logger), nil)
	project(sense.NewQuarantineEntries(logger), nil)
	project(audit.Projection{}, nil)
	rm.issueWarnings(t)
	project(issue.NewProjection(logger), nil)
	run(func() error { return rm.site.Run(ctx) })
	run(func() error { return rm.ward.Run(ctx) })
	srv := httptest.NewUnstartedServer(rm.site)
	srv.Config.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	srv.Start()
	rm.url = srv.URL
	t.Cleanup(func() {
		stop()
		for range n {
			if err := <-running; err != nil {
				t.Errorf("a part ended with %v", err)
			}
		}
		srv.Close()
		rm.people.Close()
		rm.audit.Close()
		log.Close()
	})
	return rm
}

// testPremises stand where the town has a shop and a bank.
func testPremises() []registry.Premises {
	at := map[string]place.Point{}
	for _, p := range theTown().Premises() {
		at[p.Kind] = p.Place
		if p.Kind == "bank" {
			at["shop"] = theTown().Premises()[0].Place
		}
	}
	return []registry.Premises{
		{
			ID: "lantern-3", Name: "Corner shop, 3 Lantern Row", Address: "3 Lantern Row, Skerrywick", Kind: "shop",
			Place: at["shop"], URN: "SK-0031",
			Accounts: []registry.Account{{Number: "3007", Class: "SP3", Zones: map[string]registry.Zone{
				"001": {Name: "Front door", Kind: event.ZonePerimeter}, "004": {Name: "Stock room", Kind: event.ZoneInterior},
			}}},
			Keyholders: []registry.Keyholder{{Name: "Ada Mensah", Phone: "01632 960001"}},
		},
		{
			ID: "quay-11", Name: "Savings bank, 11 Quay Street", Address: "11 Quay Street, Skerrywick", Kind: "bank",
			Place: at["bank"], URN: "SK-0002",
			Accounts: []registry.Account{{Number: "3002", Class: "SP4", Zones: map[string]registry.Zone{
				"009": {Name: "Counter button", Kind: event.ZoneHoldUp},
			}}},
			Keyholders: []registry.Keyholder{{Name: "Noor Okafor", Phone: "01632 960002"}},
		},
		{
			ID: "mill-2", Name: "Old mill, 2 Mill Lane", Address: "2 Mill Lane, Skerrywick", Kind: "home", Place: at["hotel"],
			Accounts: []registry.Account{{Number: "3009", Class: "SP3", Zones: map[string]registry.Zone{"002": {Name: "Kitchen"}}}},
		},
	}
}

const testPassword = "correct horse battery"

// administrator is who may add people: the first is set up as a server does it.
func (rm *room) administrator(t testing.TB) auth.Person {
	t.Helper()
	if p, ok := rm.people.ByName("admin"); ok {
		return p
	}
	token, err := rm.people.SetupToken(t.Context())
	must(t, err)
	p, err := rm.people.SetUp(t.Context(), token, auth.NewPerson{Name: "admin", FullName: "Ada Min", Password: testPassword}, "192.0.2.1")
	must(t, err)
	return p
}

// signIn returns a client of somebody with the given roles; without any, of
// nobody who has signed in. It does not follow redirects.
func (rm *room) signIn(t testing.TB, roles ...auth.Role) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if len(roles) == 0 {
		return c
	}
	name := "p"
	for _, r := range roles {
		name += "-" + string(r)
	}
	if _, ok := rm.people.ByName(name); !ok {
		_, err = rm.people.Add(t.Context(), rm.administrator(t), auth.NewPerson{Name: name, FullName: "Kit " + name, Roles: roles, Password: testPassword})
		must(t, err)
	}
	if got := rm.post(t, c, "/signin", url.Values{"name": {name}, "password": {testPassword}}); got.status != http.StatusSeeOther {
		t.Fatalf("signing in as %s is answered %d: %s", name, got.status, got.body)
	}
	return c
}

// answer is what a request was answered.
type answer struct {
	status int
	header http.Header
	body   string
}

func (rm *room) get(t testing.TB, c *http.Client, path string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rm.url+path, nil)
	must(t, err)
	return rm.send(t, c, req)
}

func (rm *room) post(t testing.TB, c *http.Client, path string, v url.Values) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rm.url+path, strings.NewReader(v.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return rm.send(t, c, req)
}

func (rm *room) send(t testing.TB, c *http.Client, req *http.Request) answer {
	t.Helper()
	res, err := c.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	must(t, err)
	return answer{res.StatusCode, res.Header, string(body)}
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
		Alarm: &event.Alarm{
			Account: account, Category: category, State: event.AlarmNew, Code: code, Zone: zone,
			ZoneKind: z.Kind, ZoneName: z.Name, Sequence: rm.seq,
		},
	}
	must(t, rm.intake.ObserveAll(t.Context(), o))
}

// entries returns the audit log's entries of an action.
func (rm *room) entries(t testing.TB, action string) []audit.Row {
	t.Helper()
	rows, err := audit.Search(t.Context(), rm.db, audit.Query{Action: action})
	must(t, err)
	return rows
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
