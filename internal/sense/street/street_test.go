package street

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

func TestStreets(t *testing.T) {
	for _, tt := range []struct{ name, topic, payload string }{
		{"noise", "street/noise/mill-lane", `[{"bn":"urn:dev:mac:0024befffe804ff1:","bt":1777636799,"bu":"dBA","n":"laeq","v":63.2},{"n":"lafmax","v":88.1}]`},
		{"people", "street/people/bridge", `[{"n":"in","v":12},{"n":"out","v":3},{"n":"inside","v":40}]`},
		{"traffic", "street/traffic/ring-road", `[{"n":"cars_in","v":120},{"n":"trucks_in","v":9},{"n":"speed","u":"m/s","v":10},{"n":"count","v":129}]`},
		{"air", "street/air/school", `[{"bn":"air:","n":"pm2_5","u":"kg/m3","v":1.2e-8},{"n":"temperature","u":"K","v":293.15},{"n":"humidity","u":"%RH","v":40},{"n":"co2","u":"ppm","v":600}]`},
		{"light", "street/light/17", `[{"n":"lamp","vb":true},{"n":"dim","u":"/","v":0.4},{"n":"battery","u":"%EL","v":80}]`},
		{"bin", "street/bin/12", `[{"n":"fill","u":"/","v":0.71},{"n":"lid","vs":"open"},{"n":"energy","s":12.5,"u":"J"}]`},
		{"two-moments", "street/other/x", `[{"n":"wind","bt":1777636799,"v":1},{"n":"wind","t":-60,"v":2}]`},
		{"base-only", "street/door/x", `[{"bn":"a:"},{"n":"door","vb":false},{"n":"latitude","u":"lat","v":54.5}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			os := observe(t, Streets{}, tt.topic, tt.payload)
			var times []string
			for _, o := range os {
				times = append(times, o.Time.Format(time.RFC3339))
			}
			golden(t, "street-"+tt.name, readings(os)+strings.Join(times, " ")+"\n")
		})
	}
}

func TestSenML(t *testing.T) {
	for _, tt := range []struct{ payload, want string }{
		{
			`[{"bn":"a:","bt":1777636799.5,"bv":10,"bu":"Cel","n":"t","v":1.5},{"n":"u","u":"%RH","v":-1,"t":2}]`,
			"a:t Cel 11.5 2026-05-01T11:59:59.5Z\na:u %RH 9 2026-05-01T12:00:01.5Z\n",
		},
		{`[{"n":"t","v":1},{"n":"t","v":2,"t":-5}]`, "t  1 now\nt  2 2026-05-01T11:59:55Z\n"},
		{`[{"n":"t","v":1,"unknown":3}]`, "t  1 now\n"},
		{`[{"n":"t","v":1,"must_":3}]`, "must be understood"},
		{`[{"bver":10,"n":"t","v":1}]`, "t  1 now\n"},
		{`[{"bver":26,"n":"t","v":1}]`, "t  1 now\n"},
		{`[{"bver":11,"n":"t","v":1}]`, "version 11"},
		{`[{"n":"t","v":1,"vs":"x"}]`, "2 values"},
		{`[{"n":"-t","v":1}]`, "character"},
		{`[{"v":1}]`, "its name has 0 bytes"},
		{`[{"n":"t","v":1,"t":1e300}]`, "out of all bounds"},
		{`[]`, "0 SenML records"},
		{`{"n":"t"}`, "list of SenML records"},
		{`[{"n":"t","v":"1"}]`, "cannot unmarshal"},
	} {
		got, err := senml([]byte(tt.payload), noon)
		var b strings.Builder
		for _, r := range got {
			at := "now"
			if !r.at.IsZero() {
				at = r.at.Format(time.RFC3339Nano)
			}
			fmt.Fprintf(&b, "%s %s %v %s\n", r.name, r.unit, *r.value, at)
		}
		if err != nil {
			if !errors.Is(err, sense.ErrUnreadable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.payload, err)
			}
		} else if b.String() != tt.want {
			t.Errorf("%s:\n%s", tt.payload, b.String())
		}
	}
}

func TestStreetTopics(t *testing.T) {
	for topic, want := range map[string]string{"street/noise": "street/<what>/<sensor>", "street/x/y": "want one of air, bin", "street/noise/": "want street/", "street": "want street/"} {
		if _, err := (Streets{}).Observe(message(topic, `[{"n":"t","v":1}]`)); !errors.Is(err, sense.ErrUnreadable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", topic, err)
		}
	}
}

func TestStreetsAreBounded(t *testing.T) {
	pack := `[{"bn":"x"}` + strings.Repeat(`,{"n":"q%d","v":1}`, 60) + "]"
	for i := range 60 {
		pack = strings.Replace(pack, "%d", fmt.Sprint(i), 1)
	}
	if _, err := (Streets{}).Observe(message("street/other/x", pack)); !errors.Is(err, sense.ErrUnreadable) || !strings.Contains(err.Error(), "60 quantities of one time") {
		t.Error(err)
	}
}

func TestGunshots(t *testing.T) {
	good := `{"id":"7D-1","type":"Multiple Gunshots","time":"2026-05-01T13:59:58+02:00","lat":54.5,"lon":2.5,"accuracy":25,"rounds":4,"zone":"7D","confidence":0.9}`
	os := observe(t, Gunshots{}, "gunshot/7d", "["+good+`,{"id":"2","time":1777636799,"lat":54.5,"lon":2.5},{"id":"3","type":"fireworks","time":1777636799,"lat":54.5,"lon":2.5}]`)
	golden(t, "gunshot", readings(os))
	if os[0].Time != noon.Add(-2*time.Second) || os[0].Confidence != 0.9 || os[0].ID == os[1].ID {
		t.Errorf("%+v", os[0])
	}
	for from, to := range map[string]string{
		`"lat":54.5`: `"lat":0.001`, `"lon":2.5`: `"x":1`, `"id":"7D-1"`: `"id":""`, `"rounds":4`: `"rounds":-1`, `"accuracy":25`: `"accuracy":1e9`, `0.9`: `9`, `"2026-05-01T13:59:58+02:00"`: `"yesterday"`,
	} {
		bad := strings.Replace(good, from, to, 1)
		if from == `"lat":54.5` {
			bad = strings.Replace(bad, `"lon":2.5`, `"lon":0`, 1)
		}
		if _, err := (Gunshots{}).Observe(message("gunshot", bad)); !errors.Is(err, sense.ErrUnreadable) {
			t.Errorf("%s: %v", to, err)
		}
	}
	swapped := strings.Replace(strings.Replace(good, "54.5", "-77.1", 1), `"lon":2.5`, `"lon":98.8`, 1)
	if _, err := (Gunshots{}).Observe(message("gunshot", strings.Replace(swapped, `"lat":-77.1,"lon":98.8`, `"lat":98.8,"lon":-77.1`, 1))); err == nil || !strings.Contains(err.Error(), "swapped") {
		t.Errorf("%v", err)
	}
}

const gunshotHead = "Coverage Area,Incident ID,Date Time,Type,Longitude-100meter,Latitude-100meter\n"

func TestGunshotRows(t *testing.T) {
	for row, want := range map[string]string{
		"WashingtonDC7D,53-3,1/27/06 3:35,Single Gunshot,-77.001,38.861":    "2006-01-27T08:35:00Z single",
		"WashingtonDC7D,53-3,7/27/06 3:35,Multiple Gunshots,-77.001,38.861": "2006-07-27T07:35:00Z multiple",
		"WashingtonDC7D,1,3/11/07 2:18,Single Gunshot,-77.004,38.838":       "2007-03-11T07:18:00Z single", // the clocks skipped it
		"WashingtonDC7D,1,11/4/07 1:30,Single Gunshot,-77.004,38.838":       "2007-11-04T05:30:00Z single", // they showed it twice
		"WashingtonDC7D,1,11/4/07 2:00,Single Gunshot,-77.004,38.838":       "2007-11-04T07:00:00Z single",
		"WashingtonDC1D,9,11/8/12 11:07,Multiple Gunshots,-0.002,0.001":     "line 2: impossible position: the position 0.00100, -0.00200 is where latitude and longitude are nought",
		"WashingtonDC1D,9,11/8/12 11:07,Multiple Gunshots,38.861,-77.001":   "are swapped",
		"WashingtonDC1D,9,11/8/12 11:07,Multiple Gunshots,-76.0,38.861":     "lies outside WashingtonDC",
		"WashingtonDC1D,9,11/8/12 11:07,Multiple Gunshots,NaN,38.861":       "is not a number",
		"WashingtonDC1D,9,11/8/12 11:07,Multiple Gunshots,x,38.861":         "is not a number of degrees",
		"WashingtonDC1D,9,11/8/12 11:07,Multiple Gunshots,-200,38.861":      "not on the Earth",
		"WashingtonDC1D,9,13/8/12 11:07,Multiple Gunshots,-77.001,38.861":   "is not month/day/year",
		"WashingtonDC1D,9,11/8/12 11:07,Cannon,-77.001,38.861":              "the type is",
		"Gotham,9,11/8/12 11:07,Single Gunshot,-77.001,38.861":              "no city whose time zone",
		"WashingtonDC1D,,11/8/12 11:07,Single Gunshot,-77.001,38.861":       "must have 1 to",
		"WashingtonDC1D,9,11/8/12 11:07,Single Gunshot":                     "4 columns, want 6",
		"WashingtonDC1D,\"9,11/8/12 11:07,Single Gunshot,-77.001,38.861":    "line 2",
	} {
		n := 0
		for o, err := range GunshotFile("f.csv", strings.NewReader(gunshotHead+row+"\n")) {
			n++
			got := fmt.Sprint(err)
			if o != nil {
				got = o.Time.Format(time.RFC3339) + " " + o.Gunshot.Rounds
			}
			if !strings.Contains(got, want) || (o == nil) == (err == nil) {
				t.Errorf("%s: %s", row, got)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d rows", row, n)
		}
	}
	for _, err := range GunshotFile("f.csv", strings.NewReader("a,b\n1,2\n")) {
		if err == nil || !strings.Contains(err.Error(), "the header is not") {
			t.Errorf("%v", err)
		}
	}
}

func TestFiles(t *testing.T) {
	up := func(n int) string {
		return strings.Join(strings.Fields(strings.ReplaceAll(chirpUp(n, fmt.Sprint("d", n), `{"temperature":1}`), "\n", " ")), " ")
	}
	join := `{"deduplicationId":"j","time":"2026-05-01T12:00:30Z","deviceInfo":{"devEui":"` + eui + `"},"devAddr":"01fc2a3c"}`
	quoted := fmt.Sprintf("{\"tst\":\"2026-05-01T12:00:00.000000Z+0000\",\"topic\":%q,\"qos\":0,\"retain\":0,\"payload\":%%s}\n", chirpTopic+"up")
	for name, src := range map[string]string{
		"bodies":   up(1) + "\n\n" + up(2) + "\nnot json\n{}\n" + up(1) + "\n" + join,
		"recorded": fmt.Sprintf(quoted, up(1)) + fmt.Sprintf(quoted, up(2)),
	} {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			var received time.Time
			for o, err := range ChirpStackFile("lns.jsonl", strings.NewReader(src)) {
				if err != nil {
					fmt.Fprintln(&got, "error:", err)
					continue
				}
				fmt.Fprintf(&got, "%s %s", o.Received.Format(time.TimeOnly), readings([]*event.Observation{o}))
				if o.Received.Before(received) || o.ID == "" || o.Source != "chirpstack" {
					t.Errorf("%+v", o)
				}
				received = o.Received
			}
			golden(t, "file-"+name, got.String())
		})
	}
	n := 0
	for o, err := range TTSFile("app.jsonl", strings.NewReader(strings.ReplaceAll(ttsUp(3, "2026-05-01T11:59:59Z", `{"t":1}`, ""), "\n", ""))) {
		if err != nil || o.Device != "app/"+eui {
			t.Error(o, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d observations", n)
	}
}

// No number that a device can send becomes a reading that cannot be written down.
func TestNumbersAreFinite(t *testing.T) {
	for _, o := range observe(t, NewChirpStack(NewCounters(), nil), chirpTopic+"up", chirpUp(1, "d", `{"a":1e308,"temperature":-1e308,"battery":1e300,"people_in":1e300,"co2":-0.0}`)) {
		if o.Reading != nil && o.Reading.Value != nil && (math.IsInf(*o.Reading.Value, 0) || math.IsNaN(*o.Reading.Value)) {
			t.Errorf("%+v", o.Reading)
		}
	}
}
