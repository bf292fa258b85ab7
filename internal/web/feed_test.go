package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// serverEvent is a server-sent event.
type serverEvent struct{ name, id, data string }

// watch opens a stream and returns its events; it ends with the test.
func (rm *room) watch(t *testing.T, client *http.Client, lastID string) <-chan serverEvent {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rm.url+"/api/v1/stream", nil)
	must(t, err)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := client.Do(req)
	must(t, err)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream answers %s, %s", res.Status, res.Header.Get("Content-Type"))
	}
	events := make(chan serverEvent, 1000)
	go func() {
		defer func() { _ = res.Body.Close() }()
		defer close(events)
		var e serverEvent
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					events <- e
				}
				e = serverEvent{}
			}
		}
	}()
	return events
}

// next waits for an event of a name.
func next(t *testing.T, events <-chan serverEvent, name string) serverEvent {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before an event %q", name)
			}
			if e.name == name {
				return e
			}
		case <-late:
			t.Fatalf("no event %q", name)
		}
	}
}

func incidentIn(t *testing.T, e serverEvent) incident.Incident {
	t.Helper()
	var in incident.Incident
	if err := json.Unmarshal([]byte(e.data), &in); err != nil {
		t.Fatalf("event %q: %v", e.data, err)
	}
	return in
}

func TestStreamBringsChangesAndResumes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		client := rm.signIn(t, auth.Operator)
		events := rm.watch(t, client, "")
		var now moment
		must(t, json.Unmarshal([]byte(next(t, events, "tick").data), &now))
		if !now.Now.Equal(roomStart) || now.Speed != 1 {
			t.Errorf("the tick says %+v", now)
		}
		rm.alarm(t, "3002", "HA", event.HoldUp, "009")
		first := next(t, events, "incident")
		in := incidentIn(t, first)
		if in.Kind != "hold_up" || in.Version != 1 || in.Causes != nil || first.id == "" {
			t.Errorf("the stream brings %+v with id %q", in, first.id)
		}
		_, err := rm.desk.Do(t.Context(), incident.Action{Incident: in.ID, By: "p", Type: event.ChangeAcknowledged})
		must(t, err)
		if got := incidentIn(t, next(t, events, "incident")); got.State != incident.Acknowledged {
			t.Errorf("after acknowledging, the stream brings %+v", got)
		}
		// One who saw only the first event is sent the second when he comes back.
		back := rm.watch(t, client, first.id)
		if got := incidentIn(t, next(t, back, "incident")); got.State != incident.Acknowledged {
			t.Errorf("resuming brings %+v", got)
		}
		next(t, rm.watch(t, client, "not a number"), "resync")
	})
}

func TestSlowBrowserIsToldToReadAgain(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	feed := rm.site.feed
	slow, ok := feed.join()
	if !ok {
		t.Fatal("cannot join")
	}
	quick, _ := feed.join()
	for i := range feedAhead + 1 {
		feed.fanOut([]byte{byte(i)})
		if e := <-quick.events; e[0] != byte(i) {
			t.Fatalf("the quick browser got %v at %d", e, i)
		}
	}
	if n := len(slow.events); n != 1 {
		t.Fatalf("%d events wait for the slow browser, want resync alone", n)
	}
	if e := <-slow.events; string(e) != string(resync) {
		t.Errorf("the slow browser gets %q", e)
	}
	feed.fanOut([]byte("on"))
	if e := <-slow.events; string(e) != "on" {
		t.Errorf("after resync the slow browser gets %q", e)
	}
	feed.leave(slow)
	feed.leave(slow) // leaving twice does no harm
	feed.leave(quick)
}

func TestTooManyBrowsersAreRefused(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	for range maxBrowsers {
		if _, ok := rm.site.feed.join(); !ok {
			t.Fatal("refused too early")
		}
	}
	res, err := rm.signIn(t, auth.Operator).Get(rm.url + "/api/v1/stream")
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
		res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("one too many is answered %s, %v", res.Status, res.Header)
	}
}

func TestFeedEndsItsStreams(t *testing.T) {
	f := newFeed(nil, nil, func(context.Context) (uint64, error) { return 0, nil }, nil, nil)
	b, _ := f.join()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.run(ctx) }()
	stop()
	must(t, <-ended)
	if _, open := <-b.events; open {
		t.Error("the stream is open after the feed ended")
	}
	if _, ok := f.join(); ok {
		t.Error("a browser joins a feed that has ended")
	}
}
