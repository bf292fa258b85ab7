package app_test

import (
	"context"
	"maps"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// screenEvery makes few enough incidents that the board lists them all: it shows
// the 200 that come first.
const screenEvery = 100

// watchRows notes when each premises' row has first been painted: the first task
// after the frame that draws it.
const watchRows = `(() => {
	window.seen = {}
	const look = () => {
		for (const row of document.querySelectorAll('[data-incident]')) {
			const name = (row.textContent.match(/Premises (\w+)/) || [])[1]
			if (name && !(name in window.seen)) {
				window.seen[name] = 0
				requestAnimationFrame(() => setTimeout(() => { window.seen[name] = Date.now() }))
			}
		}
	}
	new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true})
	return true
})()`

// BenchmarkSocketToScreen measures a signal's way through the whole platform to
// the screen of the control room: from the moment at which its panel is to write
// it until a browser has painted the row of the incident that it opens. Browser,
// platform and panels share the machine. Run it with -benchtime=20000x: 20 s, 200
// incidents.
//
// A browser without a graphics card shows the queue and says that it cannot draw
// the map; or it is made to draw all, the map too, by emulating a card, which
// bounds the measurement by how fast it can do that.
func BenchmarkSocketToScreen(b *testing.B) {
	b.Run("card=none", func(b *testing.B) { socketToScreen(b, map[string]any{"disable-gpu": true}) })
	b.Run("card=emulated", func(b *testing.B) {
		socketToScreen(b, map[string]any{"use-gl": "angle", "use-angle": "swiftshader", "enable-unsafe-swiftshader": true})
	})
}

func socketToScreen(b *testing.B, card map[string]any) {
	if b.N > 200*screenEvery {
		b.Skip("the board lists 200 incidents: use -benchtime=20000x")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		b.Skip("no Chromium: install the package chromium")
	}
	cfg := testConfig(b.TempDir(), "127.0.0.1:0")
	cfg.HTTP = "127.0.0.1:0"
	p := start(b, cfg, feedRegistry()...)
	p.browser() // makes the person who signs in
	tab := newTab(b, path, card)
	signIn(b, tab, p.URL())
	do(b, tab, chromedp.Navigate(p.URL()+"/"))
	time.Sleep(5 * time.Second) // the map is drawn
	do(b, tab, chromedp.Evaluate[bool](watchRows))

	due := map[string]time.Time{}
	offerLoad(b, p, screenEvery, func(premises string, at time.Time) { due[premises[1:]] = at })
	seen := map[string]float64{}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if seen = do(b, tab, chromedp.Evaluate[map[string]float64]("window.seen")); painted(seen) == len(due) {
			break
		}
	}
	if painted(seen) != len(due) {
		b.Fatalf("%d of %d incidents were painted", painted(seen), len(due))
	}
	times := make([]time.Duration, 0, len(due))
	for name, at := range due {
		times = append(times, time.UnixMilli(int64(seen[name])).Sub(at))
	}
	slices.Sort(times)
	reportTimes(b, times)
}

func painted(seen map[string]float64) (n int) {
	for _, at := range seen {
		if at > 0 {
			n++
		}
	}
	return n
}

func newTab(b *testing.B, path string, card map[string]any) context.Context {
	b.Helper()
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(b.TempDir()), chromedp.WindowSize(1440, 900)}
	flags := map[string]any{
		"headless": "new", "no-sandbox": true, "disable-dev-shm-usage": true, "disable-background-networking": true, "disable-component-update": true,
		"disable-sync": true, "no-first-run": true, "disable-quic": true,
	}
	maps.Copy(flags, card)
	for flag, value := range flags {
		opts = append(opts, chromedp.Flag(flag, value))
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	tab, stop := chromedp.NewContext(alloc)
	b.Cleanup(func() { stop(); stopAlloc() })
	return tab
}

func signIn(b *testing.B, tab context.Context, url string) {
	b.Helper()
	do(b, tab, chromedp.Navigate(url+"/signin"))
	do(b, tab, chromedp.Evaluate[any](`document.querySelector('[name=name]').value = 'ada';
		document.querySelector('[name=password]').value = 'three random words';
		document.querySelector('main form').submit()`))
	for deadline := time.Now().Add(30 * time.Second); do(b, tab, chromedp.Evaluate[string]("location.pathname")) == "/signin"; {
		if time.Now().After(deadline) {
			b.Fatal("signing in took too long")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func do[T any](b *testing.B, tab context.Context, a chromedp.Action[T]) T {
	b.Helper()
	v, err := chromedp.Run(tab, a)
	if err != nil {
		b.Fatal(err)
	}
	return v
}
