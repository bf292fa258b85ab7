package network

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestEvaluateTable(t *testing.T) {
	var tr traffic
	for i := range 40 {
		tr.add(time.Duration(i)*time.Second, unanswered(camera, ip("198.51.100.%d", i), 23))
		tr.add(time.Duration(i)*time.Minute, talked(laptop, ip("198.51.100.200"), 443, 900, time.Second))
	}
	tr.add(time.Hour, unanswered(laptop, ip("198.51.100.201"), 443))
	tr.add(2*time.Hour, unanswered(laptop, ip("198.51.100.202"), 443))
	var flows []LabelledConn
	for _, c := range tr {
		l := LabelledConn{Conn: c, Label: "Benign"}
		if c.Orig == camera {
			l.Label, l.Attack = "Malicious Scan", true
		}
		flows = append(flows, l)
	}
	got := Markdown([]Score{Evaluate("made", flows, run(Config{}, flows))})
	golden := filepath.Join("testdata", "made.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := Evaluate("empty", nil, nil); len(s.Rows) == 0 || s.Rows[0].Recall() != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}
