// Package mqttclient is the device's side of MQTT 3.1.1 and 5, as far as it
// takes to speak to a gateway packet by packet ([Client]) and to measure one
// ([Bench]).
package mqttclient

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// DefaultTimeout is how long a client waits for a packet.
const DefaultTimeout = 10 * time.Second

// ErrRefused: the gateway did not let the client in. What wraps it says the code.
var ErrRefused = errors.New("refused by the gateway")

// Options say who connects, and how.
type Options struct {
	Addr     string
	TLS      *tls.Config // nil: plain TCP
	Version  byte        // 4 (3.1.1), which 0 means, or 5
	ID       string      // client id
	User     string
	Password string
	Clean    bool
	// KeepAlive is what the client promises; it sends no pings by itself. 0: none.
	KeepAlive time.Duration
	// Expiry is how long the session is to be kept, MQTT 5 only.
	Expiry time.Duration
	// ReceiveMaximum bounds what the client is sent at once, MQTT 5 only; 0: not stated.
	ReceiveMaximum uint16
	Will           *Message
	// WillDelay is how long the will waits, MQTT 5 only.
	WillDelay time.Duration
	Timeout   time.Duration // for each packet; 0: DefaultTimeout
}

// Client is a connection. It belongs to one goroutine.
type Client struct {
	*Reader
	Conn    net.Conn
	Session bool // the gateway had kept a session
	opts    Options
	out     []byte
}

// Dial connects, and waits until it is let in.
//
// Errors: ErrRefused; the network's.
func Dial(ctx context.Context, o Options) (*Client, error) {
	if o.Version == 0 {
		o.Version = 4
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to the gateway: %w", err)
	}
	if o.TLS != nil {
		conn = tls.Client(conn, o.TLS)
	}
	c := &Client{Reader: NewReader(conn, o.Version), Conn: conn, opts: o}
	if err := c.connect(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) connect() error {
	if err := c.Send(appendConnect(nil, &c.opts)); err != nil {
		return err
	}
	p, err := c.Get()
	switch {
	case err != nil:
		return fmt.Errorf("waiting to be let in: %w", err)
	case p.Type != TypeConnack:
		return fmt.Errorf("%w: type %d instead of CONNACK", ErrMalformed, p.Type)
	case p.Code != 0:
		return fmt.Errorf("%w: code 0x%02x", ErrRefused, p.Code)
	}
	c.Session = p.Session
	return nil
}

// Send writes packets.
func (c *Client) Send(packets []byte) error {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.opts.Timeout)); err != nil {
		return err
	}
	if _, err := c.Conn.Write(packets); err != nil {
		return fmt.Errorf("sending to the gateway: %w", err)
	}
	return nil
}

// Get waits for the next packet.
func (c *Client) Get() (Packet, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.opts.Timeout)); err != nil {
		return Packet{}, err
	}
	return c.Next()
}

// Publish sends a message, without waiting for what comes of it.
func (c *Client) Publish(m *Message) error {
	c.out = AppendPublish(c.out[:0], c.opts.Version, m)
	return c.Send(c.out)
}

// Subscribe subscribes to a filter, and returns the code of the answer.
func (c *Client) Subscribe(id uint16, filter string, qos byte) (byte, error) {
	body := binary.BigEndian.AppendUint16(nil, id)
	if c.opts.Version == 5 {
		body = append(body, 0)
	}
	body = append(appendText(body, filter), qos)
	if err := c.Send(appendPacket(nil, TypeSubscribe<<4|2, body)); err != nil {
		return 0, err
	}
	p, err := c.Get()
	if err == nil && (p.Type != TypeSuback || p.ID != id) {
		err = fmt.Errorf("%w: type %d, id %d instead of SUBACK %d", ErrMalformed, p.Type, p.ID, id)
	}
	return p.Code, err
}

// Ack answers a packet: PUBACK, PUBREC, PUBREL or PUBCOMP.
func (c *Client) Ack(kind byte, id uint16) error {
	first := kind << 4
	if kind == TypePubrel {
		first |= 2
	}
	return c.Send(appendPacket(nil, first, binary.BigEndian.AppendUint16(nil, id)))
}

// Ping asks whether the gateway is there.
func (c *Client) Ping() error { return c.Send([]byte{TypePingreq << 4, 0}) }

// Close says goodbye and closes the connection.
func (c *Client) Close() error {
	return errors.Join(c.Send([]byte{TypeDisconnect << 4, 0}), c.Conn.Close())
}

// Drop closes the connection without a goodbye.
func (c *Client) Drop() error { return c.Conn.Close() }

func appendConnect(b []byte, o *Options) []byte {
	var flags byte
	if o.Clean {
		flags |= 1 << 1
	}
	if o.Will != nil {
		flags |= 1<<2 | o.Will.QoS<<3
		if o.Will.Retain {
			flags |= 1 << 5
		}
	}
	if o.Password != "" {
		flags |= 1 << 6
	}
	if o.User != "" {
		flags |= 1 << 7
	}
	body := appendText(nil, "MQTT")
	body = append(body, o.Version, flags)
	body = binary.BigEndian.AppendUint16(body, uint16(o.KeepAlive/time.Second))
	if o.Version == 5 {
		var props []byte
		if o.Expiry > 0 {
			props = binary.BigEndian.AppendUint32(append(props, 17), uint32(o.Expiry/time.Second))
		}
		if o.ReceiveMaximum > 0 {
			props = binary.BigEndian.AppendUint16(append(props, 33), o.ReceiveMaximum)
		}
		body = append(append(body, byte(len(props))), props...)
	}
	body = appendText(body, o.ID)
	if o.Will != nil {
		if o.Version == 5 {
			var props []byte
			if o.WillDelay > 0 {
				props = binary.BigEndian.AppendUint32(append(props, 24), uint32(o.WillDelay/time.Second))
			}
			body = append(append(body, byte(len(props))), props...)
		}
		body = appendText(body, o.Will.Topic)
		body = appendText(body, string(o.Will.Payload))
	}
	if o.User != "" {
		body = appendText(body, o.User)
	}
	if o.Password != "" {
		body = appendText(body, o.Password)
	}
	return appendPacket(b, TypeConnect<<4, body)
}
