package mqtt

import (
	"encoding/binary"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// pace keeps to the receive maximum of an MQTT 5 client: what exceeds it waits
// here. The broker keeps every message besides until it is acknowledged, so what
// waits is not lost with the connection.
//
// The library's own way of doing this is switched off. It sends what waited
// without remembering it, so that the client's acknowledgement frees no place and
// the client hears nothing more in the end; and it takes a read lock twice, which
// stops client and sender for good when a message becomes due in between.
type pace struct {
	most    int // messages of QoS 1 and 2 at once
	under   int // messages under way
	waiting [][]byte
}

// takePace takes the client's receive maximum from the broker.
func (c *conn) takePace(cl *broker.Client) {
	most := int(cl.Properties.Props.ReceiveMaximum)
	cl.Properties.Props.ReceiveMaximum = 0
	cl.State.Inflight.ResetSendQuota(0)
	if c.version == 5 && most > 0 && most < maxQueued {
		c.pace = &pace{most: most}
	}
}

// pass returns those of some packets that can be sent now, and keeps the others.
func (p *pace) pass(b []byte) []byte {
	now := b[:0:0]
	for len(b) > 0 {
		size, n := binary.Uvarint(b[1:min(len(b), 5)])
		if n <= 0 || uint64(1+n)+size > uint64(len(b)) {
			return append(now, b...) // not whole packets: not ours to hold up
		}
		packet := b[:1+n+int(size)]
		b = b[len(packet):]
		switch counts := packet[0]>>4 == packets.Publish && packet[0]&6 != 0; {
		case counts && (p.under >= p.most || len(p.waiting) > 0):
			p.waiting = append(p.waiting, append([]byte(nil), packet...))
			continue
		case counts:
			p.under++
		}
		now = append(now, packet...)
	}
	return now
}

// next notes that the client has done with a message, and returns what can be
// sent now.
func (p *pace) next() (out []byte) {
	p.under = max(p.under-1, 0)
	for p.under < p.most && len(p.waiting) > 0 {
		out = append(out, p.waiting[0]...)
		p.waiting[0] = nil
		p.waiting = p.waiting[1:]
		p.under++
	}
	return out
}
