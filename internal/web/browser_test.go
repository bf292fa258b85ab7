package web

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// TestControlRoomInABrowser drives the control room as its first people would:
// from the set-up link to a closed incident. On every page nothing may be
// complained of, no other host asked, and axe may find nothing.
func TestControlRoomInABrowser(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := newChrome(t, rm.url)
	rm.happen(t)

	t.Log("set up, and sign in as the first administrator")
	token, err := rm.people.SetupToken(t.Context())
	must(t, err)
	c.visit("/signin")
	c.look("signin-first")
	c.visit("/setup?token=" + url.QueryEscape(token))
	c.look("setup")
	c.fill("#f-name", "ada")
	c.fill("#f-full", "Ada Mensah")
	c.fill("#f-password", testPassword)
	c.fill("#f-again", testPassword)
	c.click("main button", "/signin")
	c.look("signin")
	c.signIn("ada", "/")

	t.Log("take on work of one's own, which asks to sign in again")
	ada, _ := rm.people.ByName("ada")
	c.visit("/people/" + ada.ID)
	c.look("person")
	c.do("choosing roles", chromedp.Click(chromedp.CSS("input[value=operator]")), chromedp.Click(chromedp.CSS("input[value=auditor]")))
	c.do("changing roles", chromedp.Click(chromedp.CSS("form[action$=roles] button")))
	c.await("the sign-in page", `location.pathname == '/signin'`)
	c.signIn("ada", "/people/"+ada.ID)
	c.visit("/")

	t.Log("the board shows what has happened, live")
	c.await("two incidents", `document.querySelectorAll('[data-incident]').length == 2`)
	c.await("the map", `document.querySelector('.maplibregl-canvas') !== null`)
	rm.alarm(t, "3009", "FA", event.Fire, "002")
	c.await("a third incident", `document.querySelectorAll('[data-incident]').length == 3`)
	hold := rm.find(t, "hold_up")
	c.do("choosing the hold-up", chromedp.Click(chromedp.CSS(fmt.Sprintf("[data-incident='%s']", hold.ID))))
	c.await("its summary", `document.querySelector('.summary') !== null`)
	c.await("the incidents on the map", `Number(document.querySelector('.maplibregl-map').dataset.drawn) >= 2`)
	c.look("board")

	t.Log("open, grade, close, reload")
	path := "/incidents/" + string(hold.ID)
	c.click(".summary a.primary", path)
	c.settle()
	c.look("incident")
	c.do("grading", chromedp.Click(chromedp.CSS("input[value=immediate]")), chromedp.Click(chromedp.CSS("input[value=risk_to_life]")),
		chromedp.SendKeys(chromedp.CSS("#grade-why"), "Staff pressed the button; no answer on the call back."))
	c.do("recording the grade", chromedp.Click(chromedp.CSS("#grade button")))
	c.await("the grade", `location.search == '?done=graded' && document.querySelector('.page-title .badge.immediate') !== null`)
	c.look("incident-graded")
	c.do("opening the form to close", chromedp.Click(chromedp.CSS("details.more summary")), chromedp.WaitVisible(chromedp.CSS("#close-why")),
		chromedp.Click(chromedp.CSS("input[name=code][value=false]")),
		chromedp.SendKeys(chromedp.CSS("#close-why"), "Attended: the button was pressed by mistake."))
	c.look("incident-closing")
	c.do("closing", chromedp.Click(chromedp.CSS("details.more button")))
	c.await("the end", `location.search == '?done=closed'`)
	c.do("reloading", chromedp.Reload())
	c.await("the closed incident", `document.querySelector('.page-title').textContent.includes('Closed')`)
	c.look("incident-closed")
	if in := rm.find(t, "hold_up"); in.State != incident.Closed || in.Grade != event.Immediate || in.Code != event.ClosedFalse {
		t.Errorf("the desk has %+v", in)
	}

	t.Log("the audit log shows both, and is whole")
	waitFor(t, "the audit log's table", func() bool {
		return len(rm.entries(t, "incident.closed")) == 1 && len(rm.entries(t, "incident.graded")) == 1
	})
	c.visit("/audit")
	c.look("audit")
	c.do("verifying", chromedp.Click(chromedp.CSS("form[action='/audit/verify'] button")))
	c.await("the verdict", `document.querySelector('.verdict .state.ok') !== null`)
	c.look("audit-verified")

	t.Log("every other page")
	c.expected = func(u string, status int64) bool { return status == 404 && u == rm.url+"/nowhere" }
	intruder := rm.find(t, "intruder")
	for _, p := range []struct{ name, path string }{
		{"incident-intruder", "/incidents/" + string(intruder.ID)},
		{"incidents", "/incidents"},
		{"incidents-none", "/incidents?q=nothing+like+it"},
		{"premises-list", "/premises"},
		{"premises", "/premises/quay-11"},
		{"premises-new", "/premises/new"},
		{"sources", "/sources"},
		{"source", "/sources/dc09"},
		{"quarantine", "/quarantine"},
		{"quarantine-entries", "/quarantine/entries?reason=crc"},
		{"people", "/people"},
		{"account", "/account"},
		{"help", "/help"},
		{"nowhere", "/nowhere"},
	} {
		c.visit(p.path)
		c.settle()
		c.look(p.name)
	}
	c.visit("/quarantine/entries?reason=crc")
	c.click("tbody a", "/quarantine/entries/")
	c.look("quarantine-entry")
	c.visit("/incidents/" + string(intruder.ID))
	c.do("unfolding a signal", chromedp.Click(chromedp.CSS(".signal-row summary")))
	c.settle()
	c.look("incident-signal")
	c.do("going to it", chromedp.Click(chromedp.CSS(".signal-row a")))
	c.await("the signal", `location.pathname.startsWith('/signals/')`)
	c.look("signal")
	c.visit("/incidents/" + string(intruder.ID))
	c.do("opening personal data", chromedp.SetValue(chromedp.CSS("#f-purpose"), "respond"), chromedp.Click(chromedp.CSS("form[action$=personal] button")))
	c.await("the keyholder", `document.body.textContent.includes('01632 960001')`)
	c.look("incident-personal")
	c.size(420, 900)
	c.visit("/incidents/" + string(intruder.ID))
	c.look("incident-narrow")
	c.visit("/")
	c.await("the board", `document.querySelectorAll('[data-incident]').length == 2`)
	c.look("board-narrow")
}

// TestWithoutABaseMapTheBoardLooksAtThePremises: at the scale of the world, a
// town's incidents would lie in one spot.
func TestWithoutABaseMapTheBoardLooksAtThePremises(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.site.BaseMap = nil
	c := newChrome(t, rm.url)
	rm.happen(t)
	rm.administrator(t)
	rm.signIn(t, auth.Operator)
	c.visit("/signin")
	c.signIn("p-operator", "/")
	c.await("a map of the town, not of the world", `/^(\d{1,3}\sm|\d\skm)$/.test(document.querySelector('.maplibregl-ctrl-scale')?.textContent)`)
	c.await("the incidents on the map", `Number(document.querySelector('.maplibregl-map').dataset.drawn) == 2`)
	c.quiet("the board without a base map")
}

// happen makes the town's morning: an alarm that is confirmed, a hold-up, and
// something that nobody understands.
func (rm *room) happen(t *testing.T) {
	t.Helper()
	must(t, rm.intake.Quarantine(t.Context(), "dc09", "192.0.2.7:40112", "crc",
		"The check sum is C0DE, but the frame says F4D2: the line is bad. Ask the installer to test it.",
		[]byte("\nF4D20029\"SIA-DCS\"0001RF3L77#1234[#1234|NRR|Atest]\r")))
	rm.alarm(t, "3007", "BA", event.Burglary, "001")
	rm.queue(t, 1)
	rm.set(roomStart.Add(95 * time.Second))
	rm.alarm(t, "3007", "BA", event.Burglary, "004")
	waitFor(t, "the second alert", func() bool { return rm.queue(t, 1)[0].Alerts == 2 })
	rm.set(roomStart.Add(4 * time.Minute))
	rm.alarm(t, "3002", "HA", event.HoldUp, "009")
	rm.queue(t, 2)
}

// find returns the incident of a kind.
func (rm *room) find(t *testing.T, kind string) incident.Incident {
	t.Helper()
	list, _, err := rm.site.find(t.Context(), filter{Kind: kind}, 0, 1)
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("there is no incident of kind %s", kind)
	}
	return list[0]
}

// signIn fills the sign-in page, and waits for where it leads.
func (c *chrome) signIn(name, leadsTo string) {
	c.t.Helper()
	c.fill("#f-name", name)
	c.fill("#f-password", testPassword)
	c.do("signing in", chromedp.Click(chromedp.CSS("main button")))
	c.await(leadsTo, `location.pathname == `+quote(leadsTo)+` && document.readyState == 'complete'`)
}

// settle lets maps draw and animations end.
func (c *chrome) settle() { time.Sleep(500 * time.Millisecond) }
