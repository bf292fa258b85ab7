package warning

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

var (
	update  = flag.Bool("update", false, "write the golden files anew")
	noon    = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	harbour = []place.Point{{Lat: 54.70, Lon: 2.64}, {Lat: 54.72, Lon: 2.64}, {Lat: 54.72, Lon: 2.70}, {Lat: 54.70, Lon: 2.70}, {Lat: 54.70, Lon: 2.64}}
)

// message makes an observation of a script's line: minutes after noon, type,
// identifier, then key=value pairs. refs are "identifier@minute".
func message(t testing.TB, line string) *event.Observation {
	t.Helper()
	f := strings.Fields(line)
	at := func(s string) time.Time {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return noon.Add(d)
	}
	w := &event.Warning{
		Identifier: f[2], Sender: "weather@skerry.example", Sent: at(f[0]), Status: "Actual", MsgType: f[1],
		Event: "Storm", Urgency: "Expected", Severity: "Severe", Certainty: "Likely", Headline: "Storm at the coast", Area: "Skerrywick",
	}
	until := at("6h")
	w.Expires = &until
	part := ""
	received := w.Sent.Add(10 * time.Second)
	for _, kv := range f[3:] {
		k, v, _ := strings.Cut(kv, "=")
		switch k {
		case "severity":
			w.Severity = v
		case "status":
			w.Status = v
		case "sender":
			w.Sender = v
		case "signed":
			w.Signed = v
		case "part":
			part = v
		case "until":
			w.Expires = nil
			if v != "-" {
				x := at(v)
				w.Expires = &x
			}
		case "heard":
			received = at(v)
		case "where":
			d := map[string]float64{"here": 0, "overlap": 0.01, "far": 3}[v]
			ring := make([]place.Point, len(harbour))
			for i, p := range harbour {
				ring[i] = place.Point{Lat: p.Lat + d, Lon: p.Lon + d}
			}
			w.Polygons = [][]place.Point{ring}
		case "refs":
			for _, r := range strings.Split(v, ",") {
				id, when, _ := strings.Cut(r, "@")
				w.References = append(w.References, codec.Reference{Sender: w.Sender, Identifier: id, Sent: at(when)}.String())
			}
		default:
			t.Fatalf("%s: what is %s?", line, k)
		}
	}
	return &event.Observation{
		ID: event.NewID("test", w.Sender, w.Identifier, f[0], w.Signed, part), Kind: event.KindWarning, Source: "cap",
		Time: w.Sent, Received: received, Warning: w,
	}
}

// scripts tell what happens; the golden file tells what follows.
var scripts = []struct{ name, lines string }{
	{"stands until it expires", "0m Alert a where=here"},
	{"exercise, test, draft and system do not count", "0m Alert a status=Exercise\n1m Alert b status=Test\n2m Alert c status=Draft\n3m Alert d status=System"},
	{"not severe enough", "0m Alert a severity=Moderate\n1m Alert b severity=Unknown"},
	{"elsewhere", "0m Alert a where=far\n1m Alert b where=overlap"},
	{"over already", "0m Alert a until=1m heard=2m"},
	{"no end", "0m Alert a until=-"},
	{"updated and cancelled", "0m Alert a\n10m Update b refs=a@0m severity=Extreme until=8h\n20m Cancel c refs=a@0m,b@10m"},
	{"lowered, raised again", "0m Alert a\n10m Update b refs=a@0m severity=Minor\n20m Update c refs=b@10m severity=Severe"},
	{"update comes first", "10m Update b refs=a@0m\n0m Alert a heard=11m\n20m Update c refs=a@0m,b@10m"},
	{"update of what never counted", "0m Alert a severity=Minor\n10m Update b refs=a@0m"},
	{"told twice", "0m Alert a\n0m Alert a heard=5m\n0m Alert a heard=6m part=1"},
	{"a worse part of the same message", "0m Alert a\n0m Alert a part=1 severity=Extreme"},
	{"cancelled by another sender", "0m Alert a\n10m Cancel c refs=a@0m sender=other@x.example"},
	{"signed, then cancelled and updated unsigned", "0m Alert a signed=Met\n10m Cancel c refs=a@0m\n20m Update d refs=a@0m severity=Minor\n30m Cancel e refs=a@0m signed=Met"},
	{"forged and cancelled before the real one comes", "0m Alert a severity=Severe\n1m Cancel x refs=a@0m\n0m Alert a signed=Met heard=2m severity=Extreme"},
	{"unsigned, dated ahead, then the real update", "0m Alert a\n300m Update x refs=a@0m heard=1m\n10m Update b refs=a@0m signed=Met severity=Extreme"},
	{"cancelled, and the old message again", "0m Alert a\n10m Cancel c refs=a@0m\n0m Alert a heard=20m part=1"},
	{"cancel of nothing", "0m Cancel c refs=a@0m\n1m Ack d refs=a@0m\n2m Error e refs=a@0m"},
	{"an update of a warning that has run out", "0m Alert a until=30m\n60m Update b refs=a@0m until=2h"},
}

func TestScripts(t *testing.T) {
	var out strings.Builder
	for _, s := range scripts {
		fmt.Fprintf(&out, "# %s\n", s.name)
		run := detect.NewRun(New(Config{Area: harbour}))
		causes := map[string]string{}
		tell := func(as []event.Alert) {
			for _, a := range as {
				if causes[a.Cause] == "" {
					causes[a.Cause] = fmt.Sprintf("warning %d", len(causes)+1)
				}
				fmt.Fprintf(&out, "  = %s, revision %d: %s %.2f: %s [%d of %d]\n", causes[a.Cause], a.Revision, a.Kind, a.Score, a.Reason, len(a.Observations), a.Total)
			}
		}
		for line := range strings.Lines(s.lines) {
			fmt.Fprintf(&out, "%s\n", strings.TrimSpace(line))
			tell(run.Observe(message(t, line)))
		}
		fmt.Fprintf(&out, "later\n")
		tell(run.Finish())
	}
	file := filepath.Join("testdata", "scripts.golden")
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

func lines(t *rapid.T) []string {
	var out []string
	n := rapid.IntRange(1, 40).Draw(t, "messages")
	for i := range n {
		line := fmt.Sprintf("%dm %s m%d", i*3, rapid.SampledFrom([]string{"Alert", "Update", "Update", "Cancel"}).Draw(t, "type"), i)
		if i > 0 {
			r := rapid.IntRange(0, i-1).Draw(t, "ref")
			line += fmt.Sprintf(" refs=m%d@%dm", r, r*3)
		}
		line += " severity=" + rapid.SampledFrom([]string{"Severe", "Extreme", "Minor"}).Draw(t, "severity")
		line += " until=" + rapid.SampledFrom([]string{"10m", "1h", "3h", "-"}).Draw(t, "until")
		line += " sender=" + rapid.SampledFrom([]string{"a@x.example", "b@x.example"}).Draw(t, "sender")
		if rapid.Bool().Draw(t, "signed") {
			line += " signed=Met"
		}
		out = append(out, line)
	}
	return out
}

// A detector that takes up a saved state goes on as the one that saved it; every
// cause's revisions count up; what stands is told to be over in the end; and what
// is told twice is told once.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script := lines(rt)
		cutAt := rapid.IntRange(0, len(script)).Draw(rt, "cut")
		whole, parted := detect.NewRun(New(Config{})), New(Config{})
		next := map[string]int{}
		open := map[string]bool{}
		check := func(as []event.Alert) {
			for _, a := range as {
				if a.Revision != next[a.Cause] {
					rt.Fatalf("%s has revision %d, want %d", a.Cause, a.Revision, next[a.Cause])
				}
				next[a.Cause]++
				open[a.Cause] = a.Kind != event.KindRestored
			}
		}
		second := detect.NewRun(parted)
		for i, line := range script {
			if i == cutAt {
				data, err := parted.MarshalBinary()
				if err != nil {
					rt.Fatal(err)
				}
				parted = New(Config{})
				if err := parted.UnmarshalBinary(data); err != nil {
					rt.Fatal(err)
				}
				second = detect.NewRun(parted)
			}
			as := whole.Observe(message(t, line))
			check(as)
			if diff := cmp.Diff(as, second.Observe(message(t, line))); diff != "" {
				rt.Fatalf("line %d after a restart at %d:\n%s", i, cutAt, diff)
			}
			if again := whole.Observe(message(t, line)); len(again) != 0 {
				rt.Fatalf("%q told twice gives %v", line, again)
			}
		}
		check(whole.Finish())
		for cause, is := range open {
			if is {
				rt.Fatalf("%s never ended", cause)
			}
		}
	})
}

func TestFloodIsBounded(t *testing.T) {
	d := New(Config{})
	long := strings.Repeat("x", 300)
	for i := range maxChains + 500 {
		o := message(t, fmt.Sprintf("%ds Alert m%d until=%dm", i, i, i+2000))
		o.Warning.Sender, o.Warning.Identifier = long, fmt.Sprint(long, i)
		for j := range 100 {
			o.Warning.References = append(o.Warning.References, codec.Reference{Sender: long, Identifier: fmt.Sprint(long, i, "/", j), Sent: noon.Add(-time.Hour)}.String())
		}
		if got := d.Observe(o); len(got) != 1 {
			t.Fatalf("warning %d: %d alerts", i, len(got))
		}
	}
	state, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d warnings are saved in %d bytes", len(d.chains), len(state))
	if len(d.chains) > maxChains || len(d.by) > maxChains*maxMembers || len(state) > 12<<20 {
		t.Errorf("%d warnings, %d messages, %d bytes", len(d.chains), len(d.by), len(state))
	}
}

func TestTouches(t *testing.T) {
	sq := func(lat, lon, size float64) []place.Point {
		return []place.Point{{Lat: lat, Lon: lon}, {Lat: lat + size, Lon: lon}, {Lat: lat + size, Lon: lon + size}, {Lat: lat, Lon: lon + size}, {Lat: lat, Lon: lon}}
	}
	for _, c := range []struct {
		name string
		b    []place.Point
		want bool
	}{
		{"the same", sq(0, 0, 1), true},
		{"within", sq(0.4, 0.4, 0.1), true},
		{"around", sq(-5, -5, 20), true},
		{"corner", sq(0.9, 0.9, 1), true},
		{"far", sq(3, 3, 1), false},
		{"beside", sq(0, 1.1, 1), false},
		{"a cross", []place.Point{{Lat: 0.5, Lon: -1}, {Lat: 0.6, Lon: -1}, {Lat: 0.6, Lon: 2}, {Lat: 0.5, Lon: 2}, {Lat: 0.5, Lon: -1}}, true},
		{"an L around it", []place.Point{{Lat: -1, Lon: -1}, {Lat: -1, Lon: 3}, {Lat: -0.5, Lon: 3}, {Lat: -0.5, Lon: -0.5}, {Lat: 3, Lon: -0.5}, {Lat: 3, Lon: -1}, {Lat: -1, Lon: -1}}, false},
	} {
		if got := touches(sq(0, 0, 1), c.b); got != c.want || touches(c.b, sq(0, 0, 1)) != got {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	d := New(Config{})
	d.Observe(message(f, "0m Alert a"))
	d.Observe(message(f, "1m Update b refs=a@0m"))
	data, err := d.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"chains":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := New(Config{})
		if d.UnmarshalBinary(data) != nil {
			return
		}
		d.Observe(message(t, "2m Update c refs=a@0m,b@1m"))
		d.Observe(message(t, "3m Cancel d refs=c@2m"))
		d.Advance(noon.AddDate(1, 0, 0))
		if _, err := d.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestConfig(t *testing.T) {
	if p, err := ParseArea("54.70,2.64 54.72,2.64 54.72,2.70 54.70,2.64"); err != nil || len(p) != 4 || p[1].Lat != 54.72 {
		t.Errorf("%v %v", p, err)
	}
	if p, err := ParseArea(""); p != nil || err != nil {
		t.Errorf("%v %v", p, err)
	}
	if _, err := ParseArea("1,2 3,4"); err == nil {
		t.Error("two points are an area")
	}
	if (Config{Severities: []string{"Awful"}}).Check() == nil || (Config{Lasts: -1}).Check() == nil || (Config{Severities: []string{"Moderate"}}).Check() != nil {
		t.Error("the configuration is not checked")
	}
}
