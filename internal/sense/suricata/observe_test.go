package suricata

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/lines"
	"github.com/bluelamp/bluelamp/protocol/eve"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

const head = `{"timestamp":"2026-03-01T12:00:05.000000+0000","flow_id":77,"src_ip":"192.0.2.10","src_port":50096,"dest_ip":"198.51.100.5","dest_port":80,"proto":"TCP",`

var (
	wrote  = time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC)
	expiry = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestObserve(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want event.Observation
	}{
		"an alert": {
			head + `"event_type":"alert","alert":{"action":"blocked","signature_id":9000001,"signature":"TEST a","category":"Misc","severity":1}}`,
			event.Observation{Kind: event.KindNetNotice, Time: wrote, Notice: &event.Notice{
				UID: "77", Name: "TEST a", Src: ip("192.0.2.10"), SrcPort: 50096, Dst: ip("198.51.100.5"), Port: 80, Proto: "tcp",
				Signature: 9000001, Category: "Misc", Severity: 1, Blocked: true,
			}},
		},
		"an alert on what the victim answered": {
			head + `"event_type":"alert","alert":{"action":"allowed","signature_id":2,"signature":"TEST b","severity":2,"source":{"ip":"198.51.100.5","port":80},"target":{"ip":"192.0.2.10","port":50096}}}`,
			event.Observation{Kind: event.KindNetNotice, Time: wrote, Notice: &event.Notice{
				UID: "77", Name: "TEST b", Src: ip("198.51.100.5"), SrcPort: 80, Dst: ip("192.0.2.10"), Port: 50096, Proto: "tcp", Signature: 2, Severity: 2,
			}},
		},
		"a flow": {
			head + `"event_type":"flow","app_proto":"http","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":1000,"bytes_toclient":5000,"start":"2026-03-01T12:00:01.500000+0000","end":"2026-03-01T12:00:03.500000+0000","state":"closed"},"tcp":{"tcp_flags_ts":"1b","tcp_flags_tc":"1b"}}`,
			event.Observation{Kind: event.KindFlow, Time: wrote.Add(-3500 * time.Millisecond), Flow: &event.Flow{
				UID: "77", Orig: ip("192.0.2.10"), OrigPort: 50096, Resp: ip("198.51.100.5"), RespPort: 80, Proto: "tcp", Service: "http",
				State: "SF", History: "ShADadFf", Duration: 2, OrigBytes: 1000 - 5*66, RespBytes: 5000 - 4*66, OrigPkts: 5, RespPkts: 4,
			}},
		},
		"an answer told as the server's packet": {
			`{"timestamp":"2026-03-01T12:00:05Z","src_ip":"192.0.2.53","src_port":53,"dest_ip":"192.0.2.10","dest_port":4000,"proto":"UDP","event_type":"dns","dns":{"version":2,"type":"answer","rcode":"NOERROR","rrname":"a.example","rrtype":"A","answers":[{"rrname":"a.example","rrtype":"A","ttl":5,"rdata":"192.0.2.1"}],"grouped":{"A":["192.0.2.1"]}}}`,
			event.Observation{Kind: event.KindDNS, Time: wrote, DNS: &event.DNS{
				Orig: ip("192.0.2.10"), Resp: ip("192.0.2.53"), Query: "a.example", Type: "A", RCode: "NOERROR", Answers: []string{"192.0.2.1"},
			}},
		},
		"a request": {
			head + `"event_type":"http","http":{"hostname":"h.example","url":"/x","http_user_agent":"u","http_method":"PUT","status":201,"length":9}}`,
			event.Observation{Kind: event.KindHTTP, Time: wrote, HTTP: &event.HTTP{
				UID: "77", Orig: ip("192.0.2.10"), Resp: ip("198.51.100.5"), RespPort: 80, Method: "PUT", Host: "h.example", URI: "/x", UserAgent: "u", Status: 201, BodyBytes: 9,
			}},
		},
		"a session": {
			head + `"event_type":"tls","tls":{"sni":"h.example","version":"TLS 1.2","subject":"CN=h","issuerdn":"CN=ca","notafter":"2027-01-01T00:00:00","ja3":{"hash":"e7"}}}`,
			event.Observation{Kind: event.KindTLS, Time: wrote, TLS: &event.TLS{
				UID: "77", Orig: ip("192.0.2.10"), Resp: ip("198.51.100.5"), RespPort: 80, Version: "TLS 1.2", Name: "h.example", Subject: "CN=h", Issuer: "CN=ca", JA3: "e7", NotAfter: &expiry,
			}},
		},
		"an anomaly": {
			head + `"event_type":"anomaly","anomaly":{"type":"stream","event":"stream.pkt_broken_ack"}}`,
			event.Observation{Kind: event.KindAnomaly, Time: wrote, Notice: &event.Notice{
				UID: "77", Name: "stream.pkt_broken_ack", Src: ip("192.0.2.10"), SrcPort: 50096, Dst: ip("198.51.100.5"), Port: 80, Proto: "tcp", Category: "stream",
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for got, err := range File("eve.json", strings.NewReader(c.in+"\n\n"+head+`"event_type":"stats","stats":{}}`)) {
				if err != nil {
					t.Fatal(err)
				}
				n++
				at := got.Time
				c.want.ID, c.want.Source, c.want.Device, c.want.Received, c.want.DeviceTime = got.ID, "suricata", "eve.json", wrote, &at
				if d := cmp.Diff(&c.want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
					t.Error(d)
				}
			}
			if n != 1 {
				t.Errorf("%d observations, want 1", n)
			}
		})
	}
}

func TestBadEvents(t *testing.T) {
	in := head + "\n" + `{"timestamp":"2026-03-01T12:00:05Z","event_type":"flow"}` + "\n"
	var errs []error
	for o, err := range File("eve.json", strings.NewReader(in)) {
		if o != nil {
			t.Errorf("got %+v", o)
		}
		errs = append(errs, err)
	}
	if len(errs) != 2 || !errors.Is(errs[0], eve.ErrJSON) || !errors.Is(errs[1], lines.ErrValue) || !strings.HasPrefix(errs[1].Error(), "eve.json: line 2:") {
		t.Errorf("%v", errs)
	}
}

func TestStates(t *testing.T) {
	const s, f, r, p, a = eve.SYN, eve.FIN, eve.RST, eve.PSH, eve.ACK
	for name, c := range map[string]struct {
		ts, tc         uint8
		state, history string
	}{
		"no answer":              {s, 0, "S0", "S"},
		"given up":               {s | r, 0, "RSTOS0", "SR"},
		"half seen":              {s | a | f, 0, "SH", "SAF"},
		"refused":                {s, r | a, "REJ", "Sr"},
		"answered by a stray":    {s, a, "OTH", "Sa"},
		"half-open probe":        {s | r, s | a, "RSTO", "ShaR"},
		"connect probe":          {s | a | r, s | a, "RSTO", "ShAaR"},
		"broken off by client":   {s | a | p | r, s | a | p, "RSTO", "ShADadR"},
		"broken off by server":   {s | a | p, s | a | r, "RSTR", "ShADar"},
		"talked, ended":          {s | a | p | f, s | a | p | f, "SF", "ShADadFf"},
		"talked, ended, and RST": {s | a | p | f | r, s | a | p | f, "SF", "ShADadFfR"},
		"going on":               {s | a | p, s | a, "S1", "ShADa"},
		"client ended":           {s | a | f, s | a, "S2", "ShAaF"},
		"server ended":           {s | a, s | a | f, "S3", "ShAaf"},
		"server only":            {0, s | a, "SHR", "ha"},
		"server only, reset":     {0, s | a | r, "RSTRH", "har"},
		"in the midst":           {a | p, a, "OTH", "ADa"},
		"a lone ACK, reset":      {a, r, "OTH", "Ar"},
	} {
		e := &eve.Event{TCP: eve.TCP{ToServer: c.ts, ToClient: c.tc}}
		if c.tc != 0 {
			e.Flow.PktsToClient = 1
		}
		if state, history := tcpState(e); state != c.state || history != c.history {
			t.Errorf("%s: %s %s, want %s %s", name, state, history, c.state, c.history)
		}
	}
}

func TestPayload(t *testing.T) {
	for name, c := range map[string]struct {
		src   string
		proto string
		bytes uint64
		flags uint8
		want  uint64
	}{
		"two datagrams":          {"192.0.2.1", "udp", 2*42 + 100, 0, 100},
		"over IPv6":              {"2001:db8::1", "udp", 2*62 + 100, 0, 100},
		"empty datagrams":        {"192.0.2.1", "udp", 2 * 42, 0, 1},
		"TCP without a push":     {"192.0.2.1", "tcp", 5000, eve.SYN | eve.ACK, 0},
		"TCP, something said":    {"192.0.2.1", "tcp", 120, eve.PSH | eve.ACK, 1},
		"TCP whose flags are no": {"192.0.2.1", "tcp", 2*66 + 7, 0, 7},
		"a count that overflows": {"192.0.2.1", "udp", 1 << 63, 0, 1<<63 - 84},
	} {
		e := &eve.Event{Src: ip(c.src), Proto: c.proto, TCP: eve.TCP{ToServer: c.flags}}
		header, flags := uint64(udpHeader), uint8(eve.PSH)
		if c.proto == "tcp" {
			header, flags = tcpHeader, c.flags
		}
		if got := payload(e, c.bytes, 2, header, flags); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}
