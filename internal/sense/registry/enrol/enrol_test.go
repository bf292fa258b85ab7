package enrol_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/sense/registry/enrol"
)

// desk is a handler on a real registry.
type desk struct {
	t       *testing.T
	reg     *registry.Registry
	handler http.Handler
	said    bytes.Buffer
	entries []audit.Entry
	refused error // of recording
	now     time.Time
	from    string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	log, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	sealer, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), from: "192.0.2.1:999"}
	logger := slog.New(slog.NewTextHandler(&d.said, nil))
	if d.reg, err = registry.New(t.Context(), log, sealer, clock.Fixed(d.now), logger); err != nil {
		t.Fatal(err)
	}
	if err := d.reg.AmendDevices(t.Context(), "alice", registry.Device{ID: "hub-7", Name: "Hub", Speaks: []string{"zigbee2mqtt"}}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	d.handler = enrol.New(enrol.Config{
		Registry: d.reg, Now: func() time.Time { return d.now }, Logger: logger,
		URLs: enrol.URLs{Enrol: "https://in.example/enrol", MQTT: []string{"mqtts://in.example:8883"}, HTTPS: "https://in.example/in/"},
		Record: func(_ context.Context, e audit.Entry) error {
			mu.Lock()
			defer mu.Unlock()
			d.entries = append(d.entries, e)
			return d.refused
		},
	})
	return d
}

func (d *desk) invite() string {
	d.t.Helper()
	token, err := d.reg.Invite(d.t.Context(), "alice", "hub-7", time.Hour)
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

func (d *desk) send(method, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(d.t.Context(), method, "/enrol", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	r.RemoteAddr = d.from
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

const js = "application/json"

func tokenBody(token string) string { return fmt.Sprintf(`{"token": %q}`, token) }

func TestADeviceEnrolsOnce(t *testing.T) {
	d := newDesk(t)
	token := d.invite()
	w := d.send("POST", js+"; charset=utf-8", tokenBody(enrol.Link("https://in.example/enrol", token)))
	var a enrol.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if a.Device != "hub-7" || a.Username != "hub-7" || a.Prefix != "hub-7/" || a.MQTT[0] != "mqtts://in.example:8883" || a.HTTPS != "https://in.example/in/hub-7" {
		t.Errorf("%+v", a)
	}
	if _, err := d.reg.Authenticate(a.Username, a.Password); err != nil {
		t.Error(err)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be kept by a cache")
	}
	if w := d.send("POST", js, tokenBody(token)); w.Code != 403 {
		t.Errorf("the second is answered %d", w.Code)
	}
	if len(d.entries) != 1 || d.entries[0].Object != "device/hub-7" || d.entries[0].Remote != "192.0.2.1" || d.entries[0].Detail["invited by"] != "alice" {
		t.Errorf("recorded %+v", d.entries)
	}
	for _, secret := range []string{token, a.Password} {
		if strings.Contains(d.said.String(), secret) || strings.Contains(fmt.Sprint(d.entries), secret) {
			t.Error("a secret was logged")
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	d := newDesk(t)
	token := d.invite()
	for i, c := range []struct {
		method, kind, body string
		want               int
	}{
		{"GET", js, "", 405},
		{"POST", "text/plain", tokenBody(token), 400},
		{"POST", js, "", 400},
		{"POST", js, "{", 400},
		{"POST", js, `{"token": 7}`, 400},
		{"POST", js, `{"token": ""}`, 400},
		{"POST", js, tokenBody(strings.Repeat("x", 5000)), 400},
		{"POST", js, tokenBody("x"), 403},
	} {
		d.from = fmt.Sprintf("192.0.2.%d:1", i)
		w := d.send(c.method, c.kind, c.body)
		var problem struct {
			Detail string `json:"detail"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != c.want || problem.Detail == "" || strings.Contains(w.Body.String(), token) {
			t.Errorf("%d: %d %s", i, w.Code, w.Body)
		}
	}
	d.refused = bus.ErrFull
	if w := d.send("POST", js, tokenBody(token)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d.refused = nil
	if w := d.send("POST", js, tokenBody(token)); w.Code != 200 {
		t.Errorf("what could not be recorded used the token up: %d %s", w.Code, w.Body)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	d := newDesk(t)
	try := func(from string) int { d.from = from; return d.send("POST", js, tokenBody("x")).Code }
	count := func(n int, from func(int) string) (let int) {
		for i := range n {
			if try(from(i)) == 403 {
				let++
			}
		}
		return let
	}
	if n := count(30, func(int) string { return "192.0.2.1:1" }); n != 10 {
		t.Errorf("one address was let try %d times", n)
	}
	if n := count(30, func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i) }); n != 10 {
		t.Errorf("one network was let try %d times", n)
	}
	if n := count(300, func(i int) string { return fmt.Sprintf("198.51.%d.%d:1", i/200, i%200) }); n != 80 {
		t.Errorf("many addresses were let try %d times more", n)
	}
	d.now = d.now.Add(10 * time.Minute)
	if try("192.0.2.1:1") != 403 {
		t.Error("it is never let try again")
	}
}

func TestCodes(t *testing.T) {
	link := enrol.Link("https://intake.force.example:8443/enrol", strings.Repeat("k", 43))
	data, err := enrol.PNG(link)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || img.Bounds().Dx() < 200 || img.Bounds().Dx() > 800 {
		t.Errorf("%v, %v", img.Bounds(), err)
	}
	text, err := enrol.Blocks(link)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for _, l := range lines {
		if len([]rune(l)) != len([]rune(lines[0])) || len([]rune(l)) > 79 {
			t.Fatalf("a line of %d among lines of %d", len([]rune(l)), len([]rune(lines[0])))
		}
	}
	if _, err := enrol.PNG(strings.Repeat("x", 9000)); err == nil {
		t.Error("a code holds 9,000 bytes")
	}
}
