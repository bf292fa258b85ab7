package dc09

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

const (
	maxDatagram = 64 << 10 // the most that UDP carries
	udpBuffer   = 4 << 20  // datagrams that wait in the kernel, in bytes
	maxBadParts = 4        // pieces of one datagram that are no frames, until the rest is left
)

// datagrams is one worker on the UDP socket: it takes a datagram, waits for the
// commit of what it says, and answers to where it came from. Each reply goes in
// a datagram of its own, as panels expect; none is sent for what is not an
// intact frame, and a reply is hardly longer than its frame can be, so the
// receiver is of no use for amplifying.
func (r *Receiver) datagrams(ctx context.Context) error {
	buf := make([]byte, maxDatagram)
	rd := round{r: r, via: udp}
	for {
		n, from, err := r.udp.ReadFromUDPAddrPort(buf)
		if r.stopping.Load() || ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("receiving datagrams: %w", err)
		}
		if err != nil {
			if r.say.Allow() {
				r.logger.Error("a datagram could not be received; trying on", "err", err)
			}
			r.pause(ctx, longestPause)
			continue
		}
		rd.from = "udp " + from.String()
		r.datagram(ctx, &rd, buf[:n], from)
	}
}

func (r *Receiver) datagram(ctx context.Context, rd *round, packet []byte, from netip.AddrPort) {
	bad := 0
	for raw, err := range codec.Datagram(packet, r.cfg.MaxFrame) {
		var what *codec.BadBytes
		switch {
		case errors.As(err, &what):
			r.quarantine(ctx, rd, fmt.Errorf("%w after %d bytes", what.Reason, len(what.Bytes)), what.Bytes)
			bad++
		case rd.take(ctx, raw) == codec.ReplyNone:
			bad++
		}
		if bad >= maxBadParts {
			break
		}
		if rd.full() {
			r.answerTo(rd, from)
		}
	}
	r.answerTo(rd, from)
}

func (r *Receiver) answerTo(rd *round, to netip.AddrPort) {
	if rd.n == 0 {
		return
	}
	out, ends := rd.answer()
	start := 0
	for _, end := range ends {
		if _, err := r.udp.WriteToUDPAddrPort(out[start:end], to); err != nil && r.say.Allow() {
			r.logger.Warn("a reply could not be sent; the panel will send again", "to", to, "err", err)
		}
		start = end
	}
}
