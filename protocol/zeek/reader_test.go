package zeek

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const tsvHead = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"

const connHead = tsvHead + "#path\tconn\n#open\t2022-06-17-00-00-07\n" +
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\thistory\ttunnel_parents\tlabel\tdetailedlabel\n" +
	"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\tstring\tset[string]\tstring\tstring\n"

const connRow = "1655071198.444458\tCuid\t192.0.2.1\t62771\t2001:db8::5\t443\ttcp\t-\t1.135424\t1596\t4039\tSF\tT\tF\tShADa\t(empty)\tMalicious\t(empty)\n"

func wantConn() Conn {
	return Conn{
		ID: ID{
			TS: time.Unix(1655071198, 444458000).UTC(), UID: "Cuid",
			OrigH: netip.MustParseAddr("192.0.2.1"), OrigP: 62771, RespH: netip.MustParseAddr("2001:db8::5"), RespP: 443,
		},
		Proto: "tcp", Duration: 1135424 * time.Microsecond, OrigBytes: 1596, RespBytes: 4039,
		State: "SF", LocalOrig: True, LocalResp: False, History: "ShADa", Label: "Malicious",
	}
}

// readAll returns the records' paths and the causes of bad lines.
func readAll(t *testing.T, r *Reader, each func(*Record)) (bad []*LineError) {
	t.Helper()
	for {
		rec, err := r.Read()
		var line *LineError
		switch {
		case err == io.EOF:
			return bad
		case errors.As(err, &line):
			bad = append(bad, line)
		case err != nil:
			t.Fatal(err)
		default:
			each(rec)
		}
	}
}

func diff(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})) }

func TestConnInEveryForm(t *testing.T) {
	joined := strings.NewReplacer("tunnel_parents\tlabel\tdetailedlabel", "tunnel_parents   label   detailed-label",
		"set[string]\tstring\tstring", "set[string]   string   string")
	cases := map[string]struct{ in, name string }{
		"tsv":                       {in: connHead + connRow},
		"tsv, CRLF":                 {in: strings.ReplaceAll(connHead+connRow, "\n", "\r\n")},
		"tsv, no end":               {in: strings.TrimSuffix(connHead+connRow, "\n")},
		"tsv, no #path":             {in: strings.Replace(connHead, "#path\tconn\n", "", 1) + connRow},
		"tsv, plain head":           {in: "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\thistory\ttunnel_parents\tlabel\tdetailedlabel\n" + connRow},
		"tsv, plain head with bars": {in: strings.ReplaceAll("ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\thistory\ttunnel_parents\tlabel\tdetailed-label\n"+connRow, "\t", "|")},
		"tsv, after a mark":         {in: "\ufeff\t" + connHead + connRow},
		"tsv, joined label columns": {
			in: joined.Replace(connHead) + strings.Replace(connRow, "(empty)\tMalicious\t(empty)", "(empty)   Malicious   (empty)", 1),
		},
		"tsv, other separator": {in: strings.ReplaceAll(strings.Replace(connHead, `\x09`, `\x7c`, 1), "\t", "|") + strings.ReplaceAll(connRow, "\t", "|")},
		"json":                 {in: `{"ts":1655071198.444458,"uid":"Cuid","id.orig_h":"192.0.2.1","id.orig_p":62771,"id.resp_h":"2001:db8::5","id.resp_p":443,"proto":"tcp","duration":1.135424,"orig_bytes":1596,"resp_bytes":4039,"conn_state":"SF","local_orig":true,"local_resp":false,"history":"ShADa","label":"Malicious","detailed-label":null}`},
		"json, ISO 8601":       {in: `{"_path":"conn","ts":"2022-06-12T21:59:58.444458Z","uid":"Cuid","id.orig_h":"192.0.2.1","id.orig_p":62771,"id.resp_h":"2001:db8::5","id.resp_p":443,"proto":"tcp","duration":1135424e-6,"orig_bytes":1596,"resp_bytes":4039,"conn_state":"SF","local_orig":true,"local_resp":false,"history":"ShADa","label":"Malicious"}`},
		"json, nested id": {name: "x/conn.log", in: ` 
{"ts":1655071198.444458,"uid":"C\u0075id","id":{"orig_h":"192.0.2.1","orig_p":62771,"resp_h":"2001:db8::5","resp_p":443},"proto":"tcp","duration":1.135424,"orig_bytes":1596,"resp_bytes":4039,"conn_state":"SF","local_orig":true,"local_resp":false,"history":"ShADa","label":"Malicious"}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			n := 0
			bad := readAll(t, NewReader(iotest.OneByteReader(strings.NewReader(c.in)), Named(c.name)), func(r *Record) {
				n++
				if r.Path() != KindConn {
					t.Errorf("path %q", r.Path())
				}
				var got Conn
				if err := r.Conn(&got); err != nil {
					t.Fatal(err)
				}
				if d := diff(wantConn(), got); d != "" {
					t.Error(d)
				}
			})
			if n != 1 || len(bad) != 0 {
				t.Fatalf("%d records, bad %v", n, bad)
			}
		})
	}
}

func TestFieldsByName(t *testing.T) {
	in := tsvHead + "#path\thttp\n#fields\tts\turi\ttags\tempty\tn\n#types\ttime\tstring\tset[enum]\tstring\tdouble\n" +
		"1.5\t/a\\x09b\\xff\\q\\\\\tone,t\\x2cwo\t(empty)\t-\n" +
		`{"_path":"http","ts":-1.25,"uri":"/a\tb","tags":["one","t,wo"],"empty":"","n":2.5}` + "\n"
	var seen []string
	readAll(t, NewReader(strings.NewReader(in)), func(r *Record) {
		tags, err := r.Strings("tags")
		if err != nil {
			t.Fatal(err)
		}
		empty, isSet := r.Bytes("empty")
		n, nSet, err := r.Float("n")
		if err != nil || !isSet || len(empty) != 0 || nSet != (r.Format == JSON) || nSet && n != 2.5 {
			t.Errorf("%v: empty %q %v, n %v %v %v", r.Format, empty, isSet, n, nSet, err)
		}
		ts, _, err := r.Time("ts")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := r.Bytes("absent"); ok {
			t.Error("an absent field is set")
		}
		seen = append(seen, r.String("uri"), strings.Join(tags, "|"), ts.Format(time.RFC3339Nano), r.Type("tags"))
	})
	want := []string{
		"/a\tb\xff\\q\\", "one|t,wo", "1970-01-01T00:00:01.5Z", "set[enum]",
		"/a\tb", "one|t,wo", "1969-12-31T23:59:58.75Z", "",
	}
	if d := cmp.Diff(want, seen); d != "" {
		t.Error(d)
	}
}

func TestBadLinesAreHandedOutAndReadingGoesOn(t *testing.T) {
	long := strings.Repeat("x", 300)
	in := "1\t2\n" + connHead + "too\tfew\n" + long + "\n" + connRow + `{"ts":` + "\n" + connHead + connRow +
		strings.Replace(connRow, "192.0.2.1", "192.0.2.256", 1) + "#fields\ta\n#types\ta\tb\n"
	n, badRows := 0, 0
	bad := readAll(t, NewReader(strings.NewReader(in), MaxLine(280), Named("conn.log")), func(r *Record) {
		n++
		var c Conn
		if err := r.Conn(&c); errors.Is(err, ErrValue) {
			badRows++
		} else if err != nil {
			t.Error(err)
		}
	})
	if n != 3 || badRows != 1 {
		t.Errorf("%d records, %d of bad values", n, badRows)
	}
	want := []struct {
		line int64
		err  error
	}{{1, ErrNoHeader}, {10, ErrColumns}, {11, ErrLineTooLong}, {13, ErrJSON}, {25, ErrHeader}}
	if len(bad) != len(want) {
		t.Fatalf("bad lines: %v", bad)
	}
	for i, w := range want {
		b := bad[i]
		if b.Line != w.line || !errors.Is(b, w.err) || !strings.Contains(in[b.Offset:], string(b.Raw)) {
			t.Errorf("got %v (%v at %d), want line %d: %v", b, b.Err, b.Offset, w.line, w.err)
		}
		if !strings.HasPrefix(in[b.Offset:], string(b.Raw)) {
			t.Errorf("line %d: offset %d is not where its bytes are", b.Line, b.Offset)
		}
	}
}

func TestOverlongLineIsPutAside(t *testing.T) {
	src := io.MultiReader(io.LimitReader(endless('x'), 8<<20), strings.NewReader("\n"+connHead+connRow))
	r := NewReader(src, MaxLine(1000))
	n := 0
	bad := readAll(t, r, func(rec *Record) { n++ })
	if n != 1 || len(bad) != 1 || len(bad[0].Raw) > 4<<10 {
		t.Fatalf("%d records, %d bad", n, len(bad))
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestKinds(t *testing.T) {
	for name, want := range map[string]Kind{
		"conn.log": "conn", "labeled-conn.log": "conn", "conn.log.labeled": "conn", "a/ssh/ssh.2024-01-31-12.log": "ssh",
		"conn-summary.2020.log": "", "upload.txt": "", "x509.log": "x509", "SSH.LOG": "ssh",
	} {
		if got := kindOfName(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for row, want := range map[string]Kind{
		`{"auth_attempts":0}`:            "ssh",
		`{"note":"x","msg":"y"}`:         "notice",
		`{"software_type":"S"}`:          "software",
		`{"trans_id":1,"rejected":true}`: "dns",
		`{"foo":1}`:                      "",
		`{"_path":"weird","note":"x"}`:   "weird",
	} {
		readAll(t, NewReader(strings.NewReader(row)), func(r *Record) {
			if r.Path() != want {
				t.Errorf("%s is %q, want %q", row, r.Path(), want)
			}
		})
	}
}

func TestSSHAndNotice(t *testing.T) {
	in := `{"ts":1599755507.468005,"uid":"C1","id.orig_h":"203.0.113.9","id.orig_p":32140,"id.resp_h":"192.0.2.4","id.resp_p":22,"version":2,"auth_success":false,"auth_attempts":3,"direction":"INBOUND","client":"SSH-2.0-PUTTY","remote_location.country_code":"NL"}
{"ts":1599755680.178714,"note":"SSH::Password_Guessing","msg":"much","src":"203.0.113.9","p":22,"actions":["Notice::ACTION_LOG"]}`
	var h SSH
	var n Notice
	var c Conn
	bad := readAll(t, NewReader(strings.NewReader(in)), func(r *Record) {
		var err error
		if r.Path() == KindSSH {
			err = r.SSH(&h)
			if !errors.Is(r.Notice(&n), ErrKind) {
				t.Error("an ssh row was read as a notice")
			}
		} else {
			err = r.Notice(&n)
		}
		if err != nil {
			t.Error(err)
		}
		if !errors.Is(r.Conn(&c), ErrKind) {
			t.Errorf("a row of %s was read as a connection", r.Path())
		}
	})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	src := netip.MustParseAddr("203.0.113.9")
	wantH := SSH{
		ID: ID{
			TS: time.Unix(1599755507, 468005000).UTC(), UID: "C1", OrigH: src, OrigP: 32140,
			RespH: netip.MustParseAddr("192.0.2.4"), RespP: 22,
		},
		Version: 2, AuthSuccess: False, AuthAttempts: 3, Direction: "INBOUND", Client: "SSH-2.0-PUTTY", Country: "NL",
	}
	if d := diff(wantH, h); d != "" {
		t.Error(d)
	}
	wantN := Notice{ID: ID{TS: time.Unix(1599755680, 178714000).UTC()}, Note: "SSH::Password_Guessing", Msg: "much", Src: src, P: 22}
	if d := diff(wantN, n); d != "" {
		t.Error(d)
	}
}

func TestValues(t *testing.T) {
	for in, want := range map[string]string{
		"1655071198.444458": "2022-06-12T21:59:58.444458Z", "0": "1970-01-01T00:00:00Z", "-0.5": "1969-12-31T23:59:59.5Z",
		"1.655071198e9": "2022-06-12T21:59:58Z", "1655071198.1234567899": "2022-06-12T21:59:58.123456789Z",
		"2022-06-12T21:59:58+0200": "2022-06-12T19:59:58Z", "": "", "1.2.3": "", "9e99": "", "99999999999999": "", "x": "", "1e999999999": "",
	} {
		got := ""
		if v, ok := parseTime([]byte(in)); ok {
			got = v.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("time %q is %q, want %q", in, got, want)
		}
	}
	for in, ok := range map[string]bool{
		"1.2.3.4": true, "255.255.255.255": true, "256.1.1.1": false, "1.2.3": false,
		"01.2.3.4": false, "1.2.3.4.5": false, "::1": true, "fe80::1%eth0": true, "1..2.3": false, "": false, "0.0.0.4": true, "::ffff:1.2.3.4": true,
	} {
		got, valid := parseAddr([]byte(in))
		std, err := netip.ParseAddr(in)
		if valid != ok || ok != (err == nil) || got != std {
			t.Errorf("address %q: %v %v, netip says %v %v", in, got, valid, std, err)
		}
	}
	if _, ok := parseUint([]byte("18446744073709551616")); ok {
		t.Error("overflow is taken")
	}
	if n, ok := parseUint([]byte("18446744073709551615")); !ok || n != 1<<64-1 {
		t.Error("the largest count is refused")
	}
}
