package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

const (
	chromeStep = 60 * time.Second // for one thing to happen, on a busy machine
	axeFile    = "../../web/node_modules/axe-core/axe.min.js"

	// axeRun lists the violations that axe finds, each in a line.
	axeRun = `axe.run(document, {runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}})
		.then(r => r.violations.map(v => v.id + ': ' + v.help + ': ' +
			v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | ')))`

	// shotsVar names a directory that keeps the screenshots.
	shotsVar = "BLUELAMP_SCREENSHOTS"
)

// chrome is a browser that notes everything that it complains of.
type chrome struct {
	t     *testing.T
	ctx   context.Context
	base  string
	axe   string
	shots string

	mu       sync.Mutex
	problems []string
	expected func(url string, status int64) bool // failures that a page means
}

// newChrome starts Chromium. Where it is not installed the test is skipped, or
// fails if storetest.RequireAll is set.
func newChrome(t *testing.T, base string) *chrome {
	t.Helper()
	lacks := func(what string) {
		if os.Getenv(storetest.RequireAll) == "1" {
			t.Fatalf("required (%s=1): %s", storetest.RequireAll, what)
		}
		t.Skip(what)
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		lacks("no Chromium: install the package chromium")
	}
	axe, err := os.ReadFile(axeFile)
	if err != nil {
		lacks("axe-core is not installed: run make web")
	}
	c := &chrome{t: t, base: base, axe: string(axe), shots: os.Getenv(shotsVar)}
	if c.shots == "" {
		c.shots = t.TempDir()
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900), chromedp.NoFirstRun,
		chromedp.WSURLReadTimeout(chromeStep),
	}
	for flag, value := range map[string]any{
		"headless": "new", "no-sandbox": true, "disable-dev-shm-usage": true, "use-gl": "angle", "use-angle": "swiftshader",
		"enable-unsafe-swiftshader": true, "disable-quic": true, "disable-background-networking": true,
		"disable-component-update": true, "disable-sync": true, "no-default-browser-check": true, "hide-scrollbars": true,
	} {
		opts = append(opts, chromedp.Flag(flag, value))
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(func() { stop(); stopAlloc() })
	c.ctx = ctx
	must(t, chromedp.Listen(ctx, c.hear))
	c.do("starting", command(network.Enable, network.EnableParams{}), command(cdplog.Enable, cdp.Empty{}), command(runtime.Enable, cdp.Empty{}))
	c.size(1440, 900)
	return c
}

func command[P, R any](cmd cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cmd, params)
		return err
	})
}

// size makes the window as large as a screen.
func (c *chrome) size(width, height int64) {
	c.t.Helper()
	c.do("sizing", command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1,
	}))
}

// hear notes what goes wrong in the page.
func (c *chrome) hear(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		words := ev.ExceptionDetails.Text
		if x := ev.ExceptionDetails.Exception; x != nil {
			words += " " + x.Description
		}
		c.complain("exception: " + words)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning || ev.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, a := range ev.Args {
				words = append(words, string(a.Value)+a.Description)
			}
			c.complain(fmt.Sprintf("console.%s: %s", ev.Type, strings.Join(words, " ")))
		}
	case *cdplog.EventEntryAdded:
		e := ev.Entry
		if e.Level != cdplog.EntryLevelError || e.Source == cdplog.EntrySourceNetwork && strings.Contains(e.Text, "status of 4") {
			return // pages that answer 4xx are looked at below
		}
		c.complain("log: " + e.Text + " " + e.URL)
	case *network.EventResponseReceived:
		if ev.Response.Status >= 400 && !(c.expected != nil && c.expected(ev.Response.URL, ev.Response.Status)) {
			c.complain(fmt.Sprintf("%d from %s", ev.Response.Status, ev.Response.URL))
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(ev.Request.URL)
		if err == nil && (u.Scheme == "data" || u.Scheme == "blob" || c.base == u.Scheme+"://"+u.Host) {
			return
		}
		c.complain("request to another host: " + ev.Request.URL)
	}
}

func (c *chrome) complain(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, what)
}

// quiet fails the test if the browser has complained.
func (c *chrome) quiet(at string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.problems {
		c.t.Errorf("%s: %s", at, p)
	}
	c.problems = nil
}

// do runs actions, and fails the test when they don't succeed in time.
func (c *chrome) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, stop := context.WithTimeout(c.ctx, chromeStep)
	defer stop()
	if err := chromedp.Do(ctx, actions...); err != nil {
		c.shot("failed")
		c.t.Fatalf("%s: %v", what, err)
	}
}

func (c *chrome) visit(path string) {
	c.t.Helper()
	c.do("visiting "+path, chromedp.Navigate(c.base+path), chromedp.WaitVisible(chromedp.CSS("#main")))
}

// click clicks what leads to another page, and waits for it.
func (c *chrome) click(selector, leadsTo string) {
	c.t.Helper()
	c.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
	c.await(leadsTo, `location.pathname.startsWith(`+quote(leadsTo)+`) && document.readyState == 'complete'`)
}

// fill types into a field that is empty.
func (c *chrome) fill(selector, text string) {
	c.t.Helper()
	c.do("filling "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// await waits until an expression of JavaScript is true.
func (c *chrome) await(what, expression string) {
	c.t.Helper()
	ctx, stop := context.WithTimeout(c.ctx, chromeStep)
	defer stop()
	for ctx.Err() == nil {
		// While a page gives way to the next there is nothing to ask.
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")); err == nil && ok {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.shot("failed")
	c.t.Fatalf("waited in vain for %s", what)
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a form in JSON
	}
	return string(b)
}

// look examines the page that is open: no complaint, no violation that axe
// finds; and takes its picture.
func (c *chrome) look(name string) {
	c.t.Helper()
	c.shot(name)
	ctx, stop := context.WithTimeout(c.ctx, chromeStep)
	defer stop()
	must(c.t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](c.axe+"\n;0")))
	violations, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](axeRun, chromedp.EvalAwaitPromise))
	must(c.t, err)
	for _, v := range violations {
		c.t.Errorf("%s: axe finds %s", name, v)
	}
	c.quiet(name)
}

// shot takes a picture of the whole page.
func (c *chrome) shot(name string) {
	ctx, stop := context.WithTimeout(c.ctx, chromeStep)
	defer stop()
	whole := true
	res, err := chromedp.Call(ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	if err == nil {
		err = os.WriteFile(filepath.Join(c.shots, name+".png"), res.Data, 0o600)
	}
	if err != nil {
		c.t.Logf("no screenshot of %s: %v", name, err)
	}
}
