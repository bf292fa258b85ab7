package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
)

// act takes a form of an incident's page.
func (s *Site) act(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	try, a := attemptOf(v)
	a.Incident, a.By = event.ID(r.PathValue("id")), visitorOf(r).ID
	if try.Problem = a.problem(); try.Problem != "" {
		s.showIncident(w, r, http.StatusUnprocessableEntity, try, 0, nil)
		return
	}
	in, err := s.do(r.Context(), a.Action)
	switch {
	case err == nil:
		done(w, r, "/incidents/"+url.PathEscape(string(in.ID)), string(a.Type))
	case errors.Is(err, incident.ErrChanged):
		try.Changed = true
		s.showIncident(w, r, http.StatusConflict, try, a.Version, nil)
	case errors.Is(err, incident.ErrNotAllowed):
		try.Problem = upperFirst(strings.TrimPrefix(err.Error(), incident.ErrNotAllowed.Error()+": ")) + "."
		s.showIncident(w, r, http.StatusUnprocessableEntity, try, 0, nil)
	default:
		s.fail(w, r, err)
	}
}

// sentAction is an action as a form sends it.
type sentAction struct {
	incident.Action
	broken string
}

// problem says what is wrong with what was sent, before the desk sees it.
func (a *sentAction) problem() string { return a.broken }

func attemptOf(v url.Values) (attempt, *sentAction) {
	a := &sentAction{}
	try := attempt{
		Type: event.ChangeType(v.Get("type")), Text: v.Get("why"), Grade: v.Get("grade"),
		To: v.Get("to"), Code: v.Get("code"),
	}
	version, err := strconv.Atoi(v.Get("version"))
	if err != nil || version < 1 {
		a.broken = "The form does not say which version of the incident it is about. Load the page again."
	}
	for _, f := range v["factor"] {
		if factorWords[f] == "" {
			a.broken = "One of the chosen factors is not known. Load the page again."
			continue
		}
		try.Factors = append(try.Factors, f)
	}
	a.Action = incident.Action{
		Version: version, Why: strings.TrimSpace(strings.ToValidUTF8(try.Text, "�")), Type: try.Type,
		Grade: event.Grade(try.Grade), Factors: try.Factors,
		AssignedTo: strings.TrimSpace(strings.ToValidUTF8(try.To, "�")), Code: event.ClosingCode(try.Code),
	}
	if a.Type != event.ChangeGraded {
		a.Grade, a.Factors = "", nil
	}
	return try, a
}

// do takes an action, on the audit log first. One that the desk refuses leaves
// only its refusal there; one that fails later, because the incident changed in
// that moment or the log could not be written, leaves both entries.
func (s *Site) do(ctx context.Context, a incident.Action) (incident.Incident, error) {
	in, err := s.current(ctx, a.Incident)
	if err != nil {
		return incident.Incident{}, err
	}
	if a.Version != 0 && a.Version != in.Version {
		return incident.Incident{}, incident.ErrChanged
	}
	entry := audit.Entry{
		Action: audit.Action("incident." + string(a.Type)), Object: "incident/" + string(a.Incident), Purpose: "respond",
		Why: a.Why, Detail: map[string]string{"incident": in.Ref + " " + in.Title, "what": actionWords(a)},
	}
	refused := func(err error) (incident.Incident, error) {
		entry.Action += ".refused"
		entry.Detail["refused"] = err.Error()
		return incident.Incident{}, errors.Join(err, s.record(ctx, entry))
	}
	if err := s.Desk.Check(a); err != nil {
		return refused(err)
	}
	if err := s.record(ctx, entry); err != nil {
		return incident.Incident{}, err
	}
	if in, err = s.Desk.Do(ctx, a); err != nil {
		return refused(err)
	}
	return in, nil
}

// actionWords say in short what an action sets; the reasons are on the incident.
func actionWords(a incident.Action) string {
	switch a.Type {
	case event.ChangeGraded:
		return "graded " + string(a.Grade)
	case event.ChangeAssigned:
		return "assigned to " + a.AssignedTo
	case event.ChangeClosed:
		return "closed as " + string(a.Code)
	default:
		return string(a.Type)
	}
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
