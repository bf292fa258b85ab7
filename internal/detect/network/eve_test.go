package network

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/suricata"
	"github.com/bluelamp/bluelamp/protocol/eve"
	"github.com/bluelamp/bluelamp/protocol/zeek"
)

// flagsOf gives the TCP flags that a side must have sent for Zeek to write its
// letters: capitals for the originator.
func flagsOf(history string, capital bool) (flags uint8) {
	has := map[byte]uint8{
		'S': eve.SYN, 'H': eve.SYN | eve.ACK, 'A': eve.ACK, 'D': eve.ACK | eve.PSH, 'F': eve.ACK | eve.FIN, 'R': eve.RST,
	}
	for _, l := range []byte(history) {
		if upper := l &^ 0x20; capital == (l == upper) {
			flags |= has[upper]
		}
	}
	return flags
}

// eveOf writes a connection as Suricata would have seen it on the same wire.
func eveOf(c *zeek.Conn, n int) string {
	const form = "2006-01-02T15:04:05.000000-0700"
	var b strings.Builder
	end := c.TS.Add(c.Duration)
	proto := map[string]string{"tcp": "TCP", "udp": "UDP", "icmp": "ICMP"}[c.Proto]
	fmt.Fprintf(&b, `{"timestamp":%q,"flow_id":%d,"event_type":"flow","src_ip":%q,"dest_ip":%q,"proto":%q`,
		end.Format(form), n+1, c.OrigH, c.RespH, proto)
	if c.Proto == "icmp" {
		fmt.Fprintf(&b, `,"icmp_type":%d,"icmp_code":%d`, c.OrigP, c.RespP)
	} else {
		fmt.Fprintf(&b, `,"src_port":%d,"dest_port":%d`, c.OrigP, c.RespP)
	}
	if c.Service != "" {
		fmt.Fprintf(&b, `,"app_proto":%q`, c.Service)
	}
	const link = 14 // bytes of Ethernet, which Zeek's ip_bytes leave out
	fmt.Fprintf(&b, `,"flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":%q,"end":%q,"state":"closed"}`,
		c.OrigPkts, c.RespPkts, c.OrigIPBytes+link*c.OrigPkts, c.RespIPBytes+link*c.RespPkts, c.TS.Format(form), end.Format(form))
	if c.Proto == "tcp" {
		ts, tc, state := flagsOf(c.History, true), flagsOf(c.History, false), "closed"
		if ts|tc == 0 {
			state = "none" // only packets with bad checksums, which neither monitor believes
		}
		fmt.Fprintf(&b, `,"tcp":{"tcp_flags_ts":"%02x","tcp_flags_tc":"%02x","state":%q}`, ts, tc, state)
	}
	b.WriteString("}\n")
	return b.String()
}

// TestScanInSuricatasWords turns the recorded nmap scan into EVE flows, and looks
// for it there: by who scans, what and how far, it must be found as in Zeek's log.
func TestScanInSuricatasWords(t *testing.T) {
	name := "002-zeek-scenario-port-scanning/conn.log"
	text, err := os.ReadFile(filepath.Join(dataDir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	var wrote strings.Builder
	rows := 0
	r := zeek.NewReader(bytes.NewReader(text), zeek.Named(name))
	for rec, err := r.Read(); err == nil; rec, err = r.Read() {
		var c zeek.Conn
		if err := rec.Conn(&c); err != nil {
			t.Fatal(err)
		}
		wrote.WriteString(eveOf(&c, rows))
		rows++
	}
	var flows []LabelledConn
	for o, err := range suricata.File("eve.json", strings.NewReader(wrote.String())) {
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, LabelledConn{Conn: FromFlow(o), Attack: true})
	}
	if len(flows) != rows || rows != 4504 {
		t.Fatalf("%d flows of %d rows", len(flows), rows)
	}
	zeeks := load(t, name, always)
	asZeek, asEVE := Evaluate("zeek", zeeks, run(Config{}, zeeks)), Evaluate("eve", flows, run(Config{}, flows))
	t.Logf("recall of the scan: %.2f %% from Zeek, %.2f %% from EVE", 100*asZeek.Rows[0].Recall(), 100*asEVE.Rows[0].Recall())
	if d := asZeek.Rows[0].Recall() - asEVE.Rows[0].Recall(); d > 0.005 || d < -0.005 {
		t.Errorf("recall differs by %.4f", d)
	}
	if len(asEVE.Findings) != 2 {
		t.Fatalf("%d findings, want the two that Zeek's log gives", len(asEVE.Findings))
	}
	for i, e := range asEVE.Findings {
		z := asZeek.Findings[i]
		if e.Kind != z.Kind || e.Subject != z.Subject || e.Targets < z.Targets*99/100 || e.Ports < z.Ports*99/100 || e.Start.Sub(z.Start).Abs() > time.Minute {
			t.Errorf("EVE:  %s %s on %d hosts, %d ports from %s\nZeek: %s %s on %d hosts, %d ports from %s",
				e.Kind, e.Subject, e.Targets, e.Ports, e.Start, z.Kind, z.Subject, z.Targets, z.Ports, z.Start)
		}
	}
}
