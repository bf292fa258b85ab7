package mqtt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// conn is a device's connection. The broker library reads from it and writes to
// it; the gateway's own acknowledgements share it, whole packets at a time.
type conn struct {
	net.Conn
	g  *Gateway
	ip netip.Addr

	// Of the goroutine that reads.
	frames    framer
	wrong     error // what is wrong with the next packet
	idle      time.Duration
	readUntil time.Time
	packetID  uint16
	usesQoS2  bool

	// Set by the CONNECT packet, before anyone else knows of the connection.
	client  *broker.Client
	account *account
	session *session
	version byte
	// fleeting: the session ends with the connection, so that no restart matters.
	fleeting bool
	secret   [sha256.Size]byte
	will     *will
	slots    chan struct{}

	device   atomic.Pointer[registry.Device] // as the registry has it now; nil: not logged in
	farewell atomic.Bool                     // the client said goodbye
	silent   atomic.Bool                     // we ended it for a reason of our own: no last will
	ended    sync.Once

	writing    sync.Mutex
	writeUntil time.Time
	pace       *pace // nil: the client takes whatever comes

	mu      sync.Mutex
	queue   []*entry // publishes in the order of their acknowledgements, from head on
	head    int
	unacked int // of QoS 1
	sending bool
}

// Read implements net.Conn for the broker. A packet that is larger than it may be
// is never read: the broker gets an error in its place.
func (c *conn) Read(b []byte) (int, error) {
	if c.wrong != nil {
		return 0, c.misfit(c.wrong)
	}
	n, err := c.Conn.Read(b)
	good, wrong := c.frames.follow(b[:n], c.fits)
	if wrong == nil {
		return n, err
	}
	if c.wrong = wrong; good == 0 {
		return 0, c.misfit(wrong)
	}
	return good, nil // the packets before it are to be taken up first
}

// misfits is a packet that is too large.
type misfit struct {
	kind   byte
	length uint32
	most   int
}

// Error implements error.
func (m *misfit) Error() string {
	return fmt.Sprintf("a %s of %d bytes, at most %d", packets.PacketNames[m.kind], m.length, m.most)
}

// fits checks a packet by its header.
func (c *conn) fits(kind byte, length uint32) error {
	most := maxOther
	if dev := c.device.Load(); dev == nil {
		most = maxConnect
	} else if kind == packets.Publish {
		most = min(dev.Limits.OrDefault().Bytes+publishOverhead, c.g.cfg.MaxPacket)
	}
	if int64(length) > int64(most) {
		return &misfit{kind, length, most}
	}
	return nil
}

// misfit ends the connection for a packet that does not fit.
func (c *conn) misfit(err error) error {
	var m *misfit
	switch {
	case c.device.Load() == nil:
		c.g.met.connects.WithLabelValues("malformed").Inc()
		return err
	case errors.As(err, &m):
		return c.oversize(m.length, m.most)
	default:
		return c.end(codeProtocol, "protocol")
	}
}

func (c *conn) oversize(length uint32, most int) error {
	c.misuse(event.MisuseSize, fmt.Sprintf("It sent %d bytes at once, and may send %d; none of them was kept.", length, most))
	return c.end(codeTooLarge, "size")
}

// Write implements net.Conn. A client that does not read is given up. b is whole
// packets.
func (c *conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if len(b) > 0 && b[0]>>4 == packets.Disconnect && c.version != 5 {
		return len(b), nil // the broker sends it to all; MQTT 3.1.1 has none from a server
	}
	now := b
	if c.pace != nil {
		if now = c.pace.pass(b); len(now) == 0 {
			return len(b), nil
		}
	}
	if err := c.write(now); err != nil {
		return 0, err
	}
	return len(b), nil
}

// write writes to the network. The caller holds c.writing.
func (c *conn) write(b []byte) error {
	// A deadline costs more than a look at the clock.
	if now := c.g.now(); c.writeUntil.Sub(now) < c.g.cfg.WriteTimeout/2 {
		c.writeUntil = now.Add(c.g.cfg.WriteTimeout)
		if err := c.SetWriteDeadline(c.writeUntil); err != nil {
			return err
		}
	}
	if _, err := c.Conn.Write(b); err != nil {
		// The library would go on, in the middle of a packet. Closed below it, the
		// connection ends for its reader as any broken one does.
		_ = c.Conn.Close()
		return err
	}
	return nil
}

// received notes that the client has done with a message that it was sent, and
// sends what waited for that.
func (c *conn) received() error {
	if c.pace == nil {
		return nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if next := c.pace.next(); len(next) > 0 {
		return c.write(next)
	}
	return nil
}

// SetDeadline implements net.Conn for the broker, which calls it when it has done
// with one packet and turns to the next. Until CONNECT is complete the deadline
// that the connection began with stands.
func (c *conn) SetDeadline(time.Time) error {
	if c.idle == 0 {
		return nil
	}
	if until := c.g.now().Add(c.idle); until.Sub(c.readUntil) > c.idle/16 {
		c.readUntil = until
		return c.SetReadDeadline(until)
	}
	return nil
}

// end closes the connection, and says why where MQTT can.
func (c *conn) end(code byte, why string) error {
	c.ended.Do(func() {
		c.g.met.closed.WithLabelValues(why).Inc()
		if c.version == 5 {
			_, _ = c.Write([]byte{packets.Disconnect << 4, 2, code, 0})
		}
		c.client.Stop(errEnd)
	})
	return packets.ErrRejectPacket // what ends the broker's reading, too
}

// misuse notes that the connection's device did what it may not.
func (c *conn) misuse(what, detail string) {
	c.g.misuse.note(c.account.id, what, detail, c.ip.String())
}
