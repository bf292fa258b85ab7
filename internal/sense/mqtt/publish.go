package mqtt

import (
	"errors"
	"fmt"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Reason codes of MQTT 5 (2.4) that the gateway gives.
const (
	codeSuccess       byte = 0x00
	codeUnspecified   byte = 0x80 // from here on: failure
	codeProtocol      byte = 0x82
	codeSpecific      byte = 0x83
	codeClientID      byte = 0x85
	codeCredential    byte = 0x86
	codeNotAuthorized byte = 0x87
	codeBusy          byte = 0x89
	codeShutdown      byte = 0x8b
	codeTopicName     byte = 0x90
	codeNoSuchID      byte = 0x92
	codeReceiveMax    byte = 0x93
	codeTooLarge      byte = 0x95
	codeTooFast       byte = 0x96
	codeQuota         byte = 0x97
	codeAdmin         byte = 0x98
	codePayload       byte = 0x99
	codeConnectRate   byte = 0x9f
)

// entry is one publish of a connection, from its reading to its acknowledgement.
type entry struct {
	c    *conn
	pk   packets.Packet
	read time.Time
	id   uint16
	qos  byte
	keep bool // retain it

	// Set by settle, under conn.mu.
	ready  bool
	failed bool // the log could not take it: no acknowledgement
	drop   bool // subscribers do not get it: refused, or a repeat
	code   byte
}

// errEnd ends a connection that was told why already.
var errEnd = errors.New("the connection is at its end")

// publish takes one PUBLISH up. It returns an error when the connection ends.
func (c *conn) publish(pk packets.Packet) error {
	if code := pk.PublishValidate(0); code != packets.CodeSuccess {
		return c.end(code.Code, "protocol")
	}
	dev := c.device.Load()
	if most := dev.Limits.OrDefault().Bytes; len(pk.Payload) > most {
		return c.oversize(uint32(len(pk.Payload)), most)
	}
	if err := c.slow(); err != nil {
		return err
	}
	if err := Allowed(dev.ID, Publish, pk.TopicName); err != nil {
		return c.refuse(pk, err)
	}
	if err := c.slot(); err != nil {
		return err
	}
	e := &entry{c: c, pk: pk, read: c.g.now(), id: pk.PacketID, qos: pk.FixedHeader.Qos}
	if !c.enqueue(e) {
		return c.end(codeReceiveMax, "receive maximum")
	}
	if e.qos == 2 {
		fresh, full := c.session.begin(e)
		if full {
			err := c.end(codeQuota, "unreleased")
			e.settle(0, true)
			return err
		}
		if !fresh {
			return nil
		}
	}
	c.g.met.published[e.qos].Inc()
	m := &sense.Message{Device: dev, Topic: topicBelow(dev.ID, pk.TopicName), Payload: pk.Payload, Received: c.g.intake.Now()}
	c.account.taking.Lock()
	err := c.g.switchboard.Take(c.g.work, m, e.taken)
	c.account.taking.Unlock()
	if err != nil {
		e.taken(err)
	}
	return nil
}

// slow holds the connection's reading back while its device is over its rate.
func (c *conn) slow() error {
	wait, flood := c.account.mayPublish(c.g.now(), c.g.cfg.Patience)
	if flood {
		l := c.device.Load().Limits.OrDefault()
		c.misuse(event.MisuseFlood, fmt.Sprintf("It sent faster than %g messages a second for %v, and was cut off.", l.Messages, c.g.cfg.Patience))
		return c.end(codeTooFast, "flood")
	}
	if wait == 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.g.halt:
		return errEnd
	}
}

// slot waits until fewer than the bound of publishes are under way.
func (c *conn) slot() error {
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-c.g.work.Done():
		return errEnd
	}
}

// refuse answers a publish outside the device's own topics. MQTT 5 can say so in
// the acknowledgement. MQTT 3.1.1 cannot: it lets a server acknowledge as if
// nothing were wrong or close the connection [MQTT-3.3.5-2]. To acknowledge would
// say that the message is kept, which is not true, so the connection is closed.
// QoS 0 promises nothing, and is dropped.
func (c *conn) refuse(pk packets.Packet, why error) error {
	c.g.met.refused.WithLabelValues("topic").Inc()
	c.misuse(event.MisuseTopic, fmt.Sprintf("It published to %.200q: %v.", pk.TopicName, why))
	switch {
	case pk.FixedHeader.Qos == 0:
		return nil
	case c.version < 5:
		return c.end(codeNotAuthorized, "topic")
	}
	if err := c.slot(); err != nil {
		return err
	}
	e := &entry{c: c, pk: packets.Packet{}, read: c.g.now(), id: pk.PacketID, qos: pk.FixedHeader.Qos, drop: true}
	if !c.enqueue(e) {
		return c.end(codeReceiveMax, "receive maximum")
	}
	e.settle(codeNotAuthorized, false)
	return nil
}

// taken is what the switchboard calls when it is done with a message.
func (e *entry) taken(err error) {
	code, failed := verdict(err)
	if !failed && e.c.g.mayRetain(e) {
		e.c.g.retain(e, func(err error) { e.answer(code, err != nil) })
		return
	}
	e.answer(code, failed)
}

func (e *entry) answer(code byte, failed bool) {
	s := e.c.session
	switch {
	case e.qos < 2:
		e.settle(code, failed)
	case failed || e.c.fleeting:
		s.taken(e.id, code, failed)
	default:
		e.c.g.save(s, func(err error) { s.taken(e.id, code, err != nil) })
	}
}

// verdict turns what became of a message into a reason code. A message that
// nobody understands is taken care of in the quarantine: only MQTT 5 can say so.
func verdict(err error) (code byte, failed bool) {
	switch {
	case err == nil:
		return codeSuccess, false
	case errors.Is(err, sense.ErrUnknownTopic):
		return codeTopicName, false
	case errors.Is(err, sense.ErrUnreadable):
		return codePayload, false
	case errors.Is(err, sense.ErrRefused):
		return codeSpecific, false
	default:
		return 0, true
	}
}

// unrelease takes a PUBREL up: the client has let go of a QoS 2 message, so its
// packet id may mean another from now on.
func (c *conn) unrelease(id uint16) error {
	known, pending, forget := c.session.release(id)
	switch {
	case pending:
		return c.end(codeProtocol, "released too early")
	case forget:
		c.g.save(c.session, nil)
	}
	code := codeSuccess
	if !known {
		code = codeNoSuchID
	}
	_, err := c.Write(appendAck(nil, packets.Pubcomp, id, code, c.version))
	return err
}

// appendAck adds an acknowledgement: PUBACK, PUBREC or PUBCOMP.
func appendAck(b []byte, kind byte, id uint16, code, version byte) []byte {
	if code == codeSuccess || version < 5 {
		return append(b, kind<<4, 2, byte(id>>8), byte(id))
	}
	return append(b, kind<<4, 3, byte(id>>8), byte(id), code)
}
