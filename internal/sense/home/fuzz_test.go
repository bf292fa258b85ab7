package home

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// seed gives a fuzzer the messages of a script.
func seed(f *testing.F, name string) {
	f.Helper()
	script, err := os.ReadFile("testdata/" + name + ".script")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(script)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			m := message(line, 0)
			f.Add(m.Topic, m.Payload)
		}
	}
}

// fuzz gives one dialect hostile messages, in a family that already knows a hub.
func fuzz(f *testing.F, dialect string, scripts ...string) {
	for _, s := range scripts {
		seed(f, s)
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		fam := New(nil)
		fam.Remember(message(`homeassistant/alarm_control_panel/n/p/config {"state_topic":"p","value_template":"{{ value_json.s }}","availability_topic":"a"}`, 0))
		fam.Remember(message(`homeassistant/binary_sensor/n/b/config {"state_topic":"b","device_class":"smoke","availability_topic":"a"}`, 0))
		d := fam.Dialect(dialect)
		for range 2 {
			m := message("x", 0)
			m.Topic, m.Payload = topic, payload
			if !d.Matches(topic) {
				return
			}
			os, err := d.Observe(m)
			if err != nil && !errors.Is(err, sense.ErrUnreadable) && !errors.Is(err, sense.ErrUnknownTopic) {
				t.Fatalf("an error of no kind: %v", err)
			}
			for _, o := range os {
				checkSound(t, o)
			}
			fam.Remember(m)
		}
	})
}

// checkSound checks what holds of every observation.
func checkSound(t *testing.T, o *event.Observation) {
	t.Helper()
	if o.Kind == "" || o.Source == "" || !strings.HasPrefix(o.Device, "hub-7") || len(o.Device) > 500 {
		t.Fatalf("unsound: %+v", o)
	}
	words := []string{o.Device}
	if r := o.Reading; r != nil {
		words = append(words, r.State, r.Name, r.Channel, r.Unit)
		if r.Value != nil && (math.IsNaN(*r.Value) || math.IsInf(*r.Value, 0)) {
			t.Fatalf("no number: %+v", r)
		}
	}
	if d := o.Detection; d != nil {
		words = append(words, d.Camera, d.Label, d.Track)
		if len(d.Zones) > maxZones || len(d.Entered) > maxZones || d.Score < 0 || d.Score > 1 {
			t.Fatalf("unsound: %+v", d)
		}
	}
	if a := o.Alarm; a != nil {
		words = append(words, a.Code, a.Zone, a.ZoneName, a.Partition, a.User)
	}
	for _, w := range words {
		if len(w) > 500 || !utf8.ValidString(w) || strings.ContainsAny(w, "\x00\n\r") {
			t.Fatalf("an unsound word %q", w)
		}
	}
}

func FuzzHomeAssistant(f *testing.F) { fuzz(f, NameHomeAssistant, "homeassistant", "statestream") }
func FuzzZigbee2MQTT(f *testing.F)   { fuzz(f, NameZigbee2MQTT, "zigbee2mqtt") }
func FuzzFrigate(f *testing.F)       { fuzz(f, NameFrigate, "frigate") }
func FuzzESPHome(f *testing.F)       { fuzz(f, NameESPHome, "esphome") }
func FuzzTasmota(f *testing.F)       { fuzz(f, NameTasmota, "tasmota") }

func FuzzTemplate(f *testing.F) {
	f.Add("{{ 'ON' if value_json.a | float(0) > 2.5 else value_json['b'][0] | default('x') }}", []byte(`{"a":"3.1","b":[1]}`))
	f.Add("{{ value | replace('a', 'bb') | trim }}", []byte("aaa"))
	f.Fuzz(func(t *testing.T, text string, p []byte) {
		s, ok := parseTemplate(text).render(&payload{raw: p})
		if ok && len(s) > len(p)+len(text)*2+maxTemplate*2 {
			t.Fatalf("%d bytes of %d", len(s), len(p))
		}
	})
}

func FuzzContactSensorFile(f *testing.F) {
	f.Add("1203898814\t163\t24\n1203932021\t1\t24\n")
	f.Add("1 2\n-1 1 1\n9 0 1\n8 8 8\n")
	f.Fuzz(func(t *testing.T, text string) {
		var open, closed int
		for o, err := range ContactSensorFile("f", strings.NewReader(text)) {
			if (o == nil) == (err == nil) {
				t.Fatal("neither, or both")
			}
			if o != nil && *o.Reading.Active {
				open++
			} else if o != nil {
				closed++
			}
		}
		if open != closed {
			t.Fatalf("%d opened, %d closed", open, closed)
		}
	})
}
