// Package dc09client is the panel's side of SIA DC-09: it sends frames to a
// receiver and reads the replies ([Client]), and measures a receiver ([Bench]).
package dc09client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// DefaultTimeout is how long Send waits for a reply when its context does not
// say.
const DefaultTimeout = 10 * time.Second

// ErrNoReply: the receiver did not answer in time. By the rules that is its
// answer to a damaged frame, or it cannot take anything at present: send the
// same frame again, with the same sequence number.
var ErrNoReply = errors.New("no reply")

// Client is a panel's connection to a receiver. It belongs to one goroutine.
type Client struct {
	conn net.Conn
	scan *codec.Scanner
	buf  []byte
}

// Dial connects to a receiver at host:port. network is "tcp" or "udp".
func Dial(ctx context.Context, addr, network string) (*Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to the receiver: %w", err)
	}
	c := &Client{conn: conn}
	c.reset()
	return c, nil
}

// reset makes a new scanner: the old one ends with the first error.
func (c *Client) reset() {
	c.scan = codec.NewScanner(bufio.NewReaderSize(c.conn, codec.MaxFrame+2), 0)
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Send sends a frame once and returns the reply to it, decrypted. The caller
// sets the sequence number and, in an encrypted frame, the time.
//
// Errors: ErrNoReply, after which the client can be used again; what
// codec.Encode and Frame.Decrypt return; the network's.
func (c *Client) Send(ctx context.Context, f codec.Frame, key *codec.Key) (codec.Frame, error) {
	wire, err := codec.Encode(c.buf[:0], &f, key, nil)
	if err != nil {
		return codec.Frame{}, err
	}
	c.buf = wire
	return c.exchange(ctx, wire, &f, key)
}

// SendRaw sends bytes as they are, and returns the next reply, still encrypted
// when it is.
//
// Errors: as Send.
func (c *Client) SendRaw(ctx context.Context, wire []byte) (codec.Frame, error) {
	return c.exchange(ctx, wire, nil, nil)
}

func (c *Client) exchange(ctx context.Context, wire []byte, f *codec.Frame, key *codec.Key) (codec.Frame, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(DefaultTimeout)
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return codec.Frame{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := c.conn.Write(wire)
	if err != nil {
		return codec.Frame{}, fmt.Errorf("sending a frame: %w", err)
	}
	for {
		reply, err := c.next(key)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.reset()
			return codec.Frame{}, fmt.Errorf("%w from %s", ErrNoReply, c.conn.RemoteAddr())
		case err != nil:
			return reply, fmt.Errorf("reading the reply: %w", err)
		case f == nil || answers(&reply, f):
			return reply, nil
		}
	}
}

func (c *Client) next(key *codec.Key) (codec.Frame, error) {
	raw, err := c.scan.Next()
	if err != nil {
		return codec.Frame{}, err
	}
	reply, err := codec.Parse(raw)
	if err == nil && reply.Sealed() && key != nil {
		err = reply.Decrypt(key)
	}
	return reply, err
}

// answers tells whether a reply is to f, and not to one before it that was
// given up. A reply that names nobody can only be to the newest.
func answers(reply, f *codec.Frame) bool {
	if reply.Token == codec.TokenNAK || reply.Account == "" {
		return true
	}
	return reply.Token.IsReply() && reply.Sequence == f.Sequence && reply.Account == f.Account &&
		reply.Receiver == f.Receiver && reply.Line == f.Line
}
