package street

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

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

var lns = &registry.Device{ID: "city-lns", Name: "City network server"}

// message makes a message of the network server.
func message(topic, payload string) *sense.Message {
	return &sense.Message{Device: lns, Topic: topic, Payload: []byte(payload), Received: noon}
}

// sensors are a registry for tests.
type sensors map[string]*registry.Device

func (s sensors) Sensor(name string) *registry.Device {
	if d := s[name]; d != nil {
		return d
	}
	if hub, _, ok := strings.Cut(name, "/"); ok {
		return s[hub]
	}
	return nil
}

// readings says observations in short, one a line, in their order.
func readings(os []*event.Observation) string {
	var b strings.Builder
	for _, o := range os {
		fmt.Fprintf(&b, "%s %s", o.Kind, o.Device)
		switch {
		case o.Reading != nil:
			fmt.Fprintf(&b, " %s", o.Reading.Property)
			if o.Reading.Channel != "" {
				fmt.Fprintf(&b, "[%s]", o.Reading.Channel)
			}
			if o.Reading.Value != nil {
				fmt.Fprintf(&b, " %.6g %s", *o.Reading.Value, o.Reading.Unit)
			} else {
				fmt.Fprintf(&b, " %s %v", o.Reading.State, *o.Reading.Active)
			}
		case o.Count != nil:
			fmt.Fprintf(&b, " %s %s in %d out %d", o.Count.Of, o.Count.Lane, o.Count.In, o.Count.Out)
			if o.Count.Inside != nil {
				fmt.Fprintf(&b, " inside %d", *o.Count.Inside)
			}
		case o.Health != nil:
			data, _ := json.Marshal(o.Health)
			fmt.Fprintf(&b, " %s", data)
		case o.Radio != nil:
			data, _ := json.Marshal(o.Radio)
			fmt.Fprintf(&b, " %s", data)
		case o.Misuse != nil:
			fmt.Fprintf(&b, " %s %d: %s", o.Misuse.What, o.Misuse.Count, o.Misuse.Detail)
		case o.Gunshot != nil:
			data, _ := json.Marshal(o.Gunshot)
			fmt.Fprintf(&b, " %s", data)
		}
		if o.Place != nil {
			fmt.Fprintf(&b, " at %s", o.Place)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, want)
	}
}
