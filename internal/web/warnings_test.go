package web

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	"github.com/bluelamp/bluelamp/internal/sense/cap/signed"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// issueWarnings gives the room an office that issues warnings.
func (rm *room) issueWarnings(t testing.TB) {
	t.Helper()
	key, cert, err := issue.LoadKey("", rm.dir, "Skerry Police", roomStart)
	must(t, err)
	rm.site.Warnings, err = issue.New(t.Context(), issue.Config{
		Log: rm.log, Clock: rm.clock, Logger: rm.site.logger, Sender: "warnings@police.skerry.example", Name: "Skerry Police", Key: key, Cert: cert,
	})
	must(t, err)
	rm.site.PublicWarnings = issue.NewQueries(rm.db)
}

// flood is a form that is filled in.
func flood() url.Values {
	return url.Values{
		"status": {"Actual"}, "headline": {"Quay Street is under water"}, "event": {"Flood"}, "category": {"Safety"}, "severity": {"Severe"},
		"urgency": {"Immediate"}, "certainty": {"Observed"}, "description": {"The river has come over the wall.\n\nIt <still> rises."},
		"response": {"Avoid"}, "instruction": {"Keep away from Quay Street & the harbour."}, "area": {"Quay Street and the harbour"},
		"circle": {"54.7061,2.6612 0.8"}, "expires": {roomStart.Add(6 * time.Hour).Format(localTime)}, "contact": {"01632 960100"},
	}
}

// version is what the page's form says of the warning's version.
var version = regexp.MustCompile(`name="version" value="(\d+)"`)

// write sends a form, and returns the page of the warning that follows.
func (rm *room) write(t *testing.T, c *http.Client, path string, v url.Values) string {
	t.Helper()
	got := rm.post(t, c, path, v)
	to, _, _ := strings.Cut(got.header.Get("Location"), "?")
	if got.status != http.StatusSeeOther || !strings.HasPrefix(to, "/warnings/desk/") {
		t.Fatalf("%s is answered %d: %s", path, got.status, got.body)
	}
	return to
}

// approve issues the warning of a page, and returns its id.
func (rm *room) approve(t *testing.T, c *http.Client, page string) string {
	t.Helper()
	v := version.FindStringSubmatch(rm.get(t, c, page).body)
	if v == nil {
		t.Fatalf("%s has no form: %s", page, rm.get(t, c, page).body)
	}
	rm.write(t, c, page+"/approve", url.Values{"version": {v[1]}})
	id := strings.TrimPrefix(page, "/warnings/desk/")
	waitFor(t, "the message", func() bool { return rm.get(t, rm.signIn(t), "/warnings/"+id+".xml").status == http.StatusOK })
	return id
}

func TestAWarningIsWrittenApprovedUpdatedAndCancelled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		author, boss, nobody := rm.signIn(t, auth.Operator), rm.signIn(t, auth.Supervisor), rm.signIn(t)
		page := rm.write(t, author, "/warnings/desk/new", flood())
		if got := rm.get(t, nobody, "/warnings"); got.status != http.StatusOK || strings.Contains(got.body, "Quay Street") || !strings.Contains(got.body, "No warning stands") {
			t.Errorf("before approval the public reads %d: %s", got.status, got.body)
		}
		if got := rm.post(t, author, page+"/approve", url.Values{"version": {"1"}}); got.status != http.StatusForbidden {
			t.Errorf("an operator approves: %d", got.status)
		}
		first := rm.approve(t, boss, page)

		got := rm.get(t, nobody, "/warnings")
		if !strings.Contains(got.body, "Quay Street is under water") || !strings.Contains(got.body, "It &lt;still&gt; rises.") || !strings.HasPrefix(got.header.Get("Cache-Control"), "public") {
			t.Errorf("the public reads %v %s", got.header, got.body)
		}
		if own := rm.get(t, author, "/warnings"); strings.Contains(own.body, "Sign out") || own.body != got.body {
			t.Error("the public page knows who asks")
		}
		rm.isSigned(t, first, codec.MsgAlert, 0)

		worse := flood()
		worse.Set("headline", "The wall has broken")
		worse.Set("why", "The wall has broken.")
		second := rm.approve(t, boss, rm.write(t, author, page+"/update", worse))
		rm.isSigned(t, second, codec.MsgUpdate, 1)
		if got := rm.get(t, nobody, "/warnings").body; strings.Contains(got, "under water") || !strings.Contains(got, "The wall has broken") {
			t.Errorf("after the update the public reads %s", got)
		}
		third := rm.approve(t, boss, rm.write(t, author, "/warnings/desk/"+second+"/cancel", url.Values{"why": {"The water has gone."}}))
		rm.isSigned(t, third, codec.MsgCancel, 2)
		if got := rm.get(t, nobody, "/warnings").body; !strings.Contains(got, "No warning stands") {
			t.Errorf("after the cancellation the public reads %s", got)
		}
		feed, err := codec.ReadFeed([]byte(rm.get(t, nobody, "/warnings/feed.atom").body))
		must(t, err)
		if len(feed.Entries) != 3 || feed.Entries[0].Link != third+".xml" || feed.Entries[2].Link != first+".xml" {
			t.Errorf("the feed has %+v", feed.Entries)
		}
		waitFor(t, "the audit log's table", func() bool {
			return len(rm.entries(t, "warning.drafted")) == 3 && len(rm.entries(t, "warning.issued")) == 3
		})
		if e := rm.entries(t, "warning.issued")[0]; e.Object != "warning/"+third || e.Detail["headline"] != "Cancelled: The wall has broken" {
			t.Errorf("recorded as %+v", e)
		}
	})
}

// isSigned checks the public message of a warning, with the public certificate.
func (rm *room) isSigned(t *testing.T, id string, kind codec.MsgType, refs int) {
	t.Helper()
	nobody := rm.signIn(t)
	got := rm.get(t, nobody, "/warnings/"+id+".xml")
	if got.header.Get("Content-Type") != "application/cap+xml" || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
		t.Errorf("headers %v", got.header)
	}
	block, _ := pem.Decode([]byte(rm.get(t, nobody, "/warnings/certificate.pem").body))
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	a, _, err := signed.Open([]byte(got.body), []*x509.Certificate{cert}, roomStart)
	must(t, err)
	if a.MsgType != kind || len(a.References) != refs || len(a.Flaws) != 0 {
		t.Errorf("%s is %+v", id, a)
	}
}

func TestNobodyApprovesTheirOwnWarning(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	boss := rm.signIn(t, auth.Supervisor)
	page := rm.write(t, boss, "/warnings/desk/new", flood())
	if got := rm.get(t, boss, page); strings.Contains(got.body, "/approve") || !strings.Contains(got.body, "somebody else must approve it") {
		t.Errorf("the author is offered to approve: %s", got.body)
	}
	if got := rm.post(t, boss, page+"/approve", url.Values{"version": {"1"}}); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "somebody else must approve it") {
		t.Errorf("the author approves: %d %s", got.status, got.body)
	}
	// Who revises it has written on it too, and the version that was read counts.
	operator := rm.signIn(t, auth.Operator)
	v := flood()
	v.Set("version", "1")
	rm.write(t, operator, page+"/revise", v)
	other := rm.signIn(t, auth.Supervisor, auth.Analyst)
	if got := rm.post(t, other, page+"/approve", url.Values{"version": {"1"}}); got.status != http.StatusConflict {
		t.Errorf("an old version is approved: %d", got.status)
	}
	rm.approve(t, other, page)
	if got := rm.post(t, other, page+"/approve", url.Values{"version": {"2"}}); got.status != http.StatusConflict {
		t.Errorf("it is approved twice: %d", got.status)
	}
	waitFor(t, "refusals on the audit log", func() bool { return len(rm.entries(t, "warning.issued.refused")) == 3 })
}

func TestWarningsThatAreWrongAreNotTaken(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := rm.signIn(t, auth.Operator)
	for name, change := range map[string][3]string{
		"no headline": {"headline", "", "Fill this in."}, "no shape": {"circle", "", "a circle or a polygon"},
		"broken circle": {"circle", "54.7 2.6", "no position"}, "ended": {"expires", "2026-03-07T20:00", "ended already"},
		"no date": {"expires", "tomorrow", "This is no date and time"}, "no severity": {"severity", "", "Choose one."},
	} {
		v := flood()
		v.Set(change[0], change[1])
		got := rm.post(t, c, "/warnings/desk/new", v)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, change[2]) || !strings.Contains(got.body, "Quay Street and the harbour") {
			t.Errorf("%s is answered %d: %s", name, got.status, got.body)
		}
	}
	page := rm.write(t, c, "/warnings/desk/new", flood())
	for path, want := range map[string]int{
		page + "/nothing": 404, page + "/update": 422, page + "/cancel": 422, page + "/discard": 409, "/warnings/desk/none/discard": 404,
	} {
		if got := rm.post(t, c, path, nil); got.status != want {
			t.Errorf("%s is answered %d, want %d", path, got.status, want)
		}
	}
	rm.write(t, c, page+"/discard", url.Values{"version": {"1"}, "why": {"A mistake."}})
	for _, path := range []string{"/warnings/none.xml", "/warnings/none", "/warnings/desk/none", page + "/nothing", "/warnings/" + strings.TrimPrefix(page, "/warnings/desk/") + ".xml"} {
		if got := rm.get(t, c, path); got.status != http.StatusNotFound {
			t.Errorf("%s is answered %d", path, got.status)
		}
	}
}

func TestWhatThePublicGetsCanBeCached(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	nobody := rm.signIn(t)
	id := rm.approve(t, rm.signIn(t, auth.Supervisor), rm.write(t, rm.signIn(t, auth.Operator), "/warnings/desk/new", flood()))
	for _, path := range []string{"/warnings", "/warnings/feed.atom", "/warnings/certificate.pem", "/warnings/" + id + ".xml"} {
		got := rm.get(t, nobody, path)
		tag := got.header.Get("ETag")
		if got.status != http.StatusOK || tag == "" || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rm.url+path, nil)
		must(t, err)
		req.Header.Set("If-None-Match", tag)
		if again := rm.send(t, nobody, req); again.status != http.StatusNotModified || again.body != "" {
			t.Errorf("%s again: %d", path, again.status)
		}
	}
	rm.set(roomStart.Add(7 * time.Hour))
	if got := rm.get(t, nobody, "/warnings").body; !strings.Contains(got, "No warning stands") {
		t.Errorf("after its end it stands: %s", got)
	}
	rm.site.Warnings = nil
	for _, path := range []string{"/warnings", "/warnings/feed.atom", "/warnings/x.xml"} {
		if got := rm.get(t, nobody, path); got.status != http.StatusNotFound {
			t.Errorf("%s where none are issued: %d", path, got.status)
		}
	}
}

func TestWarningsInABrowser(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := newChrome(t, rm.url)
	rm.signIn(t, auth.Operator)
	boss := rm.signIn(t, auth.Supervisor)
	c.visit("/warnings")
	c.look("warnings-none")
	c.visit("/signin")
	c.signIn("p-operator", "/")
	c.visit("/warnings/desk/new")
	v := flood()
	for _, f := range []string{"headline", "event", "description", "instruction", "area", "circle"} {
		c.fill("#f-"+f, v.Get(f))
	}
	for _, f := range []string{"category", "severity", "urgency", "certainty", "response"} {
		c.do("choosing", chromedp.SetValue(chromedp.CSS("#f-"+f), v.Get(f)))
	}
	c.do("choosing the end", chromedp.SetValue(chromedp.CSS("#f-expires"), v.Get("expires")))
	c.look("warning-form")
	c.click("main form button", "/warnings/desk/")
	c.settle()
	c.look("warning-draft")
	waiting, _, _, err := rm.site.Warnings.List(t.Context(), 1)
	must(t, err)
	page := "/warnings/desk/" + string(waiting[0].ID)
	rm.approve(t, boss, page)
	c.visit(page)
	c.settle()
	c.look("warning-issued")
	c.visit("/warnings/desk")
	c.look("warnings-desk")
	c.visit("/warnings")
	c.look("warnings-public")
	c.size(390, 844)
	c.visit("/warnings")
	c.look("warnings-phone")
}
