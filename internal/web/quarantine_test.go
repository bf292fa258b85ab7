package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// door has a mapping read doors, and two devices: one in a shop, one in a home.
func (rm *room) door(t *testing.T) {
	t.Helper()
	_, err := rm.mappings.Draft(t.Context(), "door", `{"property": "contact", "state": body.state}`, "test", "")
	must(t, err)
	must(t, rm.mappings.Live(t.Context(), "door", 1, "test", ""))
	must(t, rm.reg.PutDevices(t.Context(), "test",
		registry.Device{ID: "shop-hub", Name: "Hub in the shop", Premises: "lantern-3"},
		registry.Device{ID: "home-hub", Name: "Hub in the mill", Premises: "mill-2", Basis: event.Contract}))
}

// sends has a device send something that is not understood, and returns the
// entry.
func (rm *room) sends(t *testing.T, device, topic, what string) event.ID {
	t.Helper()
	d, err := rm.reg.Device(device)
	must(t, err)
	done := make(chan error, 1)
	must(t, rm.board.Take(t.Context(), &sense.Message{Device: d, Topic: topic, Payload: []byte(what), Received: rm.clock.Now()}, func(err error) { done <- err }))
	if <-done == nil {
		t.Fatalf("%s is understood", what)
	}
	last, err := rm.log.Last(t.Context(), bus.Quarantine)
	must(t, err)
	var rows []sense.QuarantineRow
	waitFor(t, "the entry", func() bool {
		rows, err = rm.site.Sense.QuarantineRows(t.Context(), "", 0, 1)
		must(t, err)
		return len(rows) == 1 && rows[0].Seq == last
	})
	return rows[0].ID
}

func (rm *room) settled(t *testing.T, id event.ID) sense.QuarantineRow {
	t.Helper()
	var row sense.QuarantineRow
	waitFor(t, "the outcome", func() bool {
		var err error
		row, err = rm.site.Sense.QuarantineRow(t.Context(), id)
		must(t, err)
		return row.Outcome != sense.OutcomeOpen
	})
	return row
}

func (rm *room) observations(t *testing.T) (n int) {
	t.Helper()
	must(t, rm.log.Each(t.Context(), bus.Observations, 0, func(bus.Record) error { n++; return nil }))
	return n
}

func TestAnEntryIsMendedInTheBrowser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		rm.door(t)
		id := string(rm.sends(t, "shop-hub", "json/door/front", "{\n  \"stat\": \"open\"\n}"))
		c := rm.signIn(t, auth.Supervisor)
		path := "/quarantine/entries/" + id
		got := rm.get(t, c, path)
		for _, want := range []string{"no such key: state", "Hub in the shop", "json/door/front", "&#34;stat&#34;", "Replay what is above"} {
			if !strings.Contains(got.body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		got = rm.post(t, c, path+"/replay", nil)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "It was not accepted this time either") {
			t.Errorf("as it is: %d", got.status)
		}
		got = rm.post(t, c, path+"/replay", url.Values{"as": {"hex"}, "bytes": {"7b 7"}})
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "do not come in pairs") || !strings.Contains(got.body, "7b 7") {
			t.Errorf("half a byte: %d", got.status)
		}
		got = rm.post(t, c, path+"/replay", url.Values{"as": {"text"}, "bytes": {"{\r\n  \"state\": \"open\"\r\n}"}, "why": {"a typing mistake"}})
		if to := got.header.Get("Location"); got.status != http.StatusSeeOther || to != path+"?done=replayed" {
			t.Fatalf("mended: %d %q %s", got.status, to, got.body)
		}
		if row := rm.settled(t, event.ID(id)); !row.Fixed || row.OutcomeWhy != "a typing mistake" {
			t.Errorf("%+v", row)
		}
		if n := rm.observations(t); n != 1 {
			t.Errorf("%d observations", n)
		}
		if got = rm.get(t, c, path); !strings.Contains(got.body, "Replayed, mended,") || strings.Contains(got.body, "Replay what is above") {
			t.Errorf("afterwards: %s", got.body)
		}
		if got = rm.post(t, c, path+"/replay", nil); got.status != http.StatusConflict || rm.observations(t) != 1 {
			t.Errorf("a second time: %d", got.status)
		}
		waitFor(t, "the audit log", func() bool { return len(rm.entries(t, "quarantine.replayed")) >= 3 })
		if got = rm.get(t, c, "/quarantine/entries?settled=1"); !strings.Contains(got.body, "a typing mistake") {
			t.Error("the list of what was dealt with lacks it")
		}
	})
}

func TestBytesOfAHomeAreOpenedForAPurpose(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.door(t)
	id := string(rm.sends(t, "home-hub", "json/door", `{"bedroom": "warm"}`))
	path := "/quarantine/entries/" + id
	c := rm.signIn(t, auth.Supervisor)
	if got := rm.get(t, c, path); strings.Contains(got.body, "warm") || !strings.Contains(got.body, "They come from a home.") {
		t.Error("the bytes of a home are shown without a purpose")
	}
	if got := rm.post(t, c, path+"/replay", nil); strings.Contains(got.body, "warm") || got.status != http.StatusUnprocessableEntity {
		t.Error("a replay that fails shows the bytes of a home")
	}
	if got := rm.post(t, c, path+"/open", nil); got.status != http.StatusUnprocessableEntity || strings.Contains(got.body, "warm") {
		t.Errorf("without a purpose: %d", got.status)
	}
	got := rm.post(t, c, path+"/open", url.Values{"purpose": {"maintain"}, "why": {"the hub is new"}})
	if got.status != http.StatusOK || !strings.Contains(got.body, "warm") || !strings.Contains(got.body, "Replay what is above") {
		t.Errorf("opened: %d", got.status)
	}
	waitFor(t, "the look on the audit log", func() bool { return len(rm.entries(t, "record.opened")) == 1 })
	if e := rm.entries(t, "record.opened")[0]; e.Object != "quarantine/"+id || e.Why != "the hub is new" {
		t.Errorf("recorded %+v", e)
	}
	for _, role := range []auth.Role{auth.Operator, auth.Administrator, auth.Analyst} {
		if got := rm.post(t, rm.signIn(t, role), path+"/open", url.Values{"purpose": {"maintain"}}); got.status != http.StatusForbidden {
			t.Errorf("%s: %d", role, got.status)
		}
	}
	frame := []byte("\n00000028\"SIA-DCS\"0001L0#3009[#3009|Nri1/FA002]\r")
	must(t, rm.intake.Quarantine(t.Context(), "dc09", "192.0.2.7:4", "time stamp", "its clock is off", frame))
	waitFor(t, "the frame", func() bool {
		n, _, err := rm.site.Sense.QuarantineCount(t.Context(), sense.QuarantineFilter{Source: "dc09"})
		return err == nil && n == 1
	})
	rows, err := rm.site.Sense.QuarantineRows(t.Context(), "time stamp", 0, 1)
	must(t, err)
	if got := rm.get(t, c, "/quarantine/entries/"+string(rows[0].ID)); strings.Contains(got.body, "FA002") || !strings.Contains(got.body, "alarm account of a home") || !strings.Contains(got.body, "no way back in") {
		t.Error("a frame of a home's panel is shown without a purpose")
	}
}

func TestAGroupIsWorkedInTheBrowser(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.door(t)
	for range 3 {
		rm.sends(t, "shop-hub", "json/window", `{"state": "open"}`)
	}
	rm.sends(t, "home-hub", "json/window", `{"stat": "open"}`)
	c := rm.signIn(t, auth.Administrator)
	group := url.Values{"reason": {"unknown topic"}, "source": {"mapping"}}
	got := rm.get(t, c, "/quarantine/entries?"+group.Encode())
	if !strings.Contains(got.body, "shop-hub: 3") || !strings.Contains(got.body, "Replay all") {
		t.Errorf("the group: %s", got.body)
	}
	_, err := rm.mappings.Draft(t.Context(), "window", `{"property": "contact", "state": body.state}`, "test", "")
	must(t, err)
	must(t, rm.mappings.Live(t.Context(), "window", 1, "test", ""))
	group.Set("do", "replay")
	got = rm.post(t, c, "/quarantine/group", group)
	work := got.header.Get("Location")
	if got.status != http.StatusSeeOther || !strings.HasPrefix(work, "/quarantine/work/") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	waitFor(t, "the work's end", func() bool {
		got = rm.get(t, c, work)
		return got.header.Get("Refresh") == ""
	})
	for _, want := range []string{"Finished", "4 of 4 entries", "<dt>Replayed</dt><dd>3</dd>", "<dt>Still not accepted</dt><dd>1,", "no such key: state"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the work's page lacks %q: %s", want, got.body)
		}
	}
	if n := rm.observations(t); n != 3 {
		t.Errorf("%d observations", n)
	}
	group.Set("do", "discard")
	if got := rm.post(t, c, "/quarantine/group", group); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "Say why") {
		t.Errorf("discarded without a reason: %d", got.status)
	}
	group.Set("why", "an old firmware")
	if got := rm.post(t, c, "/quarantine/group", group); got.status != http.StatusSeeOther {
		t.Errorf("discarded: %d", got.status)
	}
	waitFor(t, "an empty quarantine", func() bool {
		return strings.Contains(rm.get(t, c, "/quarantine").body, "The quarantine is empty")
	})
	if got := rm.post(t, c, "/quarantine/group", url.Values{"do": {"replay"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("all there is: %d", got.status)
	}
}

func TestWhatMayNotBeKeptSaysWhyItHasNoBytes(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	must(t, rm.intake.QuarantineMessage(t.Context(), event.Quarantined{Source: "mapping", From: "home-hub", Device: "home-hub", Reason: "may not be kept", Detail: "no basis"}))
	var rows []sense.QuarantineRow
	waitFor(t, "the entry", func() bool {
		var err error
		rows, err = rm.site.Sense.QuarantineRows(t.Context(), "", 0, 1)
		return err == nil && len(rows) == 1
	})
	c := rm.signIn(t, auth.Supervisor)
	path := "/quarantine/entries/" + string(rows[0].ID)
	if got := rm.get(t, c, path); !strings.Contains(got.body, "there are no bytes, by design") || strings.Contains(got.body, "/replay") && strings.Contains(got.body, ">Replay<") {
		t.Errorf("%s", got.body)
	}
	if got := rm.post(t, c, path+"/discard", url.Values{"why": {""}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("discarded without a reason: %d", got.status)
	}
	if got := rm.post(t, c, path+"/discard", url.Values{"why": {"the hub has gone"}}); got.status != http.StatusSeeOther {
		t.Errorf("discarded: %d", got.status)
	}
}

func TestBytesSurviveTheForm(t *testing.T) {
	for name, b := range map[string]string{
		"text": "{\n\t\"a\": \"é\"\n}", "a frame": "\nF4D2\"SIA-DCS\"\r", "zeros": "\x00\x01\xff", "a leading break": "\nx", "broken UTF-8": "a\xffb", "long": strings.Repeat("\x01", 100),
	} {
		as, text := editable([]byte(b))
		got, err := edited(as, strings.ReplaceAll(text, "\n", "\r\n"))
		if err != nil || string(got) != b {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, bad := range []string{"7b 7", "zz", ""} {
		if b, err := edited("hex", bad); err == nil {
			t.Errorf("%q is %v", bad, b)
		}
	}
}

func (rm *room) row(t *testing.T, id string) sense.QuarantineRow {
	t.Helper()
	row, err := rm.site.Sense.QuarantineRow(t.Context(), event.ID(id))
	must(t, err)
	return row
}
