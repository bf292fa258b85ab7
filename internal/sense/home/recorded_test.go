package home_test

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/detect/alarm"
	detecthome "github.com/bluelamp/bluelamp/internal/detect/home"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/home"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// program finds a program that a test needs.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("BLUELAMP_REQUIRE_ALL") != "" {
			t.Fatalf("no %s, and BLUELAMP_REQUIRE_ALL is set", name)
		}
		t.Skipf("no %s on this machine", name)
	}
	return path
}

// until waits for something that a program does in its own time.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for range 400 {
		if ok() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("it did not happen within 10 s")
}

// recording is what the real mosquitto_sub recorded of an evening at a home, with
// everything that its broker carries.
func recording(t *testing.T) []byte {
	t.Helper()
	broker, sub, pub := program(t, "mosquitto"), program(t, "mosquitto_sub"), program(t, "mosquitto_pub")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	b := exec.Command(broker, "-c", conf)
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Process.Kill(); _ = b.Wait() }()
	until(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	publish := func(topic, payload string, more ...string) {
		cmd := exec.Command(pub, append([]string{"-p", port, "-q", "1", "-t", topic, "-s"}, more...)...)
		cmd.Stdin = strings.NewReader(payload)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", topic, err, out)
		}
	}
	publish("homeassistant/alarm_control_panel/house/config", `{"name":"House","state_topic":"house/alarm","availability_topic":"house/here"}`, "-r")
	var out bytes.Buffer
	file, err := os.Create(filepath.Join(dir, "evening.json"))
	if err != nil {
		t.Fatal(err)
	}
	messages := []struct{ topic, payload string }{
		{"house/alarm", "armed_away"},
		{"zigbee2mqtt/front_door", `{"contact":false,"battery":90,"linkquality":100}`},
		{"frigate/drive/person/snapshot", "\xff\xd8\xff\x00\x10JFIF"},
		{"frigate/events", `{"type":"new","before":{},"after":{"id":"1.1-a","camera":"drive","label":"person","top_score":0.8,"start_time":` + fmt.Sprint(time.Now().Unix()) + `,"sub_label":"Anna"}}`},
		{"house/alarm", "pending"},
		{"house/alarm", "triggered"},
		{"zigbee2mqtt/landing", `{"smoke":true}`},
		{"zigbee2mqtt/café", `{"water_leak":"perhaps"}`},
		{"house/alarm", "triggered"},
		{"house/here", "offline"},
		{"zigbee2mqtt/landing", `{"smoke":false}`},
		{"house/alarm", "disarmed"},
	}
	rec := exec.Command(sub, "-p", port, "-t", "#", "-F", "%j", "-C", fmt.Sprint(len(messages)+1), "-W", "30")
	rec.Stdout = file
	if err := rec.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { s, err := os.Stat(file.Name()); return err == nil && s.Size() > 0 })
	for _, m := range messages {
		publish(m.topic, m.payload)
	}
	if err := rec.Wait(); err != nil {
		t.Fatal("mosquitto_sub:", err)
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	out.Write(data)
	return out.Bytes()
}

// What the real mosquitto_sub recorded at a home replays to the alerts that the
// evening deserves: the triggered panel by the detector of alarms, the rest by
// that of homes.
func TestAnEveningRecorded(t *testing.T) {
	data := recording(t)
	var all []*event.Observation
	errs := 0
	for _, read := range []func(string, io.Reader) iter.Seq2[*event.Observation, error]{home.HomeAssistantFile, home.Zigbee2MQTTFile, home.FrigateFile} {
		for o, err := range read("evening.json", bytes.NewReader(data)) {
			if err != nil {
				if !strings.Contains(err.Error(), "water_leak: expected true or false") {
					t.Error(err)
				}
				errs++
				continue
			}
			if bytes.Contains(o.Raw, []byte("Anna")) {
				t.Errorf("a name is kept: %s", o.Raw)
			}
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(a, b *event.Observation) int { return a.Received.Compare(b.Received) })
	if len(all) != 13 || errs != 1 {
		t.Errorf("%d observations, %d errors", len(all), errs)
	}
	run := detect.NewRun(alarm.New(alarm.Default()), detecthome.New())
	var got []string
	for _, o := range all {
		for _, a := range run.Observe(o) {
			got = append(got, a.Rule+" "+string(a.Kind))
		}
	}
	want := []string{"alarm-intruder intruder.unconfirmed", "home-smoke fire", "home-lost device.silent", "home-smoke alarm.restored", "alarm-intruder alarm.restored"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// A switchboard hands each topic to the dialect that says most about it, keeps no
// names, and gives repeated messages that carry their time the same id.
func TestSwitchboard(t *testing.T) {
	f := home.New(nil)
	s := sense.NewSwitchboard(nil, f.Dialects()...)
	dev := &registry.Device{ID: "hub-7"}
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for i, c := range []struct{ topic, payload, dialect, device string }{
		{"homeassistant/binary_sensor/0x1/contact/config", `{"state_topic":"zigbee2mqtt/door","device_class":"door"}`, home.NameHomeAssistant, ""},
		{"homeassistant/lock/back/config", `{"state_topic":"my/own/lock"}`, home.NameHomeAssistant, ""},
		{"zigbee2mqtt/door", `{"contact":true}`, home.NameZigbee2MQTT, "hub-7/door"},
		{"my/own/lock", `LOCKED`, home.NameHomeAssistant, "hub-7/back"},
		{"frigate/drive/motion", `ON`, home.NameFrigate, "hub-7/drive"},
		{"tele/plug/LWT", `Online`, home.NameTasmota, "hub-7/plug"},
		{"hall/binary_sensor/door/state", `ON`, home.NameESPHome, "hub-7/hall"},
	} {
		os, dialect, err := s.Understand(&sense.Message{Device: dev, Topic: c.topic, Payload: []byte(c.payload), Received: at.Add(time.Duration(i) * time.Second)})
		if err != nil || dialect != c.dialect {
			t.Errorf("%s: %s %v", c.topic, dialect, err)
		}
		for _, o := range os {
			if o.Device != c.device || o.ID == "" || o.Via != "hub-7" {
				t.Errorf("%s: %+v", c.topic, o)
			}
		}
	}
	timed := `{"contact":true,"last_seen":"2026-03-02T11:59:00Z"}`
	ids := map[event.ID]bool{}
	for i := range 3 {
		os, _, err := s.Understand(&sense.Message{Device: dev, Topic: "zigbee2mqtt/door", Payload: []byte(timed), Retained: i == 2, Received: at.Add(time.Duration(i) * time.Minute)})
		if err != nil || len(os) != 1 || !os[0].Time.Equal(at.Add(-time.Minute)) {
			t.Fatal(os, err)
		}
		ids[os[0].ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("the same message, %d times observed", len(ids))
	}
}
