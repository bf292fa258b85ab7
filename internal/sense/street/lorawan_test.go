package street

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

const eui = "a840411f2182b3c4"

// chirpUp makes an uplink as ChirpStack sends it: fields that are nought are left
// out.
func chirpUp(counter int, dedup string, object string) string {
	cnt := ""
	if counter > 0 {
		cnt = fmt.Sprintf(`"fCnt": %d,`, counter)
	}
	return fmt.Sprintf(`{"deduplicationId":"%s","time":"2026-05-01T11:59:59.5+00:00",
	 "deviceInfo":{"tenantId":"52f14cd4-c6f1-4fbd-8f87-4025e1d49242","tenantName":"City","applicationId":"17c82e96-be03-4f38-aef3-f83d48582d97","applicationName":"Streets",
	 "deviceProfileId":"14855bf7-d10d-4aee-b618-ebfcb64dc7ad","deviceProfileName":"EM300","deviceName":"mill-lane-3","devEui":"%s","tags":{"ward":"east"}},
	 "devAddr":"01fc2a3b","adr":true,"dr":5,%s"fPort":85,"data":"AWdMAmg=","object":%s,
	 "rxInfo":[{"gatewayId":"0016c001f1500812","uplinkId":4217106255,"rssi":-97,"snr":4.5,"channel":2,"location":{"latitude":54.51,"longitude":2.52},"context":"EFwMtA=="},
	 {"gatewayId":"0016c001f1500999","uplinkId":1,"rssi":-80,"snr":9.25}],
	 "txInfo":{"frequency":868100000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":7,"codeRate":"CR_4_5"}}}}`, dedup, eui, cnt, object)
}

const chirpTopic = "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/" + eui + "/event/"

// ttsUp makes an uplink as The Things Stack sends it.
func ttsUp(counter int, at, decoded, more string) string {
	cnt := ""
	if counter > 0 {
		cnt = fmt.Sprintf(`"f_cnt": %d,`, counter)
	}
	return fmt.Sprintf(`{"end_device_ids":{"device_id":"bin-12","application_ids":{"application_id":"streets"},"dev_eui":"A840411F2182B3C4","join_eui":"A840410000000100","dev_addr":"260B1C2D"},
	 "correlation_ids":["gs:uplink:01HW"],"received_at":"%s",
	 "uplink_message":{"session_key_id":"AY+2Hj==","f_port":2,%s"frm_payload":"DEU=","decoded_payload":%s%s,
	 "rx_metadata":[{"gateway_ids":{"gateway_id":"town-hall","eui":"B827EBFFFE8E0001"},"rssi":-71,"channel_rssi":-71,"snr":8.2,"uplink_token":"Ch4="}],
	 "settings":{"data_rate":{"lora":{"bandwidth":125000,"spreading_factor":9,"coding_rate":"4/5"}},"frequency":"867500000","timestamp":4177},
	 "received_at":"%s","consumed_airtime":"0.061696s"}}`, at, cnt, decoded, more, at)
}

const ttsTopic = "v3/streets@ttn/devices/bin-12/"

func observe(t *testing.T, d sense.Dialect, topic, payload string) []*event.Observation {
	t.Helper()
	if !d.Matches(topic) {
		t.Fatalf("%s does not match %s", d.Name(), topic)
	}
	os, err := d.Observe(message(topic, payload))
	if err != nil {
		t.Fatalf("%s: %v", topic, err)
	}
	return os
}

func TestChirpStack(t *testing.T) {
	status := `{"deduplicationId":"d9","time":"2026-05-01T11:00:00Z","deviceInfo":{"devEui":"` + eui + `"},"margin":10,"batteryLevel":93.31}`
	for _, tt := range []struct{ name, topic, payload string }{
		{"chirpstack-up", chirpTopic + "up", chirpUp(7, "d1", `{"temperature":21.4,"humidity":63,"battery":88,"door":"open","occupied":false,"nested":{"co2":417},"odd":"text","unknown_number":7,"flag":true,"bad":null}`)},
		{"chirpstack-webhook", "chirpstack?event=up", chirpUp(0, "d2", `{"people_in":12,"people_out":9,"line_1_in":3,"line_1_out":4,"line_1_total_in":1203,"batV":3.61,"leak":1,"tamper_status":"normal","TempC_SHT":-4.5,"temperature_2":9,"laeq":61.5,"lafmax":88,"light":true,"dim":40}`)},
		{"chirpstack-no-object", chirpTopic + "up", chirpUp(9, "d3", `null`)},
		{"chirpstack-join", chirpTopic + "join", `{"deduplicationId":"d5","time":"2026-05-01T10:00:00Z","deviceInfo":{"devEui":"` + eui + `"},"devAddr":"01FC2A3B"}`},
		{"chirpstack-status", chirpTopic + "status", status},
		{"chirpstack-status-mains", chirpTopic + "status", strings.Replace(status, `"margin":10`, `"externalPowerSource":true`, 1)},
		{"chirpstack-log", chirpTopic + "log", `{"time":"2026-05-01T10:00:00Z","deviceInfo":{"devEui":"` + eui + `"},"level":"WARNING","code":"UPLINK_F_CNT_RESET","description":"Frame-counter reset or rollover detected"}`},
		{"chirpstack-log-codec", chirpTopic + "log", `{"time":"2026-05-01T10:00:00Z","deviceInfo":{"devEui":"` + eui + `"},"level":"ERROR","code":"UPLINK_CODEC","description":"Exception"}`},
		{"chirpstack-ack", chirpTopic + "ack", `{"deduplicationId":"d6","deviceInfo":{"devEui":"` + eui + `"},"acknowledged":true}`},
		{"chirpstack-location", chirpTopic + "location", `{"deviceInfo":{"devEui":"` + eui + `"},"location":{"latitude":54.5,"longitude":2.5}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			golden(t, tt.name, readings(observe(t, NewChirpStack(NewCounters(), nil), tt.topic, tt.payload)))
		})
	}
}

func TestTTS(t *testing.T) {
	at := "2026-05-01T11:59:59.123456789Z"
	for _, tt := range []struct{ name, topic, payload string }{
		{"tts-up", ttsTopic + "up", ttsUp(42, at, `{"fill_level":71,"distance":431,"bat_v":3.3,"lid_open":false}`, `,"last_battery_percentage":{"f_cnt":40,"value":95.4}`)},
		{"tts-webhook-normalised", "tts/up", ttsUp(0, at, `{"temp":21,"Bat":3.1}`, `,"normalized_payload":[{"air":{"temperature":20.5,"relativeHumidity":44,"pressure":1003},"battery":3.1,"action":{"motion":{"detected":true},"contactState":"closed"}}]`)},
		{"tts-join", ttsTopic + "join", `{"end_device_ids":{"device_id":"bin-12","dev_eui":"A840411F2182B3C4","dev_addr":"260B1C2E"},"received_at":"` + at + `","join_accept":{"session_key_id":"AY+3AA==","app_s_key":{"key":"U0VDUkVUU0VDUkVUU0VDUg==","kek_label":"x"},"received_at":"` + at + `"}}`},
		{"tts-down", ttsTopic + "down/sent", `{"end_device_ids":{"dev_eui":"A840411F2182B3C4"},"received_at":"` + at + `","downlink_sent":{"session_key_id":"x","app_s_key":"y"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			os := observe(t, NewTTS(NewCounters(), nil), tt.topic, tt.payload)
			golden(t, tt.name, readings(os))
			for _, o := range os {
				if o.Raw == nil || strings.Contains(string(o.Raw), "s_key\"") || strings.Contains(string(o.Raw), "U0VDUkVU") {
					t.Errorf("Raw is %q", o.Raw)
				}
			}
		})
	}
}

// What cannot be read says why, and what to do.
func TestUnreadable(t *testing.T) {
	c, s := NewChirpStack(NewCounters(), nil), NewTTS(NewCounters(), nil)
	for _, tt := range []struct {
		d              sense.Dialect
		topic, payload string
		want           string
	}{
		{c, chirpTopic + "up", "\x0a\x24\x33\x65", "choose JSON"},
		{c, chirpTopic + "up", "", "empty"},
		{c, chirpTopic + "up", `{"devEUI":"qEBBHyGCs8Q="}`, "ChirpStack v4"},
		{c, chirpTopic + "up", `{"deviceInfo":{"devEui":"xyz"}}`, "16 hexadecimal"},
		{c, chirpTopic + "up", `{"deviceInfo":{"devEui":"0102030405060708"}}`, "the topic is of device"},
		{c, chirpTopic + "up", `{"deviceInfo":{"devEui":"` + eui + `"},"devAddr":"1"}`, "8 hexadecimal"},
		{c, chirpTopic + "up", `{"deviceInfo":{"devEui":"` + eui + `"},"data":"*"}`, "not base64"},
		{c, "chirpstack", `{"deviceInfo":{"devEui":"` + eui + `"}}`, "?event="},
		{s, ttsTopic + "up", `{"dev_id":"x"}`, "Things Stack v3"},
		{s, ttsTopic + "up", `{"end_device_ids":{},"uplink_message":{}}`, "16 hexadecimal"},
		{s, ttsTopic + "up", "\xff", "JSON"},
	} {
		_, err := tt.d.Observe(message(tt.topic, tt.payload))
		if !errors.Is(err, sense.ErrUnreadable) || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s %q: %v, want %q", tt.topic, tt.payload, err, tt.want)
		}
	}
}

func TestMatches(t *testing.T) {
	all := []sense.Dialect{NewChirpStack(nil, nil), NewTTS(nil, nil), Gunshots{}, Streets{}, &Plates{}}
	for topic, want := range map[string]string{
		chirpTopic + "up": "chirpstack", "chirpstack?event=up": "chirpstack", "chirpstack": "chirpstack", "chirpstacks": "",
		"application/1/device/2/command/down": "", "application/1/device/2/event": "",
		ttsTopic + "up": "tts", ttsTopic + "down/queued": "tts", "tts/up": "tts", "tts": "tts", "v3/x/gateways/y/up": "",
		"gunshot": "gunshot", "gunshot/7d": "gunshot", "gunshots": "", "street/noise/x": "street", "anpr/gate?x=1": "anpr", "": "",
	} {
		got := ""
		for _, d := range all {
			if d.Matches(topic) {
				got += d.Name()
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", topic, got, want)
		}
	}
}

// A device that the registry knows by its DevEUI is called so.
func TestDeviceIsFound(t *testing.T) {
	bin := &registry.Device{ID: "bin-12", Kind: "bin"}
	for name, tt := range map[string]struct {
		reg  sensors
		want string
	}{
		"unknown":               {sensors{"city-lns": lns}, "city-lns/" + eui},
		"alias below server":    {sensors{"city-lns": lns, "city-lns/" + eui: bin}, "city-lns/" + eui},
		"alias is the DevEUI":   {sensors{"city-lns": lns, eui: bin}, eui},
		"both, the longer wins": {sensors{"city-lns": lns, eui: bin, "city-lns/" + eui: bin}, "city-lns/" + eui},
	} {
		for _, o := range observe(t, NewChirpStack(NewCounters(), tt.reg), chirpTopic+"up", chirpUp(1, "d", `{"temperature":1}`)) {
			if o.Device != tt.want {
				t.Errorf("%s: %s, want %s", name, o.Device, tt.want)
			}
		}
	}
}

// Where a thing is may be kept, where a person is may not: neither as a place,
// nor as a reading, nor in the bytes.
func TestPositions(t *testing.T) {
	object := `{"latitude":54.501,"longitude":2.503,"altitude":3,"gps":{"lat":54.501,"lng":2.503},"temperature":3}`
	for kind, keep := range map[string]bool{"bin": true, "sensor": true, "tracker": false, "": false, "wearable": false} {
		reg := sensors{"city-lns": lns, eui: {ID: "x", Kind: kind}}
		for _, o := range observe(t, NewChirpStack(NewCounters(), reg), chirpTopic+"up", chirpUp(1, "d", object)) {
			if (o.Place != nil) != keep || o.Kind == event.KindUplink && strings.Contains(string(o.Raw), "54.501") != keep {
				t.Errorf("%q: place %v, raw %q", kind, o.Place, o.Raw)
			}
			if o.Reading != nil && o.Reading.Property != event.Temperature {
				t.Errorf("%q: %+v", kind, o.Reading)
			}
		}
		at := observe(t, NewChirpStack(NewCounters(), reg), chirpTopic+"location", `{"deviceInfo":{"devEui":"`+eui+`"},"location":{"latitude":54.5,"longitude":2.5}}`)
		if (len(at) == 1) != keep {
			t.Errorf("%q: %d locations", kind, len(at))
		}
	}
}

func TestReadingsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"a":0`)
	for i := range 300 {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	b.WriteString("}")
	os := observe(t, NewChirpStack(NewCounters(), nil), chirpTopic+"up", chirpUp(1, "d", b.String()))
	last := os[len(os)-1]
	if len(os) != maxQuantities+1 || last.Radio == nil || last.Radio.Labels["left_out"] != "251" {
		t.Errorf("%d observations, %v", len(os), last.Radio)
	}
}

// Ids follow from the message: the same one again says the same, whenever it comes.
func TestIdsAreStable(t *testing.T) {
	c := NewChirpStack(NewCounters(), nil)
	first := observe(t, c, chirpTopic+"up", chirpUp(5, "d", `{"temperature":1,"humidity":2}`))
	m := message(chirpTopic+"up", chirpUp(5, "d", `{"temperature":1,"humidity":2}`))
	m.Received = noon.Add(time.Hour)
	again, err := c.Observe(m)
	if err != nil || len(first) != 3 || len(again) != 3 {
		t.Fatalf("%d, then %d: %v", len(first), len(again), err)
	}
	ids := map[event.ID]bool{}
	for i := range first {
		if first[i].ID != again[i].ID || ids[first[i].ID] {
			t.Errorf("observation %d: %s and %s", i, first[i].ID, again[i].ID)
		}
		ids[first[i].ID] = true
	}
}

// A frame that was recorded and is played again says nothing of its sensors.
func TestReplayIsRefused(t *testing.T) {
	for name, d := range map[string]sense.Dialect{"chirpstack": NewChirpStack(NewCounters(), nil), "tts": NewTTS(NewCounters(), nil)} {
		up := func(n int) (string, string) {
			at := noon.Add(time.Duration(n) * time.Hour).Format(time.RFC3339)
			if name == "tts" {
				return ttsTopic + "up", ttsUp(n, at, `{"temperature":1}`, "")
			}
			return chirpTopic + "up", strings.ReplaceAll(chirpUp(n, fmt.Sprint("d", n), `{"temperature":1}`), "2026-05-01T11:59:59.5+00:00", at)
		}
		for n := 100; n < 110; n++ {
			topic, payload := up(n)
			if os := observe(t, d, topic, payload); len(os) != 2 {
				t.Fatalf("%s: frame %d: %s", name, n, readings(os))
			}
		}
		for i := range 40 {
			topic, payload := up(101)
			os := observe(t, d, topic, payload)
			told := i < sayAll || (i+1)&i == 0
			if told != (len(os) == 1) {
				t.Fatalf("%s: replay %d: %s", name, i+1, readings(os))
			}
			if told && (os[0].Kind != event.KindMisuse || os[0].Misuse.What != event.MisuseReplay || os[0].Misuse.Count != i+1 || !strings.Contains(os[0].Misuse.Detail, "101 after 109")) {
				t.Errorf("%s: %s", name, readings(os))
			}
		}
		topic, payload := up(112)
		if os := observe(t, d, topic, payload); len(os) != 2 || os[1].Radio.Missed != 2 {
			t.Errorf("%s: after the replay: %s", name, readings(os))
		}
	}
}
