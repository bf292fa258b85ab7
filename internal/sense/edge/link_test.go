package edge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// pair is a centre and a gateway with a link.
func pair(t testing.TB, clk *clock.Clock, more ...registry.Device) (centre, cab *site, l *link) {
	t.Helper()
	centre, cab = newSite(t, clk), newSite(t, clk)
	centre.enrol(append(more, gateway(clk.Now()), hub(1))...)
	l = newLink(t)
	centre.serve(l)
	return centre, cab, l
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// What the centre confirmed goes from the gateway's disk, and the gateway goes on
// as before, also when nothing older is left.
func TestConfirmedIsTrimmed(t *testing.T) {
	centre, cab, l := pair(t, clock.Wall())
	for n := range 20 {
		cab.say("hub1", n)
	}
	c, err := edge.NewCentre(l.srv.URL, "cab", secret, cab.clk, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- edge.NewForwarder(cab.log, cab.clk, c, 0, discard, nil).Run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	stop := run()
	centre.waitFor(20)
	eventually(t, "the gateway to trim", func() bool { return len(cab.observed()) <= 1 })
	stop()
	cab.log.Close()
	cab.open()
	defer run()()
	cab.say("hub1", 20)
	centre.waitFor(21)
	time.Sleep(200 * time.Millisecond)
	if n := len(centre.observed()); n != 21 {
		t.Errorf("%d observations at the centre, want 21", n)
	}
}

// An event that a device says again, since nobody answered the first time, goes
// once, whatever was restarted in between.
func TestRepeatedEventGoesOnce(t *testing.T) {
	centre, cab, l := pair(t, clock.Wall())
	stop := cab.start(l)
	cab.say("hub1", 1)
	centre.waitFor(1)
	cab.say("hub1", 1)
	stop()
	cab.say("hub1", 1)
	cab.say("hub1", 2)
	defer cab.start(l)()
	centre.waitFor(2)
	cab.say("hub1", 1)
	cab.say("hub1", 4)
	centre.waitFor(3)
	var got []string
	for _, o := range centre.observed() {
		got = append(got, o.Reading.State)
	}
	if s := strings.Join(got, " "); s != "1 2 4" {
		t.Errorf("arrived: %s", s)
	}
}

// A centre that was set back to before what it confirmed gets it again, even from
// a gateway that never saw the link fail.
func TestCentreThatWasSetBackLeavesNoGap(t *testing.T) {
	centre, cab, l := pair(t, clock.Wall())
	defer cab.start(l)()
	for n := range 10 {
		cab.say("hub1", n)
	}
	centre.waitFor(10)
	older := newSite(t, centre.clk) // it never heard of the gateway's log
	older.enrol(gateway(older.clk.Now()), hub(1))
	older.serve(l)
	cab.say("hub1", 10)
	older.waitFor(11)
	for n, o := range older.observed() {
		if o.Alarm != nil && o.Alarm.Sequence != n || o.Reading != nil && o.Reading.State != fmt.Sprint(n) {
			t.Errorf("observation %d: %+v", n, o)
		}
	}
}

func TestGuessersAreSlowedDown(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clk, set := clock.Held(now)
	centre := newSite(t, clk)
	centre.enrol(gateway(now))
	h := edge.NewReceiver(centre.log, centre.in, centre.reg, clk, discard)
	try := func(from, user, pass string) int {
		req := httptest.NewRequest(http.MethodGet, "/edge/registry", nil)
		req.RemoteAddr = from
		req.SetBasicAuth(user, pass)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w.Code
	}
	if code := try("[2001:db8::1]:5", "cab", secret); code != http.StatusOK {
		t.Fatal(code)
	}
	for n := range 10 {
		if code := try("[2001:db8::2]:1", "cab", fmt.Sprint(n)); code != http.StatusUnauthorized {
			t.Errorf("guess %d: %d", n, code)
		}
	}
	for _, c := range []struct {
		what, from, user, pass string
		want                   int
	}{
		{"further guess", "[2001:db8::3]:1", "x", "y", http.StatusTooManyRequests},
		{"known gateway beside the guesser", "[2001:db8::1]:5", "cab", secret, http.StatusOK},
		{"another address", "192.0.2.1:1", "cab", secret, http.StatusOK},
	} {
		if code := try(c.from, c.user, c.pass); code != c.want {
			t.Errorf("%s: %d, want %d", c.what, code, c.want)
		}
	}
	set(now.Add(time.Minute))
	if code := try("[2001:db8::3]:1", "x", "y"); code != http.StatusUnauthorized {
		t.Errorf("a minute later: %d", code)
	}
	eventually(t, "misuse to be told", func() bool {
		told := map[string]int{}
		for _, o := range centre.all() {
			if o.Misuse != nil {
				told[o.Device]++
			}
		}
		return told["cab"] == 1 && told["unknown"] == 1
	})
}

// A gateway is heard by its contact with the centre; one that falls silent is
// missed, and says how far behind it is when it is back.
func TestSilentCabinetIsNoticed(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clk, set := clock.Held(now)
	centre := newSite(t, clk)
	gw := gateway(now)
	gw.Reporting = 5 * time.Minute
	centre.enrol(gw)
	h := edge.NewReceiver(centre.log, centre.in, centre.reg, clk, discard)
	contact := func(health string) {
		req := httptest.NewRequest(http.MethodGet, "/edge/registry", nil)
		req.SetBasicAuth("cab", secret)
		req.Header.Set("X-Bluelamp-Health", health)
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	defer func() { stop(); <-done }()
	go func() {
		defer close(done)
		st := sense.NewSupervisor(centre.in, centre.reg, "dc09", discard).Stage()
		if err := centre.log.Run(ctx, st, func() {}); err != nil {
			t.Error(err)
		}
	}()
	kinds := func(k event.Kind) (out []event.Observation) {
		for _, o := range centre.all() {
			if o.Kind == k && o.Enrolled == "cab" {
				out = append(out, o)
			}
		}
		return out
	}
	tick := func(d time.Duration) {
		now = now.Add(d)
		set(now)
		if err := centre.in.ObserveAll(t.Context(), &event.Observation{ID: event.NewID("tick", now.String()), Kind: event.KindClockTick, Source: "clock", Device: "clock"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 30 { // ten asks a minute, one of them noted
		contact(`{"uptime_ns":60000000000}`)
		tick(time.Second)
	}
	eventually(t, "the contact to be noted", func() bool { return len(kinds(event.KindHealth)) == 1 })
	for range 310 {
		tick(time.Second)
	}
	eventually(t, "the silence to be noticed", func() bool { return len(kinds(event.KindSilent)) == 1 })
	contact(`{"uptime_ns":60000000000,"waiting":700,"behind_ns":7200000000000,"problem":"its disk is full"}`)
	eventually(t, "its return", func() bool { return len(kinds(event.KindReturned)) == 1 })
	all := kinds(event.KindHealth)
	if len(all) != 2 || all[1].Health.Problem != "its disk is full; it is 2h0m0s behind: 700 commits wait on its disk" || *all[1].Health.Uptime != time.Minute {
		t.Errorf("health: %+v", all)
	}
}

// An alias that goes from one device to another, and an entry that cannot be put,
// hold up nothing; above all no revocation.
func TestRevocationIsNotHeldUp(t *testing.T) {
	clk := clock.Wall()
	a, b, bad := hub(1), hub(2), hub(3)
	a.Aliases, a.Credentials = []string{"0102"}, []registry.Credential{registry.NewCredential("pw", clk.Now(), nil)}
	b.Credentials = a.Credentials
	centre, cab, l := pair(t, clk, b)
	centre.enrol(a)
	c, err := edge.NewCentre(l.srv.URL, "cab", secret, clk, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := edge.NewFollower(c, cab.reg, discard).Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if d := cab.reg.Sensor("0102"); d == nil || d.ID != "hub1" {
		t.Fatalf("%+v", d)
	}
	a.Aliases, b.Aliases, b.Revoked = nil, []string{"0102"}, true
	centre.enrol(a)
	centre.enrol(b)
	// Something of the gateway's own takes the id that the centre gives away next.
	own := registry.Device{ID: "own", Name: "Own", Kind: "sensor", Aliases: []string{"hub3"}}
	cab.enrol(own)
	centre.enrol(bad)
	ask()
	if d := cab.reg.Sensor("0102"); d == nil || d.ID != "hub2" {
		t.Errorf("the alias is with %+v", d)
	}
	if _, err := cab.reg.Authenticate("hub2", "pw"); !errors.Is(err, registry.ErrCredential) {
		t.Errorf("revoked device: %v", err)
	}
	if _, err := cab.reg.Authenticate("hub1", "pw"); err != nil {
		t.Error(err)
	}
}

// What the gateway may keep, and whose it is, the registries say: the centre's in
// the end.
func TestBasisHoldsAtBothEnds(t *testing.T) {
	clk := clock.Wall()
	centre, cab := newSite(t, clk), newSite(t, clk)
	for _, p := range []registry.Premises{
		{ID: "with", Name: "With", Kind: registry.KindHome, Place: place.Point{Lat: 54.5, Lon: 2.5}, Basis: event.Contract},
		{ID: "without", Name: "Without", Kind: registry.KindHome, Place: place.Point{Lat: 54.5, Lon: 2.5}},
	} {
		if err := centre.reg.Put(t.Context(), "test", p); err != nil {
			t.Fatal(err)
		}
	}
	lawful, unlawful, ended := hub(1), hub(2), hub(3)
	lawful.Premises, unlawful.Premises, ended.Premises = "with", "without", "with"
	until := clk.Now().Add(-time.Minute)
	ended.Basis, ended.Consent = event.Consent, &registry.Consent{Given: until.Add(-time.Hour), Until: &until}
	centre.enrol(gateway(clk.Now()), lawful, unlawful, ended)
	l := newLink(t)
	centre.serve(l)
	c, err := edge.NewCentre(l.srv.URL, "cab", secret, clk, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if err := edge.NewFollower(c, cab.reg, discard).Run(ctx); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		cab.say(fmt.Sprintf("hub%d", n+1), 1)
	}
	if got := cab.observed(); len(got) != 1 || got[0].Device != "hub1" || got[0].Premises != "with" {
		t.Errorf("kept at the gateway: %+v", got)
	}
	// A gateway that lies about whose it is.
	lie := &event.Observation{ID: "lie", Kind: event.KindState, Source: "test", Device: "hub1", Via: "hub1", Premises: "without", Basis: event.Contract, Enrolled: "hub2"}
	data, err := json.Marshal(lie)
	if err == nil {
		data = []byte(strings.Replace(string(data), `"received":"0001-01-01T00:00:00Z"`, `"received":"2026-01-01T00:00:00Z","retain":"`+string(event.RetainMonth)+`"`, 1))
		_, err = cab.log.Append(t.Context(), bus.Observations.Kept(string(event.RetainMonth)), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cab.start(l)()
	centre.waitFor(2)
	for _, o := range centre.observed() {
		if o.Premises != "with" || o.Enrolled != "hub1" || o.Basis != event.Contract {
			t.Errorf("%+v", o)
		}
	}
	eventually(t, "the gateway's refusals", func() bool { return len(centre.quarantined()) == 2 })
}
