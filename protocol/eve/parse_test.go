package eve

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

const head = `{"timestamp":"2026-03-01T12:00:01.250000+0100","flow_id":586497171462735,"in_iface":"eth1",` +
	`"src_ip":"192.0.2.10","src_port":50096,"dest_ip":"2001:db8::5","dest_port":80,"proto":"TCP","event_type":`

// event is what head says.
func event(kind string) Event {
	return Event{
		Time: at("2026-03-01T11:00:01.25Z"), Type: kind, FlowID: 586497171462735, In: "eth1",
		Src: ip("192.0.2.10"), SrcPort: 50096, Dst: ip("2001:db8::5"), DstPort: 80, Proto: "tcp",
	}
}

func TestEvents(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		kind string
		want func(*Event)
	}{
		"alert": {
			in: `"alert","tx_id":4,"app_proto":"http","community_id":"1:abc=","host":"cabinet 7",` +
				`"alert":{"action":"blocked","gid":1,"signature_id":9000001,"rev":3,"signature":"TEST \"quoted\" \u00e9","category":"A Test","severity":2,` +
				`"source":{"ip":"198.51.100.1","port":1},"target":{"ip":"192.0.2.10","port":2},"metadata":{"created_at":["2026_01_02"],"tag":["a","b"],"mode":"x"}},` +
				`"flow":{"pkts_toserver":3,"start":"2026-03-01T12:00:00.000000+0100"}}`,
			kind: TypeAlert,
			want: func(e *Event) {
				e.TxID, e.App, e.CommunityID, e.Host = 4, "http", "1:abc=", "cabinet 7"
				e.Alert = Alert{
					Action: "blocked", GID: 1, SID: 9000001, Rev: 3, Signature: `TEST "quoted" é`, Category: "A Test", Severity: 2,
					Source: ip("198.51.100.1"), Target: ip("192.0.2.10"),
					Metadata: []Pair{{"created_at", "2026_01_02"}, {"tag", "a"}, {"tag", "b"}, {"mode", "x"}},
				}
				e.Flow = Flow{PktsToServer: 3, Start: at("2026-03-01T11:00:00Z")}
			},
		},
		"flow": {
			in: `"flow","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":500,"bytes_toclient":400,"start":"2026-03-01T12:00:00.5+0100",` +
				`"end":"2026-03-01T12:00:01+0100","age":1,"state":"closed","reason":"timeout","alerted":true},` +
				`"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1B","tcp_flags_tc":"12","syn":true,"state":"closed"}}`,
			kind: TypeFlow,
			want: func(e *Event) {
				e.Flow = Flow{
					PktsToServer: 5, PktsToClient: 4, BytesToServer: 500, BytesToClient: 400,
					Start: at("2026-03-01T11:00:00.5Z"), End: at("2026-03-01T11:00:01Z"), Age: 1, State: "closed", Reason: "timeout", Alerted: true,
				}
				e.TCP = TCP{Flags: SYN | FIN | PSH | ACK, ToServer: SYN | FIN | PSH | ACK, ToClient: SYN | ACK, State: "closed"}
			},
		},
		"dns question, version 1": {
			in: `"dns","dns":{"type":"query","id":16000,"rrname":"a.example","rrtype":"AAAA","tx_id":0}}`, kind: TypeDNS,
			want: func(e *Event) {
				e.DNS = DNS{Version: 1, ID: 16000, Queries: []Query{{"a.example", "AAAA"}}}
			},
		},
		"dns answer, version 1": {
			in: `"dns","dns":{"type":"answer","id":1,"rcode":"NOERROR","rrname":"a.example","rrtype":"A","ttl":8,"rdata":"192.0.2.1"}}`, kind: TypeDNS,
			want: func(e *Event) {
				e.DNS = DNS{Version: 1, Answer: true, ID: 1, RCode: "NOERROR", Queries: []Query{{"a.example", "A"}}, Answers: []Answer{{Data: "192.0.2.1", TTL: 8}}}
			},
		},
		"dns answers, version 2": {
			in: `"dns","dns":{"version":2,"type":"answer","id":7,"flags":"8180","qr":true,"rrname":"www.example","rrtype":"A","rcode":"NOERROR",` +
				`"answers":[{"rrname":"www.example","rrtype":"CNAME","ttl":3324,"rdata":"h.example"},{"rrname":"h.example","rrtype":"A","ttl":10,"rdata":"192.0.2.2"},{"rrtype":"SOA","soa":{"mname":"x"}}],` +
				`"grouped":{"A":["192.0.2.2"],"SOA":[{"mname":"x"}]}}}`,
			kind: TypeDNS,
			want: func(e *Event) {
				e.DNS = DNS{
					Version: 2, Answer: true, ID: 7, RCode: "NOERROR", Queries: []Query{{"www.example", "A"}},
					Answers: []Answer{{"www.example", "CNAME", "h.example", 3324}, {"h.example", "A", "192.0.2.2", 10}, {Type: "SOA"}, {Type: "A", Data: "192.0.2.2"}, {Type: "SOA"}},
				}
			},
		},
		"dns request, version 3": {
			in: `"dns","dns":{"version":3,"type":"request","tx_id":0,"id":9,"rd":true,"opcode":0,"queries":[{"rrname":"a.example","rrtype":"A"},{"rrname":"b.example","rrtype":"TXT"}]}}`, kind: TypeDNS,
			want: func(e *Event) {
				e.DNS = DNS{Version: 3, ID: 9, Queries: []Query{{"a.example", "A"}, {"b.example", "TXT"}}}
			},
		},
		"dns response, version 3, grouped": {
			in: `"dns","dns":{"version":3,"type":"response","id":9,"rcode":"NXDOMAIN","queries":[{"rrname":"a.example","rrtype":"A"}],"grouped":{"CNAME":["c.example"]}}}`, kind: TypeDNS,
			want: func(e *Event) {
				e.DNS = DNS{Version: 3, Answer: true, ID: 9, RCode: "NXDOMAIN", Queries: []Query{{"a.example", "A"}}, Answers: []Answer{{Type: "CNAME", Data: "c.example"}}}
			},
		},
		"http": {
			in: `"http","http":{"hostname":"h.example","http_port":8080,"url":"\/a?b=c","http_user_agent":"probe","http_content_type":"text\/html","http_method":"GET","protocol":"HTTP\/1.1","http_refer":"r","status":"404","length":310,"request_headers":[{"name":"A","value":"b"}]}}`, kind: TypeHTTP,
			want: func(e *Event) {
				e.HTTP = HTTP{Host: "h.example", Port: 8080, URL: "/a?b=c", UserAgent: "probe", Type: "text/html", Method: "GET", Protocol: "HTTP/1.1", Referrer: "r", Status: 404, Length: 310}
			},
		},
		"tls": {
			in: `"tls","tls":{"subject":"CN=h.example","issuerdn":"CN=Test CA","serial":"0A:01","fingerprint":"aa:bb","sni":"h.example","version":"TLS 1.2","notbefore":"2026-01-01T00:00:00","notafter":"2027-01-01T00:00:00","session_resumed":true,"ja3":{"hash":"e7d7","string":"771,4"},"ja3s":{"hash":"15af"},"ja4":"t13d"}}`, kind: TypeTLS,
			want: func(e *Event) {
				e.TLS = TLS{
					Subject: "CN=h.example", Issuer: "CN=Test CA", Serial: "0A:01", Fingerprint: "aa:bb", SNI: "h.example", Version: "TLS 1.2",
					NotBefore: at("2026-01-01T00:00:00Z"), NotAfter: at("2027-01-01T00:00:00Z"), JA3: "e7d7", JA3S: "15af", JA4: "t13d", Resumed: true,
				}
			},
		},
		"anomaly": {
			in: `"anomaly","anomaly":{"type":"applayer","event":"INVALID_RECORD_TYPE","layer":"proto_parser","code":7}}`, kind: TypeAnomaly,
			want: func(e *Event) {
				e.Anomaly = Anomaly{Type: "applayer", Event: "INVALID_RECORD_TYPE", Layer: "proto_parser", Code: 7}
			},
		},
		"a type that is not read": {in: `"fileinfo","fileinfo":{"size":[1,{"a":null}],"gaps":false,"x":-1.5e+3}}`, kind: "fileinfo", want: func(*Event) {}},
		"nulls, and parts of another kind": {
			in: `"ssh","app_proto":null,"tcp":null,"flow":"none","alert":[],"dns":7,"icmp_type":8,"icmp_code":"0"}`, kind: "ssh",
			want: func(e *Event) { e.ICMPType = 8 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := event(c.kind)
			c.want(&want)
			p := NewParser()
			var got Event
			for range 2 { // what one line leaves behind must not show in the next
				for _, in := range []string{head + c.in, "@cee: " + head + c.in} {
					if err := p.Parse([]byte(in), &got); err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" {
						t.Error(d)
					}
				}
			}
		})
	}
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]string{
		"2017-04-07T22:24:37.251547+0100":     "2017-04-07T21:24:37.251547Z",
		"2017-04-07T22:24:37.251547":          "2017-04-07T22:24:37.251547Z",
		"2017-04-07T22:24:37Z":                "2017-04-07T22:24:37Z",
		"2017-04-07T22:24:37.1-08:30":         "2017-04-08T06:54:37.1Z",
		"2016-12-31T23:59:60.5+0000":          "2017-01-01T00:00:00.5Z",
		"1969-12-31T16:04:21.000000-0800":     "1970-01-01T00:04:21Z",
		"2017-04-07 22:24:37.123456789123+00": "", "2017-04-31T00:00:00Z": "", "2017-13-01T00:00:00Z": "",
		"2017-04-07T24:00:00Z": "", "2017-04-07T22:24:37.+9900": "", "2017-04-07": "", "x017-04-07T22:24:37Z": "",
	} {
		got, ok := parseTime([]byte(in))
		if ok != (want != "") || ok && !got.Equal(at(want)) {
			t.Errorf("%s: %v %v, want %q", in, got, ok, want)
		}
	}
}

func TestBadLines(t *testing.T) {
	for in, want := range map[string]error{
		``:                                     ErrJSON,
		`[]`:                                   ErrJSON,
		`{"timestamp":"2026-03-01T12:00:00Z"`:  ErrJSON,
		`{"a":1}x`:                             ErrJSON,
		`{"a":01}`:                             ErrJSON,
		`{"a":"\q"}`:                           ErrJSON,
		strings.Repeat(`{"a":`, 40) + "1":      ErrJSON,
		`{"a":` + strings.Repeat(`[`, 40):      ErrJSON,
		`{"event_type":"flow"}`:                ErrNoEvent,
		`{"timestamp":"2026-03-01T12:00:00Z"}`: ErrNoEvent,
		`{"timestamp":"yesterday","event_type":"flow"}`:             ErrValue,
		head + `"x","src_port":70000}`:                              ErrValue,
		head + `"x","src_ip":"192.0.2.256"}`:                        ErrValue,
		head + `"flow","tcp":{"tcp_flags":"1g"}}`:                   ErrValue,
		head + `"flow","flow":{"age":-1}}`:                          ErrValue,
		head + `"flow","flow":{"alerted":"perhaps"}}`:               ErrValue,
		head + `"x","list":[` + strings.Repeat("1,", 1<<17) + `1]}`: ErrJSON,
	} {
		if err := NewParser().Parse([]byte(in), new(Event)); !errors.Is(err, want) {
			t.Errorf("%.80s: %v, want %v", in, err, want)
		}
	}
}

// TestReader goes on after bad lines, and says which they were.
func TestReader(t *testing.T) {
	in := head + `"ssh"}` + "\n\n{broken\n" + strings.Repeat("x", 2<<20) + "\n" + head + `"tls"}`
	r := NewReader(strings.NewReader(in), "eve.json")
	var got []string
	var e Event
	for {
		err := r.Read(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			got = append(got, strings.SplitN(err.Error(), ": ", 3)[1])
			continue
		}
		got = append(got, e.Type)
	}
	if d := cmp.Diff([]string{"ssh", "line 3", "line 4", "tls"}, got); d != "" {
		t.Error(d)
	}
}
