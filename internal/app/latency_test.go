package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// The load of BenchmarkSocketToFeed.
const (
	feedPanels  = 32
	feedRate    = 1000 // signals a second
	feedEvery   = 50   // every so many opens an incident: 20 a second
	feedVictims = 6000 // premises, each of which has one incident at most
)

// BenchmarkSocketToFeed measures a signal's way through the whole platform: from
// the moment at which its panel is to write it, until a signed-in browser reads
// the incident that it opens from the live feed. The load is an open loop: a
// platform that falls behind is not spared the signals that are due. An
// operation is a signal.
func BenchmarkSocketToFeed(b *testing.B) {
	cfg := testConfig(b.TempDir(), "127.0.0.1:0")
	cfg.HTTP = "127.0.0.1:0"
	p := start(b, cfg, feedRegistry()...)
	watch := newFeedWatch(b, p)
	offerLoad(b, p, feedEvery, watch.expect)
	for deadline := time.Now().Add(30 * time.Second); watch.waiting() > 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	if k := watch.waiting(); k > 0 {
		b.Fatalf("%d incidents did not reach the browser", k)
	}
	reportTimes(b, watch.times())
}

// offerLoad has panels send feedRate signals a second, an operation each. One in
// every opens an incident, which expect is told of.
func offerLoad(b *testing.B, p *platform, every int, expect func(premises string, due time.Time)) {
	b.Helper()
	lines := make([]*panelLine, feedPanels)
	for i := range lines {
		lines[i] = newPanelLine(b, p.DC09Addr())
	}
	n, victims := 0, 0
	begun := time.Now()
	b.ResetTimer()
	for b.Loop() {
		due := begun.Add(time.Duration(n) * time.Second / feedRate)
		time.Sleep(time.Until(due))
		account, data := fmt.Sprintf("%04X", n%feedPanels), "Nri1/RP0000"
		if n%every == 0 && victims < feedVictims {
			account, data = fmt.Sprintf("B%05X", victims), "Nri1/BA001"
			expect("v"+account, due)
			victims++
		}
		frame := wire(b, "SIA-DCS|#"+account+"|"+data, uint16(n%9999)+1)
		lines[n%feedPanels].frames <- frame
		n++
	}
	b.StopTimer()
	b.ReportMetric(float64(n)/time.Since(begun).Seconds(), "signals/s")
	b.Cleanup(func() {
		for _, l := range lines {
			l.close()
		}
	})
}

// reportTimes reports the quantiles of sorted times.
func reportTimes(b *testing.B, times []time.Duration) {
	b.Helper()
	at := func(q float64) float64 {
		return float64(times[min(int(q*float64(len(times))), len(times)-1)].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(float64(len(times)), "incidents")
}

// feedRegistry has panels that report in peace, and premises far enough apart
// that each alarm is an incident of its own.
func feedRegistry() []registry.Premises {
	var ps []registry.Premises
	put := func(number string, i int, lat float64) {
		ps = append(ps, registry.Premises{
			ID: "v" + number, Name: "Premises " + number, Place: place.Point{Lat: lat + float64(i/80)/25, Lon: float64(i%80) / 25},
			Accounts: []registry.Account{{Number: number, Class: "none"}},
		})
	}
	for i := range feedPanels {
		put(fmt.Sprintf("%04X", i), i, 60)
	}
	for i := range feedVictims {
		put(fmt.Sprintf("B%05X", i), i, 50)
	}
	return ps
}

// panelLine is a connection that sends without waiting for replies.
type panelLine struct {
	conn   net.Conn
	frames chan []byte
	wg     sync.WaitGroup
}

func newPanelLine(b *testing.B, addr string) *panelLine {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	l := &panelLine{conn: c, frames: make(chan []byte, 100_000)}
	l.wg.Go(func() {
		for f := range l.frames {
			if _, err := c.Write(f); err != nil {
				b.Errorf("a panel cannot send: %v", err)
				return
			}
		}
	})
	l.wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
	return l
}

func (l *panelLine) close() {
	close(l.frames)
	_ = l.conn.Close()
	l.wg.Wait()
}

// feedWatch reads the live feed as a browser does.
type feedWatch struct {
	mu   sync.Mutex
	due  map[string]time.Time // by premises, until its incident comes
	took []time.Duration
}

func newFeedWatch(b *testing.B, p *platform) *feedWatch {
	b.Helper()
	w := &feedWatch{due: map[string]time.Time{}}
	ctx, stop := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/api/v1/stream", nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := p.browser().Do(req)
	if err != nil {
		b.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		b.Fatalf("the feed is answered %s", res.Status)
	}
	done := make(chan struct{})
	go func() { defer close(done); w.read(b, res.Body) }()
	b.Cleanup(func() { stop(); <-done; _ = res.Body.Close() })
	return w
}

func (w *feedWatch) read(b *testing.B, r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	kind := ""
	for lines.Scan() {
		if k, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			kind = k
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if kind == "resync" {
			b.Error("the browser was too slow and is told to read the list")
		}
		if kind == "incident" {
			w.saw(b, data)
		}
	}
}

func (w *feedWatch) saw(b *testing.B, data string) {
	now := time.Now()
	var in struct {
		Premises struct {
			ID string `json:"id"`
		} `json:"premises"`
	}
	if err := json.Unmarshal([]byte(data), &in); err != nil {
		b.Errorf("an event cannot be read: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if due, ok := w.due[in.Premises.ID]; ok {
		w.took = append(w.took, now.Sub(due))
		delete(w.due, in.Premises.ID)
	}
}

func (w *feedWatch) expect(premises string, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due[premises] = due
}

func (w *feedWatch) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.due)
}

func (w *feedWatch) times() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.took)
	return w.took
}
