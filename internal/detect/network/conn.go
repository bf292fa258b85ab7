package network

import (
	"net/netip"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Conn is what the detector needs to know of one connection, or of the log-in
// attempts within one.
type Conn struct {
	Ref      event.Ref // the observation; names it in findings
	Time     time.Time // when it began
	Received time.Time // when the platform heard of it

	Orig, Resp         netip.Addr
	OrigPort, RespPort uint16 // ICMP: the message type, and its answer's
	Proto              string // "tcp", "udp", "icmp"
	Service            string
	State              string // Zeek's conn_state
	History            string
	Duration           time.Duration
	OrigBytes          uint64
	RespBytes          uint64
	RespPkts           uint64
	LocalOrig          bool // the monitor says that the address is in its own networks
	LocalResp          bool

	Login    bool // this tells of attempts to log in
	Attempts int  // as far as the monitor could tell
	Known    bool // whether the last of them was accepted is known ...
	Accepted bool // ... and this is it
	Spoke    bool // the client named itself: more than a look at the banner
}

// outcome is what came of a connection, as far as it is evidence.
type outcome uint8

const (
	noEvidence outcome = iota // half seen, multicast, an answer to something
	shut                      // tried, and nobody answered or it was refused
	touched                   // the door is open, and the caller said nothing
	served                    // both sides spoke
	stray                     // a packet of no connection: no SYN, no payload
	carried                   // payload of a conversation whose beginning was not seen
)

// classify says what came of c. The states and history letters are those of
// Zeek's conn.log documentation.
func classify(c *Conn) outcome {
	if !c.Orig.IsValid() || !c.Resp.IsValid() || nobody(c.Resp) || c.Orig.IsMulticast() {
		return noEvidence
	}
	switch c.Proto {
	case "tcp":
		return classifyTCP(c)
	case "udp":
		switch {
		case c.OrigBytes > 0 && c.RespBytes > 0, c.State == "SF":
			return served
		case toBroadcast(c):
			return noEvidence
		case c.State == "S0":
			return shut
		}
	case "icmp":
		// Requests only: echo, timestamp, information, mask, and echo of ICMPv6.
		// All else answers something or belongs to a network's housekeeping.
		switch c.OrigPort {
		case 8, 13, 15, 17, 128:
			if c.RespPkts > 0 {
				return touched
			}
			return shut
		}
	}
	return noEvidence
}

func classifyTCP(c *Conn) outcome {
	syn := strings.Contains(c.History, "S")
	switch c.State {
	case "S0", "REJ", "RSTOS0", "SH":
		// SH and RSTOS0 may also be told of strays, whose history has no SYN.
		if syn || c.History == "" || c.State == "S0" || c.State == "REJ" {
			return shut
		}
		if c.OrigBytes > 0 {
			return carried
		}
		return stray
	case "SF", "S1", "S2", "S3", "RSTO", "RSTR":
		return classifyAnswered(c, syn)
	case "OTH":
		switch {
		case c.OrigBytes > 0 && c.RespBytes > 0:
			return served
		case c.OrigBytes > 0 || c.RespBytes > 0:
			return carried
		case syn:
			return shut
		}
		return stray
	}
	// SHR, RSTRH: only the answering side was seen.
	return noEvidence
}

func classifyAnswered(c *Conn, syn bool) outcome {
	switch {
	case c.OrigBytes > 0 && c.RespBytes > 0, c.Service != "":
		return served
	case c.RespBytes > 0 && c.OrigBytes == 0 && c.State == "SF":
		return served // a banner was read: the service answers
	case c.State == "RSTO" && syn && !strings.Contains(c.History, "A") && c.OrigBytes == 0:
		return shut // reset after SYN-ACK with no ACK: a half-open probe, as scanners send
	}
	return touched
}

// nobody reports addresses that belong to no single host.
func nobody(a netip.Addr) bool {
	return a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// toBroadcast guesses a local broadcast, whose network's size is not known: a
// datagram to the last address of a /24 within a private network.
func toBroadcast(c *Conn) bool {
	b := c.Resp.AsSlice()
	return c.Resp.Is4() && b[3] == 255 && c.Resp.IsPrivate()
}

// protected reports whether a host is ours to guard.
func (cfg *Config) protected(a netip.Addr, local bool) bool {
	if local || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() {
		return true
	}
	for _, p := range cfg.Protected {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// loginService names the services that ask for a password, "" for others.
func loginService(proto string, port uint16) string {
	if proto != "tcp" {
		return ""
	}
	switch port {
	case 21:
		return "FTP"
	case 22, 2222:
		return "SSH"
	case 23, 2323:
		return "telnet"
	case 25, 465, 587:
		return "mail submission"
	case 110, 143, 993, 995:
		return "mail"
	case 445:
		return "Windows file sharing"
	case 1433, 3306, 5432:
		return "a database"
	case 3389:
		return "remote desktop"
	case 5900:
		return "VNC"
	}
	return ""
}

// short reports a session of the size of one failed log-in: it was answered, and
// over before anyone could have worked in it.
func short(c *Conn) bool {
	return c.OrigBytes+c.RespBytes > 0 && c.RespPkts > 0 &&
		c.OrigBytes < 6_000 && c.RespBytes < 12_000 && c.Duration < time.Minute
}
