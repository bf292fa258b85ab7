package web

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// TestDevicesInABrowser looks at the devices' pages and at a home's day.
func TestDevicesInABrowser(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := newChrome(t, rm.url)
	rm.withDevices(t)
	rm.administrator(t)
	rm.signIn(t, auth.Supervisor)
	c.visit("/signin")
	c.signIn("p-supervisor", "/")
	c.visit("/devices")
	c.look("devices")
	c.visit("/devices?q=nothing+like+it")
	c.look("devices-none")
	c.visit("/devices/hub-gull")
	c.look("device")
	c.do("opening personal data", chromedp.SetValue(chromedp.CSS("#f-purpose"), "safeguard"), chromedp.Click(chromedp.CSS("form[action$=personal] button")))
	c.await("the owner", `document.body.textContent.includes('Wilhelmina Quill')`)
	c.look("device-opened")
	c.do("inviting", chromedp.Click(chromedp.CSS("details.more summary")), chromedp.WaitVisible(chromedp.CSS("#invite-why")),
		chromedp.SendKeys(chromedp.CSS("#invite-why"), "New hub fitted"), chromedp.Click(chromedp.CSS("form[action$=invite] button")))
	c.await("the code", `document.querySelector('.given img')?.naturalWidth > 200`)
	c.look("device-invited")
	c.visit("/premises/gull-9")
	c.settle()
	c.look("premises-home")
	c.visit("/premises/gull-9/timeline")
	c.look("timeline-closed")
}

// TestTimelineInABrowser looks at a real home's day.
func TestTimelineInABrowser(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := newChrome(t, rm.url)
	rm.houseA(t, time.Date(2008, 2, 25, 0, 0, 0, 0, time.UTC), time.Date(2008, 2, 27, 0, 0, 0, 0, time.UTC))
	rm.set(time.Date(2008, 2, 27, 1, 0, 0, 0, time.UTC))
	day := time.Date(2008, 2, 26, 0, 0, 0, 0, time.UTC)
	for i := range 96 {
		temp := 17 + 4*float64((i*7)%24)/24
		at := day.Add(time.Duration(i) * 15 * time.Minute)
		must(t, rm.intake.ObserveAll(t.Context(), &event.Observation{
			ID: event.NewID("temp", fmt.Sprint(i)), Source: "zigbee2mqtt", Device: "houseA/hall", Kind: event.KindMeasure, Premises: "house-a", Enrolled: "houseA",
			Time: at, Reading: &event.Reading{Property: event.Temperature, Name: "Hall", Value: &temp, Unit: "Cel"},
		}))
	}
	must(t, rm.intake.ObserveAll(t.Context(), &event.Observation{
		ID: "alarm", Source: "dc09", Device: "3009", Kind: event.KindAlarm, Premises: "house-a", Time: day.Add(14 * time.Hour),
		Alarm: &event.Alarm{Category: event.Burglary, State: event.AlarmNew, Zone: "2", ZoneName: "Kitchen window"},
	}))
	waitFor(t, "the twins", func() bool {
		_, during, _, err := rm.site.Sense.Timeline(t.Context(), "house-a", day, day.AddDate(0, 0, 1))
		return err == nil && len(during) > 0 && during[len(during)-1].Time.After(day.Add(23*time.Hour)) && len(during) > 96+60
	})
	rm.administrator(t)
	rm.signIn(t, auth.Supervisor)
	c.visit("/signin")
	c.signIn("p-supervisor", "/")
	c.visit("/premises/house-a/timeline")
	c.do("opening the day", chromedp.SetValue(chromedp.CSS("#f-purpose"), "investigate"), chromedp.Click(chromedp.CSS("main form button")))
	c.await("the day", `document.querySelector('svg.tl') !== null`)
	c.do("going to the day before", chromedp.Click(chromedp.CSS("form button[value='2008-02-25']")))
	c.await("that day", `document.querySelector('h1').textContent.includes('25 February 2008')`)
	c.do("coming back", chromedp.Click(chromedp.CSS("form button[value='2008-02-26']")))
	c.await("that day", `document.querySelector('h1').textContent.includes('26 February 2008')`)
	c.look("timeline")
	c.size(420, 900)
	c.look("timeline-narrow")
	c.visit("/devices/houseA")
	c.look("device-narrow")
}
