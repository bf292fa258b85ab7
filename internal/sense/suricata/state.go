package suricata

import (
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/eve"
)

// flow tells a flow in the words of Zeek's conn.log, which the detectors know.
//
// Suricata sums up a flow otherwise: its own state ("new", "established",
// "closed") does not say who refused whom, but the TCP flags seen in each
// direction do. Bytes are those of whole packets, so what was said is what
// exceeds the headers, and for TCP only where a PSH says that something was.
func flow(e *eve.Event) *event.Flow {
	f := &e.Flow
	out := &event.Flow{
		UID: uid(e), Orig: e.Src, OrigPort: e.SrcPort, Resp: e.Dst, RespPort: e.DstPort, Proto: e.Proto,
		OrigPkts: f.PktsToServer, RespPkts: f.PktsToClient,
	}
	if e.App != "failed" && e.App != "unknown" {
		out.Service = e.App
	}
	if d := f.End.Sub(f.Start); !f.Start.IsZero() && d > 0 {
		out.Duration = d.Seconds()
	}
	switch e.Proto {
	case "tcp":
		out.OrigBytes = payload(e, f.BytesToServer, f.PktsToServer, tcpHeader, e.TCP.ToServer)
		out.RespBytes = payload(e, f.BytesToClient, f.PktsToClient, tcpHeader, e.TCP.ToClient)
		out.State, out.History = tcpState(e)
	case "icmp", "ipv6-icmp":
		// Zeek puts the message's type and code where ports are.
		out.Proto, out.State = "icmp", "OTH"
		out.OrigPort, out.RespPort = uint16(e.ICMPType), uint16(e.ICMPCode)
	default:
		out.OrigBytes = payload(e, f.BytesToServer, f.PktsToServer, udpHeader, eve.PSH)
		out.RespBytes = payload(e, f.BytesToClient, f.PktsToClient, udpHeader, eve.PSH)
		out.State, out.History = answered(f)
	}
	return out
}

// Bytes of a packet that are not payload: Ethernet and IP, and the least of UDP,
// or what TCP usually takes with its time stamps.
const (
	ip4Header = 14 + 20
	ip6Header = 14 + 40
	udpHeader = 8
	tcpHeader = 20 + 12
)

// payload estimates the bytes that were said in one direction.
func payload(e *eve.Event, bytes, pkts, header uint64, flags uint8) uint64 {
	known := e.Proto != "tcp" || e.TCP.ToServer|e.TCP.ToClient != 0
	if pkts == 0 || known && flags&eve.PSH == 0 {
		return 0
	}
	header += ip4Header
	if e.Src.Is6() && !e.Src.Is4In6() {
		header += ip6Header - ip4Header
	}
	if pkts < 1<<32 && bytes > pkts*header {
		return bytes - pkts*header
	}
	if known {
		return 1 // something was said, if little
	}
	return 0
}

// tcpState returns Zeek's conn_state and history for the flags that were seen.
// The history's letters come in a fixed order: in which they happened is not known.
//
//	to server     to client     state
//	SYN           -             S0      tried, no answer
//	SYN, RST      -             RSTOS0  given up
//	SYN, FIN      -             SH      half seen
//	SYN           RST           REJ     refused
//	SYN           SYN           S1      established, no end seen
//	SYN, FIN      SYN, FIN      SF      ended in order
//	SYN, FIN      SYN           S2      only the client ended it
//	SYN           SYN, FIN      S3      only the server ended it
//	SYN, RST      SYN           RSTO    broken off by the client
//	SYN           SYN, RST      RSTR    broken off by the server
//	-             any           SHR, RSTRH: only the server was seen
//	-             -             OTH     the beginning was not seen
func tcpState(e *eve.Event) (state, history string) {
	ts, tc := e.TCP.ToServer, e.TCP.ToClient
	switch {
	case ts|tc == 0 && e.TCP.State == "":
		return bareState(&e.Flow)
	case ts|tc == 0:
		return "OTH", "C" // no packet of it was sound
	}
	return stateOf(ts, tc, e.Flow.PktsToClient), historyOf(ts, tc)
}

func stateOf(ts, tc uint8, back uint64) string {
	both := ts & tc
	switch {
	case ts&eve.SYN == 0 && tc&eve.SYN == 0 && (ts != 0 || tc&(eve.FIN|eve.RST) == 0):
		return "OTH"
	case ts&eve.SYN == 0 && tc&eve.RST != 0:
		return "RSTRH"
	case ts&eve.SYN == 0:
		return "SHR"
	case tc&eve.SYN == 0:
		switch {
		case tc&eve.RST != 0:
			return "REJ"
		case back > 0:
			return "OTH" // answered by something that is no answer
		case ts&eve.RST != 0:
			return "RSTOS0"
		case ts&eve.FIN != 0:
			return "SH"
		}
		return "S0"
	case both&eve.FIN != 0:
		return "SF"
	case ts&eve.RST != 0:
		return "RSTO"
	case tc&eve.RST != 0:
		return "RSTR"
	case ts&eve.FIN != 0:
		return "S2"
	case tc&eve.FIN != 0:
		return "S3"
	}
	return "S1"
}

// historyOf writes Zeek's letters for the flags: capitals for the client's.
func historyOf(ts, tc uint8) string {
	var h []byte
	add := func(flags, mask uint8, letter byte) {
		if flags&mask == mask {
			h = append(h, letter)
		}
	}
	add(ts, eve.SYN, 'S')
	add(tc, eve.SYN, 'h')
	if ts&eve.RST == 0 || tc&eve.SYN != 0 { // else the ACK is the RST's own
		add(ts, eve.ACK, 'A')
	}
	add(ts, eve.PSH, 'D')
	if tc&eve.RST == 0 || tc&eve.SYN != 0 {
		add(tc, eve.ACK, 'a')
	}
	add(tc, eve.PSH, 'd')
	add(ts, eve.FIN, 'F')
	add(tc, eve.FIN, 'f')
	add(ts, eve.RST, 'R')
	add(tc, eve.RST, 'r')
	return string(h)
}

// bareState is for TCP flows without flags, as when the tcp part is not logged.
func bareState(f *eve.Flow) (state, history string) {
	switch {
	case f.PktsToServer == 0:
		return "OTH", ""
	case f.PktsToClient == 0:
		return "S0", ""
	case f.State == "closed":
		return "SF", ""
	case f.State == "established", f.State == "bypassed":
		return "S1", ""
	}
	return "OTH", ""
}

// answered returns the state of an exchange without connections, as of UDP.
func answered(f *eve.Flow) (state, history string) {
	switch {
	case f.PktsToServer > 0 && f.PktsToClient > 0:
		return "SF", "Dd"
	case f.PktsToServer > 0:
		return "S0", "D"
	}
	return "SHR", "d"
}
