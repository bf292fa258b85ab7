package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mudFile = "../../protocol/mud/testdata/camera.json"

func mudEnv(t *testing.T) (e *env, out, errs *bytes.Buffer) {
	t.Helper()
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	return &env{ctx: t.Context(), IO: IO{Out: out, Err: errs}}, out, errs
}

func writeLines(t *testing.T, name string, lines ...string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMUDShow(t *testing.T) {
	e, out, _ := mudEnv(t)
	if err := (mudShowCmd{File: mudFile}).Run(e); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"device       A doorbell with a camera\n", "updated      2026-01-02T03:04:05Z\n",
		"  allow  TCP over IPv4 to cloud.maker.example to port 443 begun by the device   [v4-from/cloud]\n",
		"  forbid TCP over IPv4 to port 23   [v4-from/no-telnet]\n", `match nothing: IP condition "dscp"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestMUDCheck(t *testing.T) {
	dns := writeLines(t, "dns.log",
		`{"ts":1700000000,"uid":"D1","id.orig_h":"10.0.0.2","id.orig_p":4000,"id.resp_h":"10.0.0.1","id.resp_p":53,"query":"cloud.maker.example","answers":["cdn.example","198.51.100.7"]}`)
	row := func(more string) string {
		return `{"ts":1700000001.5,"uid":"C","id.orig_h":"10.0.0.2","id.orig_p":40001,` + more + `}`
	}
	conn := writeLines(t, "conn.log",
		row(`"id.resp_h":"198.51.100.7","id.resp_p":443,"proto":"tcp","conn_state":"SF"`), // its cloud
		row(`"id.resp_h":"10.0.0.1","id.resp_p":53,"proto":"udp","conn_state":"SF"`),
		row(`"id.resp_h":"198.51.100.66","id.resp_p":23,"proto":"tcp","conn_state":"S0"`), // a scan
		row(`"id.resp_h":"198.51.100.66","id.resp_p":23,"proto":"tcp","conn_state":"S0"`),
		row(`"id.resp_h":"198.51.100.9","id.resp_p":443,"proto":"tcp","conn_state":"SF"`), // nobody looked it up
		row(`"id.resp_h":"198.51.100.9","id.resp_p":444,"proto":"tcp","conn_state":"OTH"`),
		`{"ts":1700000003,"uid":"C","id.orig_h":"203.0.113.5","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":80,"proto":"tcp","conn_state":"SF"}`,
		`{"ts":1700000003,"uid":"C","id.orig_h":"203.0.113.5","id.orig_p":1,"id.resp_h":"10.0.0.3","id.resp_p":80,"proto":"tcp","conn_state":"SF"}`,
		`{broken`)
	eve := writeLines(t, "eve.json",
		`{"timestamp":"2023-11-14T22:13:25.000000+0000","event_type":"flow","src_ip":"10.0.0.2","src_port":5,"dest_ip":"198.51.100.1","dest_port":53,"proto":"UDP","flow":{"pkts_toserver":1,"start":"2023-11-14T22:13:24.000000+0000"}}`)
	e, out, errs := mudEnv(t)
	if err := (mudCheckCmd{File: mudFile, Device: "10.0.0.2", Zeek: []string{dns, conn}, EVE: []string{eve}}).Run(e); err != nil {
		t.Fatal(err)
	}
	want := `2023-11-14T22:13:21Z  outside  2 times  TCP to 198.51.100.66 port 23: outside, for "v4-from/no-telnet" forbids TCP over IPv4 to port 23
2023-11-14T22:13:21Z  unsure    1 time  TCP to 198.51.100.9 port 443: perhaps within "v4-from/cloud", which allows TCP over IPv4 to cloud.maker.example to port 443 begun by the device; whether that is who it is is not known
2023-11-14T22:13:23Z  outside   1 time  TCP from 203.0.113.5 to the device's port 80: outside, for no rule allows it
2023-11-14T22:13:24Z  outside   1 time  UDP to 198.51.100.1 port 53: outside, for no rule allows it
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	if !strings.HasSuffix(errs.String(), "8 conversations of 10.0.0.2: 4 outside, 1 unsure, 1 not judged since their beginning was not seen, 1 line not read\n") {
		t.Error(errs)
	}
	out.Reset()
	if err := (mudCheckCmd{File: mudFile, Device: "10.0.0.2", EVE: []string{eve}, JSON: true}).Run(e); err != nil || !strings.HasPrefix(out.String(), `{"verdict":"outside","count":1,`) {
		t.Errorf("%v: %s", err, out)
	}
	for _, c := range []mudCheckCmd{
		{File: "none.json", Device: "10.0.0.2", EVE: []string{eve}},
		{File: mudFile, Device: "camera", EVE: []string{eve}},
		{File: mudFile, Device: "10.0.0.2"},
		{File: mudFile, Device: "10.9.9.9", EVE: []string{eve}},
		{File: mudFile, Device: "10.0.0.2", Zeek: []string{"none.log"}},
	} {
		if err := c.Run(e); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}
