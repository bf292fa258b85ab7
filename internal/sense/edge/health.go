package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Source is the source of what the receiver itself observes.
const Source = "edge"

const (
	// healthEvery is how often it is noted that a gateway was in contact.
	healthEvery = time.Minute
	// healthShare is into how many parts a gateway's reporting time is divided
	// where that is short: each must see it noted.
	healthShare = 3
	// behindIsLate is how old the oldest waiting commit is before it is a problem.
	behindIsLate = time.Minute
	maxProblem   = 200 // bytes
)

// condition is what a gateway knows of itself, as its parts find out.
type condition struct {
	began time.Time

	mu      sync.Mutex
	waiting uint64
	oldest  time.Time // when the oldest that waits came; zero: none
	problem string
}

// behind notes that of the observations so many commits wait, the oldest since a
// time.
func (c *condition) behind(waiting uint64, oldest time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.oldest = waiting, oldest
	if waiting == 0 {
		c.oldest = time.Time{}
	}
}

// suffers notes what is wrong, nil for nothing.
func (c *condition) suffers(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = ""
	if err != nil {
		c.problem = cut(err.Error())
	}
}

func cut(words string) string {
	if len(words) > maxProblem {
		return words[:maxProblem]
	}
	return words
}

// say returns the header's text.
func (c *condition) say(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := health{Uptime: now.Sub(c.began), Waiting: c.waiting, Problem: c.problem}
	if !c.oldest.IsZero() {
		h.Behind = max(0, now.Sub(c.oldest))
	}
	text, err := json.Marshal(h) // ASCII is what a header needs; see ascii
	if err != nil {
		return ""
	}
	return ascii(text)
}

// ascii replaces what a header may not hold.
func ascii(text []byte) string {
	for i, b := range text {
		if b < ' ' || b > '~' {
			text[i] = '?'
		}
	}
	return string(text)
}

// contact says on the log, now and then, that a gateway is there and how it is.
// Whoever supervises it hears it by this.
func (r *Receiver) contact(ctx context.Context, gw *registry.Device, req *http.Request) {
	now := r.clock.Now()
	every := healthEvery
	if gw.Reporting > 0 {
		every = min(every, gw.Reporting/healthShare)
	}
	r.mu.Lock()
	last, known := r.heard[gw.ID]
	due := !known || now.Sub(last) >= every || now.Before(last)
	if due {
		r.heard[gw.ID] = now
	}
	r.mu.Unlock()
	if due {
		r.observe(ctx, healthOf(gw.ID, req.Header.Get(headerHealth), now))
	}
}

// healthOf is the observation of a gateway's health. What cannot be read of it is
// left out: that the gateway is there counts.
func healthOf(gateway, header string, now time.Time) *event.Observation {
	o := &event.Observation{
		ID: event.NewID("health", Source, gateway, now.Format(time.RFC3339Nano)), Kind: event.KindHealth,
		Source: Source, Device: gateway, Via: gateway, Time: now, Health: &event.Health{},
	}
	var h health
	if len(header) > maxHealth || json.Unmarshal([]byte(header), &h) != nil {
		return o
	}
	if h.Uptime > 0 {
		up := h.Uptime.Truncate(time.Second)
		o.Health.Uptime = &up
	}
	o.Health.Problem = cut(h.Problem)
	if h.Behind >= behindIsLate {
		if o.Health.Problem != "" {
			o.Health.Problem += "; "
		}
		o.Health.Problem += fmt.Sprintf("it is %v behind: %d commits wait on its disk", h.Behind.Truncate(time.Second), h.Waiting)
	}
	return o
}

// look notes how the gateway's log is.
func (c *condition) look(log *bus.Log) { c.suffers(log.Ready()) }
