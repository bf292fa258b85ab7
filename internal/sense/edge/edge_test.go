package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

var discard = slog.New(slog.DiscardHandler)

const secret = "the gateway's own secret"

// site is a log with a registry and an intake: a centre or a gateway.
type site struct {
	t   testing.TB
	dir string
	log *bus.Log
	reg *registry.Registry
	in  *sense.Intake
	clk *clock.Clock
}

func newSite(t testing.TB, clk *clock.Clock) *site {
	s := &site{t: t, dir: t.TempDir(), clk: clk}
	s.open()
	t.Cleanup(func() { s.log.Close() })
	return s
}

func (s *site) open() {
	s.t.Helper()
	ctx := context.Background()
	var err error
	if s.log, err = bus.Open(ctx, bus.Config{Dir: s.dir, Reserve: 1}); err != nil {
		s.t.Fatal(err)
	}
	sealer, err := seal.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.reg, err = registry.New(ctx, s.log, sealer, s.clk, discard); err != nil {
		s.t.Fatal(err)
	}
	s.in = sense.NewIntake(s.log, s.clk, s.reg, discard, nil)
}

func (s *site) enrol(ds ...registry.Device) {
	s.t.Helper()
	if err := s.reg.PutDevices(context.Background(), "test", ds...); err != nil {
		s.t.Fatal(err)
	}
}

// gateway is the centre's entry of the gateway.
func gateway(now time.Time) registry.Device {
	return registry.Device{ID: "cab", Name: "Cabinet", Kind: edge.KindGateway, Credentials: []registry.Credential{registry.NewCredential(secret, now, nil)}}
}

func hub(n int) registry.Device {
	return registry.Device{ID: fmt.Sprintf("hub%d", n), Name: "Hub", Kind: "hub", Gateway: "cab"}
}

// link is a network between gateway and centre that can be cut.
type link struct {
	srv *httptest.Server
	cut atomic.Bool
	h   atomic.Pointer[edge.Receiver]
}

// newLink serves the centre.
func newLink(t testing.TB) *link {
	l := &link{}
	l.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := l.h.Load()
		if l.cut.Load() || h == nil {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
		if l.cut.Load() { // the answer is lost
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(l.srv.Close)
	return l
}

func (s *site) serve(l *link) {
	l.h.Store(edge.NewReceiver(s.log, s.in, s.reg, s.clk, discard))
}

// start runs a forwarder until the returned function is called.
func (s *site) start(l *link) (stop func()) {
	s.t.Helper()
	c, err := edge.NewCentre(l.srv.URL, "cab", secret, s.clk, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- edge.NewForwarder(s.log, s.clk, c, time.Hour, discard, nil).Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
}

func (s *site) say(dev string, n int) {
	s.t.Helper()
	o := &event.Observation{
		ID: event.NewID("test", dev, fmt.Sprint(n)), Kind: event.KindState, Source: "test", Device: dev, Via: dev,
		Reading: &event.Reading{Property: event.Contact, State: fmt.Sprint(n)},
	}
	if n%3 == 0 { // of another retention
		o.Kind, o.Reading, o.Alarm = event.KindAlarm, nil, &event.Alarm{Account: dev, Sequence: n}
	}
	if err := s.in.ObserveAll(context.Background(), o); err != nil {
		s.t.Fatal(err)
	}
}

// observed returns what was forwarded, without what the centre says itself.
func (s *site) observed() (out []event.Observation) {
	s.t.Helper()
	return slices.DeleteFunc(s.all(), func(o event.Observation) bool { return o.Source == edge.Source })
}

func (s *site) all() (out []event.Observation) {
	s.t.Helper()
	err := s.log.Each(context.Background(), bus.Observations, 0, func(rec bus.Record) error {
		var o event.Observation
		err := json.Unmarshal(rec.Data, &o)
		out = append(out, o)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *site) quarantined() (out []event.Quarantined) {
	s.t.Helper()
	err := s.log.Each(context.Background(), bus.Quarantine, 0, func(rec bus.Record) error {
		var q event.Quarantined
		err := json.Unmarshal(rec.Data, &q)
		out = append(out, q)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *site) waitFor(n int) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); len(s.observed()) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d of %d observations arrived", len(s.observed()), n)
		}
	}
}

// TestEachObservationArrivesOnceInOrder cuts the link, loses answers, restarts
// the gateway's forwarder and the whole centre, at random.
func TestEachObservationArrivesOnceInOrder(t *testing.T) {
	const hubs, each = 5, 90
	clk := clock.Wall()
	centre, cab := newSite(t, clk), newSite(t, clk)
	centre.enrol(gateway(clk.Now()))
	for n := range hubs {
		centre.enrol(hub(n))
	}
	l := newLink(t)
	centre.serve(l)
	stop := cab.start(l)
	for n := range each {
		for h := range hubs {
			cab.say(fmt.Sprintf("hub%d", h), n)
		}
		switch r := rand.N(20); {
		case r == 0:
			l.cut.Store(true)
		case r < 5:
			l.cut.Store(false)
		case r == 5:
			stop()
			stop = cab.start(l)
		case r == 6 && n%4 == 0:
			l.h.Store(nil)
			centre.log.Close() // as a crash: what the receiver knew is lost
			centre.open()
			centre.serve(l)
		}
	}
	l.cut.Store(false)
	centre.waitFor(hubs * each)
	stop()

	next := map[string]int{}
	for _, o := range centre.observed() {
		n := 0
		if o.Alarm != nil {
			n = o.Alarm.Sequence
		} else if _, err := fmt.Sscan(o.Reading.State, &n); err != nil {
			t.Fatal(err)
		}
		if n != next[o.Device] {
			t.Fatalf("%s: observation %d came when %d was due", o.Device, n, next[o.Device])
		}
		next[o.Device]++
		if o.Edge == nil || o.Edge.Gateway != "cab" || o.Edge.Received.After(o.Received) {
			t.Fatalf("edge %+v, received %v", o.Edge, o.Received)
		}
	}
	for h := range hubs {
		if got := next[fmt.Sprintf("hub%d", h)]; got != each {
			t.Errorf("hub%d: %d observations, want %d", h, got, each)
		}
	}
}

func TestGatewayMaySpeakOnlyForItsOwn(t *testing.T) {
	clk := clock.Wall()
	centre, cab := newSite(t, clk), newSite(t, clk)
	other := hub(2)
	other.Gateway = ""
	centre.enrol(gateway(clk.Now()), hub(1), other)
	l := newLink(t)
	centre.serve(l)
	cab.say("hub1", 1)
	cab.say("hub2", 1)
	cab.say("stranger", 1)
	monitor := &event.Observation{ID: "m", Kind: event.KindFlow, Source: "zeek", Device: "/var/log/zeek", Flow: &event.Flow{}}
	if err := cab.in.ObserveAll(t.Context(), monitor); err != nil {
		t.Fatal(err)
	}
	if err := cab.in.Quarantine(t.Context(), "mqtt", "hub1", "unreadable message", "what", []byte("{")); err != nil {
		t.Fatal(err)
	}
	defer cab.start(l)()
	centre.waitFor(2)
	for len(centre.quarantined()) < 3 {
		time.Sleep(10 * time.Millisecond)
	}
	var got []string
	for _, o := range centre.observed() {
		got = append(got, o.Device)
	}
	if want := "hub1 cab//var/log/zeek"; strings.Join(got, " ") != want {
		t.Errorf("observed %q, want %q", got, want)
	}
	refused := 0
	for _, q := range centre.quarantined() {
		if q.Reason == "not accepted from a gateway" {
			refused++
		} else if !strings.Contains(q.From, "hub1 via cab") {
			t.Errorf("%+v", q)
		}
	}
	if refused != 2 {
		t.Errorf("%d refused, want 2", refused)
	}
}

// A gateway that has been taken over speaks for nobody else: not by another's
// alias, and not by an entry for the quarantine that a person would replay.
func TestGatewayCannotBorrowAName(t *testing.T) {
	clk := clock.Wall()
	centre, cab := newSite(t, clk), newSite(t, clk)
	other := hub(2)
	other.Gateway, other.Aliases = "", []string{"lamp", "hub1/0011"}
	ended := clk.Now().Add(-time.Minute)
	silenced := hub(3)
	silenced.Basis, silenced.Consent = event.Consent, &registry.Consent{Given: ended, Withdrawn: &ended}
	centre.enrol(gateway(clk.Now()), hub(1), other, silenced)
	l := newLink(t)
	centre.serve(l)
	for _, dev := range []string{"lamp", "hub1/0011", "hub1/door"} {
		o := &event.Observation{ID: event.NewID("test", dev), Kind: event.KindState, Source: "test", Device: dev, Via: "hub1", Reading: &event.Reading{State: "open"}}
		if err := cab.in.ObserveAll(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for _, dev := range []string{"hub1", "hub2", "hub3"} {
		q := event.Quarantined{Source: "home", From: dev, Device: dev, Topic: "zigbee2mqtt/door", Reason: "unreadable message", Bytes: []byte("{")}
		if err := cab.in.QuarantineMessage(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	defer cab.start(l)()
	eventually(t, "the gateway's quarantine", func() bool { return len(centre.quarantined()) >= 4 })
	centre.waitFor(2)
	for _, o := range centre.observed() {
		if o.Device == "lamp" {
			t.Errorf("observed as %s by an alias that is not the gateway's to use", o.Enrolled)
		}
	}
	for _, q := range centre.quarantined() {
		switch {
		case strings.HasPrefix(q.From, "hub1 "):
			if q.Device != "hub1" || q.Topic == "" || len(q.Bytes) == 0 {
				t.Errorf("%+v", q)
			}
		case strings.HasPrefix(q.From, "hub2 "):
			if q.Device != "cab" || q.Topic != "" {
				t.Errorf("in the name of another: %+v", q)
			}
		case strings.HasPrefix(q.From, "hub3 "):
			if len(q.Bytes) > 0 {
				t.Errorf("kept without consent: %+v", q)
			}
		}
	}
}

// A gateway that hangs up while an entry is written, and posts the same again, has
// it in quarantine once.
func TestHangingUpRepeatsNoEntry(t *testing.T) {
	centre := newSite(t, clock.Wall())
	centre.enrol(gateway(time.Now()))
	h := edge.NewReceiver(centre.log, centre.in, centre.reg, centre.clk, discard)
	gone, hangUp := context.WithCancel(context.Background())
	hangUp()
	for _, ctx := range []context.Context{t.Context(), gone, t.Context()} {
		body := `{"position":2,"record":{}}`
		if len(centre.quarantined()) == 0 && ctx != gone {
			body = "" // the link is known before it is cut
		}
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/edge/observations", strings.NewReader(body))
		req.SetBasicAuth("cab", secret)
		req.Header.Set("X-Bluelamp-Log", "x")
		req.Header.Set("X-Bluelamp-After", "0")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusOK && ctx != gone {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		time.Sleep(50 * time.Millisecond) // for a commit that nobody waited for
	}
	if q := centre.quarantined(); len(q) != 1 {
		t.Errorf("%d entries, want 1", len(q))
	}
}

func TestGatewaysClockIsCorrected(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	centre, cab := newSite(t, clock.Fixed(now)), newSite(t, clock.Fixed(now.Add(-time.Hour)))
	centre.enrol(gateway(now), hub(1))
	l := newLink(t)
	centre.serve(l)
	cab.say("hub1", 1)
	defer cab.start(l)()
	centre.waitFor(1)
	if o := centre.observed()[0]; !o.Time.Equal(now) || !o.Edge.Received.Equal(now) || o.ClockError != -3600 {
		t.Errorf("time %v, edge %+v, clock error %v", o.Time, o.Edge, o.ClockError)
	}
}

// TestRolledBackGatewayLosesNothing gives the gateway an older copy of its log,
// which will use positions that the centre has met.
func TestRolledBackGatewayLosesNothing(t *testing.T) {
	clk := clock.Wall()
	centre, cab := newSite(t, clk), newSite(t, clk)
	centre.enrol(gateway(clk.Now()), hub(1))
	l := newLink(t)
	centre.serve(l)
	for n := range 10 {
		cab.say("hub1", n+1)
	}
	stop := cab.start(l)
	centre.waitFor(10)
	stop()
	name, err := cab.log.Value(t.Context(), bus.Snapshots, "edge-log-name")
	if err != nil {
		t.Fatal(err)
	}
	cab = newSite(t, clk)
	if err := cab.log.Put(t.Context(), bus.Snapshots, "edge-log-name", name); err != nil {
		t.Fatal(err)
	}
	cab.say("hub1", 100)
	defer cab.start(l)()
	centre.waitFor(11)
}

func TestStrangersAreTurnedAway(t *testing.T) {
	clk := clock.Wall()
	centre := newSite(t, clk)
	plain := registry.Device{ID: "hub", Name: "Hub", Kind: "hub", Credentials: []registry.Credential{registry.NewCredential(secret, clk.Now(), nil)}}
	centre.enrol(gateway(clk.Now()), plain)
	h := edge.NewReceiver(centre.log, centre.in, centre.reg, clk, discard)
	for _, c := range []struct {
		user, pass, path, log, body string
		want                        int
	}{
		{"cab", "wrong", "/edge/observations", "x", "", http.StatusUnauthorized},
		{"hub", secret, "/edge/observations", "x", "", http.StatusUnauthorized},
		{"cab", secret, "/edge/nothing", "x", "", http.StatusNotFound},
		{"cab", secret, "/edge/observations", "", "", http.StatusBadRequest},
		{"cab", secret, "/edge/observations", "x", "{", http.StatusBadRequest},
		{"cab", secret, "/edge/observations", "x", `{"position":2,"record":{}}` + "\n" + `{"position":1,"record":{}}`, http.StatusBadRequest},
		{"cab", secret, "/edge/observations", "x", `{"position":1,"record":{}}`, http.StatusOK}, // into quarantine
		{"cab", secret, "/edge/observations", "x", strings.Repeat("{}\n", bus.MaxBatch+1), http.StatusBadRequest},
	} {
		req := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		req.SetBasicAuth(c.user, c.pass)
		req.Header.Set("X-Bluelamp-Log", c.log)
		req.Header.Set("X-Bluelamp-After", "0")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != c.want {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
	if q := centre.quarantined(); len(q) != 1 || string(q[0].Bytes) != "{}" {
		t.Errorf("quarantine %+v", q)
	}
}

func TestGatewayFollowsItsEntries(t *testing.T) {
	clk := clock.Wall()
	centre, cab := newSite(t, clk), newSite(t, clk)
	home := registry.Premises{ID: "home", Name: "Home", Kind: registry.KindHome, Place: place.Point{Lat: 54.5, Lon: 2.5}, Address: "secret street", Basis: event.Consent}
	if err := centre.reg.Put(t.Context(), "test", home); err != nil {
		t.Fatal(err)
	}
	at := hub(1)
	at.Premises = "home"
	at.Credentials = []registry.Credential{registry.NewCredential("pw", clk.Now(), nil)}
	far := hub(2)
	far.Gateway = "another"
	centre.enrol(gateway(clk.Now()), at, far)
	l := newLink(t)
	centre.serve(l)
	c, err := edge.NewCentre(l.srv.URL, "cab", secret, clk, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := edge.NewFollower(c, cab.reg, discard).Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if _, err := cab.reg.Authenticate("hub1", "pw"); err != nil {
		t.Error(err)
	}
	if _, err := cab.reg.Device("hub2"); err == nil {
		t.Error("the gateway knows a device of another")
	}
	if p, err := cab.reg.Premises("home"); err != nil || p.Address != "" || p.Basis != event.Consent {
		t.Errorf("%+v, %v", p, err)
	}
	before := cab.reg.Version()
	ask()
	if cab.reg.Version() != before {
		t.Error("entries that are the same were put again")
	}
	at.Gateway = ""
	centre.enrol(at)
	ask()
	if _, err := cab.reg.Authenticate("hub1", "pw"); err == nil {
		t.Error("a device that does not come this way any more is still let in")
	}
}
