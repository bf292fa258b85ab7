package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// called runs a command line as kong reads it, and returns what it printed.
func called(t *testing.T, data, in string, args ...string) (string, error) {
	t.Helper()
	var commands struct {
		Quarantine quarantineCmd `cmd:""`
		Mapping    mappingCmd    `cmd:""`
	}
	k, err := kong.New(&commands)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := k.Parse(args)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	r := &root{Config: app.Config{Data: data, Reserve: 1, LogLevel: "error"}}
	e := &env{IO: IO{In: strings.NewReader(in), Out: &out, Err: &bytes.Buffer{}}, ctx: t.Context(), root: r, kong: k, parsed: parsed, file: &configFile{}}
	e.logger = newLogger(e.Err, r.Config)
	err = parsed.Run(e)
	return out.String(), err
}

// quarantined makes a data directory with a device and entries of it.
func quarantined(t *testing.T, what ...string) string {
	t.Helper()
	data := t.TempDir()
	e, _ := testEnv(t, data)
	log, err := bus.Open(e.ctx, bus.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	reg, err := openRegistry(e, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.PutDevices(e.ctx, "test", registry.Device{ID: "hub-7", Name: "Hub"}); err != nil {
		t.Fatal(err)
	}
	in := sense.NewIntake(log, clock.Wall(), nil, e.quiet(), nil)
	for _, w := range what {
		err := in.QuarantineMessage(e.ctx, event.Quarantined{Source: "mapping", From: "hub-7", Device: "hub-7", Topic: "json/door", Reason: "unknown topic", Detail: "no mapping", Bytes: []byte(w)})
		if err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheQuarantineIsWorkedFromTheCommandLine(t *testing.T) {
	data := quarantined(t, `{"state": "open"}`, `{"state": "open", "n": 2}`, `{"stat": "open"}`)
	program, sample := file(t, "door.cel", `{"property": "contact", "state": body.state}`), file(t, "sample.json", `{"state": "open"}`)
	say := func(in string, args ...string) string {
		t.Helper()
		out, err := called(t, data, in, args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	if out := say("", "quarantine", "list"); !strings.Contains(out, "3        unknown topic  mapping  1") {
		t.Errorf("groups:\n%s", out)
	}
	say("", "mapping", "put", "door", "--program", program, "--why", "doors")
	if out := say("", "mapping", "live", "door", "1", "--sample", sample); !strings.Contains(out, "Version 1 of door is live. Of the sample it makes 1 observation.") {
		t.Error(out)
	}
	out, err := called(t, data, "", "quarantine", "replay", "--reason", "unknown topic", "--why", "there is a mapping", "--json")
	if !errors.Is(err, errLeft) || !strings.Contains(out, `{"done":2,"refused":1,"passed":0,"problem":"it was not accepted this time either`) {
		t.Errorf("replay: %s %v", out, err)
	}
	var row sense.QuarantineRow
	if err := json.Unmarshal([]byte(say("", "quarantine", "list", "--reason", "unknown topic", "--json")), &row); err != nil || row.Tries != 1 {
		t.Fatalf("%+v %v", row, err)
	}
	id := string(row.ID)
	if out := say("", "quarantine", "show", id); strings.Contains(out, "stat\"") || !strings.Contains(out, "open, tried 1 time") || !strings.Contains(out, "--purpose shows them") {
		t.Errorf("show:\n%s", out)
	}
	if out := say("", "quarantine", "show", id, "--purpose", "maintain"); !strings.Contains(out, `{"stat": "open"}`) {
		t.Errorf("show with a purpose:\n%s", out)
	}
	if out := say(`{"state": "ajar"}`, "quarantine", "replay", id, "--file", "-"); out != "1 entry replayed.\n" {
		t.Error(out)
	}
	if _, err := called(t, data, "", "quarantine", "replay", id); !errors.Is(err, errLeft) {
		t.Errorf("a second time: %v", err)
	}
	if out := say("", "quarantine", "list"); out != "The quarantine is empty.\n" {
		t.Error(out)
	}
	if out := say("", "quarantine", "list", "--settled"); strings.Count(out, "replayed") != 3 {
		t.Error(out)
	}
	e, _ := testEnv(t, data)
	log, err := bus.Open(e.ctx, bus.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n, actions := 0, map[audit.Action]int{}
	err = errors.Join(
		log.Each(e.ctx, bus.Observations, 0, func(bus.Record) error { n++; return nil }),
		log.Each(e.ctx, bus.Audit, 0, func(r bus.Record) error {
			var x audit.Entry
			_ = json.Unmarshal(r.Data, &x)
			actions[x.Action]++
			return nil
		}))
	if err != nil || n != 3 || actions["quarantine.replayed"] != 3 || actions[audit.RecordOpened] != 1 || actions["mapping.live"] != 1 {
		t.Errorf("%d observations, recorded %v, %v", n, actions, err)
	}
}

func TestDiscardAndUsage(t *testing.T) {
	data := quarantined(t, "x", "y")
	if out, err := called(t, data, "", "quarantine", "discard", "--reason", "unknown topic", "--why", "a test"); err != nil || out != "2 entries discarded.\n" {
		t.Errorf("%s %v", out, err)
	}
	var wrong usageError
	for _, args := range [][]string{
		{"quarantine", "replay"},
		{"quarantine", "replay", "x", "--reason", "y"},
		{"quarantine", "replay", "--reason", "y", "--file", "-"},
		{"mapping", "try", "--program", "-", "--sample", "-"},
	} {
		if _, err := called(t, data, "", args...); !errors.As(err, &wrong) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := called(t, data, "", "quarantine", "discard", "x"); err == nil {
		t.Error("discarded without a reason")
	}
}

func TestMappingTry(t *testing.T) {
	sample := file(t, "sample.json", `{"door": 1, "ts": 1772918038}`)
	out, err := called(t, t.TempDir(), "", "mapping", "try", "--sample", sample, "--program", file(t, "door.cel", `{"property": "contact", "active": body.door == 1.0, "time": body.ts}`))
	var o event.Observation
	if err != nil || json.Unmarshal([]byte(out), &o) != nil || o.Reading == nil || !*o.Reading.Active || o.Device != "some-device" {
		t.Errorf("%s %v", out, err)
	}
	bad := file(t, "bad.cel", "{\n  \"state\": bdy\n}")
	if _, err := called(t, t.TempDir(), "", "mapping", "try", "--sample", sample, "--program", bad); err == nil || !strings.HasPrefix(err.Error(), bad+":2:12: undeclared reference") {
		t.Error(err)
	}
}

func TestBenchHTTP(t *testing.T) {
	e, out := testEnv(t, t.TempDir())
	e.logger = newLogger(e.Err, e.root.Config)
	e.root.Config.LogLevel = "error"
	if err := (benchHTTP{Clients: 2, Seconds: 1, Size: 256, Dir: t.TempDir(), JSON: true}).Run(e); err != nil {
		t.Fatal(err)
	}
	var r httpResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Acked == 0 || r.Refused+r.Errors > 0 || r.Commits == 0 {
		t.Errorf("%s %v", out, err)
	}
}
