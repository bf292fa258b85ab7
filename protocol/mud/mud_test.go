package mud

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func camera(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/camera.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	p, err := Parse(camera(t))
	if err != nil {
		t.Fatal(err)
	}
	want := &Profile{
		URL: "https://maker.example/camera-3.json", Version: 1, LastUpdate: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), CacheValidity: 24 * time.Hour,
		Supported: true, SystemInfo: "A doorbell with a camera", Maker: "Maker", Model: "Camera 3", Signature: "https://maker.example/camera-3.p7s",
		Ignored: []string{`IP condition "dscp"`},
	}
	if d := cmp.Diff(want, p, cmpopts.IgnoreFields(Profile{}, "From", "To"), cmpopts.EquateApproxTime(0)); d != "" {
		t.Error(d)
	}
	var got []string
	for _, rules := range [][]Rule{p.From, p.To} {
		for i := range rules {
			got = append(got, rules[i].Name+": "+rules[i].String())
		}
	}
	if d := cmp.Diff([]string{
		"no-telnet: TCP over IPv4 to port 23",
		"cloud: TCP over IPv4 to cloud.maker.example to port 443 begun by the device",
		"updates: TCP over IPv4 to 203.0.113.0/24 to ports 8000 to 8010",
		"siblings: UDP over IPv4 to ports 40000 to 65535 with devices of the same maker",
		"hub: TCP over IPv4 to port 8883 with controllers of the class urn:example:hub",
		"mine: TCP over IPv4 to port 1883 with its own controller",
		"ping: ICMP over IPv4 type 8 code 0 with the local networks",
		"strange: anything over IPv4 on conditions that are not understood",
		"cloud6: TCP over IPv6 to cloud.maker.example to port 443",
		"ping6: ICMPv6 over IPv6 type 128",
		"cloud-back: TCP over IPv4 from cloud.maker.example from port 443 begun by the device",
		"view: TCP over IPv4 to any port but 22 with the local networks",
		"model: UDP over IPv4 to ports 0 to 1024 with devices of the model https://maker.example/panel.json",
		"vendor: UDP over IPv4 to port 5000 with devices of partner.example",
	}, got); d != "" {
		t.Error(d)
	}
}

// network knows a home.
func network() *Network {
	return &Network{
		Names: func(a netip.Addr) []string {
			switch a {
			case ip("198.51.100.7"), ip("2001:db8::7"):
				return []string{"other.example", "CLOUD.maker.example."}
			case ip("198.51.100.8"):
				return []string{"evil.example"}
			}
			return nil
		},
		MUDURL: func(a netip.Addr) string {
			switch a {
			case ip("10.0.0.5"):
				return "https://maker.example/panel.json"
			case ip("10.0.0.6"):
				return "https://partner.example/lamp.json"
			}
			return ""
		},
		Controllers:   map[string][]netip.Prefix{"urn:example:hub": {netip.MustParsePrefix("10.0.0.9/32")}},
		MyControllers: []netip.Prefix{netip.MustParsePrefix("10.0.0.10/32")},
	}
}

func TestAllows(t *testing.T) {
	p, err := Parse(camera(t))
	if err != nil {
		t.Fatal(err)
	}
	tcp := func(remote string, port uint16) Flow {
		return Flow{Proto: protoTCP, Device: ip("10.0.0.2"), Remote: ip(remote), DevicePort: 40000, RemotePort: port}
	}
	udp := func(remote string, port uint16) Flow {
		f := tcp(remote, port)
		f.Proto = protoUDP
		return f
	}
	ping := func(device, remote string, proto, kind, code uint8) Flow {
		return Flow{Proto: proto, Device: ip(device), Remote: ip(remote), ICMPType: kind, ICMPCode: code}
	}
	// back turns a conversation round: the remote host calls the device's port.
	back := func(f Flow) Flow {
		f.DevicePort, f.RemotePort = f.RemotePort, f.DevicePort
		return f
	}
	for name, c := range map[string]struct {
		f     Flow
		began Direction
		want  string // "+rule", "?rule", "-rule"
	}{
		"its cloud":                        {tcp("198.51.100.7", 443), FromDevice, "+v4-from/cloud"},
		"its cloud, mapped":                {tcp("::ffff:198.51.100.7", 443), FromDevice, "+v4-from/cloud"},
		"its cloud over IPv6":              {tcp("2001:db8::7", 443), FromDevice, "+v6-from/cloud6"},
		"its cloud on another port":        {tcp("198.51.100.7", 80), FromDevice, "-"},
		"another name":                     {tcp("198.51.100.8", 443), FromDevice, "-"},
		"a name that is not known":         {tcp("198.51.100.9", 443), FromDevice, "?v4-from/cloud"},
		"a range of ports":                 {tcp("203.0.113.200", 8010), FromDevice, "+v4-from/updates"},
		"beyond it":                        {tcp("203.0.113.200", 8011), FromDevice, "-"},
		"what is forbidden":                {tcp("203.0.113.200", 23), FromDevice, "-v4-from/no-telnet"},
		"a device of the same maker":       {udp("10.0.0.5", 40000), FromDevice, "+v4-from/siblings"},
		"a device of another maker":        {udp("10.0.0.6", 40000), FromDevice, "-"},
		"a device without MUD":             {udp("10.0.0.7", 40000), FromDevice, "-"},
		"a controller of a class":          {tcp("10.0.0.9", 8883), FromDevice, "+v4-from/hub"},
		"no controller":                    {tcp("10.0.0.8", 8883), FromDevice, "-"},
		"its controller":                   {tcp("10.0.0.10", 1883), FromDevice, "+v4-from/mine"},
		"a ping at home":                   {ping("10.0.0.2", "10.0.0.3", protoICMP, 8, 0), FromDevice, "+v4-from/ping"},
		"a ping elsewhere":                 {ping("10.0.0.2", "198.51.100.3", protoICMP, 8, 0), FromDevice, "-"},
		"a ping over IPv6":                 {ping("fd00::2", "2001:db8::3", protoICMPv6, 128, 0), FromDevice, "+v6-from/ping6"},
		"another protocol":                 {Flow{Proto: 47, Device: ip("10.0.0.2"), Remote: ip("198.51.100.3")}, FromDevice, "-"},
		"DNS at home":                      {udp("10.0.0.1", 53), FromDevice, "+"},
		"DNS elsewhere":                    {udp("198.51.100.1", 53), FromDevice, "-"},
		"NTP at home":                      {udp("10.0.0.1", 123), FromDevice, "+"},
		"a scan for telnet":                {tcp("198.51.100.44", 23), FromDevice, "-v4-from/no-telnet"},
		"its cloud calls it":               {tcp("198.51.100.7", 443), ToDevice, "-"},
		"a viewer at home":                 {back(tcp("10.0.0.3", 554)), ToDevice, "+v4-to/view"},
		"SSH at home":                      {back(tcp("10.0.0.3", 22)), ToDevice, "-"},
		"a viewer elsewhere":               {back(tcp("198.51.100.3", 554)), ToDevice, "-"},
		"a panel of the model":             {back(udp("10.0.0.5", 1000)), ToDevice, "+v4-to/model"},
		"a panel of the model, other port": {back(udp("10.0.0.5", 1025)), ToDevice, "-"},
		"a partner's lamp":                 {back(udp("10.0.0.6", 5000)), ToDevice, "+v4-to/vendor"},
	} {
		v := p.Allows(c.f, c.began, network())
		sign := map[bool]string{true: "+", false: "-"}[v.Allowed]
		if v.Unsure {
			sign = "?"
		}
		if got := sign + v.Rule; got != c.want || v.Reason == "" || v.Unsure && v.Allowed {
			t.Errorf("%s: %s, want %s (%s)", name, got, c.want, v.Reason)
		}
	}
	// Without knowing the network, what depends on it is unsure.
	for _, f := range []Flow{tcp("198.51.100.7", 443), tcp("10.0.0.9", 8883), tcp("10.0.0.10", 1883), udp("10.0.0.5", 40000)} {
		if v := p.Allows(f, FromDevice, nil); !v.Unsure {
			t.Errorf("%s: %+v", f.Remote, v)
		}
	}
	v := p.Allows(tcp("198.51.100.9", 8080), FromDevice, network())
	if want := "TCP to 198.51.100.9 port 8080: outside, for no rule allows it"; v.Reason != want {
		t.Errorf("%q, want %q", v.Reason, want)
	}
}

func TestBadFiles(t *testing.T) {
	good := string(camera(t))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"no JSON":                {"{", ErrInvalid},
		"no MUD":                 {"{}", ErrInvalid},
		"another version":        {strings.Replace(good, `"mud-version": 1`, `"mud-version": 2`, 1), ErrInvalid},
		"no URL":                 {strings.Replace(good, "https://maker.example/camera-3.json", "camera", 1), ErrInvalid},
		"no time":                {strings.Replace(good, "2026-01-02T", "yesterday", 1), ErrInvalid},
		"no such list":           {strings.Replace(good, `[{"name": "v4-from"}`, `[{"name": "v5-from"}`, 1), ErrInvalid},
		"a list twice":           {strings.Replace(good, `"name": "v6-from", "type"`, `"name": "v4-from", "type"`, 1), ErrInvalid},
		"no action":              {strings.Replace(good, `"forwarding": "drop"`, `"forwarding": "perhaps"`, 1), ErrInvalid},
		"no prefix":              {strings.Replace(good, "203.0.113.0/24", "203.0.113.0/99", 1), ErrInvalid},
		"two protocols":          {strings.Replace(good, `"protocol": 6`, `"protocol": 17`, 1), ErrInvalid},
		"a range turned round":   {strings.Replace(good, `"upper-port": 8010`, `"upper-port": 1`, 1), ErrInvalid},
		"no port":                {strings.Replace(good, `"port": 23`, `"x": 23`, 1), ErrInvalid},
		"a port beyond the last": {strings.Replace(good, `"port": 23`, `"port": 70000`, 1), ErrInvalid},
		"no operator":            {strings.Replace(good, `"operator": "gte"`, `"operator": "ge"`, 1), ErrInvalid},
		"no direction":           {strings.Replace(good, `"from-device", "destination`, `"sideways", "destination`, 1), ErrInvalid},
		"too large":              {strings.Repeat(" ", MaxFile) + good, ErrTooLarge},
	} {
		if c.text == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := Parse([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestLibrary(t *testing.T) {
	good := camera(t)
	l, err := NewLibrary(fstest.MapFS{
		"a.json":      {Data: good},
		"b.json":      {Data: good},
		"c.JSON":      {Data: []byte(strings.Replace(string(good), "camera-3.json", "camera-4.json", 1))},
		"d.json":      {Data: []byte("{}")},
		"e.p7s":       {Data: []byte("signature")},
		"deep/f.json": {Data: []byte("{}")},
	})
	if err == nil || !strings.Contains(err.Error(), "b.json has the mud-url of a.json") || !strings.Contains(err.Error(), "d.json: ") {
		t.Errorf("error: %v", err)
	}
	if got := l.Profiles(); len(got) != 2 || l.Find("https://maker.example/camera-4.json") != got[1] || l.Find("https://x.example/") != nil {
		t.Errorf("%d profiles", len(got))
	}
	if l, err := NewLibrary(os.DirFS("testdata/none")); err == nil || len(l.Profiles()) != 0 {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(camera(f))
	f.Add([]byte(`{"ietf-mud:mud":{"mud-version":1,"mud-url":"https://a.example/x","from-device-policy":{"access-lists":{"access-list":[{"name":"a"}]}}},"ietf-access-control-list:access-lists":{"acl":[{"name":"a","aces":{"ace":[{"matches":{"tcp":{"source-port-range-or-operator":{"port-range":{"lower-port":1}}}},"actions":{"forwarding":"accept"}}]}}]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := Parse(in)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		for _, proto := range []uint8{protoTCP, protoUDP, protoICMP, 99} {
			for _, began := range []Direction{FromDevice, ToDevice} {
				for _, remote := range []string{"198.51.100.7", "2001:db8::7", "10.0.0.5"} {
					v := p.Allows(Flow{Proto: proto, Device: ip("10.0.0.2"), Remote: ip(remote), RemotePort: 443, DevicePort: 80}, began, network())
					if v.Reason == "" || v.Allowed && v.Unsure {
						t.Fatalf("%+v", v)
					}
				}
			}
		}
	})
}
