package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/cap/issue"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// The staff's side of warnings: one writes, another approves.

const pastWarnings = 50

// warningsDeskData is what the list of warnings shows.
type warningsDeskData struct {
	Waiting, Standing, Past []issue.Warning
	Now                     time.Time
}

// Fate says what became of a warning.
func (d warningsDeskData) Fate(w issue.Warning) string { return warningFate(&w, d.Now) }

// Table is what one table of warnings is made of.
func (d warningsDeskData) Table(label string, list []issue.Warning) map[string]any {
	return map[string]any{"Label": label, "List": list, "Desk": d}
}

func (s *Site) warningsDesk(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	d := warningsDeskData{Now: s.clock.Now()}
	var err error
	if d.Waiting, d.Standing, d.Past, err = s.Warnings.List(r.Context(), pastWarnings); err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, page{Name: "warnings_desk", Title: "Warnings", Section: "/warnings/desk", Class: "page-wide", Data: d})
}

// warningFate says how far a warning is, in words.
func warningFate(w *issue.Warning, now time.Time) string {
	switch {
	case w.State == issue.Drafted:
		return "Waits for approval"
	case w.State == issue.Discarded:
		return "Discarded"
	case w.MsgType == codec.MsgCancel:
		return "Cancellation, issued"
	case w.ReplacedBy != "":
		return "Updated or cancelled"
	case w.Stands(now):
		return "Stands"
	default:
		return "Ended"
	}
}

// warningData is what one warning's page shows.
type warningData struct {
	W       issue.Warning
	How     string
	Fate    string
	Before  []issue.Warning
	Place   *place.Point
	Own     bool // the visitor has written on it
	Stands  bool
	Problem string
}

// Lines is lines for templates.
func (warningData) Lines(text string) []string { return lines(text) }

func (s *Site) warning(w http.ResponseWriter, r *http.Request) {
	if s.issuing(w, r) {
		s.showWarning(w, r, http.StatusOK, "")
	}
}

func (s *Site) showWarning(w http.ResponseWriter, r *http.Request, status int, problem string) {
	x, err := s.Warnings.Get(r.Context(), event.ID(r.PathValue("id")))
	if err != nil {
		s.failWarning(w, r, err)
		return
	}
	now := s.clock.Now()
	d := warningData{
		W: x, How: warningWords(&x), Fate: warningFate(&x, now), Before: s.Warnings.Chain(x.ID), Place: placeOf(&x.Draft),
		Stands: x.Stands(now), Problem: problem,
	}
	for _, a := range x.Authors {
		d.Own = d.Own || a == visitorOf(r).ID
	}
	s.render(w, r, status, page{
		Name: "warning", Title: x.Headline, Section: "/warnings/desk", Class: "page-wide", Islands: []string{mapEntry}, Data: d,
	})
}

// placeOf is where a map shows a warning: its circle's centre, or the middle of
// its polygon's corners.
func placeOf(d *issue.Draft) *place.Point {
	if c, err := codec.ParseCircle(d.Circle); err == nil {
		return &place.Point{Lat: c.Centre.Lat, Lon: c.Centre.Lon}
	}
	p, err := codec.ParsePolygon(d.Polygon)
	if err != nil {
		return nil
	}
	var sum place.Point
	for _, pt := range p[1:] {
		sum.Lat += pt.Lat / float64(len(p)-1)
		sum.Lon += pt.Lon / float64(len(p)-1)
	}
	return &sum
}

// warningForm shows the form of a new warning, or of one that is revised or
// updated.
func (s *Site) warningForm(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	id, what := event.ID(r.PathValue("id")), r.PathValue("form")
	if id == "" {
		f := s.newWarningForm("/warnings/desk/new", "Save the draft", "")
		f.take(url.Values{"status": {string(codec.Actual)}})
		s.showWarningForm(w, r, http.StatusOK, "Write a warning", f.clean())
		return
	}
	x, err := s.Warnings.Get(r.Context(), id)
	if err != nil {
		s.failWarning(w, r, err)
		return
	}
	f, title := s.formOf(&x, what)
	if f == nil {
		s.lost(w, r)
		return
	}
	f.take(s.warningValues(&x))
	s.showWarningForm(w, r, http.StatusOK, title, f.clean())
}

// formOf is the form to revise or update a warning; nil for anything else.
func (s *Site) formOf(x *issue.Warning, what string) (f *warningsForm, title string) {
	to := "/warnings/desk/" + url.PathEscape(string(x.ID)) + "/" + what
	switch what {
	case "revise":
		f, title = s.newWarningForm(to, "Save the draft", ""), "Change the draft"
		f.Hidden["version"] = strconv.Itoa(x.Version)
	case "update":
		f, title = s.newWarningForm(to, "Save the draft", "Why it is updated"), "Update a warning"
	}
	return f, title
}

func (s *Site) showWarningForm(w http.ResponseWriter, r *http.Request, status int, title string, f *warningsForm) {
	s.showForm(w, r, status, title, "/warnings/desk", &f.form)
}

// warningNew takes the form of a new warning.
func (s *Site) warningNew(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	f := s.newWarningForm("/warnings/desk/new", "Save the draft", "")
	s.takeWarningForm(w, r, f, v, "Write a warning", issue.Action{Type: issue.ChangeDrafted, MsgType: codec.MsgAlert})
}

// takeWarningForm takes a form of a warning's text.
func (s *Site) takeWarningForm(w http.ResponseWriter, r *http.Request, f *warningsForm, v url.Values, title string, a issue.Action) {
	if f.take(v) {
		a.Draft, a.Why = s.draftOf(f), f.value("why")
		if f.Problem == "" {
			x, err := s.doWarning(r.Context(), a)
			if err == nil {
				done(w, r, "/warnings/desk/"+url.PathEscape(string(x.ID)), "warning-drafted")
				return
			}
			if !errors.Is(err, issue.ErrNotAllowed) {
				s.failWarning(w, r, err)
				return
			}
			f.Problem = warningProblem(err)
		}
	}
	s.showWarningForm(w, r, http.StatusUnprocessableEntity, title, f)
}

// warningAct takes what a person does to a warning.
func (s *Site) warningAct(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	x, err := s.Warnings.Get(r.Context(), event.ID(r.PathValue("id")))
	if err != nil {
		s.failWarning(w, r, err)
		return
	}
	version, _ := strconv.Atoi(v.Get("version")) // what is no number is no version that there is
	a := issue.Action{Warning: x.ID, Version: version, Why: strings.TrimSpace(strings.ToValidUTF8(v.Get("why"), "�"))}
	what := r.PathValue("what")
	switch what {
	case "revise":
		f, title := s.formOf(&x, what)
		a.Type = issue.ChangeRevised
		f.Hidden["version"] = v.Get("version")
		s.takeWarningForm(w, r, f, v, title, a)
	case "update":
		f, title := s.formOf(&x, what)
		s.takeWarningForm(w, r, f, v, title, issue.Action{Type: issue.ChangeDrafted, MsgType: codec.MsgUpdate, Of: x.ID})
	case "cancel":
		s.actOnWarning(w, r, issue.Action{Type: issue.ChangeDrafted, MsgType: codec.MsgCancel, Of: x.ID, Why: a.Why}, "warning-cancelling")
	case "discard":
		a.Type = issue.ChangeDiscarded
		s.actOnWarning(w, r, a, "warning-discarded")
	default:
		s.lost(w, r)
	}
}

// warningApprove issues a warning.
func (s *Site) warningApprove(w http.ResponseWriter, r *http.Request) {
	if !s.issuing(w, r) {
		return
	}
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	version, _ := strconv.Atoi(v.Get("version"))
	s.actOnWarning(w, r, issue.Action{Type: issue.ChangeIssued, Warning: event.ID(r.PathValue("id")), Version: version}, "warning-issued")
}

// actOnWarning does something that has no form of its own, and shows the warning.
func (s *Site) actOnWarning(w http.ResponseWriter, r *http.Request, a issue.Action, code string) {
	x, err := s.doWarning(r.Context(), a)
	switch {
	case err == nil:
		done(w, r, "/warnings/desk/"+url.PathEscape(string(x.ID)), code)
	case errors.Is(err, issue.ErrNotAllowed), errors.Is(err, issue.ErrOwnWork):
		s.showWarning(w, r, http.StatusUnprocessableEntity, warningProblem(err))
	default:
		s.failWarning(w, r, err)
	}
}

// doWarning takes an action, on the audit log first. One that the office refuses
// leaves only its refusal there.
func (s *Site) doWarning(ctx context.Context, a issue.Action) (issue.Warning, error) {
	v := visitorIn(ctx)
	a.By = v.ID
	if a.Warning == "" {
		a.Warning = event.NewID("public-warning", a.By, s.clock.Now().Format(time.RFC3339Nano), string(a.Of), a.Draft.Headline, newReference())
	}
	entry := audit.Entry{
		Action: audit.Action("warning." + string(a.Type)), Object: "warning/" + string(a.Warning), Purpose: string(auth.Safeguard), Why: a.Why,
		Detail: map[string]string{"headline": a.Draft.Headline, "message": string(a.MsgType), "about": string(a.Of)},
	}
	for _, id := range []event.ID{a.Of, a.Warning} {
		if x, err := s.Warnings.Get(ctx, id); err == nil && entry.Detail["headline"] == "" {
			entry.Detail["headline"] = x.Headline
		}
	}
	refused := func(err error) (issue.Warning, error) {
		entry.Action += ".refused"
		entry.Detail["refused"] = err.Error()
		return issue.Warning{}, errors.Join(err, s.record(ctx, entry))
	}
	if err := s.Warnings.Check(ctx, a); err != nil {
		return refused(err)
	}
	if err := s.record(ctx, entry); err != nil {
		return issue.Warning{}, err
	}
	x, err := s.Warnings.Do(ctx, a)
	if err != nil {
		return refused(err)
	}
	return x, nil
}
