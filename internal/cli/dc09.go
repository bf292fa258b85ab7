package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/dc09/dc09client"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// dc09Cmd speaks DC-09.
type dc09Cmd struct {
	Send dc09SendCmd `cmd:"" help:"Send one frame, and print the reply."`
}

// dc09SendCmd sends a frame as a panel would.
type dc09SendCmd struct {
	To       string        `help:"host:port of the receiver." required:"" placeholder:"HOST:PORT"`
	Key      string        `help:"AES key of 16, 24 or 32 bytes in hexadecimal; the frame is then encrypted." placeholder:"HEX"`
	UDP      bool          `name:"udp" help:"Send over UDP instead of TCP."`
	Sequence uint16        `help:"Sequence number, 1 to 9999; by default another every second, since a receiver takes the same number for a repeat." placeholder:"N"`
	Receiver string        `help:"Receiver number, in hexadecimal digits." placeholder:"HEX"`
	Line     string        `help:"Line number, in hexadecimal digits." default:"0"`
	At       string        `help:"Time stamp of the frame (RFC 3339), or 'none'; by default now when encrypted, else none." placeholder:"TIME"`
	Timeout  time.Duration `help:"How long to wait for the reply." default:"10s"`
	JSON     bool          `name:"json" help:"Print the reply as JSON."`
	Frame    string        `arg:"" help:"The frame: TOKEN|#ACCOUNT|DATA, such as 'SIA-DCS|#1234|Nri1/BA003'."`
}

// sentReply is what is printed with --json.
type sentReply struct {
	Reply    string    `json:"reply"` // ACK, NAK, DUH
	Frame    string    `json:"frame"` // as it was received, decrypted
	Time     time.Time `json:"time,omitzero"`
	Sequence uint16    `json:"sequence"`
	Millis   float64   `json:"milliseconds"`
}

// Help adds to the command's help.
func (dc09SendCmd) Help() string {
	return `The reply is printed as it came, with the time that it took:
  ACK  the signal is on disk
  NAK  the time stamp or the key is wrong; the reply tells the receiver's time
  DUH  the receiver cannot use the frame: an unknown account, a token it does not speak
Only ACK is a success (exit code 0). Without any reply the checksum was wrong, or
the receiver cannot store anything now.`
}

// Run implements the command. Any reply but ACK is a failure.
func (c dc09SendCmd) Run(e *env) error {
	f, err := codec.ParseSpec(c.Frame)
	if err != nil {
		return usageError{err}
	}
	f.Sequence, f.Receiver, f.Line = c.Sequence, c.Receiver, c.Line
	if f.Sequence == 0 {
		f.Sequence = uint16(time.Now().Unix()%9999) + 1
	}
	var key *codec.Key
	if c.Key != "" {
		if key, err = codec.ParseKey(c.Key); err != nil {
			return usagef("--key: %w", err)
		}
		f.Encrypted = true
	}
	switch {
	case c.At == "" && f.Encrypted:
		f.Time = time.Now().UTC()
	case c.At != "" && c.At != "none":
		if f.Time, err = time.Parse(time.RFC3339, c.At); err != nil {
			return usagef("--at: %q is not a time such as 2026-11-06T18:30:00Z (RFC 3339), nor 'none'", c.At)
		}
	}
	network := "tcp"
	if c.UDP {
		network = "udp"
	}
	ctx, cancel := context.WithTimeout(e.ctx, c.Timeout)
	defer cancel()
	cl, err := dc09client.Dial(ctx, c.To, network)
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	start := time.Now()
	reply, err := cl.Send(ctx, f, key)
	if err != nil {
		return err
	}
	return c.print(e, &reply, time.Since(start))
}

// print shows the reply.
func (c dc09SendCmd) print(e *env, reply *codec.Frame, took time.Duration) error {
	out := sentReply{Reply: string(reply.Token), Time: reply.Time, Sequence: reply.Sequence, Millis: float64(took.Microseconds()) / 1000}
	shown := *reply
	shown.Encrypted = false // it has been decrypted
	if wire, err := codec.Encode(nil, &shown, nil, nil); err == nil {
		out.Frame = string(wire[1 : len(wire)-1])
	}
	if c.JSON {
		if err := json.NewEncoder(e.Out).Encode(out); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(e.Out, "%s  %s  (%.1f ms)\n", out.Reply, out.Frame, out.Millis)
	}
	switch reply.Token {
	case codec.TokenACK:
		return nil
	case codec.TokenNAK:
		return fmt.Errorf("not accepted: the time stamp or the key is wrong; the receiver's time is %s", reply.Time.Format(time.RFC3339))
	default:
		return fmt.Errorf("not accepted: the receiver cannot use this frame; its quarantine says why")
	}
}
