package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/sense"
)

const (
	quarantineRows    = 100
	quarantineSenders = 20
)

func (s *Site) quarantine(w http.ResponseWriter, r *http.Request) {
	groups, err := s.Sense.QuarantineGroups(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	settled, _, err := s.Sense.QuarantineCount(r.Context(), sense.QuarantineFilter{Settled: true})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, page{Name: "quarantine", Title: "Quarantine", Section: "/quarantine", Class: "page-wide", Data: struct {
		Groups  []sense.QuarantineGroup
		Settled int
	}{groups, settled}})
}

// entriesData is what the page of a group's entries shows.
type entriesData struct {
	sense.QuarantineFilter
	Older   string
	Rows    []sense.QuarantineRow
	Count   int // in all
	Senders []sense.QuarantineSender
	Work    bool // the visitor may work on them
	Problem string
	Why     string // as it was sent
}

// Address is where the page is, for links that change one of its choices.
func (d entriesData) Address(device string) string {
	return "/quarantine/entries?" + groupQuery(sense.QuarantineFilter{Source: d.Source, Reason: d.Reason, Device: device, Settled: d.Settled}).Encode()
}

func groupOf(q url.Values) sense.QuarantineFilter {
	return sense.QuarantineFilter{Source: q.Get("source"), Reason: q.Get("reason"), Device: q.Get("device"), Settled: q.Get("settled") == "1"}
}

func groupQuery(f sense.QuarantineFilter) url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"source": f.Source, "reason": f.Reason, "device": f.Device} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if f.Settled {
		v.Set("settled", "1")
	}
	return v
}

func (s *Site) quarantineEntries(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	before, _ := strconv.ParseUint(q.Get("before"), 10, 63) // what is no number begins at the newest
	s.showEntries(w, r, http.StatusOK, before, entriesData{QuarantineFilter: groupOf(q)})
}

func (s *Site) showEntries(w http.ResponseWriter, r *http.Request, status int, before uint64, d entriesData) {
	var err error
	if d.Rows, err = s.Sense.QuarantineFind(r.Context(), d.QuarantineFilter, before, quarantineRows+1); err != nil {
		s.fail(w, r, err)
		return
	}
	if d.Count, _, err = s.Sense.QuarantineCount(r.Context(), d.QuarantineFilter); err != nil {
		s.fail(w, r, err)
		return
	}
	if !d.Settled {
		if d.Senders, err = s.Sense.QuarantineSenders(r.Context(), d.QuarantineFilter, quarantineSenders); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	if len(d.Rows) > quarantineRows {
		d.Rows = d.Rows[:quarantineRows]
		next := groupQuery(d.QuarantineFilter)
		next.Set("before", strconv.FormatUint(d.Rows[len(d.Rows)-1].Seq, 10))
		d.Older = "/quarantine/entries?" + next.Encode()
	}
	// All there is at once is no group that anybody has looked at.
	d.Work = s.Quarantine != nil && !d.Settled && d.Count > 0 && d.Reason != "" && visitorOf(r).may(auth.WorkQuarantine)
	s.render(w, r, status, page{Name: "quarantine_entries", Title: "Quarantine", Section: "/quarantine", Class: "page-wide", Data: d})
}

// quarantineGroup begins work on a whole group.
func (s *Site) quarantineGroup(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	f, why, discard := groupOf(v), shorten(500, v.Get("why")), v.Get("do") == "discard"
	f.Settled = false
	if s.Quarantine == nil {
		s.fail(w, r, unavailable("This server only shows the quarantine."))
		return
	}
	if f.Reason == "" || discard && why == "" {
		d := entriesData{QuarantineFilter: f, Problem: "Say why these entries are worth nothing.", Why: why}
		if f.Reason == "" {
			d.Problem = "Choose a group of entries first."
		}
		s.showEntries(w, r, http.StatusUnprocessableEntity, 0, d)
		return
	}
	action := audit.Action("quarantine.group-replayed")
	if discard {
		action = "quarantine.group-discarded"
	}
	err := s.record(r.Context(), audit.Entry{
		Action: action, Object: "quarantine", Purpose: string(auth.Maintain), Why: why,
		Detail: map[string]string{"reason": f.Reason, "source": f.Source, "device": f.Device},
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	j, err := s.Quarantine.Start(r.Context(), f, visitorOf(r).ID, why, discard)
	if err != nil {
		s.fail(w, r, quarantineFailure(err))
		return
	}
	http.Redirect(w, r, "/quarantine/work/"+j.ID, http.StatusSeeOther)
}

// quarantineWork shows how far work on a group is, and comes again by itself.
func (s *Site) quarantineWork(w http.ResponseWriter, r *http.Request) {
	if s.Quarantine == nil {
		s.fail(w, r, notFound("This server only shows the quarantine."))
		return
	}
	j, err := s.Quarantine.Job(r.PathValue("job"))
	if err != nil {
		s.fail(w, r, notFound("There is no such work, or the server has been started since. What is still open is listed in the quarantine."))
		return
	}
	if j.Ended.IsZero() {
		w.Header().Set("Refresh", "1")
	}
	s.render(w, r, http.StatusOK, page{Name: "quarantine_work", Title: "Work on the quarantine", Section: "/quarantine", Data: struct {
		sense.Job
		Group string
	}{j, "/quarantine/entries?" + groupQuery(j.Filter).Encode()}})
}
