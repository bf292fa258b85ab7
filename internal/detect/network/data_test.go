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

type dataSet struct {
	name, file string
	attack     func(label string) bool
	recall     float64 // least
	precision  float64 // least
	findings   int     // most
	false      int     // most
}

// dataSets lists the labelled logs. The thresholds were chosen on 001, 002,
// 007 and 008; 010 was scored when they stood. In 002 and 007 the whole log is the
// attack, by its folder's scenario, so its precision says nothing. 001 holds
// command and control, which is no scan: what counts there is that the detector
// stays silent.
func dataSets() []dataSet {
	return []dataSet{
		{"001 command and control", "001-zeek-scenario-malicious/labeled-conn.log", malicious, 0, 0, 0, 0},
		{"002 nmap", "002-zeek-scenario-port-scanning/conn.log", always, 0.94, 1, 2, 0},
		{"007 honeypot (ssh.log)", "007-honeypot-infected/ssh.log", always, 0.4, 1, 90, 0},
		{"008 attacked from outside", "008-zeek-mixed/conn.log.labeled", malicious, 0.98, 0.999, 10, 0},
		{"010 attacked from outside, held out", "010-zeek-mixed/conn.log.labeled", malicious, 0.98, 0.999, 10, 0},
	}
}

// TestScores holds the scores on real logs above their floors and to the golden
// table, which is the one in docs/benchmarks.md:
//
//	BLUELAMP_DATA=... go test ./internal/detect/network -run TestScores -v
func TestScores(t *testing.T) {
	dataDir(t)
	var scores []Score
	for _, d := range dataSets() {
		flows := load(t, d.file, d.attack)
		s := Evaluate(d.name, flows, run(Config{}, flows))
		scores = append(scores, s)
		ours := s.Rows[0]
		if ours.Recall() < d.recall || ours.Flagged > 0 && ours.Precision() < d.precision || ours.Alerts > d.findings || ours.FalseAlerts > d.false {
			t.Errorf("%s: recall %.4f, precision %.4f, %d findings, %d of them false; want at least %v, %v, at most %d, %d",
				d.name, ours.Recall(), ours.Precision(), ours.Alerts, ours.FalseAlerts, d.recall, d.precision, d.findings, d.false)
		}
		for _, f := range s.Findings {
			if f.Reason == "" || f.Score <= 0 || f.Score > 1 || f.Total != len(f.Refs) || f.End.Before(f.Start) {
				t.Errorf("%s: %+v", d.name, f)
			}
		}
	}
	table := Markdown(scores)
	t.Log("\n" + table)
	golden := filepath.Join("testdata", "scores.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != table {
		t.Errorf("the table differs from %s; look why, then run with -update", golden)
	}
}

// TestGuessedPasswords names what must be found in the honeypot's ssh.log: among
// many guessers, those two who got in.
func TestGuessedPasswords(t *testing.T) {
	flows := load(t, "007-honeypot-infected/ssh.log", always)
	in := 0
	for _, f := range newest(run(Config{}, flows)) {
		if f.Kind != event.KindBruteForce {
			t.Errorf("%s in a log of log-ins", f.Kind)
		}
		if strings.HasSuffix(f.Reason, "It got in after its guesses.") {
			in++
		}
	}
	if in != 2 {
		t.Errorf("%d got in after guessing, want 2", in)
	}
}

// TestScannerIsNamed finds who scans in 002, and what.
func TestScannerIsNamed(t *testing.T) {
	flows := load(t, "002-zeek-scenario-port-scanning/conn.log", always)
	found := newest(run(Config{}, flows))
	kinds := map[event.Kind]Finding{}
	for _, f := range found {
		kinds[f.Kind] = f
	}
	h, v := kinds[event.KindScanHorizontal], kinds[event.KindScanVertical]
	if len(found) != 2 || h.Subject.String() != "172.16.1.11" || v.Subject != h.Subject || h.Targets < 180 || v.Targets < 23 || v.Ports < 100 {
		t.Errorf("%+v", found)
	}
}
