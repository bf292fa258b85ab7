package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/webhook/webhookclient"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

const open = `{"state": "open"}`

func TestAMessageIsOnDiskWhenItIsAnswered(t *testing.T) {
	d := newRig(t, false)
	for name, fit := range map[string]func(*http.Request){
		"basic":  func(*http.Request) {},
		"bearer": header("Authorization", "bearer "+secret+"hub-7"),
		"header": func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set(DefaultSecretHeader, secret+"hub-7")
		},
	} {
		before := len(d.observed())
		g := d.send("/in/hub-7/json/door/front?event=up", open, fit)
		if g.status != http.StatusNoContent || g.body != "" {
			t.Errorf("%s: %+v", name, g)
		}
		os := d.observed()
		if len(os) != before+1 {
			t.Fatalf("%s: %d observations", name, len(os))
		}
		if o := os[before]; o.Device != "hub-7" || o.Source != mappingSource || o.Premises != "shop" || o.Reading.State != "open" || !strings.Contains(string(o.Raw), "open") {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if g := d.send("/in/hub-7/json/door", squeezed(open), header("Content-Encoding", "gzip")); g.status != http.StatusNoContent {
		t.Errorf("gzip: %+v", g)
	}
	if g := d.send("/enrol/abc", ""); g.status != http.StatusOK || g.body != "enrol /enrol/abc" {
		t.Errorf("mounted: %+v", g)
	}
}

const mappingSource = "mapping"

func TestWhatIsRefusedSaysWhy(t *testing.T) {
	long := strings.Repeat("x", 1001)
	for name, c := range map[string]struct {
		path, body string
		fit        []func(*http.Request)
		status     int
		says       string
		headers    map[string]string
	}{
		"no topic":         {"/in/hub-7", open, nil, 404, "/in/<device id>/<topic>", nil},
		"elsewhere":        {"/", open, nil, 404, "/in/<device id>", nil},
		"a long topic":     {"/in/hub-7/" + strings.Repeat("x", 1100), open, nil, 404, "1 to 1024 bytes", nil},
		"GET":              {"/in/hub-7/json/door", "", []func(*http.Request){func(r *http.Request) { r.Method = http.MethodGet }}, 405, "POST", map[string]string{"Allow": "POST"}},
		"no credential":    {"/in/hub-7/json/door", open, []func(*http.Request){header("Authorization", "")}, 401, "HTTP Basic", map[string]string{"Www-Authenticate": `Basic realm="bluelamp"`}},
		"wrong credential": {"/in/hub-7/json/door", open, []func(*http.Request){as("hub-7", "guess")}, 401, "HTTP Basic", nil},
		"another's path":   {"/in/home-1/json/door", open, nil, 403, "below its own id", nil},
		"a form":           {"/in/hub-7/json/door", open, []func(*http.Request){header("Content-Type", "application/x-www-form-urlencoded")}, 415, "send application/json", nil},
		"brotli":           {"/in/hub-7/json/door", open, []func(*http.Request){header("Content-Encoding", "br")}, 415, "gzip", nil},
		"too large":        {"/in/hub-7/json/door", long, nil, 413, "At most 1000 bytes", nil},
		"a bomb":           {"/in/hub-7/json/door", squeezed(strings.Repeat("x", 100<<20)), []func(*http.Request){header("Content-Encoding", "gzip")}, 413, "At most", nil},
		"a small bomb":     {"/in/hub-7/json/door", squeezed(strings.Repeat("x", 2000)), []func(*http.Request){header("Content-Encoding", "gzip")}, 413, "At most 1000 bytes", nil},
		"broken gzip":      {"/in/hub-7/json/door", "nothing like it", []func(*http.Request){header("Content-Encoding", "gzip")}, 400, "not what its headers say", nil},
		"unknown topic":    {"/in/hub-7/zigbee/door", open, nil, 422, "In quarantine: no dialect", nil},
		"no mapping":       {"/in/hub-7/json/window", open, nil, 422, `no mapping "window" is live`, nil},
		"not readable":     {"/in/hub-7/json/door", `{"stat": 1}`, nil, 422, "no such key: state", nil},
		"no basis":         {"/in/home-1/json/door", open, []func(*http.Request){as("home-1", secret+"home-1")}, 403, "no lawful basis", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newRig(t, false)
			g := d.send(c.path, c.body, c.fit...)
			if g.status != c.status || g.Status != c.status || !strings.Contains(g.Detail, c.says) || g.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s", g.status, g.body)
			}
			for k, v := range c.headers {
				if g.header.Get(k) != v {
					t.Errorf("%s: %q", k, g.header.Get(k))
				}
			}
			for _, o := range d.observed() {
				if o.Kind != event.KindMisuse {
					t.Errorf("observed %+v", o)
				}
			}
			if q := d.quarantined(); (len(q) == 1) != (c.status == 422 || name == "no basis") {
				t.Errorf("quarantined %+v", q)
			}
		})
	}
}

func TestFloodsAreHeldBackAndTold(t *testing.T) {
	d := newRig(t, false)
	counts := map[int]int{}
	var last got
	for range 30 {
		last = d.send("/in/hub-7/json/door", open)
		counts[last.status]++
	}
	if counts[204] != 20 || counts[429] != 10 || last.header.Get("Retry-After") != "1" {
		t.Errorf("%v, retry after %q", counts, last.header.Get("Retry-After"))
	}
	d.set(doorStart.Add(time.Second))
	if g := d.send("/in/hub-7/json/door", open); g.status != 204 {
		t.Errorf("a second later: %+v", g)
	}
	d.stop()
	var told []int
	for _, o := range d.observed() {
		if o.Kind == event.KindMisuse {
			if o.Device != "hub-7" || o.Via != "hub-7" || o.Misuse.What != event.MisuseFlood || o.Misuse.From != "127.0.0.1" {
				t.Errorf("%+v %+v", o, o.Misuse)
			}
			told = append(told, o.Misuse.Count)
		}
	}
	if fmt.Sprint(told) != "[1]" {
		t.Errorf("misuse was told with counts %v", told)
	}
}

func TestWrongCredentialsAreHeldBackByAddress(t *testing.T) {
	d := newRig(t, false)
	if g := d.send("/in/hub-7/json/door", open); g.status != 204 {
		t.Fatalf("%+v", g)
	}
	counts := map[int]int{}
	for i := range 30 {
		counts[d.send("/in/hub-9/json/door", open, as("hub-9", fmt.Sprint(i))).status]++
	}
	if counts[401] != 10 || counts[429] != 20 {
		t.Errorf("%v", counts)
	}
	if g := d.send("/in/hub-7/json/door", open); g.status != 204 {
		t.Errorf("a neighbour that was known is answered %+v", g)
	}
	if g := d.send("/in/home-1/json/door", open, as("home-1", secret+"home-1")); g.status != 429 || g.header.Get("Retry-After") != "6" {
		t.Errorf("one that was not known is answered %+v", g)
	}
	d.set(doorStart.Add(7 * time.Second))
	if g := d.send("/in/hub-9/json/door", open, as("hub-9", "x")); g.status != 401 {
		t.Errorf("later: %+v", g)
	}
	d.set(doorStart.Add(2 * time.Minute))
	d.server.misuse.flush(t.Context())
	d.stop()
	var told []int
	for _, o := range d.observed() {
		if o.Kind == event.KindMisuse {
			if o.Device != unknownDevice || o.Misuse.What != event.MisuseCredential {
				t.Errorf("%+v %+v", o, o.Misuse)
			}
			told = append(told, o.Misuse.Count)
		}
	}
	if fmt.Sprint(told) != "[1 11]" {
		t.Errorf("misuse was told with counts %v", told)
	}
}

func TestABatchIsCountedLineByLine(t *testing.T) {
	d := newRig(t, false)
	nd := header("Content-Type", "application/x-ndjson")
	g := d.send("/in/hub-7/json/door", open+"\n\n{\"state\": 5}\r\n"+open+"\n{}\n{\"state\":\""+strings.Repeat("x", 1000)+"\"}\n", nd)
	want := `{"accepted":3,"quarantined":1,"refused":1,"failed":0,"lines":[` +
		`{"line":6,"status":413,"detail":"At most 1000 bytes a line."},{"line":5,"status":422`
	if g.status != 200 || !strings.HasPrefix(g.body, want) {
		t.Errorf("%d %s", g.status, g.body)
	}
	if os := d.observed(); len(os) != 3 || os[0].Received != os[2].Received {
		t.Errorf("observed %+v", os)
	}
	if g := d.send("/in/hub-7/json/door", strings.Repeat(open+"\n", 21), nd); g.status != 413 || !strings.Contains(g.Detail, "the device may send 20 messages at once") {
		t.Errorf("more than ever: %d %s", g.status, g.body)
	}
	if g := d.send("/in/hub-7/json/door", strings.Repeat(open+"\n", 20), nd); g.status != 429 {
		t.Errorf("more than now: %d %s", g.status, g.body)
	}
	if g := d.send("/in/hub-7/json/door", strings.Repeat(open+"\n", 1001), nd); g.status != 413 || !strings.Contains(g.Detail, "at most 1000 messages") {
		t.Errorf("too many lines: %d %s", g.status, g.body)
	}
	d.log.Close()
	d.set(doorStart.Add(time.Minute))
	if g := d.send("/in/hub-7/json/door", open+"\n"+open, nd); g.status != 503 || !strings.Contains(g.body, `"failed":2`) || g.header.Get("Retry-After") == "" {
		t.Errorf("without a log: %d %s", g.status, g.body)
	}
}

func TestAKeyIsObservedOnce(t *testing.T) {
	d := newRig(t, false)
	key := func(k string) func(*http.Request) { return header("Idempotency-Key", k) }
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if g := d.send("/in/hub-7/json/door", open, key("a")); g.status != 204 {
				t.Errorf("%+v", g)
			}
		})
	}
	wg.Wait()
	if n := len(d.observed()); n != 1 {
		t.Errorf("%d observations", n)
	}
	if g := d.send("/in/hub-7/json/door", `{"state": "closed"}`, key("a")); g.status != 422 || g.Reason != "key" {
		t.Errorf("another message: %+v", g)
	}
	d.set(doorStart.Add(keyFor + time.Minute))
	if g := d.send("/in/hub-7/json/door", open, key("a")); g.status != 204 || len(d.observed()) != 2 {
		t.Errorf("after the window: %+v", g)
	}
	if g := d.send("/in/hub-7/json/door", `{}`, key("b")); g.status != 422 {
		t.Errorf("%+v", g)
	}
	if g := d.send("/in/hub-7/json/door", `{}`, key("b")); g.status != 422 || len(d.quarantined()) != 1 {
		t.Errorf("what went to quarantine goes there once: %+v, %d", g, len(d.quarantined()))
	}
	if g := d.send("/in/hub-7/json/door", open, key(strings.Repeat("k", 201))); g.status != 400 {
		t.Errorf("%+v", g)
	}
}

func TestTheMemoryOfKeysIsBounded(t *testing.T) {
	m := newMemory(func() time.Time { return doorStart })
	for i := range 3 * keysEach {
		r, mine := m.claim("hub-7", fmt.Sprint(i), [32]byte{})
		if !mine {
			t.Fatal(i)
		}
		m.settle("hub-7", r, answer{status: 204})
	}
	if m.n != keysEach || len(m.by["hub-7"]) != keysEach {
		t.Errorf("%d keys, %d of the device", m.n, len(m.by["hub-7"]))
	}
}

// TestWhatTheLogCannotTakeIsAnswered503 fills the disk, as far as the log knows.
func TestWhatTheLogCannotTakeIsAnswered503(t *testing.T) {
	for name, err := range map[string]error{"full": bus.ErrFull, "closed": bus.ErrClosed} {
		for _, sync := range []bool{true, false} {
			d := newRig(t, false)
			d.server.board = broken{err, sync}
			g := d.send("/in/hub-7/json/door", open, header("Idempotency-Key", "a"))
			if g.status != 503 || g.header.Get("Retry-After") != "5" {
				t.Errorf("%s: %+v", name, g)
			}
			d.server.board = broken{}
			if g := d.send("/in/hub-7/json/door", open, header("Idempotency-Key", "a")); g.status != 204 {
				t.Errorf("%s, sent again: %+v", name, g)
			}
		}
	}
}

// broken is a switchboard whose log fails.
type broken struct {
	err  error
	sync bool
}

func (b broken) Take(_ context.Context, _ *sense.Message, done func(error)) error {
	if b.sync && b.err != nil {
		return b.err
	}
	done(b.err)
	return nil
}

// TestCurl: the client that others wrote.
func TestCurl(t *testing.T) {
	path, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv(storetest.RequireAll) == "1" {
			t.Fatal("curl is not installed")
		}
		t.Skip("curl is not installed")
	}
	d := newRig(t, true)
	big := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(big) //nolint:gosec // a file of the test
	must(t, errors.Join(err, f.Truncate(100<<20), f.Close()))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a message":                       {[]string{"-u", "hub-7:" + secret + "hub-7", "-H", "Content-Type: application/json", "-d", open, d.url + "/in/hub-7/json/door/front?x=y"}, "204"},
		"as curl types":                   {[]string{"-u", "hub-7:" + secret + "hub-7", "-d", open, d.url + "/in/hub-7/json/door"}, "415"},
		"a bearer":                        {[]string{"--oauth2-bearer", secret + "hub-7", "--json", open, d.url + "/in/hub-7/json/door"}, "204"},
		"a wrong one":                     {[]string{"-u", "hub-7:x", "--json", open, d.url + "/in/hub-7/json/door"}, "401"},
		"100 MB":                          {[]string{"-u", "hub-7:" + secret + "hub-7", "--json", "@" + big, d.url + "/in/hub-7/json/door"}, "413"},
		"100 MB whose length is not said": {[]string{"-u", "hub-7:" + secret + "hub-7", "-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked", "-T", big, "-X", "POST", d.url + "/in/hub-7/json/door"}, "413"},
	} {
		out, err := exec.CommandContext(t.Context(), path, append([]string{"-s", "-o", os.DevNull, "-w", "%{http_code}"}, c.args...)...).Output() //nolint:gosec // our own arguments
		if got := string(out); got != c.want {
			t.Errorf("%s: %s (%v)", name, got, err)
		}
	}
}

func TestBench(t *testing.T) {
	d := newRig(t, true)
	dev := device("hub-7", "shop")
	dev.Limits.Messages, dev.Limits.Burst = 1e6, 1e6
	must(t, d.reg.PutDevices(t.Context(), "test", dev))
	res, err := webhookclient.Bench(t.Context(), webhookclient.BenchConfig{
		Addr: d.server.Addr(), Clients: 4, Duration: 300 * time.Millisecond, Topic: "json/door",
		Senders: []webhookclient.Sender{{Device: "hub-7", Secret: secret + "hub-7"}},
	})
	must(t, err)
	if res.Acked == 0 || res.Errors > 0 || res.Refused > 0 || res.P50 <= 0 || res.Max < res.P99 {
		t.Errorf("%+v", res)
	}
}

func BenchmarkIngest(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			d := newRig(b, true)
			dev := device("hub-7", "shop")
			dev.Limits.Messages, dev.Limits.Burst = 1e9, 1e9
			must(b, d.reg.PutDevices(b.Context(), "test", dev))
			b.SetParallelism(max(1, clients/2))
			d.client.Transport.(*http.Transport).MaxIdleConnsPerHost = clients //nolint:errcheck // set by newRig
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if g := d.send("/in/hub-7/json/door", open); g.status != 204 {
						b.Errorf("%+v", g)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

var _ Taker = (*sense.Switchboard)(nil)
