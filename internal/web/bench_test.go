package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// BenchmarkFeed measures the way from the read model's commit to a browser's
// channel, in bursts of 50 changes and with 20 browsers.
func BenchmarkFeed(b *testing.B) {
	rm := newRoom(b, storetest.SQLite(b))
	rm.alarm(b, "3002", "HA", event.HoldUp, "009")
	id := rm.queue(b, 1)[0].ID
	watchers := make([]*browser, 20)
	for i := range watchers {
		watchers[i], _ = rm.site.feed.join()
	}
	for _, w := range watchers[1:] {
		go func() {
			for range w.events {
			}
		}()
	}
	var worst, sum time.Duration
	n := 0
	for b.Loop() {
		for range 50 { // a burst, then as long a pause
			_, err := rm.desk.Do(b.Context(), incident.Action{Incident: id, By: "p", Type: event.ChangeNoted, Why: "on and on"})
			must(b, err)
		}
		before := rm.site.feed.pos.Load()
		began := time.Now()
		for rm.site.feed.pos.Load() == before && time.Since(began) < time.Second {
			time.Sleep(100 * time.Microsecond)
		}
		committed := time.Now()
		<-watchers[0].events
		took := time.Since(committed)
		worst, sum, n = max(worst, took), sum+took, n+1
		for len(watchers[0].events) > 0 {
			<-watchers[0].events
		}
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(n), "µs-to-browser")
	b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
}

// BenchmarkIncidentPage renders an incident's page, session and all.
func BenchmarkIncidentPage(b *testing.B) {
	rm := newRoom(b, storetest.SQLite(b))
	rm.alarm(b, "3002", "HA", event.HoldUp, "009")
	path := "/incidents/" + string(rm.queue(b, 1)[0].ID)
	c := rm.signIn(b, auth.Operator)
	for b.Loop() {
		if got := rm.get(b, c, path); got.status != http.StatusOK {
			b.Fatal(got.status)
		}
	}
}
