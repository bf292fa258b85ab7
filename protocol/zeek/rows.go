package zeek

import (
	"fmt"
	"net/netip"
	"time"
)

// ID is the part that the rows of most logs begin with: which connection, when.
type ID struct {
	TS    time.Time // UTC, when the connection (or what the row tells of) began
	UID   string
	OrigH netip.Addr // who began it
	OrigP uint16     // for ICMP the message type
	RespH netip.Addr // who was called
	RespP uint16     // for ICMP the code, or the type of the expected answer
}

// Conn is a row of conn.log: one connection, or for UDP and ICMP one exchange.
type Conn struct {
	ID
	Proto       string        // "tcp", "udp", "icmp"
	Service     string        // protocol recognised in the traffic, "" when none
	Duration    time.Duration // 0 when unset
	OrigBytes   uint64        // payload, from TCP sequence numbers; 0 when unset
	RespBytes   uint64
	State       string // conn_state: S0, SF, REJ ...
	LocalOrig   Truth  // whether the address is in the monitor's own networks
	LocalResp   Truth
	MissedBytes uint64
	History     string
	OrigPkts    uint64
	OrigIPBytes uint64
	RespPkts    uint64
	RespIPBytes uint64

	Label         string // only in labelled data sets; "" when unset or empty
	DetailedLabel string
}

// SSH is a row of ssh.log.
type SSH struct {
	ID
	Version      uint64
	AuthSuccess  Truth  // Unknown when the monitor could not tell
	AuthAttempts uint64 // as far as the monitor could tell
	Direction    string // INBOUND, OUTBOUND
	Client       string
	Server       string
	HostKey      string
	Country      string // ISO code of the remote place, when known

	Label         string
	DetailedLabel string
}

// Notice is a row of notice.log. Its ID may have no addresses.
type Notice struct {
	ID
	Proto string
	Note  string // SSH::Password_Guessing
	Msg   string
	Sub   string
	Src   netip.Addr // the zero Addr when unset
	Dst   netip.Addr
	P     uint16
	N     uint64

	Label         string
	DetailedLabel string
}

// Conn reads the record as a row of conn.log into c. The error wraps ErrKind when
// it is a row of another log, ErrValue when a value does not fit.
func (r *Record) Conn(c *Conn) error {
	*c = Conn{}
	var seen uint64
	for i, n := 0, r.count(); i < n; i++ {
		s, v, set := r.at(i)
		if !set {
			continue
		}
		v = r.text(v)
		if seen&(1<<s) != 0 || len(v) == 0 {
			continue
		}
		seen |= 1 << s
		var ok bool
		switch s {
		case slotProto:
			c.Proto, ok = r.words.get(v), true
		case slotService:
			c.Service, ok = r.words.get(v), true
		case slotDuration:
			c.Duration, ok = parseInterval(v)
		case slotOrigBytes:
			c.OrigBytes, ok = parseUint(v)
		case slotRespBytes:
			c.RespBytes, ok = parseUint(v)
		case slotState:
			c.State, ok = r.words.get(v), true
		case slotHistory:
			c.History, ok = r.words.get(v), true
		default:
			ok = r.connRest(c, s, v)
		}
		if !ok {
			return badValue(s, v)
		}
	}
	if seen&(1<<slotState) == 0 && r.kind != KindConn {
		return fmt.Errorf("%w: no conn_state, want a row of conn.log", ErrKind)
	}
	return c.need(seen)
}

func (r *Record) connRest(c *Conn, s slot, v []byte) (ok bool) {
	switch s {
	case slotLocalOrig:
		c.LocalOrig = parseBool(v)
		return c.LocalOrig != Unknown
	case slotLocalResp:
		c.LocalResp = parseBool(v)
		return c.LocalResp != Unknown
	case slotMissed:
		c.MissedBytes, ok = parseUint(v)
	case slotOrigPkts:
		c.OrigPkts, ok = parseUint(v)
	case slotOrigIPBytes:
		c.OrigIPBytes, ok = parseUint(v)
	case slotRespPkts:
		c.RespPkts, ok = parseUint(v)
	case slotRespIPBytes:
		c.RespIPBytes, ok = parseUint(v)
	case slotLabel:
		c.Label, ok = r.words.get(v), true
	case slotDetailed:
		c.DetailedLabel, ok = r.words.get(v), true
	default:
		return c.set(s, v)
	}
	return ok
}

// set takes a field of the common part; a field of no interest is no fault.
func (id *ID) set(s slot, v []byte) (ok bool) {
	switch s {
	case slotTS:
		id.TS, ok = parseTime(v)
	case slotUID:
		id.UID, ok = string(v), true
	case slotOrigH:
		id.OrigH, ok = parseAddr(v)
	case slotOrigP:
		id.OrigP, ok = parsePort(v)
	case slotRespH:
		id.RespH, ok = parseAddr(v)
	case slotRespP:
		id.RespP, ok = parsePort(v)
	default:
		return true
	}
	return ok
}

// need reports what a connection cannot do without.
func (id *ID) need(seen uint64) error {
	for _, s := range [...]slot{slotTS, slotOrigH, slotRespH} {
		if seen&(1<<s) == 0 {
			return fmt.Errorf("%w: no %s", ErrValue, slotName(s))
		}
	}
	return nil
}

// SSH reads the record as a row of ssh.log into h; errors as for Conn.
func (r *Record) SSH(h *SSH) error {
	*h = SSH{}
	if k := r.kind; k != "" && k != KindSSH {
		return fmt.Errorf("%w: this is %s.log, want ssh.log", ErrKind, k)
	}
	var seen uint64
	for i, n := 0, r.count(); i < n; i++ {
		s, v, set := r.at(i)
		if !set {
			continue
		}
		v = r.text(v)
		if seen&(1<<s) != 0 || len(v) == 0 {
			continue
		}
		seen |= 1 << s
		if !r.sshField(h, s, v) {
			return badValue(s, v)
		}
	}
	return h.need(seen)
}

func (r *Record) sshField(h *SSH, s slot, v []byte) (ok bool) {
	switch s {
	case slotVersion:
		h.Version, ok = parseUint(v)
	case slotAuthSuccess:
		h.AuthSuccess = parseBool(v)
		return h.AuthSuccess != Unknown
	case slotAuthAttempts:
		h.AuthAttempts, ok = parseUint(v)
	case slotDirection:
		h.Direction, ok = r.words.get(v), true
	case slotClient:
		h.Client, ok = r.words.get(v), true
	case slotServer:
		h.Server, ok = r.words.get(v), true
	case slotHostKey:
		h.HostKey, ok = r.words.get(v), true
	case slotCountry:
		h.Country, ok = r.words.get(v), true
	case slotLabel:
		h.Label, ok = r.words.get(v), true
	case slotDetailed:
		h.DetailedLabel, ok = r.words.get(v), true
	default:
		return h.set(s, v)
	}
	return ok
}

// Notice reads the record as a row of notice.log into t; errors as for Conn.
func (r *Record) Notice(t *Notice) error {
	*t = Notice{}
	if k := r.kind; k != "" && k != KindNotice {
		return fmt.Errorf("%w: this is %s.log, want notice.log", ErrKind, k)
	}
	var seen uint64
	for i, n := 0, r.count(); i < n; i++ {
		s, v, set := r.at(i)
		if !set {
			continue
		}
		v = r.text(v)
		if seen&(1<<s) != 0 || len(v) == 0 {
			continue
		}
		seen |= 1 << s
		if !r.noticeField(t, s, v) {
			return badValue(s, v)
		}
	}
	if seen&(1<<slotTS) == 0 || t.Note == "" {
		return fmt.Errorf("%w: a notice needs ts and note", ErrValue)
	}
	return nil
}

func (r *Record) noticeField(t *Notice, s slot, v []byte) (ok bool) {
	switch s {
	case slotProto:
		t.Proto, ok = r.words.get(v), true
	case slotNote:
		t.Note, ok = r.words.get(v), true
	case slotMsg:
		t.Msg, ok = string(v), true
	case slotSub:
		t.Sub, ok = string(v), true
	case slotSrc:
		t.Src, ok = parseAddr(v)
	case slotDst:
		t.Dst, ok = parseAddr(v)
	case slotP:
		t.P, ok = parsePort(v)
	case slotN:
		t.N, ok = parseUint(v)
	case slotLabel:
		t.Label, ok = r.words.get(v), true
	case slotDetailed:
		t.DetailedLabel, ok = r.words.get(v), true
	default:
		return t.set(s, v)
	}
	return ok
}

func badValue(s slot, v []byte) error { return fieldError(slotName(s), v, "a value of its type") }

// slotName finds a field's name again; it is needed only for errors.
func slotName(s slot) string {
	for _, name := range []string{
		"ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "duration", "orig_bytes", "resp_bytes",
		"local_orig", "local_resp", "missed_bytes", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes",
		"version", "auth_success", "auth_attempts", "src", "dst", "p", "n",
	} {
		if slotOf([]byte(name)) == s {
			return name
		}
	}
	return "field"
}
