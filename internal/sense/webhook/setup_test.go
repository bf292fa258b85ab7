package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// rig is an intake on a real log.
type rig struct {
	t      testing.TB
	log    *bus.Log
	server *Server
	reg    *registry.Registry
	clock  *clock.Clock
	set    func(time.Time)
	url    string
	client *http.Client
	stop   func()
}

var doorStart = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)

const secret = "a-long-random-secret"

func device(id, premises string) registry.Device {
	return registry.Device{
		ID: id, Name: id, Premises: premises, Limits: registry.Limits{Messages: 10, Burst: 20, Bytes: 1000},
		Credentials: []registry.Credential{registry.NewCredential(secret+id, doorStart, nil)},
	}
}

// newRig opens an intake with a live mapping "door", and devices "hub-7" of a
// shop and "home-1" of a home without a basis.
func newRig(t testing.TB, wall bool) *rig {
	t.Helper()
	log, err := bus.Open(context.Background(), bus.Config{Dir: t.TempDir()})
	must(t, err)
	d := &rig{t: t, log: log, client: &http.Client{Transport: &http.Transport{}}}
	d.clock, d.set = clock.Held(doorStart)
	if wall {
		d.clock = clock.Wall()
	}
	sealer, err := seal.New(make([]byte, 32))
	must(t, err)
	quiet := slog.New(slog.DiscardHandler)
	d.reg, err = registry.New(t.Context(), log, sealer, d.clock, quiet)
	must(t, err)
	at := place.Point{Lat: 55, Lon: 3}
	must(t, d.reg.Put(t.Context(), "test", registry.Premises{ID: "shop", Name: "Shop", Kind: "shop", Place: at}, registry.Premises{ID: "home", Name: "Home", Kind: "home", Place: at}))
	must(t, d.reg.PutDevices(t.Context(), "test", device("hub-7", "shop"), device("home-1", "home")))
	c, err := mapping.Open(t.Context(), log, d.clock, quiet)
	must(t, err)
	_, err = c.Draft(t.Context(), "door", `{"property": "contact", "state": body.state}`, "test", "")
	must(t, err)
	must(t, c.Live(t.Context(), "door", 1, "test", ""))
	in := sense.NewIntake(log, d.clock, d.reg, quiet, nil)
	d.server, err = New(Config{Addr: "127.0.0.1:0"}, sense.NewSwitchboard(in, mapping.NewDialect(c)), in, d.reg, quiet, prometheus.NewRegistry())
	must(t, err)
	d.server.Mount("/enrol", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "enrol ", r.URL.Path) }))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.server.Run(ctx) }()
	d.url = d.server.URL()
	done := false
	d.stop = func() {
		if !done {
			done = true
			stop()
			must(t, <-ended)
		}
	}
	t.Cleanup(func() { d.client.CloseIdleConnections(); d.stop(); log.Close() })
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got is an answer to a device.
type got struct {
	status int
	header http.Header
	body   string
	problem
}

// send sends a body as hub-7; fit changes the request before it goes.
func (d *rig) send(path, body string, fit ...func(*http.Request)) got {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+path, strings.NewReader(body))
	must(d.t, err)
	req.SetBasicAuth("hub-7", secret+"hub-7")
	req.Header.Set("Content-Type", "application/json")
	for _, f := range fit {
		f(req)
	}
	res, err := d.client.Do(req)
	must(d.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	must(d.t, err)
	g := got{status: res.StatusCode, header: res.Header, body: string(b)}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		must(d.t, json.Unmarshal(b, &g.problem))
	}
	return g
}

// as sends as another device, or with another secret.
func as(id, with string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(id, with) }
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if value == "" {
			r.Header.Del(name)
			return
		}
		r.Header.Set(name, value)
	}
}

func squeezed(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// observed returns the observations on the log, and quarantined the entries.
func (d *rig) observed() (out []event.Observation) {
	return records[event.Observation](d, bus.Observations)
}

func (d *rig) quarantined() (out []event.Quarantined) {
	return records[event.Quarantined](d, bus.Quarantine)
}

func records[T any](d *rig, s bus.Stream) (out []T) {
	d.t.Helper()
	must(d.t, d.log.Each(context.Background(), s, 0, func(r bus.Record) error {
		var v T
		out = append(out, v)
		return json.Unmarshal(r.Data, &out[len(out)-1])
	}))
	return out
}
