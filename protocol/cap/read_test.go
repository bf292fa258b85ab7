package cap

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func storm(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/storm.xml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (run with -update to accept):\n%s", file, diff)
	}
}

func TestDecode(t *testing.T) {
	a, err := Decode(storm(t))
	if err != nil {
		t.Fatal(err)
	}
	if a.Flaws != nil {
		t.Errorf("flaws in a good message: %v", a.Flaws)
	}
	en := a.Info("en-GB", "en")
	switch {
	case a.Identifier != "SK-2026-0007" || a.Sender != "weather@skerry.example" || a.MsgType != MsgUpdate || a.Scope != Public:
		t.Errorf("read as %+v", a)
	case !a.Sent.Equal(time.Date(2026, 3, 7, 20, 10, 0, 0, time.UTC)):
		t.Errorf("sent %v", a.Sent)
	case len(a.References) != 2 || a.References[1].String() != "weather@skerry.example,SK-2026-0006,2026-03-07T17:30:00+00:00":
		t.Errorf("refers to %v", a.References)
	case en.Language != "en-GB" || en.Severity != Severe || len(en.ResponseTypes) != 2 || en.Description != "Gusts of 32 m/s.\nWaves reach the quay.":
		t.Errorf("information %+v", en)
	case en.Headline != "Storm at the coast: waves over the quay & road":
		t.Errorf("headline %q", en.Headline)
	}
	area := en.Areas[0]
	if len(area.Polygons[0]) != 5 || area.Polygons[0][1] != (Point{54.72, 2.64}) || area.Circles[0].Radius != 1.5 || *area.Ceiling != 300 {
		t.Errorf("area %+v", area)
	}
}

func TestLanguageIsChosen(t *testing.T) {
	a, err := Decode(storm(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		from []string
	}{
		{"nb-NO", nil},
		{"en-GB", []string{"en-GB"}},
		{"en-GB", []string{"en"}},
		{"en-GB", []string{"en-us"}},
		{"nb-NO", []string{"cy", "nb"}},
		{"nb-NO", []string{"cy"}},
	} {
		if got := a.Info(c.from...).Language; got != c.want {
			t.Errorf("of %v: %s, want %s", c.from, got, c.want)
		}
	}
	if (&Alert{}).Info("en-GB") != nil {
		t.Error("information of a message that has none")
	}
}

// edits are what is changed in the good message, and what Decode says then.
func TestProblemsNameElementAndLine(t *testing.T) {
	var out strings.Builder
	for _, c := range []struct{ name, old, new string }{
		{"no identifier", "<identifier>SK-2026-0007</identifier>", ""},
		{"identifier with a space", "SK-2026-0007</identifier>", "SK 2026 0007</identifier>"},
		{"sender with a comma", "<sender>weather@skerry.example", "<sender>weather,skerry"},
		{"Z", "2026-03-07T20:10:00-00:00", "2026-03-07T20:10:00Z"},
		{"fraction", "2026-03-07T20:10:00-00:00", "2026-03-07T20:10:00.25+00:00"},
		{"no offset", "2026-03-07T20:10:00-00:00", "2026-03-07T20:10:00"},
		{"no such day", "2026-03-07T20:10:00-00:00", "2026-02-30T20:10:00-00:00"},
		{"unknown status", "Actual", "Real"},
		{"white space in a code", "<status>Actual</status>", "<status> Actual </status>"},
		{"two scopes", "<scope>Public</scope>", "<scope>Public</scope><scope>Private</scope>"},
		{"restricted", "<scope>Public</scope>", "<scope>Restricted</scope>"},
		{"out of order", "<source>Duty forecaster</source>\n  <scope>Public</scope>", "<scope>Public</scope>\n  <source>Duty forecaster</source>"},
		{"cancel without references", "<msgType>Update</msgType>", "<msgType>Cancel</msgType><!-- -->"},
		{"broken reference", "SK-2026-0005,2026-03-07T12:00:00+00:00", "SK-2026-0005"},
		{"reference to itself", "SK-2026-0005,2026-03-07T12:00:00+00:00", "SK-2026-0007,2026-03-07T20:10:00+00:00"},
		{"no category", "<category>Met</category>\n    <event>", "<event>"},
		{"unknown severity", "<severity>Severe</severity>", "<severity>Awful</severity>"},
		{"no event", "<event>Storm</event>\n    <urgency>", "<urgency>"},
		{"open polygon", "54.70,2.70 54.70,2.64", "54.70,2.70 54.70,2.65"},
		{"short polygon", "54.70,2.64 54.72,2.64 54.72,2.70 54.70,2.70 54.70,2.64", "54.70,2.64 54.72,2.64 54.70,2.64"},
		{"lon first", "54.70,2.64 54.72,2.64", "154.70,2.64 54.72,2.64"},
		{"circle without radius", "54.69,2.65 1.5", "54.69,2.65"},
		{"negative radius", "54.69,2.65 1.5", "54.69,2.65 -1"},
		{"infinite radius", "54.69,2.65 1.5", "54.69,2.65 Inf"},
		{"ceiling alone", "<altitude>0</altitude>", ""},
		{"no mime type", "<mimeType>image/png</mimeType>", ""},
		{"expired before sent", "<expires>2026-03-08T09", "<expires>2026-03-06T09"},
		{"unknown element", "<source>", "<colour>red</colour><source>"},
		{"value missing", "<value>W3</value>", ""},
		{"text between", "<source>", "hello <source>"},
		{"other namespace", "cap:1.2", "cap:1.1"},
		{"other root", "alert", "warning"},
		{"DTD", "<alert", "<!DOCTYPE alert [<!ENTITY a \"b\">]>\n<alert"},
		{"entity", "Duty", "&duty;"},
		{"encoding", "UTF-8", "UTF-16"},
		{"cut off", "</area>\n  </info>\n</alert>", ""},
		{"goes on", "</alert>", "</alert><alert/>"},
		{"deep", "<source>", strings.Repeat("<x>", 10) + strings.Repeat("</x>", 10) + "<source>"},
	} {
		data := strings.Replace(string(storm(t)), c.old, c.new, 1)
		if c.name == "other root" {
			data = strings.ReplaceAll(string(storm(t)), c.old, c.new)
		}
		if c.name == "cancel without references" {
			before, rest, _ := strings.Cut(data, "<references>")
			_, after, _ := strings.Cut(rest, "</references>")
			data = before + after
		}
		if data == string(storm(t)) {
			t.Fatalf("%s changes nothing", c.name)
		}
		a, err := Decode([]byte(data))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) || len(e.Problems) == 0 {
				t.Errorf("%s: %T %v", c.name, err, err)
			}
			fmt.Fprintf(&out, "%s\n  %v\n", c.name, err)
			continue
		}
		fmt.Fprintf(&out, "%s: taken\n", c.name)
		for _, f := range a.Flaws {
			fmt.Fprintf(&out, "  %v\n", f)
		}
		if (a.Strict() == nil) != (len(a.Flaws) == 0) {
			t.Errorf("%s: strictly %v", c.name, a.Strict())
		}
	}
	golden(t, "problems", out.String())
}

func TestTooLargeIsRefused(t *testing.T) {
	for name, data := range map[string]string{
		"bytes":    "<alert>" + strings.Repeat(" ", MaxMessage) + "</alert>",
		"elements": `<alert xmlns="` + Namespace + `">` + strings.Repeat("<code/>", maxNodes) + "</alert>",
		"depth":    strings.Repeat("<a>", 1000),
		"infos":    strings.Replace(string(storm(t)), "</alert>", strings.Repeat("<info/>", MaxInfos)+"</alert>", 1),
		"points":   strings.Replace(string(storm(t)), "54.70,2.64 54.72", strings.Repeat("1,1 ", MaxPoints)+"54.72", 1),
		"text":     strings.Replace(string(storm(t)), "Duty", strings.Repeat("x", maxValue+1), 1),
		"signed": `<alert xmlns="` + Namespace + `"><Signature xmlns="` + SignatureNamespace + `">` + strings.Repeat("<a>", 100) +
			strings.Repeat("</a>", 100) + "</Signature></alert>",
	} {
		if _, err := Decode([]byte(data)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
