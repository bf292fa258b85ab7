package zeek

import (
	"path/filepath"
	"strings"
)

// Kind names a log, as Zeek's #path does: "conn", "ssh", "http".
type Kind = string

// Kinds of log that a record is recognised as even when nothing names it.
const (
	KindConn     Kind = "conn"
	KindDNS      Kind = "dns"
	KindHTTP     Kind = "http"
	KindNotice   Kind = "notice"
	KindSIP      Kind = "sip"
	KindSoftware Kind = "software"
	KindSSH      Kind = "ssh"
	KindSSL      Kind = "ssl"
	KindWeird    Kind = "weird"
)

// shape is a set of fields that together no other log has.
type shape struct {
	kind   Kind
	fields []string
}

// shapes is only read, the most telling first.
var shapes = [...]shape{
	{KindConn, []string{"conn_state", "proto"}},
	{KindNotice, []string{"note", "msg"}},
	{KindSoftware, []string{"software_type"}},
	{KindSSH, []string{"auth_attempts"}},
	{KindSSH, []string{"kex_alg"}},
	{KindSSH, []string{"direction", "server"}},
	{KindSIP, []string{"call_id"}},
	{KindDNS, []string{"trans_id", "rejected"}},
	{KindHTTP, []string{"trans_depth", "request_body_len"}},
	{KindSSL, []string{"established", "resumed"}},
	{KindWeird, []string{"name", "peer", "notice"}},
}

// kindOfFields guesses a log from the fields that are present, "" when unsure.
func kindOfFields(has func(string) bool) Kind {
next:
	for _, s := range shapes {
		for _, f := range s.fields {
			if !has(f) {
				continue next
			}
		}
		return s.kind
	}
	return ""
}

// kindOfName finds the log in a file's name: "conn.log", "labeled-conn.log",
// "ssh.2024-01-31-12-00-00.log", "conn.log.labeled".
func kindOfName(name string) Kind {
	base := strings.ToLower(filepath.Base(name))
	if strings.HasPrefix(base, "conn-summary") {
		return ""
	}
	known := map[string]bool{
		KindConn: true, KindDNS: true, KindHTTP: true, KindNotice: true, KindSIP: true, KindSoftware: true,
		KindSSH: true, KindSSL: true, KindWeird: true, "files": true, "x509": true, "dhcp": true, "ftp": true,
		"smtp": true, "rdp": true, "mqtt": true, "ntp": true, "tunnel": true, "snmp": true, "kerberos": true,
	}
	for word := range strings.FieldsFuncSeq(base, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		if known[word] {
			return word
		}
	}
	return ""
}
