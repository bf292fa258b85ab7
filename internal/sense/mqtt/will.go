package mqtt

import (
	"context"
	"sync"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// will is a client's last will: what to say for it when it goes without goodbye.
type will struct {
	pk    packets.Packet
	delay time.Duration
}

// takeWill takes a client's last will from the broker.
func (g *Gateway) takeWill(c *conn, cl *broker.Client) {
	w := cl.Properties.Will
	cl.Properties.Will = broker.Will{}
	if w.Flag == 0 {
		return
	}
	c.will = &will{
		pk: packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: w.Qos, Retain: w.Retain},
			TopicName:   w.TopicName, Payload: w.Payload, Properties: packets.Properties{User: w.User},
		},
		delay: time.Duration(w.WillDelayInterval) * time.Second,
	}
}

// wills are the last wills that wait for their delay.
type wills struct {
	mu      sync.Mutex
	waiting map[*session]lateWill
}

type lateWill struct {
	c  *conn
	at time.Time
}

func (ws *wills) add(c *conn, at time.Time) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.waiting[c.session] = lateWill{c, at}
}

// cancel forgets a last will: its client is back [MQTT-3.1.3-9].
func (ws *wills) cancel(s *session) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.waiting, s)
}

func (ws *wills) due(now time.Time) (out []*conn) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for s, w := range ws.waiting {
		if !now.Before(w.at) {
			out = append(out, w.c)
			delete(ws.waiting, s)
		}
	}
	return out
}

// execute sees to the last will of a connection that ended without goodbye. A
// will's delay ends with its session (MQTT 5, 3.1.3.2.2).
func (g *Gateway) execute(c *conn, sessionEnded, takenOver bool) {
	delay := min(c.will.delay, g.cfg.SessionExpiry)
	if delay > 0 && !sessionEnded {
		if !takenOver {
			g.wills.add(c, g.now().Add(delay))
		}
		return
	}
	g.speak(c, takenOver)
}

// speak publishes a last will as its client would have done. Unless the device is
// still there by another connection, it is gone.
func (g *Gateway) speak(c *conn, takenOver bool) {
	a, dev := c.account, c.device.Load()
	a.mu.Lock()
	gone := !takenOver && len(a.conns) == 0 && !a.gone
	if gone {
		a.gone = true
	}
	a.mu.Unlock()
	if gone {
		g.tell(a, event.KindGone)
	}
	done := make(chan error, 1)
	e := &entry{c: c, pk: c.will.pk}
	m := &sense.Message{Device: dev, Topic: topicBelow(a.id, e.pk.TopicName), Payload: e.pk.Payload, Received: g.intake.Now()}
	a.taking.Lock()
	err := g.switchboard.Take(g.work, m, func(err error) {
		if _, failed := verdict(err); !failed && g.mayRetain(e) {
			g.retain(e, func(err error) { done <- err })
			return
		}
		done <- err
	})
	a.taking.Unlock()
	if err == nil {
		err = <-done
	}
	if _, failed := verdict(err); failed {
		g.met.dropped.WithLabelValues("log").Inc()
		g.logger.Error("a device's last will could not be kept", "device", a.id, "err", err)
		return
	}
	g.distribute(a, e.pk, c.client.ID, e.keep)
}

// present says that a device which had gone is back.
func (g *Gateway) present(a *account) { g.tell(a, event.KindPresent) }

// tell observes that a device has gone or is present, and remembers it: it may
// come back after a restart.
func (g *Gateway) tell(a *account, kind event.Kind) {
	now := g.intake.Now()
	gone := kind == event.KindGone
	g.shelves.put(a.id, goneKey(a.id), shelved{Device: a.id, Time: now, Gone: &gone}, nil)
	o := &event.Observation{
		ID: event.NewID(string(kind), Source, a.id, now.Format(time.RFC3339Nano)), Kind: kind,
		Source: Source, Device: a.id, Via: a.id, Time: now,
	}
	ctx, cancel := context.WithTimeout(g.work, sayTimeout)
	defer cancel()
	if err := g.intake.ObserveAll(ctx, o); err != nil {
		g.logger.Error("that a device has gone, or is back, could not be kept", "device", a.id, "kind", kind, "err", err)
	}
}

const sayTimeout = 30 * time.Second
