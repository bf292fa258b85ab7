package mqtt

import (
	"fmt"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/bluelamp/bluelamp/internal/event"
)

// hook is the gateway as the broker library sees it. What it is given of a
// client leads to our connection by client.Net.Conn.
type hook struct {
	broker.HookBase
	g *Gateway
}

// ID implements broker.Hook.
func (h *hook) ID() string { return "bluelamp" }

// Provides implements broker.Hook.
func (h *hook) Provides(b byte) bool {
	switch b {
	case broker.OnConnect, broker.OnConnectAuthenticate, broker.OnSessionEstablished, broker.OnDisconnect,
		broker.OnPacketRead, broker.OnPacketEncode, broker.OnACLCheck, broker.OnSubscribe, broker.OnUnsubscribe,
		broker.OnPublish, broker.OnPublishDropped, broker.OnClientExpired, broker.OnRetainedExpired:
		return true
	}
	return false
}

// connOf returns the connection of a client, nil for our own way into the broker
// and for clients of the past.
func connOf(cl *broker.Client) *conn {
	c, _ := cl.Net.Conn.(*conn)
	return c
}

// nothing is a packet without effect: the acknowledgement of a message that the
// broker never sent, since 0 is no packet id.
var nothing = packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}}

// bridgeBit in a protocol version says that the client is another broker.
const bridgeBit = 0x80

// OnConnect implements broker.Hook.
func (h *hook) OnConnect(cl *broker.Client, pk packets.Packet) error {
	return h.g.connect(connOf(cl), cl, pk)
}

// OnConnectAuthenticate implements broker.Hook: connect has decided.
func (h *hook) OnConnectAuthenticate(cl *broker.Client, _ packets.Packet) bool {
	return connOf(cl).device.Load() != nil
}

// OnSessionEstablished implements broker.Hook.
func (h *hook) OnSessionEstablished(cl *broker.Client, _ packets.Packet) { h.g.arrived(connOf(cl)) }

// OnDisconnect implements broker.Hook.
func (h *hook) OnDisconnect(cl *broker.Client, _ error, expire bool) {
	c := connOf(cl)
	h.g.departed(c, expire && !cl.IsTakenOver(), cl.IsTakenOver())
}

// OnPacketRead implements broker.Hook. It takes every publish out of the broker's
// hands; see the package comment.
func (h *hook) OnPacketRead(cl *broker.Client, pk packets.Packet) (packets.Packet, error) {
	c := connOf(cl)
	if c.device.Load() == nil {
		// CONNECT; the broker ends the connection when it is something else. A home's
		// own broker that forwards says so by a bit in the version of 3.1.1.
		if pk.ProtocolVersion == 4|bridgeBit {
			pk.ProtocolVersion = 4
		}
		return pk, nil
	}
	var err error
	switch pk.FixedHeader.Type {
	case packets.Publish:
		err = c.publish(pk)
		pk = nothing
	case packets.Pubrel:
		err = c.unrelease(pk.PacketID)
		pk = nothing
	case packets.Puback, packets.Pubcomp:
		err = c.received()
	case packets.Pubrec:
		if pk.ReasonCode >= codeUnspecified {
			err = c.received()
		}
	case packets.Subscribe, packets.Unsubscribe:
		err = c.slow()
	case packets.Disconnect:
		if pk.ReasonCode != packets.CodeDisconnectWillMessage.Code {
			c.farewell.Store(true)
		}
	}
	if err != nil {
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}

// OnPacketEncode implements broker.Hook.
func (h *hook) OnPacketEncode(cl *broker.Client, pk packets.Packet) packets.Packet {
	c := connOf(cl)
	if c == nil {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		if dev := c.device.Load(); dev != nil && pk.ReasonCode == codeSuccess {
			pk.Properties.MaximumPacketSize = uint32(min(dev.Limits.OrDefault().Bytes+publishOverhead, h.g.cfg.MaxPacket))
			pk.Properties.SharedSubAvailableFlag, pk.Properties.SharedSubAvailable = true, 0
		}
	case packets.Suback, packets.Unsuback:
		pk.PacketID = c.packetID
	}
	return pk
}

// OnSubscribe implements broker.Hook. The library takes the packet ids of its own
// messages and those of the client's for one, and would refuse a subscription
// whose id is also that of a message to the client. So it gets 0, which is nobody's,
// and OnPacketEncode puts the true one back.
func (h *hook) OnSubscribe(cl *broker.Client, pk packets.Packet) packets.Packet {
	c := connOf(cl)
	c.packetID, pk.PacketID = pk.PacketID, 0
	c.account.subscribed.Store(true)
	room := maxSubscriptions - cl.State.Subscriptions.Len()
	for i := range pk.Filters {
		if _, has := cl.State.Subscriptions.Get(pk.Filters[i].Filter); has {
			continue
		}
		if room--; room < 0 {
			pk.Filters[i].Filter = "" // which the broker refuses
			h.g.met.refused.WithLabelValues("subscriptions").Inc()
		}
	}
	return pk
}

// OnUnsubscribe implements broker.Hook; see OnSubscribe.
func (h *hook) OnUnsubscribe(cl *broker.Client, pk packets.Packet) packets.Packet {
	c := connOf(cl)
	c.packetID, pk.PacketID = pk.PacketID, 0
	return pk
}

// OnACLCheck implements broker.Hook. It is asked of filters when a client
// subscribes, and of topics when a message is due to it.
func (h *hook) OnACLCheck(cl *broker.Client, topic string, write bool) bool {
	c := connOf(cl)
	if write || c == nil {
		return write
	}
	if err := Allowed(c.account.id, Subscribe, topic); err != nil {
		h.g.met.refused.WithLabelValues("filter").Inc()
		c.misuse(event.MisuseTopic, fmt.Sprintf("It subscribed to %.200q: %v.", topic, err))
		return false
	}
	if cl.Closed() && cl.State.Inflight.Len() >= maxQueuedAway {
		h.g.met.dropped.WithLabelValues("client away").Inc()
		return false
	}
	return true
}

// OnPublish implements broker.Hook: only what distribute brings comes here. The
// broker would take us for the sender, and a client that does not want its own
// messages would get them.
func (h *hook) OnPublish(_ *broker.Client, pk packets.Packet) (packets.Packet, error) {
	pk.Origin, pk.Connect.ClientIdentifier = pk.Connect.ClientIdentifier, ""
	pk.ProtocolVersion = 5 // so that an expiry is kept
	return pk, nil
}

// OnPublishDropped implements broker.Hook.
func (h *hook) OnPublishDropped(*broker.Client, packets.Packet) {
	h.g.met.dropped.WithLabelValues("slow subscriber").Inc()
}

// OnClientExpired implements broker.Hook: the library forgets the client, and
// would keep its subscriptions.
func (h *hook) OnClientExpired(cl *broker.Client) {
	if !cl.Closed() {
		return
	}
	cl.ClearInflights()
	h.g.broker.UnsubscribeClient(cl)
	if c := connOf(cl); c != nil {
		c.account.forget(c)
	}
}

// OnRetainedExpired implements broker.Hook.
func (h *hook) OnRetainedExpired(topic string) { h.g.unretain(topic) }
