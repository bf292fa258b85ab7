package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// dayRows is how many events the table beside a timeline lists.
const dayRows = 1000

// timelineData is what a day of premises shows.
type timelineData struct {
	P        *registry.Premises
	Day      time.Time // its first instant
	Home     bool
	Opened   bool
	Purpose  string // code and words of what it was opened for
	For      string
	Why      string
	Problem  string
	Purposes []option

	Date, Previous, Next string // days as forms send them; empty: there is none
	First, Last          string // between which there is something
	Chart                *chart
	Rows                 []timelineRow
	More                 int  // events that the table leaves out
	Full                 bool // more happened than is shown
}

// timelineRow is an event of the table.
type timelineRow struct {
	Time               time.Time
	Sensor, What, Says string
}

// premisesTimeline shows a day. Of a home it first asks for a purpose: what the
// doors of a home did all day is its people's life.
func (s *Site) premisesTimeline(w http.ResponseWriter, r *http.Request) {
	s.showTimeline(w, r, r.URL.Query())
}

func (s *Site) premisesTimelineOpen(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	s.showTimeline(w, r, v)
}

func (s *Site) showTimeline(w http.ResponseWriter, r *http.Request, v url.Values) {
	p, err := s.Registry.Premises(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d := &timelineData{P: p, Home: p.Home(), Purposes: purposes}
	d.Opened = !d.Home
	status := http.StatusOK
	first, last, err := s.Sense.Days(r.Context(), p.ID)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d.choose(v.Get("day"), first, last, s.clock.Now(), s.zone)
	if d.Home && r.Method == http.MethodPost {
		if d.Purpose, d.Why = v.Get("purpose"), shorten(500, v.Get("why")); purposeWords[d.Purpose] == "" {
			d.Problem, status = "Choose what you need it for.", http.StatusUnprocessableEntity
		} else if err := s.openDay(r, d); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	if d.Opened {
		if err := s.fillDay(r, d); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.render(w, r, status, page{Name: "premises_timeline", Title: "Timeline of " + p.Name, Section: "/premises", Class: "page-wide", Data: d})
}

// openDay records a look at a day of a home. What cannot be recorded is not shown.
func (s *Site) openDay(r *http.Request, d *timelineData) error {
	d.Opened, d.For = true, purposeWords[d.Purpose]
	return s.record(r.Context(), audit.Entry{
		Action: audit.RecordOpened, Operation: audit.Consultation, Object: "premises/" + d.P.ID, Purpose: d.Purpose, Why: d.Why,
		Detail: map[string]string{"opened": "timeline of " + d.P.Name, "day": d.Date},
	})
}

// choose sets the day: the one that was asked for, or the last of which something
// is known.
func (d *timelineData) choose(asked string, first, last, now time.Time, zone *time.Location) {
	midnight := func(t time.Time) time.Time {
		t = t.In(zone)
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
	}
	today := midnight(now)
	d.Day = today
	if !last.IsZero() {
		d.Day = midnight(last)
	}
	if day, err := time.ParseInLocation(time.DateOnly, asked, zone); err == nil && day.Year() > 1970 && !day.After(today) {
		d.Day = day
	}
	d.Date = d.Day.Format(time.DateOnly)
	if !first.IsZero() {
		d.First, d.Last = midnight(first).Format(time.DateOnly), midnight(last).Format(time.DateOnly)
		if before := d.Day.AddDate(0, 0, -1); !before.Before(midnight(first)) {
			d.Previous = before.Format(time.DateOnly)
		}
	}
	if after := d.Day.AddDate(0, 0, 1); !after.After(today) {
		d.Next = after.Format(time.DateOnly)
	}
}

// fillDay reads a day and draws it.
func (s *Site) fillDay(r *http.Request, d *timelineData) error {
	end := d.Day.AddDate(0, 0, 1)
	before, during, full, err := s.Sense.Timeline(r.Context(), d.P.ID, d.Day, end)
	if err != nil {
		return err
	}
	d.Full = full
	known := end
	if now := s.clock.Now(); now.Before(known) {
		known = now
	}
	d.Chart = drawChart(d.Day, end, known, s.zone, before, during, s.sensorName)
	for i := range during {
		v := &during[i]
		if len(d.Rows) == dayRows {
			d.More = len(during) - i
			break
		}
		d.Rows = append(d.Rows, timelineRow{v.Time, s.sensorName(v), inWords(v.What()), v.Words()})
	}
	return nil
}

// sensorName is what people call a sensor: as its owner does, as the register
// does, or by its name at its hub.
func (s *Site) sensorName(v *sense.Value) string {
	if v.Name != "" {
		return v.Name
	}
	if d := s.Registry.Sensor(v.Device); d != nil && (d.ID == v.Device || isAlias(d, v.Device)) {
		return d.Name
	}
	return v.Device
}
