package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

func TestTemplates(t *testing.T) {
	for _, c := range []struct{ template, payload, want string }{
		{"", "plain", "plain"},
		{"{{ value }}", "plain", "plain"},
		{"{{ value | upper }}", "plain", "PLAIN"},
		{"{{value_json.a}}", `{"a":1.50}`, "1.50"},
		{"{{ value_json.a.b }}", `{"a":{"b":true}}`, "True"},
		{"{{ value_json['a-b'] }}", `{"a-b":"x"}`, "x"},
		{`{{ value_json["a"][1] }}`, `{"a":[1,2]}`, "2"},
		{`{{ value_json[-1] }}`, `[1,2]`, "2"},
		{"{{ value_json.get('a') }}", `{"a":"x"}`, "x"},
		{"{{ value_json.get('b', 'none') }}", `{"a":"x"}`, "none"},
		{"{{- value_json.a -}}", `{"a":"x"}`, "x"},
		{"{{ value_json.a | float }}", `{"a":"1.25"}`, "1.25"},
		{"{{ value_json.a | float | round(1) }}", `{"a":1.26}`, "1.3"},
		{"{{ value_json.a | int(0) }}", `{"a":"x"}`, "0"},
		{"{{ value_json.a | default('off') }}", `{}`, "off"},
		{"{{ value_json.a | is_defined }}", `{}`, "nothing"},
		{"{{ value_json.a | replace('x', 'y') | lower | trim }}", `{"a":" X x"}`, "x y"},
		{"{{ value_json.a | bool | string }}", `{"a":"on"}`, "True"},
		{"{{ 'ON' if value_json.a else 'OFF' }}", `{"a":1}`, "ON"},
		{"{{ 'ON' if value_json.a else 'OFF' }}", `{"a":0}`, "OFF"},
		{"{{ 'ON' if value_json.a else 'OFF' }}", `{}`, "OFF"},
		{"{{ 'ON' if not value_json.a else 'OFF' }}", `{"a":false}`, "ON"},
		{"{{ 'ON' if value_json.a == 'open' else 'OFF' }}", `{"a":"open"}`, "ON"},
		{"{{ 'ON' if value_json.a != 2 else 'OFF' }}", `{"a":2.0}`, "OFF"},
		{"{{ 'ON' if value_json.a >= 2 else 'OFF' }}", `{"a":2.0}`, "ON"},
		{"{{ 'ON' if value_json.a < 2 else 'OFF' }}", `{"a":"x"}`, "OFF"},
		{"{{ value_json.a }}", `plain`, "nothing"},
		{"{{ value_json.a }}", `{"a":null}`, "nothing"},
		{"{{ value_json.a }}", `{"a":{"b":1}}`, "nothing"},
		{"{{ value_json.a.b.c }}", `{"a":1}`, "nothing"},
		{"{{ value_json.a | float }}", `{"a":1e999}`, "nothing"},
		// what is opaque gives the payload as it is
		{"{% if value_json.a %}ON{% endif %}", `{"a":1}`, `{"a":1}`},
		{"{{ value_json.a }}{{ value_json.b }}", "x", "x"},
		{"{{ value_json.a | regex_replace('a', 'b') }}", "x", "x"},
		{"{{ states('sensor.x') }}", "x", "x"},
		{"{{ value_json.a + 1 }}", "x", "x"},
		{"{{ 'a\\'b' }}", "x", "x"},
		{"{{ }}", "x", "x"},
		{"{{ 'x' if }}", "x", "x"},
		{"{{ value_json. }}", "x", "x"},
		{"{{ value_json[ }}", "x", "x"},
		{"{{ value_json[1e9999] }}", "x", "x"},
		{"{{ " + strings.Repeat("value | ", 200) + "}}", "x", "x"},
	} {
		got, ok := parseTemplate(c.template).render(&payload{raw: []byte(c.payload)})
		if !ok {
			got = "nothing"
		}
		if got != c.want {
			t.Errorf("%s of %s is %q, want %q", c.template, c.payload, got, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{" plain ", "plain"},
		{"a\x00b\nc", "a b c"},
		{"caf\u00e9", "caf\u00e9"},
		{"\xff\xfe", ""},
		{strings.Repeat("\u00e9", 40), strings.Repeat("\u00e9", 10)},
		{strings.Repeat("x", 100), strings.Repeat("x", 20)},
		{"a\u0085b", "a b"},
	} {
		if got := clean(c.in, 20); got != c.want {
			t.Errorf("%q is %q, want %q", c.in, got, c.want)
		}
	}
}

func TestClockTimes(t *testing.T) {
	want := time.Date(2026, 3, 2, 12, 0, 0, 500_000_000, time.UTC)
	for _, v := range []any{"2026-03-02T12:00:00.5Z", "2026-03-02T13:00:00.5+01:00", "2026-03-02T13:00:00.5+0100", 1772452800.5, "1772452800500"} {
		if got, ok := clockTime(v); !ok || !got.Equal(want) {
			t.Errorf("%v is %v", v, got)
		}
	}
	for _, v := range []any{nil, "", "yesterday", "2026-03-02T12:00:00", -1.0, 12.0, 1e300, true} {
		if got, ok := clockTime(v); ok {
			t.Errorf("%v is %v", v, got)
		}
	}
}

// A hub that names things without end fills only its own room, what it named
// before stays known, and what it takes back makes room.
func TestMemoryIsBounded(t *testing.T) {
	f := New(nil)
	learn := func(hub string, i int, payload string) error {
		_, _, err := take(f, message(fmt.Sprintf("@%s homeassistant/binary_sensor/e%d/config %s", hub, i, payload), i))
		return err
	}
	full := 0
	for i := range maxPerHub + 50 {
		err := learn("greedy", i, fmt.Sprintf(`{"state_topic":"t/%d","device_class":"door"}`, i))
		if err != nil {
			full++
			if !errors.Is(err, sense.ErrUnreadable) || !errors.Is(err, errFull) {
				t.Fatal(err)
			}
		}
	}
	if full != 50 || f.memory.count != maxPerHub {
		t.Errorf("%d refused, %d kept", full, f.memory.count)
	}
	if err := learn("modest", 1, `{"state_topic":"t/1"}`); err != nil {
		t.Error("another hub has no room:", err)
	}
	if err := learn("greedy", 1, `{"state_topic":"t/other"}`); err != nil {
		t.Error("a change needs no more room:", err)
	}
	if err := learn("greedy", 2, ""); err != nil || learn("greedy", maxPerHub+1, `{"state_topic":"x"}`) != nil {
		t.Error("what was taken back makes no room", err)
	}
	for i := range 200 {
		_ = learn("one", i, `{"state_topic":"same"}`)
	}
	if _, os, _ := take(f, message("@one same ON", 0)); len(os) != maxPerTopic {
		t.Errorf("one topic says %d things", len(os))
	}
	long := strings.Repeat("x", 900)
	for i := range maxPerHub {
		_ = learn("wordy", i, fmt.Sprintf(`{"state_topic":"w/%d","value_template":"{{ value_json.%s }}"}`, i, long))
	}
	if h := f.memory.hubs["wordy"]; h.bytes > maxHubBytes || len(h.entities) < 100 {
		t.Errorf("%d entities of %d bytes", len(h.entities), h.bytes)
	}
	for id, h := range f.memory.hubs {
		for key := range h.entities {
			f.memory.lose(h, key)
		}
		if h.bytes != 0 || len(h.states)+len(h.avail) != 0 {
			t.Errorf("%s: %d bytes, %d topics left", id, h.bytes, len(h.states))
		}
	}
	if f.memory.count != 0 || f.memory.bytes != 0 || len(f.memory.topics) != 0 {
		t.Errorf("%d things, %d bytes, %d topics left", f.memory.count, f.memory.bytes, len(f.memory.topics))
	}
}

// What may say who or where somebody is, is told to the quarantine, and no error
// quotes it.
func TestSecrets(t *testing.T) {
	f := New(nil)
	f.Remember(message(`homeassistant/device_tracker/phone/config {"state_topic":"h/phone"}`, 0))
	for line, want := range map[string]bool{
		`frigate/events {"type":"Anna"}`: true, `frigate/reviews {"type":"new","after":{"id":{"x":"Anna"}}}`: true, `frigate/events Anna`: true,
		`frigate/events {"type":"new","after":{"id":"1","camera":"c","label":"person","start_time":"Anna"}}`: true, `frigate/drive/motion Anna`: false,
		`h/phone Anna`: true, `statestream/person/anna/state x`: true, `homeassistant/device_tracker/phone/state x`: true, `homeassistant/device_tracker/phone/config x`: false,
	} {
		m := message(line, 0)
		secret := false
		for _, d := range f.Dialects() {
			if s, ok := d.(sense.Secretive); ok && d.Matches(m.Topic) {
				secret = secret || s.Secret(m)
			}
		}
		if secret != want {
			t.Errorf("%s: secret is %v", line, secret)
		}
		if _, os, err := take(f, m); want && (err != nil && strings.Contains(err.Error(), "Anna") || len(os) > 0 && os[0].Raw == nil) {
			t.Errorf("%s: %v %v", line, os, err)
		}
	}
}

// After a restart the retained messages bring back what was known, whichever
// comes first, and a panel that is still triggered raises no second alarm.
func TestRemember(t *testing.T) {
	config := `!homeassistant/alarm_control_panel/house/config {"state_topic":"h/panel"}`
	for _, order := range [][]string{{config, "!h/panel triggered"}, {"!h/panel triggered", config}} {
		f := New(nil)
		for i, line := range append(order, "!statestream/alarm_control_panel/a/state armed_away", "!n/alarm_control_panel/e/state triggered", `!zigbee2mqtt/bridge/devices [{"friendly_name":"d","description":"Hall","ieee_address":"0x1"}]`, "!zigbee2mqtt/d {\"contact\":false}") {
			f.Remember(message(line, i))
		}
		for _, c := range []struct {
			line string
			want event.AlarmState
		}{{"!h/panel triggered", event.AlarmStatus}, {"statestream/alarm_control_panel/a/state armed_away", event.AlarmStatus}, {"n/alarm_control_panel/e/state triggered", event.AlarmStatus}, {"h/panel disarmed", event.AlarmNew}} {
			_, os, err := take(f, message(c.line, 9))
			if err != nil || len(os) == 0 || os[0].Alarm.State != c.want {
				t.Errorf("%s: %v %v", c.line, os, err)
			}
		}
		if _, os, _ := take(f, message(`zigbee2mqtt/d {"contact":false}`, 9)); len(os) != 1 || os[0].Reading.Name != "Hall" {
			t.Errorf("%+v", os)
		}
	}
}

// Whatever a panel goes through, a burglary begins and ends by turns, begins only
// as the panel is triggered, and is over when it is set or unset.
func TestPanelsAlarmByTurns(t *testing.T) {
	states := []string{"disarmed", "armed_home", "armed_away", "arming", "pending", "triggered", "disarming", "unavailable", "None", "odd"}
	rapid.Check(t, func(t *rapid.T) {
		f := New(nil)
		f.Remember(message(`homeassistant/alarm_control_panel/p/config {"state_topic":"p"}`, 0))
		alarmed, set, known := false, "", false
		for i, state := range rapid.SliceOf(rapid.SampledFrom(states)).Draw(t, "states") {
			_, os, err := take(f, message("p "+state, i))
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range os {
				switch a := o.Alarm; {
				case a.Category == event.Burglary && a.State == event.AlarmNew:
					if alarmed || state != "triggered" {
						t.Fatalf("an alarm begins at %s, alarmed %v", state, alarmed)
					}
					alarmed = true
				case a.Category == event.Burglary && a.State == event.AlarmRestored:
					if !alarmed && known {
						t.Fatalf("an alarm that is not there ends at %s", state)
					}
					alarmed = false
				case a.Category == event.OpenClose && a.State != event.AlarmStatus:
					if known && set == state {
						t.Fatalf("%s again is a change", state)
					}
					if (a.State == event.AlarmNew) != (state == "disarmed") {
						t.Fatalf("%s is %s", state, a.State)
					}
				}
			}
			switch state {
			case "disarmed", "armed_home", "armed_away":
				set, known = state, true
				if alarmed {
					t.Fatalf("the alarm goes on after %s", state)
				}
			case "triggered":
				set, known = state, true
				if !alarmed {
					t.Fatal("triggered, and no alarm")
				}
			}
		}
	})
}

// Everything of a real home comes through: 1,229 rows, an opening and a closing
// each.
func TestHouseA(t *testing.T) {
	dir := os.Getenv("BLUELAMP_DATA")
	if dir == "" {
		t.Skip("BLUELAMP_DATA is not set: without it there is no real home to read")
	}
	data, err := os.ReadFile(filepath.Join(dir, "sensors", "houseA.sensors"))
	if err != nil {
		t.Fatal(err)
	}
	rows := len(strings.Fields(string(data))) / 3
	opened, closed, ids, sensors := 0, 0, map[event.ID]bool{}, map[string]bool{}
	var last time.Time
	for o, err := range ContactSensorFile("houseA.sensors", strings.NewReader(string(data))) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Received.Before(last) || o.Time.After(o.Received) || ids[o.ID] {
			t.Fatalf("back in time, or again: %+v", o)
		}
		last, ids[o.ID], sensors[o.Device] = o.Received, true, true
		if *o.Reading.Active {
			opened++
		} else {
			closed++
		}
	}
	t.Logf("%d rows: %d opened, %d closed, %d sensors", rows, opened, closed, len(sensors))
	if rows != 1229 || opened != rows || closed != rows || len(sensors) != 14 {
		t.Errorf("%d rows, %d opened, %d closed, %d sensors", rows, opened, closed, len(sensors))
	}
}

func TestContactSensorFile(t *testing.T) {
	var got []string
	for o, err := range ContactSensorFile("x/home.txt", strings.NewReader("100 50 1\nbad\n\n110\t5\t2\n115 0 2\n-1 2 3\n1 2 3 4\n90 1 3\n99999999999999 1 1\n")) {
		if err != nil {
			if !errors.Is(err, ErrContactRow) {
				t.Error(err)
			}
			got = append(got, strings.Fields(err.Error())[2])
			continue
		}
		got = append(got, fmt.Sprintf("%d %s %s %d", o.Time.Unix(), o.Device, o.Reading.State, o.Received.Unix()))
	}
	want := []string{
		"100 home/1 open 100", "2:", "110 home/2 open 110", "115 home/2 closed 115", "115 home/2 open 115",
		"6:", "7:", "90 home/3 open 115", "9:", "91 home/3 closed 115", "115 home/2 closed 115", "150 home/1 closed 150",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
