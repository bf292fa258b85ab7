package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
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

// platform is a running App of a test.
type platform struct {
	*app.App
	tb   testing.TB
	cfg  app.Config
	said *said
	log  *bus.Log // the same log, as a command sees it
}

// said keeps what the platform logs.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.b.String(), text)
}

// Accounts of every test's registry.
const (
	shop = "1234" // plain
	bank = "5678" // encrypted with bankKey
)

var bankKey = []byte("0123456789ABCDEF")

func twoPremises() []registry.Premises {
	return []registry.Premises{
		{ID: "shop", Name: "Corner shop", Place: place.Point{Lat: 55, Lon: 3}, Accounts: []registry.Account{{Number: shop, Class: "none"}}},
		{ID: "bank", Name: "Savings bank", Place: place.Point{Lat: 55.2, Lon: 3}, Accounts: []registry.Account{{Number: bank, Class: "none", Key: bankKey}}},
	}
}

// start runs a platform until the test ends, and then checks that it ended well.
func start(tb testing.TB, cfg app.Config, ps ...registry.Premises) *platform {
	tb.Helper()
	ctx := context.Background()
	p := &platform{tb: tb, cfg: cfg, said: &said{}}
	logger := slog.New(slog.NewTextHandler(p.said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if p.App, err = app.New(ctx, cfg, app.Options{Clock: clock.Wall(), Logger: logger, Version: "test"}); err != nil {
		tb.Fatal(err)
	}
	if err := p.Registry().Put(ctx, "test", ps...); err != nil {
		tb.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(run) }()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			tb.Errorf("the platform ended with: %v", err)
		}
		p.Close()
	})
	for deadline := time.Now().Add(time.Minute); p.Ready() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not ready after a minute: %v", p.Ready())
		}
	}
	p.log, err = bus.Open(ctx, bus.Config{Dir: cfg.Data, URL: cfg.NATS, Replicas: cfg.LogReplicas(), Attach: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.log.Close)
	return p
}

// send sends a frame on a connection of its own, and returns the reply's token;
// "" when there was none in time.
func (p *platform) send(spec string, seq uint16, key *codec.Key) codec.Token {
	p.tb.Helper()
	f, err := codec.ParseSpec(spec)
	if err != nil {
		p.tb.Fatal(err)
	}
	f.Sequence, f.Line, f.Encrypted = seq, "0", key != nil
	if f.Encrypted {
		f.Time = time.Now()
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	c, err := dc09client.Dial(ctx, p.DC09Addr(), "tcp")
	if err != nil {
		p.tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	short, stopShort := context.WithTimeout(ctx, 2*time.Second)
	defer stopShort()
	reply, err := c.Send(short, f, key)
	if err != nil {
		return ""
	}
	return reply.Token
}

// becomesIncident waits for an incident at the premises in the read model.
func (p *platform) becomesIncident(premises string) incident.Incident {
	p.tb.Helper()
	db, err := store.Open(context.Background(), p.cfg.Database())
	if err != nil {
		p.tb.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		all, err := incident.NewQueries(db).Recent(context.Background(), 0, 0)
		if err != nil {
			p.tb.Fatal(err)
		}
		for _, in := range all {
			if in.Premises != nil && in.Premises.ID == premises {
				return in
			}
		}
		if time.Now().After(deadline) {
			p.tb.Fatalf("no incident at %s within a minute; %d others", premises, len(all))
		}
	}
}

// alarms returns the zones of the burglar alarms that are on the log.
func (p *platform) alarms() map[string]int {
	p.tb.Helper()
	zones := map[string]int{}
	err := p.log.Each(context.Background(), bus.Observations, 0, func(rec bus.Record) error {
		var o event.Observation
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			return err
		}
		if o.Alarm != nil && o.Alarm.Category == event.Burglary {
			zones[o.Alarm.Account+"/"+o.Alarm.Zone]++
		}
		return nil
	})
	if err != nil {
		p.tb.Fatal(err)
	}
	return zones
}

// quarantined returns the entries in quarantine, in order.
func (p *platform) quarantined() (out []event.Quarantined) {
	p.tb.Helper()
	err := p.log.Each(context.Background(), bus.Quarantine, 0, func(rec bus.Record) error {
		var q event.Quarantined
		err := json.Unmarshal(rec.Data, &q)
		out = append(out, q)
		return err
	})
	if err != nil {
		p.tb.Fatal(err)
	}
	return out
}

// browser opens the set-up link, makes the first administrator and signs in.
func (p *platform) browser() *http.Client {
	p.tb.Helper()
	link, err := p.SetupURL(context.Background())
	if err != nil {
		p.tb.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		p.tb.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.tb.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p.tb.Cleanup(c.CloseIdleConnections)
	const password = "three random words"
	p.post(c, "/setup", url.Values{
		"token": {u.Query().Get("token")}, "name": {"ada"}, "full": {"Ada Min"}, "password": {password}, "again": {password},
	})
	p.post(c, "/signin", url.Values{"name": {"ada"}, "password": {password}})
	return c
}

func (p *platform) post(c *http.Client, path string, form url.Values) {
	p.tb.Helper()
	res, err := c.PostForm(p.URL()+path, form)
	if err != nil {
		p.tb.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		p.tb.Fatalf("%s is answered %s", path, res.Status)
	}
}
