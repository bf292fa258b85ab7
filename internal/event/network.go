package event

import (
	"net/netip"
	"time"
)

// Flow is one network connection as a monitor summed it up.
type Flow struct {
	UID       string     `json:"uid,omitempty"` // the monitor's name for it
	Orig      netip.Addr `json:"orig"`
	OrigPort  uint16     `json:"orig_port"`
	Resp      netip.Addr `json:"resp"`
	RespPort  uint16     `json:"resp_port"`
	Proto     string     `json:"proto"`             // "tcp", "udp", "icmp"
	Service   string     `json:"service,omitempty"` // as the monitor recognised it
	State     string     `json:"state,omitempty"`   // Zeek conn_state: S0, SF, REJ ...
	History   string     `json:"history,omitempty"`
	Duration  float64    `json:"duration_s,omitempty"`
	OrigBytes uint64     `json:"orig_bytes,omitempty"`
	RespBytes uint64     `json:"resp_bytes,omitempty"`
	OrigPkts  uint64     `json:"orig_pkts,omitempty"`
	RespPkts  uint64     `json:"resp_pkts,omitempty"`
	LocalOrig *bool      `json:"local_orig,omitempty"` // nil: the monitor did not say
	LocalResp *bool      `json:"local_resp,omitempty"`
}

// Login is one or more attempts to authenticate within one connection.
type Login struct {
	UID      string     `json:"uid,omitempty"`
	Orig     netip.Addr `json:"orig"`
	OrigPort uint16     `json:"orig_port"`
	Resp     netip.Addr `json:"resp"`
	RespPort uint16     `json:"resp_port"`
	Service  string     `json:"service"` // "ssh"
	Attempts int        `json:"attempts"`
	Success  *bool      `json:"success,omitempty"` // nil: not known
	Client   string     `json:"client,omitempty"`
}

// Notice is what a network monitor itself found worth saying.
type Notice struct {
	UID  string     `json:"uid,omitempty"`
	Name string     `json:"name"` // "SSH::Password_Guessing"
	Text string     `json:"text,omitempty"`
	Src  netip.Addr `json:"src,omitzero"`
	Dst  netip.Addr `json:"dst,omitzero"`
	Port uint16     `json:"port,omitempty"`

	// What an intrusion detection system adds.
	SrcPort   uint16 `json:"src_port,omitempty"`
	Proto     string `json:"proto,omitempty"`
	Signature uint64 `json:"signature,omitempty"` // the rule's number
	Category  string `json:"category,omitempty"`  // the rule's class, in words
	Severity  int    `json:"severity,omitempty"`  // 1 the gravest (Suricata); 0 not stated
	Blocked   bool   `json:"blocked,omitempty"`
}

// DNS is a look-up of a name.
type DNS struct {
	UID     string     `json:"uid,omitempty"`
	Orig    netip.Addr `json:"orig,omitzero"`
	Resp    netip.Addr `json:"resp,omitzero"`
	Query   string     `json:"query"`
	Type    string     `json:"type,omitempty"`  // "A", "AAAA", "TXT" ...
	RCode   string     `json:"rcode,omitempty"` // "NOERROR", "NXDOMAIN" ...; empty: no answer seen
	Answers []string   `json:"answers,omitempty"`
}

// HTTP is a web request and what answered it.
type HTTP struct {
	UID       string     `json:"uid,omitempty"`
	Orig      netip.Addr `json:"orig,omitzero"`
	Resp      netip.Addr `json:"resp,omitzero"`
	RespPort  uint16     `json:"resp_port,omitempty"`
	Method    string     `json:"method,omitempty"`
	Host      string     `json:"host,omitempty"`
	URI       string     `json:"uri,omitempty"`
	UserAgent string     `json:"user_agent,omitempty"`
	Status    int        `json:"status,omitempty"`
	BodyBytes uint64     `json:"body_bytes,omitempty"` // of the answer
}

// TLS is an encrypted session as its handshake showed it.
type TLS struct {
	UID      string     `json:"uid,omitempty"`
	Orig     netip.Addr `json:"orig,omitzero"`
	Resp     netip.Addr `json:"resp,omitzero"`
	RespPort uint16     `json:"resp_port,omitempty"`
	Version  string     `json:"version,omitempty"`
	Name     string     `json:"name,omitempty"` // server name that was asked for (SNI)
	Subject  string     `json:"subject,omitempty"`
	Issuer   string     `json:"issuer,omitempty"`
	JA3      string     `json:"ja3,omitempty"`
	NotAfter *time.Time `json:"not_after,omitempty"` // of the server's certificate
	Valid    *bool      `json:"valid,omitempty"`     // nil: not said
}
