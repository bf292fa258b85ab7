package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/store"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

const (
	killChild  = "BLUELAMP_KILL_CHILD"  // data directory: be the server that gets killed
	killRounds = "BLUELAMP_KILL_ROUNDS" // how often to kill it; by default few
	killPanels = 24
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killChild); dir != "" {
		os.Exit(serveUntilKilled(dir, os.Getenv(killChild+"_ADDR")))
	}
	os.Exit(m.Run())
}

func testConfig(dir, dc09 string) app.Config {
	return app.Config{
		Data: dir, Reserve: 1, DC09TCP: dc09, Zone: "Europe/London",
		DC09Ahead: 20 * time.Second, DC09Behind: 40 * time.Second,
	}
}

// serveUntilKilled is the server's process.
func serveUntilKilled(dir, addr string) int {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	a, err := app.New(context.Background(), testConfig(dir, addr), app.Options{Clock: clock.Wall(), Logger: logger})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer a.Close()
	var ps []registry.Premises
	for i := range killPanels {
		n := panelNumber(i)
		ps = append(ps, registry.Premises{
			ID: "p" + n, Name: "Premises " + n, Place: place.Point{Lat: 55 + float64(i)/50, Lon: 3},
			Accounts: []registry.Account{{Number: n, Class: "none"}},
		})
	}
	if err := a.Registry().Put(context.Background(), "test", ps...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := a.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1 // nobody asked it to end
}

func panelNumber(i int) string { return fmt.Sprintf("A%03X", i) }

// TestKill kills a loaded server at random moments. What a panel heard
// acknowledged is on the log exactly once, whatever was killed when, every cause
// has one incident, and the audit log verifies.
func TestKill(t *testing.T) {
	rounds := 4
	if v := os.Getenv(killRounds); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	addr := freePort(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	panels := make([]*stubbornPanel, killPanels)
	var wg sync.WaitGroup
	for i := range panels {
		panels[i] = &stubbornPanel{account: panelNumber(i), addr: addr}
		wg.Go(func() { panels[i].run(ctx) })
	}
	entries := 0
	for round := range rounds {
		server := startServer(t, dir, addr)
		before := acknowledged(panels)
		waitFor(t, "signals to be acknowledged", func() bool { return acknowledged(panels) > before+200 })
		entries += recordBeside(t, dir, time.Duration(rand.IntN(1500))*time.Millisecond)
		if err := server.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = server.Wait() // it was killed
		t.Logf("round %d: %d acknowledged in all", round+1, acknowledged(panels))
	}
	stop()
	wg.Wait()
	checkAfterKills(t, dir, panels, entries)
}

// recordBeside keeps on recording what somebody does, through the server's
// socket, for a time, and returns how many entries were acknowledged.
func recordBeside(t *testing.T, dir string, d time.Duration) (n int) {
	t.Helper()
	log, err := bus.Open(t.Context(), bus.Config{Dir: dir, Attach: true})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	rec := audit.NewRecorder(log, time.Now)
	for end := time.Now().Add(d); time.Now().Before(end); n++ {
		if err := rec.Record(t.Context(), audit.Entry{Action: "test.done", Object: "test/" + strconv.Itoa(n)}); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func startServer(t *testing.T, dir, addr string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), killChild+"="+dir, killChild+"_ADDR="+addr)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// stubbornPanel sends one signal after the other, each until it is acknowledged,
// as a panel does.
type stubbornPanel struct {
	account, addr string

	mu    sync.Mutex
	acked []string // the data of acknowledged signals
}

func (p *stubbornPanel) run(ctx context.Context) {
	f := codec.Frame{Token: codec.TokenSIA, Line: "0", Account: p.account}
	var c *dc09client.Client
	for n := 0; ctx.Err() == nil; n++ {
		f.Sequence = codec.NextSequence(f.Sequence)
		f.Data = fmt.Sprintf("#%s|Nri%d/BA%d", p.account, n/9000+1, n%9000+1)
		for ctx.Err() == nil {
			if c == nil {
				var err error
				if c, err = dc09client.Dial(ctx, p.addr, "tcp"); err != nil {
					time.Sleep(20 * time.Millisecond)
					continue
				}
			}
			reply, err := c.Send(ctx, f, nil)
			if err == nil && reply.Token == codec.TokenACK {
				p.mu.Lock()
				p.acked = append(p.acked, f.Data)
				p.mu.Unlock()
				break
			}
			_ = c.Close()
			c = nil
		}
	}
	if c != nil {
		_ = c.Close()
	}
}

func acknowledged(ps []*stubbornPanel) (n int) {
	for _, p := range ps {
		p.mu.Lock()
		n += len(p.acked)
		p.mu.Unlock()
	}
	return n
}

func checkAfterKills(t *testing.T, dir string, panels []*stubbornPanel, entries int) {
	ctx := context.Background()
	// One more start, so that the stages finish what they had begun.
	a, err := app.New(ctx, testConfig(dir, "127.0.0.1:0"), app.Options{Clock: clock.Wall(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("opening after the last kill: %v", err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(run) }()
	waitFor(t, "the platform to recover", func() bool { return a.Ready() == nil })
	waitForStages(t, a, dir)
	stop()
	if err := <-done; err != nil {
		t.Fatalf("running after the last kill: %v", err)
	}
	a.Close()

	log, err := bus.Open(ctx, bus.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	checkSignals(t, log, panels)
	checkIncidents(t, log, dir)
	report, err := audit.Verify(ctx, log, audit.Evidence{Dir: dir})
	if err != nil || !report.OK() || report.Size < int64(entries) {
		t.Errorf("the audit log, of %d entries: %v, %v", entries, report, err)
	}
}

// waitForStages waits until what is on the log now has become incidents.
func waitForStages(t *testing.T, a *app.App, dir string) {
	t.Helper()
	log, err := bus.Open(t.Context(), bus.Config{Dir: dir, Attach: true})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, st := range []struct {
		name string
		in   bus.Stream
	}{{"detect", bus.Observations}, {"incidents", bus.Alerts}} {
		end, err := log.Last(t.Context(), st.in)
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, "stage "+st.name, func() bool { return stagePosition(t, a, st.name) >= float64(end) })
	}
}

func stagePosition(t *testing.T, a *app.App, stage string) float64 {
	t.Helper()
	families, err := a.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "bluelamp_stage_position" && m.GetLabel()[0].GetValue() == stage {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

func checkSignals(t *testing.T, log *bus.Log, panels []*stubbornPanel) {
	seen := map[string]int{}
	each(t, log, bus.Observations, func(rec bus.Record) {
		var o event.Observation
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			t.Fatal(err)
		}
		if o.Alarm != nil && o.Alarm.Category == event.Burglary {
			seen[fmt.Sprintf("#%s|Nri%s/BA%s", o.Device, o.Alarm.Partition, o.Alarm.Zone)]++
		}
	})
	missing, double := 0, 0
	for _, p := range panels {
		for _, data := range p.acked {
			switch n := seen[data]; {
			case n == 0:
				missing++
			case n > 1:
				double++
			}
		}
	}
	t.Logf("%d signals acknowledged, %d on the log", acknowledged(panels), len(seen))
	if missing+double > 0 {
		t.Errorf("of %d acknowledged signals %d are missing and %d are there twice", acknowledged(panels), missing, double)
	}
}

// checkIncidents finds alerts and incidents that are there twice, and read
// models that differ from the log.
func checkIncidents(t *testing.T, log *bus.Log, dir string) {
	alerts := map[event.ID]int{}
	each(t, log, bus.Alerts, func(rec bus.Record) {
		var a event.Alert
		if err := json.Unmarshal(rec.Data, &a); err != nil {
			t.Fatal(err)
		}
		alerts[a.ID]++
	})
	joined, opened, byPremises := map[event.ID]int{}, map[event.ID]int{}, map[string]int{}
	each(t, log, bus.Incidents, func(rec bus.Record) {
		var c event.IncidentChange
		if err := json.Unmarshal(rec.Data, &c); err != nil {
			t.Fatal(err)
		}
		if c.Alert != nil {
			joined[c.Alert.ID]++
		}
		if c.Type == event.ChangeOpened {
			opened[c.Incident]++
			byPremises[c.Premises]++
		}
	})
	for id, n := range alerts {
		if n != 1 || joined[id] != 1 {
			t.Errorf("alert %s is on the log %d times and in incidents %d times", id, n, joined[id])
		}
	}
	for id, n := range opened {
		if n != 1 {
			t.Errorf("incident %s was opened %d times", id, n)
		}
	}
	for p, n := range byPremises {
		if n != 1 {
			t.Errorf("premises %s have %d incidents of one cause", p, n)
		}
	}
	if len(opened) != killPanels {
		t.Errorf("%d incidents, want %d", len(opened), killPanels)
	}
	db, err := store.Open(context.Background(), dir+"/bluelamp.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	listed, err := incident.NewQueries(db).Recent(context.Background(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(listed) != len(opened) {
		t.Errorf("the database shows %d incidents, the log has %d", len(listed), len(opened))
	}
}

func each(t *testing.T, log *bus.Log, s bus.Stream, fn func(bus.Record)) {
	t.Helper()
	if err := log.Each(context.Background(), s, 0, func(rec bus.Record) error { fn(rec); return nil }); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute in vain for %s", what)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}
