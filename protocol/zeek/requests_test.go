package zeek

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// rowsOf reads every record as a T, in both forms of the same log.
func rowsOf[T any](t *testing.T, tsv, json string, read func(*Record, *T) error) (rows []T) {
	t.Helper()
	for _, in := range []string{tsvHead + tsv, json} {
		for _, bad := range readAll(t, NewReader(strings.NewReader(in)), func(r *Record) {
			var row T
			if err := read(r, &row); err != nil {
				t.Error(err)
			}
			rows = append(rows, row)
		}) {
			t.Error(bad)
		}
	}
	if len(rows) != 2 {
		t.Fatalf("%d rows, want one of each form", len(rows))
	}
	return rows
}

func id() ID {
	return ID{
		TS: time.Unix(1655071198, 500_000_000).UTC(), UID: "Cuid",
		OrigH: netip.MustParseAddr("192.0.2.1"), OrigP: 40000, RespH: netip.MustParseAddr("2001:db8::5"), RespP: 53,
	}
}

const (
	idNames  = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p"
	idValues = "1655071198.5\tCuid\t192.0.2.1\t40000\t2001:db8::5\t53"
	idJSON   = `{"ts":1655071198.5,"uid":"Cuid","id.orig_h":"192.0.2.1","id.orig_p":40000,"id.resp_h":"2001:db8::5","id.resp_p":53,`
)

func TestDNSRows(t *testing.T) {
	want := DNS{
		ID: id(), Proto: "udp", TransID: 7, RTT: 12 * time.Millisecond, Query: "a,b.example", Type: "A", RCode: "NOERROR",
		Answers: []string{"192.0.2.9", "x,y"}, Rejected: False,
	}
	for _, got := range rowsOf(t,
		"#path\tdns\n#fields\t"+idNames+"\tproto\ttrans_id\trtt\tquery\tqtype_name\trcode_name\tanswers\trejected\n"+
			idValues+"\tudp\t7\t0.012\ta,b.example\tA\tNOERROR\t192.0.2.9,x\\x2cy\tF\n",
		idJSON+`"proto":"udp","trans_id":7,"rtt":0.012,"query":"a,b.example","qtype_name":"A","rcode_name":"NOERROR","answers":["192.0.2.9","x,y"],"rejected":false}`,
		(*Record).DNS) {
		if d := diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestHTTPRows(t *testing.T) {
	want := HTTP{
		ID: id(), Method: "GET", Host: "h.example", URI: "/a b", Referrer: "r", UserAgent: "probe", RequestBody: 1, ResponseBody: 2, Status: 404, StatusMsg: "Not Found",
	}
	for _, got := range rowsOf(t,
		"#path\thttp\n#fields\t"+idNames+"\ttrans_depth\tmethod\thost\turi\treferrer\tuser_agent\trequest_body_len\tresponse_body_len\tstatus_code\tstatus_msg\tpassword\n"+
			idValues+"\t1\tGET\th.example\t/a\\x20b\tr\tprobe\t1\t2\t404\tNot Found\t-\n",
		idJSON+`"trans_depth":1,"method":"GET","host":"h.example","uri":"/a b","referrer":"r","user_agent":"probe","request_body_len":1,"response_body_len":2,"status_code":404,"status_msg":"Not Found"}`,
		(*Record).HTTP) {
		if d := diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestSSLRows(t *testing.T) {
	want := SSL{
		ID: id(), Version: "TLSv12", Cipher: "C", Curve: "x25519", ServerName: "h.example", Resumed: False, Established: True, NextProto: "h2",
		Subject: "CN=h", Issuer: "CN=ca", Validation: "ok", JA3: "e7", JA3S: "15",
	}
	for _, got := range rowsOf(t,
		"#path\tssl\n#fields\t"+idNames+"\tversion\tcipher\tcurve\tserver_name\tresumed\testablished\tnext_protocol\tsubject\tissuer\tvalidation_status\tja3\tja3s\n"+
			idValues+"\tTLSv12\tC\tx25519\th.example\tF\tT\th2\tCN=h\tCN=ca\tok\te7\t15\n",
		idJSON+`"version":"TLSv12","cipher":"C","curve":"x25519","server_name":"h.example","resumed":false,"established":true,"next_protocol":"h2","subject":"CN=h","issuer":"CN=ca","validation_status":"ok","ja3":"e7","ja3s":"15"}`,
		(*Record).SSL) {
		if d := diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestWeirdRows(t *testing.T) {
	want := Weird{ID: id(), Name: "bad_TCP_checksum", Addl: "more", Notice: False, Peer: "zeek", Source: "TCP"}
	for _, got := range rowsOf(t,
		"#path\tweird\n#fields\t"+idNames+"\tname\taddl\tnotice\tpeer\tsource\n"+idValues+"\tbad_TCP_checksum\tmore\tF\tzeek\tTCP\n",
		idJSON+`"name":"bad_TCP_checksum","addl":"more","notice":false,"peer":"zeek","source":"TCP"}`,
		(*Record).Weird) {
		if d := diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestRowsSayWhatTheyLack(t *testing.T) {
	for in, want := range map[string]error{
		`{"_path":"weird","ts":1}`:                                                        ErrValue,
		`{"_path":"weird","name":"x"}`:                                                    ErrValue,
		`{"_path":"conn","ts":1,"name":"x"}`:                                              ErrKind,
		`{"_path":"weird","ts":1,"name":"x","notice":"perhaps"}`:                          ErrValue,
		`{"_path":"weird","ts":1,"name":"x","id.orig_p":65536}`:                           ErrValue,
		`{"_path":"weird","ts":1,"name":"x","id.orig_h":null,"notice":null,"addl":[1,2]}`: nil,
	} {
		readAll(t, NewReader(strings.NewReader(in)), func(r *Record) {
			if err := r.Weird(new(Weird)); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", in, err, want)
			}
		})
	}
}

// Each slot has one name, and each name finds its slot.
func TestSlots(t *testing.T) {
	for s := slotTS; s < slotEnd; s++ {
		if s.String() == "" || slotOf([]byte(s.String())) != s {
			t.Errorf("slot %d is called %q, which is slot %d", s, s, slotOf([]byte(s.String())))
		}
	}
}
