package zeek

import (
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

// DNS is a row of dns.log: a look-up and what answered it.
type DNS struct {
	ID
	Proto    string
	TransID  uint64
	RTT      time.Duration // 0 when unset
	Query    string
	Type     string // qtype_name: "A", "AAAA" ...
	RCode    string // rcode_name: "NOERROR" ...; "" when no answer was seen
	Answers  []string
	Rejected Truth

	Label         string
	DetailedLabel string
}

// HTTP is a row of http.log: a request and what answered it.
type HTTP struct {
	ID
	Method       string
	Host         string
	URI          string
	Referrer     string
	UserAgent    string
	RequestBody  uint64 // bytes
	ResponseBody uint64 // bytes
	Status       uint64 // 0 when none was seen
	StatusMsg    string

	Label         string
	DetailedLabel string
}

// SSL is a row of ssl.log: a TLS session as its handshake showed it.
type SSL struct {
	ID
	Version     string // "TLSv12" ...
	Cipher      string
	Curve       string
	ServerName  string // that was asked for
	Resumed     Truth
	Established Truth
	NextProto   string // next_protocol
	Subject     string // of the server's certificate
	Issuer      string
	Validation  string // validation_status: "ok", or what was wrong
	JA3         string // where that package is loaded
	JA3S        string

	Label         string
	DetailedLabel string
}

// Weird is a row of weird.log: traffic that breaks its protocol's rules. Its ID
// may have no addresses.
type Weird struct {
	ID
	Name   string
	Addl   string // more about it
	Notice Truth  // it was made a notice too
	Peer   string // the process that saw it
	Source string // what analysed it

	Label         string
	DetailedLabel string
}
