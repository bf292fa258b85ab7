package mapping_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
)

var arrival = time.Date(2026, 3, 7, 21, 14, 0, 0, time.UTC)

func try(program, topic, body string) ([]*event.Observation, error) {
	return mapping.Try(program, mapping.Input{Topic: topic, Device: "hub-7", Body: []byte(body), Received: arrival})
}

func ptr[T any](v T) *T { return &v }

func TestWhatProgramsYield(t *testing.T) {
	sent := time.Date(2026, 3, 7, 21, 13, 58, 0, time.UTC)
	type obs = event.Observation
	for name, c := range map[string]struct {
		program, topic, body string
		want                 []obs
	}{
		"a contact": {
			`{"property": "contact", "state": body.door == 1 ? "open" : "closed", "active": body.door == 1, "time": body.ts}`,
			"json/door", `{"door": 1, "ts": 1772918038}`,
			[]obs{{Kind: event.KindState, Device: "hub-7", DeviceTime: &sent, Time: sent, Reading: &event.Reading{Property: event.Contact, State: "open", Active: ptr(true)}}},
		},
		"several of one message, by the order of keys": {
			`body.map(k, {"sensor": k, "property": "temperature", "value": body[k]})`,
			"json/rooms", `{"kitchen": 21.5, "bath": 23, "attic": 12}`,
			[]obs{
				{Kind: event.KindMeasure, Device: "hub-7/attic", Reading: &event.Reading{Property: event.Temperature, Value: ptr(12.0), Unit: "Cel"}},
				{Kind: event.KindMeasure, Device: "hub-7/bath", Reading: &event.Reading{Property: event.Temperature, Value: ptr(23.0), Unit: "Cel"}},
				{Kind: event.KindMeasure, Device: "hub-7/kitchen", Reading: &event.Reading{Property: event.Temperature, Value: ptr(21.5), Unit: "Cel"}},
			},
		},
		"helpers": {
			`{"property": "noise", "value": number(body.v), "channel": lower(body.ch), "time": time(body.at), "lat": 54.5, "lon": 2.5, "confidence": 0.5}`,
			"json/noise", `{"v": " 61,5 ", "ch": "LEFT", "at": "1772918038000"}`,
			[]obs{{
				Kind: event.KindMeasure, Device: "hub-7", DeviceTime: &sent, Time: sent, Confidence: 0.5, Place: &place.Point{Lat: 54.5, Lon: 2.5},
				Reading: &event.Reading{Property: event.NoiseLevel, Value: ptr(61.5), Unit: "dB[A]", Channel: "left"},
			}},
		},
		"what is missing has a default": {
			`{"property": "motion", "state": body.?motion.orValue(false) ? "detected" : "clear"}`, "json/m", `{}`,
			[]obs{{Kind: event.KindState, Device: "hub-7", Reading: &event.Reading{Property: event.Motion, State: "clear"}}},
		},
		"an optional entry is left out": {
			`{"property": "contact", "state": "open", ?"time": body.?t, ?"name": body.?n}`, "json/m", `{"n": "Front"}`,
			[]obs{{Kind: event.KindState, Device: "hub-7", Reading: &event.Reading{Property: event.Contact, State: "open", Name: "Front"}}},
		},
		"the topic counts": {
			`{"of": "car", "in": body.n, "lane": path[0], "period_s": 60}`, "json/counter/north?x=y", `{"n": 12}`,
			[]obs{{Kind: event.KindCount, Device: "hub-7", Count: &event.Count{Of: "car", In: 12, Lane: "north", Period: time.Minute}}},
		},
		"health":    {`{"battery_pct": body.b, "firmware": "2.1"}`, "json/h", `{"b": 40}`, []obs{{Kind: event.KindHealth, Device: "hub-7", Health: &event.Health{Battery: ptr(40.0), Firmware: "2.1"}}}},
		"gone":      {`{"kind": "device.gone"}`, "json/h", `{}`, []obs{{Kind: event.KindGone, Device: "hub-7"}}},
		"nothing":   {`body.test ? [] : [{"kind": "device.present"}]`, "json/h", `{"test": true}`, nil},
		"no items":  {`body.items.filter(i, i.on).map(i, {"kind": "device.present"})`, "json/h", `{"items": [{"on": false}]}`, nil},
		"gunshot":   {`{"kind": "acoustic.gunshot", "number": string(body.id), "rounds": "multiple", "lat": body.lat, "lon": body.lon}`, "json/g", `{"id": 7, "lat": 54.5, "lon": 2.5}`, []obs{{Kind: event.KindGunshot, Device: "hub-7", Place: &place.Point{Lat: 54.5, Lon: 2.5}, Gunshot: &event.Gunshot{Number: "7", Rounds: "multiple"}}}},
		"detection": {`{"kind": "camera.detection", "label": body.l, "score": body.s, "zones": body.z, "time": received}`, "json/c", `{"l": "person", "s": 0.9, "z": ["yard"]}`, []obs{{Kind: event.KindDetection, Device: "hub-7", DeviceTime: &arrival, Detection: &event.Detection{Label: "person", Score: 0.9, Zones: []string{"yard"}, Phase: event.PhaseNew, Start: arrival}}}},
	} {
		t.Run(name, func(t *testing.T) {
			os, err := try(c.program, c.topic, c.body)
			if err != nil {
				t.Fatal(err)
			}
			var got []obs
			for _, o := range os {
				got = append(got, *o)
			}
			for i := range c.want {
				w := &c.want[i]
				w.Source, w.Via, w.Received = mapping.Source, "hub-7", arrival
				if w.Time.IsZero() {
					w.Time = arrival
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ program, body, want string }{
		"a slip in a name":      {"{\n  \"state\": bdy.x}", `{}`, "line 2, column 12: undeclared reference to 'bdy' (did you mean 'body'?): a program may use body,"},
		"a missing bracket":     {`{"state": "open"`, `{}`, "line 1, column 17: Syntax error"},
		"a number is yielded":   {`1 + 1`, `{}`, "the program yields a int: it must yield a map"},
		"nothing at all":        {" \n ", `{}`, "the program is empty"},
		"a missing key":         {"{\n  \"property\": body.p}", `{}`, "line 2, column 19: no such key: p: the body lacks it"},
		"an int among doubles":  {`{"property": "noise", "value": body.v * 2}`, `{"v": 1}`, "write 2.0 instead of 2"},
		"text for a number":     {`{"property": "noise", "value": body.v}`, `{"v": "1"}`, "value: a text, want a number: number(x)"},
		"no number":             {`{"property": "noise", "value": number(body.v)}`, `{"v": "loud"}`, `number: "loud" is no number`},
		"no time":               {`{"property": "motion", "state": "x", "time": body.t}`, `{"t": "yesterday"}`, `"yesterday" is neither RFC 3339`},
		"a device's first year": {`{"property": "motion", "state": "x", "time": body.t}`, `{"t": 12}`, "the year 1970 is not of a device's clock"},
		"a slip in a key":       {`{"property": "motion", "stat": "x", "active": true}`, `{}`, `"stat" is no key of sensor.state: use active, channel`},
		"an unknown property":   {`{"property": "moton", "state": "x"}`, `{}`, `property: "moton" is none of [contact motion`},
		"an unknown kind":       {`{"kind": "plate.read"}`, `{}`, "kind: \"plate.read\" is nothing that a mapping may yield: use one of sensor.state"},
		"neither state":         {`{"property": "motion"}`, `{}`, "state: missing, and so is active"},
		"half a place":          {`{"property": "motion", "state": "x", "lat": 5}`, `{}`, "lat and lon belong together"},
		"off the Earth":         {`{"property": "motion", "state": "x", "lat": 95, "lon": 1}`, `{}`, "lat: 95 is not from -90 to 90"},
		"nothing or something":  {`body.x ? null : {"kind": "device.gone"}`, `{"x": true}`, "for nothing write []"},
		"not JSON":              {`{"property": "motion", "state": "x"}`, `{"a": }`, "it is not JSON"},
		"a list of numbers":     {`[1, 2]`, `{}`, "item 1 is a number: it must be a map"},
		"a part of a car":       {`{"of": "car", "in": 1.5}`, `{}`, "in: 1.5 is no whole number"},
		"too many":              {`lists.range(101).map(i, {"kind": "device.gone"})`, `{}`, "it yields 101 things, at most 100"},
		"too much work":         {`lists.range(999).map(i, lists.range(999).map(j, i * j)).map(x, {"kind": "device.gone"})`, `{}`, "does too much with this message"},
		"too much memory":       {`{"property": "motion", "state": ["x"]` + strings.Repeat(".map(x, x + x)", 40) + `[0]}`, `{}`, "limit exceeded"},
		"deep":                  {strings.Repeat("[", 100) + strings.Repeat("]", 100), `{}`, "expression recursion limit exceeded"},
		"long":                  {strings.Repeat(" ", mapping.MaxProgram+1), `{}`, "at most 16384"},
		"a long text":           {`{"property": "motion", "state": body.s}`, `{"s": "` + strings.Repeat("x", 300) + `"}`, "state: 300 bytes of text, at most 200"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try(c.program, "json/x", c.body)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			var placed *mapping.Error
			if !errors.As(err, &placed) && !errors.Is(err, sense.ErrUnreadable) {
				t.Errorf("%T is neither a program's error nor a message's", err)
			}
		})
	}
}

// TestTheSameMessageGivesTheSame: maps have no order in Go, and must have one here.
func TestTheSameMessageGivesTheSame(t *testing.T) {
	body := map[string]float64{}
	for i := range 40 {
		body[fmt.Sprintf("s%02d", i)] = float64(i)
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{
		`body.map(k, {"sensor": k, "property": "noise", "value": body[k]})`,
		`{"b": 1.0, "a": 2.0, "d": 3.0, "c": 4.0}.map(k, {"sensor": k, "property": "noise", "value": body.s00})`,
	} {
		first := ""
		for range 20 {
			os, err := try(program, "json/x", string(data))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, o := range os {
				got += o.Device + " "
			}
			if first == "" {
				first = got
			}
			if got != first {
				t.Fatalf("%s\n%s", first, got)
			}
		}
	}
}

func FuzzBody(f *testing.F) {
	program, err := mapping.Compile(`body.readings.map(r, {"sensor": string(r.id), "property": lower(r.?what.orValue("noise")), "value": number(r.v), ?"time": r.?t})`)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"readings": [{"id": 1, "v": "2,5", "t": 1772918038}]}`))
	f.Add([]byte(`{"readings": [{"id": "x", "v": 1e308, "what": "TEMPERATURE", "t": "2026-03-07T21:14:00+01:00"}]}`))
	f.Add([]byte(`[[[[]]]]`))
	f.Add([]byte(`{"readings": {"a": {"id": null}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		check(t, program, body)
	})
}

func FuzzProgram(f *testing.F) {
	f.Add(`{"property": "contact", "state": body.a}`)
	f.Add(`body.l.map(x, x.map(y, y + y)).filter(z, z != body)[0]`)
	f.Add(`[body.s]` + strings.Repeat(".map(x, x + x)", 5))
	f.Add(`{"state": "%s".format([body]), body.s: time(body.n), "id": body.s.matches("(a*)*b")}`)
	f.Add(`lists.range(1000).map(i, lists.range(1000))`)
	f.Fuzz(func(t *testing.T, text string) {
		program, err := mapping.Compile(text)
		if err != nil {
			return
		}
		check(t, program, []byte(`{"a": "open", "n": 1772918038, "s": "aaaaaaaaaaaaaaaaaaaaaaaa", "l": [[1, 2], [3]], "o": {"p": null}}`))
	})
}

// check holds what a program says to what every observation promises.
func check(t *testing.T, program *mapping.Program, body []byte) {
	t.Helper()
	os, err := program.Observe(mapping.Input{Mapping: "x", Topic: "json/x", Device: "hub-7", Body: body, Received: arrival})
	if err != nil {
		if !errors.Is(err, sense.ErrUnreadable) || len(err.Error()) > 3000 {
			t.Errorf("%d bytes of error: %.300s", len(err.Error()), err)
		}
		return
	}
	if len(os) > mapping.MaxSaid {
		t.Errorf("%d observations", len(os))
	}
	for _, o := range os {
		if _, err := json.Marshal(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
		if o.Kind == "" || o.Place != nil && !o.Place.Valid() {
			t.Errorf("%+v", o)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	for name, c := range map[string]struct{ program, body string }{
		"contact":  {`{"property": "contact", "state": body.door == 1.0 ? "open" : "closed", "time": body.ts}`, `{"door": 1, "ts": 1772918038, "battery": 97, "rssi": -61, "fw": "1.4.2"}`},
		"ten":      {`body.readings.map(r, {"sensor": r.id, "property": lower(r.what), "value": number(r.v), "time": r.t})`, `{"readings": [` + strings.Repeat(`{"id": "a1", "what": "NOISE", "v": "61,5", "t": 1772918038},`, 9) + `{"id": "a1", "what": "NOISE", "v": "61,5", "t": 1772918038}]}`},
		"at limit": {`lists.range(999).map(i, lists.range(999).map(j, i * j)).map(x, {"kind": "device.gone"})`, `{}`},
	} {
		b.Run(name, func(b *testing.B) {
			p, err := mapping.Compile(c.program)
			if err != nil {
				b.Fatal(err)
			}
			in := mapping.Input{Mapping: "x", Topic: "json/x", Device: "hub-7", Body: []byte(c.body), Received: arrival}
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				_, _ = p.Observe(in)
			}
		})
	}
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			if _, err := mapping.Compile(`{"property": "contact", "state": body.door == 1.0 ? "open" : "closed", "time": body.ts}`); err != nil {
				b.Fatal(err)
			}
		}
	})
}
