package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
)

const (
	listRows = 50   // incidents on one page
	listScan = 5000 // incidents that one request looks through for a filter
)

// filter chooses incidents of the list.
type filter struct {
	State    incident.State
	Grade    string // "ungraded" for those without
	Kind     string
	Words    string
	Premises string
}

func filterOf(q url.Values) filter {
	return filter{
		State: incident.State(q.Get("state")), Grade: q.Get("grade"), Kind: q.Get("kind"),
		Words: strings.TrimSpace(shorten(200, q.Get("q"))), Premises: q.Get("premises"),
	}
}

// query is the filter as part of an address.
func (f filter) query() url.Values {
	q := url.Values{}
	for k, v := range map[string]string{"state": string(f.State), "grade": f.Grade, "kind": f.Kind, "q": f.Words, "premises": f.Premises} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return q
}

// Any reports whether the filter asks for anything.
func (f filter) Any() bool { return f != filter{} }

func (f filter) matches(in *incident.Incident) bool {
	grade := string(in.Grade)
	if in.Grade == event.Ungraded {
		grade = "ungraded"
	}
	premises := ""
	if in.Premises != nil {
		premises = in.Premises.ID
	}
	if f.State != "" && in.State != f.State || f.Grade != "" && grade != f.Grade ||
		f.Kind != "" && in.Kind != f.Kind || f.Premises != "" && premises != f.Premises {
		return false
	}
	text := strings.ToLower(strings.Join([]string{in.Ref, in.Title, in.Assigned, premises}, " "))
	for word := range strings.FieldsSeq(strings.ToLower(f.Words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// find returns the newest incidents before a number that match. older is where
// to go on, 0 at the end.
func (s *Site) find(ctx context.Context, f filter, before, limit int) (found []incident.Incident, older int, err error) {
	for scanned := 0; scanned < listScan; {
		page, err := s.Incidents.Recent(ctx, before, incident.MaxPage)
		if err != nil {
			return nil, 0, err
		}
		for i := range page {
			before = page[i].Number
			if !f.matches(&page[i]) {
				continue
			}
			found = append(found, page[i])
			if len(found) == limit {
				if before <= 1 {
					before = 0
				}
				return found, before, nil
			}
		}
		if len(page) < incident.MaxPage {
			return found, 0, nil
		}
		scanned += len(page)
	}
	return found, before, nil
}

// incidentsData is what the list shows.
type incidentsData struct {
	Filter filter
	States []option
	Grades []option
	Kinds  []option
	List   []incident.Incident
	Older  string // address of the next page
	Counts map[incident.State]int
	Total  int
}

func (s *Site) incidents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	before, _ := strconv.Atoi(q.Get("before")) // what is no number begins at the newest
	d := incidentsData{Filter: filterOf(q), States: stateOptions, Grades: gradeOptions, Kinds: kindOptions}
	var err error
	var older int
	if d.List, older, err = s.find(r.Context(), d.Filter, before, listRows); err != nil {
		s.fail(w, r, err)
		return
	}
	if older > 0 {
		more := d.Filter.query()
		more.Set("before", strconv.Itoa(older))
		d.Older = "/incidents?" + more.Encode()
	}
	if d.Counts, err = s.Incidents.Counts(r.Context()); err != nil {
		s.fail(w, r, err)
		return
	}
	for _, n := range d.Counts {
		d.Total += n
	}
	s.render(w, r, http.StatusOK, page{Name: "incidents", Title: "Incidents", Section: "/incidents", Class: "page-wide", Data: d})
}

var stateOptions = []option{
	{"", "Any state", ""},
	{"open", "Open", ""},
	{"acknowledged", "Acknowledged", ""},
	{"attending", "Attending", ""},
	{"closed", "Closed", ""},
}

var gradeOptions = []option{
	{"", "Any grade", ""},
	{"ungraded", "Not graded", ""},
	{"immediate", "Immediate", ""},
	{"prompt", "Prompt", ""},
	{"scheduled", "Scheduled", ""},
	{"resolved_without_deployment", "Resolved", ""},
}

var kindOptions = []option{
	{"", "Any kind", ""},
	{"intruder", "Intruder", ""},
	{"hold_up", "Hold-up", ""},
	{"network_attack", "Network attack", ""},
	{"fire", "Fire", ""},
	{"medical", "Medical", ""},
	{"tamper", "Tamper", ""},
	{"fault", "Fault", ""},
	{"other", "Other", ""},
}
