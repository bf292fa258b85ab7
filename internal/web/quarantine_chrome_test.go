package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// TestTheQuarantineAndMappingsInABrowser walks the pages as a person does, and
// holds each to axe and to a quiet console.
func TestTheQuarantineAndMappingsInABrowser(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := newChrome(t, rm.url)
	rm.door(t)
	rm.administrator(t)
	rm.signIn(t, auth.Supervisor)
	must(t, rm.intake.Quarantine(t.Context(), "dc09", "192.0.2.7:40112", "checksum", "crc: check the line; a panel sends again", []byte("\nF4D20029\"SIA-DCS\"0001RF3L77#1234[#1234|NRR|Atest]\r")))
	for range 3 {
		rm.sends(t, "shop-hub", "json/window", `{"state": "open"}`)
	}
	slip := string(rm.sends(t, "shop-hub", "json/door/front", "{\n  \"stat\": \"open\",\n  \"battery\": 97\n}"))
	home := string(rm.sends(t, "home-hub", "json/door", `{"bedroom": "warm"}`))
	c.expected = func(u string, status int64) bool { return status == 422 && strings.HasPrefix(u, rm.url) }

	c.visit("/signin")
	c.signIn("p-supervisor", "/")
	c.visit("/quarantine")
	c.look("quarantine-groups")
	c.visit("/quarantine/entries?" + url.Values{"reason": {"unknown topic"}, "source": {"mapping"}}.Encode())
	c.look("quarantine-group")
	c.visit("/quarantine/entries/" + home)
	c.look("quarantine-home")
	c.visit("/quarantine/entries/" + slip)
	c.look("quarantine-mend")
	c.do("replaying what is still wrong", chromedp.Click(chromedp.CSS("form[action$=replay]:has(textarea) button")))
	c.await("what is wrong with it", `document.querySelector('.notice.bad') !== null`)
	c.look("quarantine-refused")
	c.do("mending", chromedp.SetValue(chromedp.CSS("#f-bytes"), `{"state": "open"}`), chromedp.Click(chromedp.CSS("form[action$=replay]:has(textarea) button")))
	c.await("the outcome", `location.search == '?done=replayed'`)
	rm.settled(t, rm.row(t, slip).ID)
	c.visit("/quarantine/entries/" + slip)
	c.look("quarantine-replayed")

	c.visit("/mappings")
	c.look("mappings")
	c.visit("/mappings/new")
	c.do("trying", chromedp.SetValue(chromedp.CSS("#f-name"), "window"), chromedp.Click(chromedp.CSS("button[value=try]")))
	c.await("what comes of it", `document.querySelector('#result') !== null`)
	c.look("mapping-tried")
	c.do("making a slip", chromedp.SetValue(chromedp.CSS("#f-program"), "{\n  \"property\": \"contact\",\n  \"state\": bdy.state\n}"), chromedp.Click(chromedp.CSS("button[value=try]")))
	c.await("where the slip is", `document.querySelector('.notice.bad pre') !== null`)
	c.look("mapping-wrong")
	c.do("mending it and going live", chromedp.SetValue(chromedp.CSS("#f-program"), `{"property": "contact", "state": body.state}`),
		chromedp.SetValue(chromedp.CSS("#f-sample"), `{"state": "open"}`), chromedp.Click(chromedp.CSS("button[value=live]")))
	c.await("the live mapping", `location.pathname == '/mappings/window' && location.search == '?done=live'`)
	c.look("mapping-live")

	c.visit("/quarantine/entries?" + url.Values{"reason": {"unknown topic"}, "source": {"mapping"}}.Encode())
	c.do("replaying the group", chromedp.SetValue(chromedp.CSS("#f-why"), "there is a mapping now"), chromedp.Click(chromedp.CSS("button[value=replay]")))
	c.await("the work's end", `document.querySelector('h2')?.textContent == 'Finished'`)
	c.look("quarantine-work")
	c.visit("/quarantine/entries?settled=1")
	c.look("quarantine-settled")
	c.size(420, 900)
	for name, path := range map[string]string{"quarantine-entry-narrow": "/quarantine/entries/" + slip, "mapping-narrow": "/mappings/window", "quarantine-narrow": "/quarantine"} {
		c.visit(path)
		c.look(name)
	}
}
