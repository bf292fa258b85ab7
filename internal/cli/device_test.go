package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// deviceBench runs commands on devices in a data directory of its own.
type deviceBench struct {
	t    *testing.T
	data string
}

func newDeviceBench(t *testing.T) *deviceBench {
	t.Helper()
	b := &deviceBench{t: t, data: t.TempDir()}
	b.with(func(e *env, log *bus.Log, reg *registry.Registry) {
		err := reg.Put(e.ctx, "test", registry.Premises{ID: "home-1", Name: "Home 1", Kind: "home", Place: place.Point{Lat: 54, Lon: 2}, Basis: event.Contract})
		if err != nil {
			t.Fatal(err)
		}
	})
	return b
}

func (b *deviceBench) env(in string) (*env, *bytes.Buffer) {
	out := &bytes.Buffer{}
	r := &root{Config: app.Config{Data: b.data, Reserve: 1, LogLevel: "error"}}
	k, err := kong.New(r, kong.Resolvers(&configFile{}))
	if err != nil {
		b.t.Fatal(err)
	}
	parsed, err := k.Parse([]string{"version", "--data", b.data, "--reserve", "1"})
	if err != nil {
		b.t.Fatal(err)
	}
	e := &env{IO: IO{In: strings.NewReader(in), Out: out, Err: out}, ctx: b.t.Context(), root: r, kong: k, parsed: parsed, file: &configFile{}}
	e.logger = newLogger(out, r.Config)
	return e, out
}

// with works on the log and the registry as a server would.
func (b *deviceBench) with(fn func(*env, *bus.Log, *registry.Registry)) {
	b.t.Helper()
	e, _ := b.env("")
	log, err := openLog(e)
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	reg, err := openRegistry(e, log)
	if err != nil {
		b.t.Fatal(err)
	}
	fn(e, log, reg)
}

// run parses a command's arguments and runs it.
func (b *deviceBench) run(in string, args ...string) (string, error) {
	b.t.Helper()
	var cmd struct {
		Device deviceCmd `cmd:""`
	}
	k, err := kong.New(&cmd)
	if err != nil {
		b.t.Fatal(err)
	}
	parsed, err := k.Parse(append([]string{"device"}, args...))
	if err != nil {
		b.t.Fatal(err)
	}
	e, out := b.env(in)
	err = parsed.Run(e)
	return out.String(), err
}

func (b *deviceBench) ok(want string, args ...string) string {
	b.t.Helper()
	got, err := b.run("", args...)
	if err != nil {
		b.t.Fatalf("%v: %v\n%s", args, err, got)
	}
	if !regexp.MustCompile(want).MatchString(got) {
		b.t.Errorf("%v says\n%swant %s", args, got, want)
	}
	return got
}

func (b *deviceBench) file(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

const twoDevices = `id,name,kind,premises,speaks,reporting,basis,consent_given,owner,aliases,lat,lon
hub-7,Hub of number 7,hub,home-1,zigbee2mqtt;ha,15m,consent,2026-01-01,Wilhelmina Quill,,,
bin-3,"Bin, Quay",sensor,,,25h,,,,70b3d57ed005,54.5,2.5
`

func TestDeviceImportSaysWhatItWouldChange(t *testing.T) {
	b := newDeviceBench(t)
	b.ok("No devices yet", "list")
	f := b.file("two.csv", twoDevices)
	got := b.ok(`2 devices would be added, 0 changed; 0 unchanged. Nothing was changed.`, "import", "--dry-run", f)
	for _, want := range []string{"+ hub-7 (line 2)", "    reporting: 15m0s", "    owner: (personal)", "+ bin-3 (line 3)", "    lat: 54.5"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Quill") {
		t.Error("personal data are on the screen")
	}
	b.ok("No devices yet", "list")
	b.ok(`^2 devices added, 0 changed; 0 unchanged.\n$`, "import", f)
	b.ok(`^0 devices added, 0 changed; 2 unchanged.\n$`, "import", f)
	b.ok(`bin-3 +Bin, Quay +sensor +- +unheard +never +-\nhub-7 +Hub of number 7 +hub +home-1 +unheard`, "list")

	// What the file has no column for stays; what it leaves empty goes.
	less := b.file("less.jsonl", `{"id": "hub-7", "firmware": "2.0", "reporting": "", "speaks": ["ha"]}`+"\n\n"+`{"id":"cam","name":"Camera","burst":20}`+"\n")
	want := `+ cam (line 3)
    name: Camera
    burst: 20
~ hub-7 (line 1)
    firmware: (none) -> 2.0
    speaks: zigbee2mqtt;ha -> ha
    reporting: 15m0s -> (none)
1 device would be added, 1 changed; 0 unchanged. Nothing was changed.
`
	if got := b.ok("", "import", "--dry-run", less); got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
	var plan devicePlan
	if err := json.Unmarshal([]byte(b.ok("", "import", "--json", less)), &plan); err != nil || !plan.Imported || len(plan.Added) != 1 || plan.Changed[0].Fields[0].New != "2.0" {
		t.Errorf("%+v, %v", plan, err)
	}
	b.with(func(_ *env, _ *bus.Log, reg *registry.Registry) {
		d, err := reg.Device("hub-7")
		if err != nil || d.Owner.Name != "Wilhelmina Quill" || d.Firmware != "2.0" || d.Reporting != 0 || d.Consent == nil || len(d.Speaks) != 1 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestDeviceImportNamesEveryWrongLine(t *testing.T) {
	b := newDeviceBench(t)
	bad := b.file("bad.csv", `id,name,premises,basis,reporting,lat,lon,aliases
good,Good,,,,,,x
a b,Spaces,,,,,,
far,Far,none,,,,,
why,Why,,whim,,,,
when,When,,,soon,,,
half,Half,,,,54,,
pole,Pole,,,,154,3,
twin,Twin,,,,,,x
good,Again,,,,,,
short,row
`)
	out, err := b.run("", "import", bad)
	if err == nil {
		t.Fatal("it was imported")
	}
	for _, want := range []string{
		"line 3: device \"a b\": the id", "line 4: device \"far\": there are no premises", "line 5: device \"why\": unknown lawful basis",
		"line 6: column reporting: \"soon\" is not a span", "line 7: lat and lon go together", "line 8: device \"pole\": the place",
		"line 9: alias x of device twin belongs to device good already", "line 10: device \"good\" is there twice", "line 11: wrong number of fields",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q:\n%v", want, err)
		}
	}
	if !strings.Contains(out, "1 device would be added") {
		t.Error(out)
	}
	if _, err := b.run(`{"id":"a","name":"A","colour":"red"}`+"\n[]\n"+`{"id":"a","name":{"x":1}}`, "import", "--format", "jsonl", "-"); err == nil ||
		!strings.Contains(err.Error(), `line 1: the field "colour"`) || !strings.Contains(err.Error(), "line 2: not one JSON object") || !strings.Contains(err.Error(), "line 3: field name") {
		t.Error(err)
	}
	for _, c := range []struct{ text, want string }{
		{"id,colour\n", "the column \"colour\""}, {"name\n", "lacks the column \"id\""}, {"id,id\n", "twice"}, {"", "header"},
	} {
		if _, err := b.run(c.text, "import", "-"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	b.ok("No devices yet", "list")
}

func TestDeviceEnrolRotateRevoke(t *testing.T) {
	b := newDeviceBench(t)
	b.ok("2 devices added", "import", b.file("two.csv", twoDevices))
	got := b.ok(`https://in.example/enrol#[\w-]{43}\n`, "enrol", "hub-7", "--enrol-at", "https://in.example/enrol")
	if strings.Count(got, "█") < 200 || !strings.Contains(got, "curl -H") {
		t.Error(got)
	}
	b.ok(`"token":"[\w-]{43}"`, "enrol", "bin-3", "--json")
	got = b.ok("base_topic: hub-7/zigbee2mqtt", "enrol", "hub-7", "--now", "--mqtt-at", "mqtts://in.example:8884")
	secret := regexp.MustCompile(`password   ([\w-]{43})`).FindStringSubmatch(got)
	if secret == nil || !strings.Contains(got, "mosquitto_pub -h in.example -p 8884 --tls-use-os-certs -u hub-7 -P "+secret[1]) {
		t.Fatal(got)
	}
	second := regexp.MustCompile(`[\w-]{43}`).FindString(b.ok("shown once", "rotate", "hub-7", "--overlap", "1h", "--why", "yearly"))
	opens := func(want bool, secrets ...string) {
		t.Helper()
		b.with(func(_ *env, _ *bus.Log, reg *registry.Registry) {
			for _, s := range secrets {
				if _, err := reg.Authenticate("hub-7", s); (err == nil) != want {
					t.Errorf("%v, want %v", err, want)
				}
			}
		})
	}
	opens(true, secret[1], second)
	b.ok("consent for device hub-7 has ended", "withdraw", "hub-7", "--why", "she rang")
	b.ok("consent withdrawn", "list", "hub-7")
	b.ok("hub-7 is revoked", "revoke", "hub-7", "--why", "stolen")
	opens(false, secret[1], second)
	b.ok("hub-7 .* revoked", "list", "--state", "revoked")
	b.ok("stays void", "reinstate", "hub-7", "--why", "found again")
	if _, err := b.run("", "revoke", "nothing", "--why", "x"); err == nil || !strings.Contains(err.Error(), "device list") {
		t.Error(err)
	}
	var actions []string
	b.with(func(e *env, log *bus.Log, _ *registry.Registry) {
		err := log.Each(e.ctx, bus.Audit, 0, func(r bus.Record) error {
			var a audit.Entry
			defer func() { actions = append(actions, string(a.Action)+" "+a.Why) }()
			if strings.Contains(string(r.Data), secret[1]) || strings.Contains(string(r.Data), second) {
				t.Error("a password is on the audit log")
			}
			return json.Unmarshal(r.Data, &a)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	want := "devices.imported |device.invited |device.invited |device.invited |device.enrolled |device.rotated yearly|device.consent-withdrawn she rang|device.revoked stolen|device.reinstated found again"
	if got := strings.Join(actions, "|"); got != want {
		t.Errorf("recorded %s\nwant %s", got, want)
	}
}

func TestDeviceShow(t *testing.T) {
	b := newDeviceBench(t)
	b.ok("2 devices added", "import", b.file("two.csv", twoDevices))
	b.with(func(e *env, log *bus.Log, reg *registry.Registry) {
		in := sense.NewIntake(log, clock.Wall(), reg, e.logger, nil)
		battery, temp := 9.0, 21.456
		for i, o := range []*event.Observation{
			{Kind: event.KindHealth, Device: "hub-7/door", Health: &event.Health{Battery: &battery}},
			{Kind: event.KindState, Device: "hub-7/door", Reading: &event.Reading{Property: event.Contact, State: "open"}},
			{Kind: event.KindMeasure, Device: "70b3d57ed005", Reading: &event.Reading{Property: event.Temperature, Value: &temp, Unit: "Cel"}},
		} {
			o.ID, o.Source, o.Via = event.NewID(string(rune(i))), "test", "hub-7"
			if i == 2 {
				o.Via = "bin-3"
			}
			if err := in.ObserveAll(e.ctx, o); err != nil {
				t.Fatal(err)
			}
		}
	})
	b.ok(`hub-7 .* heard .* battery`, "list", "--state", "attention")
	b.ok(`temperature +21.46 °C`, "show", "bin-3")
	b.ok(`(?s)Device +bin-3.*temperature`, "show", "70b3d57ed005") // by its alias
	got := b.ok(`(?s)battery 9 %.*is personal data of a home`, "show", "hub-7")
	if strings.Contains(got, "open") || strings.Contains(got, "Quill") {
		t.Errorf("personal data without a purpose:\n%s", got)
	}
	b.ok(`(?s)Owner +Wilhelmina Quill.*contact +open`, "show", "hub-7", "--purpose", "safeguard", "--why", "not seen for days")
	var shown shownDevice
	if err := json.Unmarshal([]byte(b.ok("", "show", "hub-7", "--json")), &shown); err != nil || !shown.Withheld || len(shown.Twins) != 1 || shown.Owner != nil {
		t.Errorf("%+v, %v", shown, err)
	}
}

func FuzzDeviceFile(f *testing.F) {
	f.Add(twoDevices, false)
	f.Add(`{"id":"a","name":"b","speaks":["x"],"lat":1e99}`, true)
	f.Add("id,name\n\"a", false)
	f.Fuzz(func(t *testing.T, text string, lines bool) {
		read := csvDevices
		if lines {
			read = jsonDevices
		}
		got, _, err := read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, l := range got {
			d := registry.Device{ID: l.fields["id"]}
			if _, err := amended(&d, l, deviceFields()); err == nil {
				_ = d.Check()
			}
		}
	})
}
