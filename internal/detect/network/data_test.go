package network

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/protocol/zeek"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func dataDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("BLUELAMP_DATA")
	if dir == "" {
		t.Skip("BLUELAMP_DATA is not set: the labelled logs are not read")
	}
	return filepath.Join(dir, "network/zeek")
}

// load reads a log's connections, or log-ins, with their labels.
func load(t testing.TB, file string, attack func(label string) bool) (flows []LabelledConn) {
	t.Helper()
	f, err := os.Open(filepath.Join(dataDir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := zeek.NewReader(f, zeek.Named(file))
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return flows
		}
		if err != nil {
			t.Fatal(err)
		}
		id := event.NewID("observation", file, fmt.Sprint(rec.Offset))
		c, label, detail := readRow(t, rec, id)
		if detail != "" {
			label += " " + detail
		}
		flows = append(flows, LabelledConn{Conn: c, Label: label, Attack: attack(label)})
	}
}

func readRow(t testing.TB, rec *zeek.Record, id event.ID) (c Conn, label, detail string) {
	t.Helper()
	if rec.Path() == zeek.KindSSH {
		var h zeek.SSH
		if err := rec.SSH(&h); err != nil {
			t.Fatal(err)
		}
		return FromLogin(&event.Observation{ID: id, Time: h.TS, Received: h.TS, Login: &event.Login{
			UID: h.UID, Orig: h.OrigH, OrigPort: h.OrigP, Resp: h.RespH, RespPort: h.RespP, Service: "ssh",
			Attempts: int(h.AuthAttempts), Success: h.AuthSuccess.Ptr(), Client: h.Client,
		}}), h.Label, h.DetailedLabel
	}
	var z zeek.Conn
	if err := rec.Conn(&z); err != nil {
		t.Fatal(err)
	}
	return FromFlow(&event.Observation{ID: id, Time: z.TS, Received: z.TS, Flow: &event.Flow{
		UID: z.UID, Orig: z.OrigH, OrigPort: z.OrigP, Resp: z.RespH, RespPort: z.RespP, Proto: z.Proto, Service: z.Service,
		State: z.State, History: z.History, Duration: z.Duration.Seconds(), OrigBytes: z.OrigBytes, RespBytes: z.RespBytes,
		OrigPkts: z.OrigPkts, RespPkts: z.RespPkts, LocalOrig: z.LocalOrig.Ptr(), LocalResp: z.LocalResp.Ptr(),
	}}), z.Label, z.DetailedLabel
}

func run(cfg Config, flows []LabelledConn) (found []Finding) {
	cfg.MaxRefs = 1 << 20 // the evaluation needs all observations of a finding
	s := New(cfg)
	for i := range flows {
		found = append(found, s.Add(flows[i].Conn)...)
	}
	return append(found, s.Flush()...)
}

func malicious(label string) bool { return strings.HasPrefix(label, "Malicious") }
func always(string) bool          { return true }

// tunedOn are the sets that the thresholds were chosen on.
func tunedOn(t testing.TB) []Score {
	var out []Score
	for _, d := range []struct {
		name, file string
		attack     func(string) bool
	}{
		{"001 command and control", "001-zeek-scenario-malicious/labeled-conn.log", malicious},
		{"002 nmap", "002-zeek-scenario-port-scanning/conn.log", always},
		{"008 attacked from outside", "008-zeek-mixed/conn.log.labeled", malicious},
	} {
		flows := load(t, d.file, d.attack)
		out = append(out, Evaluate(d.name, flows, run(Config{}, flows)))
	}
	return out
}

func TestTuned(t *testing.T) {
	scores := tunedOn(t)
	t.Log("\n" + Markdown(scores))
	for _, s := range scores {
		for _, f := range s.Findings {
			t.Logf("%s %s %.2f n=%d %s", s.Name, f.Kind, f.Score, f.Total, f.Reason)
		}
	}
}

func TestSSH(t *testing.T) {
	flows := load(t, "007-honeypot-infected/ssh.log", always)
	s := Evaluate("007 honeypot, ssh.log", flows, run(Config{}, flows))
	t.Log("\n" + Markdown([]Score{s}))
	for _, f := range s.Findings {
		t.Logf("%s %.2f n=%d %s", f.Kind, f.Score, f.Total, f.Reason)
	}
}

func TestHeldOut(t *testing.T) {
	flows := load(t, "010-zeek-mixed/conn.log.labeled", malicious)
	s := Evaluate("010 attacked from outside (held out)", flows, run(Config{}, flows))
	t.Log("\n" + Markdown([]Score{s}))
	for _, f := range s.Findings {
		t.Logf("%s %.2f n=%d %s", f.Kind, f.Score, f.Total, f.Reason)
	}
}
