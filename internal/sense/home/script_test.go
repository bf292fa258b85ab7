package home

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is when the scripts begin; each line is a second later.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// message reads a line of a script: a topic, white space, a payload. "@hub-8 " in
// front says another hub, "!" before the topic that the message is retained.
func message(line string, n int) *sense.Message {
	m := &sense.Message{Device: &registry.Device{ID: "hub-7"}, Received: noon.Add(time.Duration(n) * time.Second)}
	if hub, rest, ok := strings.Cut(line, " "); ok && strings.HasPrefix(line, "@") {
		m.Device, line = &registry.Device{ID: hub[1:]}, strings.TrimSpace(rest)
	}
	line, m.Retained = strings.CutPrefix(line, "!")
	topic, payload, _ := strings.Cut(line, " ")
	m.Topic, m.Payload = strings.ReplaceAll(topic, "~", " "), []byte(strings.TrimSpace(payload))
	return m
}

// take hands a message to whom a switchboard would.
func take(f *Family, m *sense.Message) (string, []*event.Observation, error) {
	for _, d := range f.Dialects() {
		if d.Matches(m.Topic) {
			os, err := d.Observe(m)
			return d.Name(), os, err
		}
	}
	return "nobody", nil, nil
}

// say writes an observation down.
func say(o *event.Observation, m *sense.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s %s", o.Kind, o.Device)
	for _, v := range []any{o.Reading, o.Alarm, o.Health, o.Detection, o.Count} {
		if data, err := json.Marshal(v); err == nil && string(data) != "null" {
			fmt.Fprintf(&b, " %s", data)
		}
	}
	if o.DeviceTime != nil {
		fmt.Fprintf(&b, " its time %s", o.DeviceTime.Format(time.RFC3339Nano))
	}
	if !o.Time.IsZero() {
		fmt.Fprintf(&b, " at %s", o.Time.Format(time.RFC3339Nano))
	}
	if o.ID != "" {
		b.WriteString(" named")
	}
	if o.Raw != nil {
		b.WriteString(" not kept as it came")
	}
	return b.String()
}

// The scripts in testdata were written from the projects' documentation.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f := New(nil)
			var b strings.Builder
			n := 0
			for line := range strings.Lines(string(script)) {
				line = strings.TrimSpace(line)
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				m := message(line, n)
				n++
				who, os, err := take(f, m)
				fmt.Fprintf(&b, "> %s\n", line)
				if err != nil {
					fmt.Fprintf(&b, "  error: %v\n", err)
				}
				if err == nil && len(os) == 0 {
					fmt.Fprintf(&b, "  %s: nothing\n", who)
				}
				for _, o := range os {
					b.WriteString(say(o, m) + "\n")
				}
			}
			golden(t, strings.TrimSuffix(file, ".script")+".golden", b.String())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs. Got\n%s", file, got)
	}
}
