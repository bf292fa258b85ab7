package eve

import (
	"net/netip"
	"time"
)

// Type is what an event is about, as event_type names it.
type Type = string

// Types of event of which the particulars are read.
const (
	TypeAlert   Type = "alert"
	TypeFlow    Type = "flow"
	TypeDNS     Type = "dns"
	TypeHTTP    Type = "http"
	TypeTLS     Type = "tls"
	TypeAnomaly Type = "anomaly"
)

// Bounds of the lists of an event. What exceeds them is passed over.
const (
	MaxAnswers  = 64
	MaxQueries  = 16
	MaxMetadata = 64
	maxList     = 1 << 16 // elements of any list or object
	maxDepth    = 32      // of nested JSON
)

// Event is one line of EVE. Parts that the line does not have are zero.
type Event struct {
	Time    time.Time // timestamp, UTC
	Type    Type
	FlowID  uint64 // the same in all events of one flow
	In      string // in_iface: network interface
	Src     netip.Addr
	SrcPort uint16
	Dst     netip.Addr
	DstPort uint16
	Proto   string // "tcp", "udp", "icmp", "ipv6-icmp" ...: in lower case
	App     string // app_proto: "http", "tls", "failed" ...

	CommunityID string // the same at every monitor that saw the flow
	ICMPType    uint8
	ICMPCode    uint8
	TxID        uint64 // number of the transaction in its flow
	Host        string // the sensor's name, where it is told to give it

	Flow    Flow
	TCP     TCP
	Alert   Alert
	DNS     DNS
	HTTP    HTTP
	TLS     TLS
	Anomaly Anomaly
}

// Flow sums up a flow when it has ended, in alerts so far. The client is Src, the
// server Dst. Bytes are those of whole packets, with all headers.
type Flow struct {
	PktsToServer, PktsToClient   uint64
	BytesToServer, BytesToClient uint64
	Start, End                   time.Time
	Age                          uint64 // seconds
	State                        string // "new", "established", "closed", "bypassed"
	Reason                       string // why it was logged: "timeout", "forced", "shutdown"
	Alerted                      bool
}

// Flags of TCP.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// TCP is what was seen of a TCP flow.
type TCP struct {
	Flags    uint8  // of all packets
	ToServer uint8  // of those to the server
	ToClient uint8  // of those to the client
	State    string // "syn_sent", "established", "closed" ...
}

// Alert is a rule that matched.
type Alert struct {
	Action    string // "allowed", "blocked"
	GID       uint64 // generator
	SID       uint64 // signature_id: the rule's number
	Rev       uint64
	Signature string // the rule's message
	Category  string
	Severity  int        // 1 the gravest
	Source    netip.Addr // of the attack, where the rule says which side that is
	Target    netip.Addr
	Metadata  []Pair // of the rule
}

// Pair is a name and one of its values.
type Pair struct{ Name, Value string }

// DNS is a question or an answer. Version 1 writes an event for each answer,
// version 2 one for all, and version 3 lists the questions too; all are put in
// one form here.
type DNS struct {
	Version int // 1 where it is not said
	Answer  bool
	ID      uint64
	RCode   string // "NOERROR", "NXDOMAIN" ...
	Queries []Query
	Answers []Answer // in the grouped form without names
}

// Query is a question.
type Query struct {
	Name string // rrname
	Type string // rrtype: "A", "AAAA" ...
}

// Answer is a resource record.
type Answer struct {
	Name string
	Type string
	Data string // rdata; of compound records, empty
	TTL  uint64 // seconds
}

// HTTP is a request and the answer to it.
type HTTP struct {
	Host      string // hostname
	Port      uint16 // http_port: from the Host header
	URL       string
	UserAgent string
	Method    string
	Protocol  string
	Referrer  string
	Type      string // http_content_type
	Status    uint64 // 0 when none was seen
	Length    uint64 // bytes of the answer's body
}

// TLS is a session as its handshake showed it.
type TLS struct {
	Subject     string
	Issuer      string // issuerdn
	Serial      string
	Fingerprint string // SHA-1 of the server's certificate
	SNI         string // the server's name that was asked for
	Version     string
	NotBefore   time.Time // UTC
	NotAfter    time.Time
	JA3         string // hash of the client's hello
	JA3S        string // and of the server's
	JA4         string
	Resumed     bool
}

// Anomaly is traffic that breaks its protocol's rules.
type Anomaly struct {
	Type  string // "decode", "stream", "applayer", "unknown"
	Event string
	Layer string // of "applayer": "proto_parser", "proto_detect", "parser"
	Code  uint64 // of "unknown"
}

// reset makes e ready for the next line; lists keep their room.
func (e *Event) reset() {
	meta, queries, answers := e.Alert.Metadata[:0], e.DNS.Queries[:0], e.DNS.Answers[:0]
	*e = Event{}
	e.Alert.Metadata, e.DNS.Queries, e.DNS.Answers = meta, queries, answers
}
