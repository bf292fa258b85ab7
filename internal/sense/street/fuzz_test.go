package street

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// sound complains about observations that break what every dialect promises.
func sound(t *testing.T, os []*event.Observation, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, sense.ErrUnreadable) {
		t.Fatalf("another error: %v", err)
	}
	if len(os) > 500 {
		t.Fatalf("%d observations", len(os))
	}
	for _, o := range os {
		if _, err := json.Marshal(o); err != nil {
			t.Fatalf("it cannot be written down: %v", err)
		}
		if o.Place != nil && !o.Place.Valid() {
			t.Fatalf("place %v", *o.Place)
		}
	}
}

func FuzzChirpStack(f *testing.F) {
	for _, kind := range []string{"up", "join", "status", "log", "location", "ack"} {
		f.Add(chirpTopic+kind, []byte(chirpUp(3, "d", `{"temperature":1,"a":{"b":[1,true,{"door":"open"}]},"people_in":3,"lat":1,"lon":2}`)))
	}
	f.Add("chirpstack?event=%zz", []byte(`{"deviceInfo":{"devEui":"a840411f2182b3c4"},"margin":1,"batteryLevel":1e300}`))
	reg := sensors{eui: {ID: "bin", Kind: "bin"}}
	f.Fuzz(func(t *testing.T, topic string, data []byte) {
		d := NewChirpStack(NewCounters(), reg)
		if d.Matches(topic) {
			os, err := d.Observe(message(topic, string(data)))
			sound(t, os, err)
		}
	})
}

func FuzzTTS(f *testing.F) {
	f.Add([]byte(ttsUp(3, "2026-05-01T11:59:59Z", `{"temperature":1}`, `,"normalized_payload":[{"air":{"temperature":20.5}}]`)))
	f.Add([]byte(`{"end_device_ids":{"dev_eui":"A840411F2182B3C4"},"join_accept":{"session_key_id":"x"}}`))
	f.Add([]byte(`{"end_device_ids":{"dev_eui":"A840411F2182B3C4"},"location_solved":{"location":{"latitude":1e300,"longitude":2}}}`))
	reg := sensors{eui: {ID: "bin", Kind: "bin"}}
	f.Fuzz(func(t *testing.T, data []byte) {
		os, err := NewTTS(NewCounters(), reg).Observe(message(ttsTopic+"up", string(data)))
		sound(t, os, err)
	})
}

func FuzzStreets(f *testing.F) {
	f.Add("noise", []byte(`[{"bn":"urn:dev:mac:0024befffe804ff1:","bt":1777636799,"bu":"dBA","n":"laeq","v":63.2},{"n":"x","vb":true,"s":1}]`))
	f.Add("people", []byte(`[{"n":"in","v":12,"bv":1e308},{"n":"in","v":1e308}]`))
	f.Fuzz(func(t *testing.T, what string, data []byte) {
		os, err := (Streets{}).Observe(message("street/"+what+"/x", string(data)))
		sound(t, os, err)
	})
}

func FuzzGunshots(f *testing.F) {
	f.Add([]byte(`[{"id":"1","type":"single","time":1777636799.5,"lat":54.5,"lon":2.5,"accuracy":25,"rounds":4,"zone":"7D"}]`))
	f.Add([]byte(`{"id":"1","time":"2026-05-01T12:00:00Z","lat":1e300,"lon":2.5}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		os, err := (Gunshots{}).Observe(message("gunshot", string(data)))
		sound(t, os, err)
	})
}

func FuzzPlates(f *testing.F) {
	f.Add([]byte(`{"plate":"QX73-ZZK","time":"2026-05-01T12:00:00Z","confidence":0.95,"lane":2,"speed":31.4}`))
	f.Add([]byte(`[{"plate":"qx 73","lane":"L"},{"plate":""}]`))
	p, err := NewPlates(plateKey, nil, 0.8)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		os, err := p.Observe(read(string(data)))
		sound(t, os, err)
		for _, o := range os {
			if o.Plate.Plate != "" || o.Retain != event.RetainDay {
				t.Fatalf("%+v", o.Plate)
			}
		}
	})
}

func FuzzGunshotFile(f *testing.F) {
	f.Add([]byte(gunshotHead + "WashingtonDC7D,53-3,1/27/06 3:35,Single Gunshot,-77.001,38.861\n"))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for o, err := range GunshotFile("f", bytes.NewReader(data)) {
			if (o == nil) == (err == nil) {
				t.Fatal(o, err)
			}
		}
	})
}

func FuzzRecordings(f *testing.F) {
	f.Add([]byte(strings.ReplaceAll(chirpUp(3, "d", `{}`), "\n", "")))
	f.Add([]byte(strings.ReplaceAll(ttsUp(3, "2026-05-01T11:59:59Z", `{}`, ""), "\n", "")))
	f.Add([]byte(`{"tst":"2026-05-01T12:00:00.000000Z+0000","topic":"tts/up","payload":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for o, err := range ChirpStackFile("f", bytes.NewReader(data)) {
			if (o == nil) == (err == nil) {
				t.Fatal(o, err)
			}
		}
		for o, err := range TTSFile("f", bytes.NewReader(data)) {
			if (o == nil) == (err == nil) {
				t.Fatal(o, err)
			}
		}
	})
}
