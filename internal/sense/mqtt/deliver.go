package mqtt

import (
	"github.com/mochi-mqtt/server/v2/packets"
)

// enqueue puts a publish in the order of acknowledgements. It reports false,
// without doing so, when an MQTT 5 client has more under way than it was allowed;
// others were held back by their slots.
func (c *conn) enqueue(e *entry) bool {
	if e.qos > 0 && c.version == 5 {
		open := 0
		if e.qos == 2 || c.usesQoS2 {
			c.usesQoS2 = true
			open = c.session.open()
		}
		c.mu.Lock()
		open += c.unacked
		c.mu.Unlock()
		if open >= c.g.cfg.InFlight && !(e.qos == 2 && c.session.knows(e.id)) {
			<-c.slots
			return false
		}
	}
	c.g.pending.Add(1)
	c.g.met.inFlight.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.qos == 1 {
		c.unacked++
	}
	c.queue = append(c.queue, e)
	return true
}

// settle says what became of a publish. It does not block: whoever comes first
// when something can be sent starts a goroutine that sends it, and what is settled
// meanwhile goes with it. So a connection that is idle costs no goroutine, and
// one that is busy shares each write among many acknowledgements.
func (e *entry) settle(code byte, failed bool) {
	c := e.c
	c.mu.Lock()
	defer c.mu.Unlock()
	e.ready, e.code, e.failed = true, code, failed
	if !c.sending && c.queue[c.head].ready {
		c.sending = true
		go c.send()
	}
}

// send acknowledges and delivers, in order, until nothing is ready. The gateway
// waits for it by way of the entries that are pending.
func (c *conn) send() {
	var batch []*entry
	var out []byte
	broken := false
	for {
		if batch = c.nextReady(batch[:0]); len(batch) == 0 {
			return
		}
		out = out[:0]
		for _, e := range batch {
			if broken = broken || e.failed && e.qos > 0; broken {
				break // those after it would seem to say that it, too, is safe
			}
			out = e.appendAck(out)
		}
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				broken = true
			}
		}
		if broken {
			c.giveUp()
		}
		for _, e := range batch {
			c.finish(e)
		}
	}
}

// nextReady takes the publishes off the queue that are ready, up to the first
// that is not. When there is none, sending has ended.
func (c *conn) nextReady(batch []*entry) []*entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.head < len(c.queue) && c.queue[c.head].ready {
		e := c.queue[c.head]
		batch = append(batch, e)
		c.queue[c.head] = nil
		c.head++
		if e.qos == 1 {
			c.unacked--
		}
	}
	switch {
	case c.head == len(c.queue):
		c.queue, c.head = c.queue[:0], 0
	case c.head > len(c.queue)/2:
		n := copy(c.queue, c.queue[c.head:])
		clear(c.queue[n:])
		c.queue, c.head = c.queue[:n], 0
	}
	if len(batch) == 0 {
		c.sending = false
	}
	return batch
}

func (e *entry) appendAck(out []byte) []byte {
	switch e.qos {
	case 1:
		return appendAck(out, packets.Puback, e.id, e.code, e.c.version)
	case 2:
		return appendAck(out, packets.Pubrec, e.id, e.code, e.c.version)
	default:
		return out
	}
}

// finish ends a publish's way: to the device's own subscribers.
func (c *conn) finish(e *entry) {
	g := c.g
	switch {
	case e.failed:
		g.met.dropped.WithLabelValues("log").Inc()
	case !e.drop:
		if e.qos > 0 {
			g.met.seconds.Observe(g.now().Sub(e.read).Seconds())
		}
		g.distribute(c.account, e.pk, c.client.ID, e.keep)
	}
	g.met.inFlight.Dec()
	<-c.slots
	g.pending.Done()
}

// giveUp closes a connection whose messages the log cannot take. The client sends
// them again when it comes back. Its last will is not for this.
func (c *conn) giveUp() {
	c.silent.Store(true)
	_ = c.end(codeBusy, "log")
}

// distribute gives a message to the subscribers of its device, and to the
// broker's memory when it is to be kept there.
func (g *Gateway) distribute(a *account, pk packets.Packet, origin string, keep bool) {
	if !a.subscribed.Load() && !pk.FixedHeader.Retain {
		return
	}
	out := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: pk.FixedHeader.Qos, Retain: keep},
		TopicName:   pk.TopicName, Payload: pk.Payload, Properties: pk.Properties.Copy(false),
		PacketID: uint16(min(pk.FixedHeader.Qos, 1)), // the broker gives each subscriber its own
	}
	out.Connect.ClientIdentifier = origin // see hook.OnPublish
	if err := g.broker.InjectPacket(g.inline, out); err != nil {
		g.met.dropped.WithLabelValues("delivery").Inc()
	}
}
