package web

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

const (
	deviceListRows = 100 // devices of one page of the list
	deviceReadings = 50  // newest readings on a device's page
)

// deviceRow is a device in the list.
type deviceRow struct {
	D     *registry.Device
	V     sense.Vitals
	Needs []string
	State [2]string // class and words
	Place string    // name of its premises
	rank  int
}

// key orders devices: those that need attention first.
func (r *deviceRow) key() string { return strconv.Itoa(r.rank) + "\x1f" + r.D.ID }

// deviceListData is what the list of devices shows.
type deviceListData struct {
	Words, State string
	States       []option
	List         []deviceRow
	Total        int
	Attention    int // how many need attention
	After        string
}

// deviceFilters are what the list can be narrowed to.
var deviceFilters = []option{
	{"", "All", ""},
	{"attention", "Need attention", ""},
	{"silent", "Silent or gone", ""},
	{"battery", "Weak battery", ""},
	{"clock", "Wrong clock", ""},
	{"unheard", "Never heard", ""},
	{"revoked", "Revoked", ""},
}

func (s *Site) devices(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := deviceListData{Words: strings.TrimSpace(shorten(200, q.Get("q"))), State: q.Get("state"), States: deviceFilters}
	vitals, err := s.Sense.Vitals(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	all := s.Registry.Devices()
	d.Total = len(all)
	rows := make([]deviceRow, 0, len(all))
	for _, dev := range all {
		v := vitals[dev.ID]
		row := deviceRow{D: dev, V: v, Needs: sense.Needs(dev, v), rank: sense.Rank(dev, v)}
		if len(row.Needs) > 0 {
			d.Attention++
		}
		if row.key() > q.Get("after") && row.is(d.State) && dev.Matches(d.Words) {
			rows = append(rows, row)
		}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].key() < rows[j].key() })
	if len(rows) > deviceListRows {
		rows = rows[:deviceListRows]
		d.After = rows[len(rows)-1].key()
	}
	for i := range rows {
		rows[i].State = deviceStateWords(rows[i].D, rows[i].V)
		if p, err := s.Registry.Premises(rows[i].D.Premises); err == nil {
			rows[i].Place = p.Name
		}
	}
	d.List = rows
	s.render(w, r, http.StatusOK, page{Name: "devices", Title: "Devices", Section: "/devices", Class: "page-wide", Data: d})
}

// is reports whether a filter lets a device through.
func (r *deviceRow) is(filter string) bool {
	switch filter {
	case "attention":
		return len(r.Needs) > 0
	case "silent":
		return !r.D.Revoked && (r.V.State == sense.Silent || r.V.State == sense.Gone)
	case "battery":
		return r.V.WeakBattery > 0
	case "clock":
		return r.V.ClockWrong > 0
	case "unheard":
		return r.V.LastHeard.IsZero()
	case "revoked":
		return r.D.Revoked
	}
	return true
}

// deviceStateWords say whether a device is alive, as a class of the theme and in
// words.
func deviceStateWords(d *registry.Device, v sense.Vitals) [2]string {
	switch {
	case d.Revoked:
		return [2]string{"bad", "Revoked"}
	case v.State == "" && len(d.Credentials) == 0:
		return [2]string{"unknown", "Not enrolled yet"}
	case v.State == "":
		return [2]string{"unknown", "Not heard yet"}
	}
	return deviceWords[v.State]
}

// deviceData is what one device's page shows.
type deviceData struct {
	D        *registry.Device
	P        *registry.Premises // nil: none
	State    [2]string
	V        sense.Vitals
	Needs    []string
	Own      *sense.Twin // what it says of itself; nil: nothing
	Parts    []devicePart
	Readings []sense.Value
	Kept     [2]string // whether what it senses may be kept
	Why      string    // and why, or why not
	Until    string

	Home     bool   // what it senses is personal data
	Opened   string // for which purpose it was opened; empty: not
	Problem  string
	Purposes []option
	Actions  []deviceAction
	Failed   string // the action that was refused
	Given    *given // what an action gave out, once
}

// devicePart is a twin with its values: the device, or a sensor behind it.
type devicePart struct {
	T      sense.Twin
	State  [2]string
	Values []sense.Value
}

func (s *Site) device(w http.ResponseWriter, r *http.Request) {
	s.showDevice(w, r, http.StatusOK, &deviceData{})
}

// showDevice shows a device's page; d has what a form led to.
func (s *Site) showDevice(w http.ResponseWriter, r *http.Request, status int, d *deviceData) {
	if err := s.fillDevice(r, d); err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, status, page{Name: "device", Title: d.D.Name, Section: "/devices", Class: "page-wide", Data: d})
}

func (s *Site) fillDevice(r *http.Request, d *deviceData) (err error) {
	if d.D, err = s.Registry.Device(r.PathValue("id")); err != nil {
		return err
	}
	if p, err := s.Registry.Premises(d.D.Premises); err == nil {
		d.P, d.Home = p, p.Home()
	}
	ctx := r.Context()
	if d.V, err = s.Sense.VitalsOf(ctx, d.D.ID); err != nil {
		return err
	}
	d.State, d.Needs, d.Purposes = deviceStateWords(d.D, d.V), sense.Needs(d.D, d.V), purposes
	d.Kept, d.Why, d.Until = s.lawful(d.D, d.P)
	d.Actions = s.deviceActions(d.D)
	twins, err := s.Sense.Twins(ctx, d.D.ID)
	if err != nil {
		return err
	}
	var values []sense.Value
	if !d.Home || d.Opened != "" {
		if values, err = s.Sense.Values(ctx, d.D.ID); err != nil {
			return err
		}
		if d.Readings, err = s.Sense.Readings(ctx, d.D.ID, deviceReadings); err != nil {
			return err
		}
	}
	for _, t := range twins {
		part := devicePart{T: t, State: deviceWords[t.State]}
		for _, v := range values {
			if v.Source == t.Source && v.Device == t.Device {
				part.Values = append(part.Values, v)
			}
		}
		d.Parts = append(d.Parts, part)
	}
	sort.SliceStable(d.Parts, func(i, j int) bool {
		a, b := d.Parts[i].T.Device, d.Parts[j].T.Device
		if (a == d.D.ID) != (b == d.D.ID) {
			return a == d.D.ID
		}
		return naturally(a, b)
	})
	d.Own = ownTwin(d.D, twins)
	return nil
}

// ownTwin is what a device says of itself: under its id or an alias, or the only
// name that is heard of it.
func ownTwin(d *registry.Device, twins []sense.Twin) *sense.Twin {
	var best *sense.Twin
	for i := range twins {
		t := &twins[i]
		if t.Device != d.ID && len(twins) > 1 && !isAlias(d, t.Device) {
			continue
		}
		if best == nil || t.LastHeard.After(best.LastHeard) {
			best = t
		}
	}
	return best
}

func isAlias(d *registry.Device, name string) bool {
	for _, a := range d.Aliases {
		if a == name {
			return true
		}
	}
	return false
}

// lawful says whether what a device senses may be kept now, why, and how long.
func (s *Site) lawful(d *registry.Device, p *registry.Premises) (kept [2]string, why, until string) {
	until = "Readings for " + retentionWords(event.KindState) + ", health reports for " + retentionWords(event.KindHealth) + ", alarms for " + retentionWords(event.KindAlarm)
	if d.Retain != "" {
		until = "All of it for " + spanOf(d.Retain)
	}
	switch {
	case d.Revoked:
		return [2]string{"bad", "Nothing is kept"}, "The device is revoked.", ""
	case !d.Kept(s.clock.Now()):
		return [2]string{"bad", "Nothing is kept"}, "The owner’s consent does not hold: " + d.Lawful() + ".", ""
	case d.Basis != event.BasisNone:
		return [2]string{"ok", "Kept lawfully"}, upperFirst(d.Lawful()) + ".", until
	case p != nil && p.Basis != event.BasisNone:
		why = upperFirst(inWords(string(p.Basis)))
		if p.Purpose != "" {
			why += ", for " + p.Purpose
		}
		return [2]string{"ok", "Kept lawfully"}, why + ": the basis of its premises.", until
	case p != nil && p.Home():
		return [2]string{"bad", "Nothing is kept"}, "It is in a home, and neither the home nor the device states a lawful basis.", ""
	}
	return [2]string{"ok", "Kept"}, "It is in no home, so no basis is asked for.", until
}

func retentionWords(k event.Kind) string { return spanOf(sense.DefaultRetention(k)) }

func spanOf(r event.Retention) string {
	d := r.Duration()
	if d == 0 {
		return "until somebody reviews it"
	}
	if d%(24*time.Hour) == 0 && d > 24*time.Hour {
		return plural(int(d/(24*time.Hour)), "day", "days")
	}
	return spanWords(d)
}

// Trouble is why a form was not taken; empty for the others.
func (d *deviceData) Trouble(form string) string {
	if d.Failed == form {
		return d.Problem
	}
	return ""
}
