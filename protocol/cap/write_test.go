package cap

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEncode(t *testing.T) {
	a, err := Decode(storm(t))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Encode(a)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "storm", string(out))
	again, err := Decode(out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, again); diff != "" {
		t.Errorf("what was written is not what was read:\n%s", diff)
	}
}

// program finds a program; without it the test is skipped, or fails where all is
// required.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("BLUELAMP_REQUIRE_ALL") == "1" {
			t.Fatalf("required: %v", err)
		}
		t.Skipf("no %s: %v", name, err)
	}
	return path
}

func TestOthersReadWhatIsWritten(t *testing.T) {
	lint := program(t, "xmllint")
	cmd := exec.CommandContext(t.Context(), lint, "--noout", "--nonet", "testdata/storm.golden")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("xmllint: %v: %s", err, out)
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	for name, spoil := range map[string]func(*Alert){
		"no identifier":  func(a *Alert) { a.Identifier = "" },
		"space":          func(a *Alert) { a.Sender = "a b" },
		"no time":        func(a *Alert) { a.Sent = time.Time{} },
		"far time":       func(a *Alert) { a.Sent = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) },
		"status":         func(a *Alert) { a.Status = "Real" },
		"no scope":       func(a *Alert) { a.Scope = "" },
		"open polygon":   func(a *Alert) { a.Infos[1].Areas[0].Polygons[0][0].Lat = 1 },
		"radius":         func(a *Alert) { a.Infos[1].Areas[0].Circles[0].Radius = -1 },
		"no area's name": func(a *Alert) { a.Infos[1].Areas[0].Desc = " " },
		"cancel":         func(a *Alert) { a.MsgType, a.References = MsgCancel, nil },
		"no value name":  func(a *Alert) { a.Infos[1].Parameters[0].Name = "" },
		"no mime type":   func(a *Alert) { a.Infos[1].Resources[0].MimeType = "" },
	} {
		a, err := Decode(storm(t))
		if err != nil {
			t.Fatal(err)
		}
		spoil(a)
		if out, err := Encode(a); !errors.Is(err, ErrInvalid) || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever texts, times and places a message has, it is read as it was written.
func TestWrittenIsRead(t *testing.T) {
	text := rapid.StringMatching(`[ -~£é€\n]{1,40}[a-z]`)
	name := rapid.StringMatching(`[a-zA-Z0-9@.:_-]{1,20}`)
	at := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "s"), 0).UTC()
	})
	point := rapid.Custom(func(t *rapid.T) Point {
		return Point{float64(rapid.IntRange(-9e8, 9e8).Draw(t, "lat")) / 1e7, float64(rapid.IntRange(-18e8, 18e8).Draw(t, "lon")) / 1e7}
	})
	rapid.Check(t, func(t *rapid.T) {
		a := &Alert{
			Identifier: name.Draw(t, "id"), Sender: name.Draw(t, "sender"), Sent: at.Draw(t, "sent"),
			Status: rapid.SampledFrom(Statuses()).Draw(t, "status"), MsgType: MsgUpdate, Scope: Public, Note: text.Draw(t, "note"),
			References: []Reference{{name.Draw(t, "rs"), name.Draw(t, "ri"), at.Draw(t, "rt")}},
		}
		if a.References[0].Same(a.ID()) {
			t.Skip("a reference to itself")
		}
		poly := Polygon(rapid.SliceOfN(point, 3, 9).Draw(t, "polygon"))
		a.Infos = []Info{{
			Language: "en-GB", Categories: []Category{rapid.SampledFrom(Categories()).Draw(t, "category")}, Event: text.Draw(t, "event"),
			Urgency: rapid.SampledFrom(Urgencies()).Draw(t, "u"), Severity: rapid.SampledFrom(Severities()).Draw(t, "s"),
			Certainty: rapid.SampledFrom(Certainties()).Draw(t, "c"), Description: text.Draw(t, "description"), Expires: a.Sent.Add(time.Hour),
			Areas: []Area{{
				Desc: text.Draw(t, "area"), Polygons: []Polygon{append(poly, poly[0])},
				Circles: []Circle{{point.Draw(t, "centre"), float64(rapid.IntRange(0, 2e6).Draw(t, "radius")) / 1e3}},
			}},
		}}
		out, err := Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCircleAsPolygon(t *testing.T) {
	c := Circle{Point{54.7, 2.65}, 1.5}
	p := c.Polygon(36)
	if err := p.check(); err != nil || len(p) != 37 {
		t.Fatalf("%d points, %v", len(p), err)
	}
	// 1.5 km to the north is 0.01349 degrees of latitude.
	if d := p[0].Lat - 54.7; d < 0.01348 || d > 0.01350 || p[0].Lon != 2.65 {
		t.Errorf("its north is %v", p[0])
	}
}
