package cli

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	"github.com/bluelamp/bluelamp/internal/sense/cap/signed"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// checkCAP runs the command on a document as standard input.
func checkCAP(t *testing.T, c capCheckCmd, doc string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c.Files = []string{"-"}
	err := c.Run(&env{ctx: t.Context(), IO: IO{In: strings.NewReader(doc), Out: &out, Err: &out}})
	return out.String(), err
}

func capMessage(t *testing.T) []byte {
	t.Helper()
	doc, err := codec.Encode(&codec.Alert{
		Identifier: "SK-1", Sender: "weather@skerry.example", Sent: time.Date(2026, 3, 7, 20, 10, 0, 0, time.UTC),
		Status: codec.Actual, MsgType: codec.MsgAlert, Scope: codec.Public, Infos: []codec.Info{{
			Categories: []codec.Category{"Met"}, Event: "Storm", Urgency: "Expected", Severity: codec.Severe, Certainty: codec.Likely,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestCheckCAP(t *testing.T) {
	dir := t.TempDir()
	key, cert, err := issue.LoadKey("", dir, "Skerry Weather", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	plain := string(capMessage(t))
	data, err := signed.Sign([]byte(plain), key, cert)
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	file := filepath.Join(dir, "cert.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	with := capCheckCmd{Certificates: []string{file}}
	for _, c := range []struct {
		name, doc string
		cmd       capCheckCmd
		ok        bool
		want      string
	}{
		{"good", good, with, true, "-:2: valid: Actual Alert of weather@skerry.example, SK-1, sent 2026-03-07T20:10:00+00:00\n  signature: good, by Skerry Weather\n"},
		{"no certificate given", good, capCheckCmd{}, true, "fits the certificate that it carries, of Skerry Weather"},
		{"unsigned", plain, with, false, "signature: none"},
		{"unsigned, no certificate given", plain, capCheckCmd{}, true, "signature: none"},
		{"changed", strings.Replace(good, "Severe", "Minor", 1), with, false, "the signature is not good"},
		{"changed, no certificate given", strings.Replace(good, "Severe", "Minor", 1), capCheckCmd{}, true, "does not fit"},
		{"Z", strings.Replace(plain, "+00:00", "Z", 1), capCheckCmd{}, false, "flaw: line 5: sent: the time"},
		{"wrong", strings.Replace(plain, "Severe", "Awful", 1), with, false, "line 13: info[1]/severity"},
		{"lines of the second", plain + strings.Replace(plain, "Severe", "Awful", 1), with, false, "line 29: info[1]/severity"},
		{"nothing", "<feed/>", with, false, "the document is a <feed>"},
		{"broken", "<a", with, false, "the XML is broken"},
	} {
		out, err := checkCAP(t, c.cmd, c.doc)
		if (err == nil) != c.ok || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v: %s", c.name, err, out)
		}
	}
	out, err := checkCAP(t, capCheckCmd{JSON: true, Certificates: []string{file}}, good)
	var v capVerdict
	if err != nil || json.Unmarshal([]byte(out), &v) != nil || !v.Valid || v.Signature != "good, by Skerry Weather" {
		t.Errorf("%v: %s", err, out)
	}
}
