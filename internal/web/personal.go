package web

import (
	"net/http"
	"net/url"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// personal is the personal data of premises, opened for a purpose.
type personal struct {
	Address    string
	Keyholders []registry.Keyholder
	Purpose    string
}

// open records a look at the personal data of premises and returns them. What
// cannot be recorded is not shown.
func (s *Site) open(r *http.Request, p *registry.Premises, v url.Values, about string) (*personal, string, error) {
	purpose, why := v.Get("purpose"), shorten(500, v.Get("why"))
	if purposeWords[purpose] == "" {
		return nil, "Choose what you need it for.", nil
	}
	detail := map[string]string{"opened": "address and keyholders of " + p.Name}
	if about != "" {
		detail["for"] = about
	}
	err := s.record(r.Context(), audit.Entry{
		Action: audit.RecordOpened, Operation: audit.Consultation, Object: "premises/" + p.ID,
		Purpose: purpose, Why: why, Detail: detail,
	})
	if err != nil {
		return nil, "", err
	}
	return &personal{Address: p.Address, Keyholders: p.Keyholders, Purpose: purposeWords[purpose]}, "", nil
}

func (s *Site) incidentPersonal(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	in, err := s.current(r.Context(), event.ID(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if in.Premises == nil {
		s.fail(w, r, notFound("This incident has no premises in the register, so there is nothing to open."))
		return
	}
	p, err := s.Registry.Premises(in.Premises.ID)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	known, problem, err := s.open(r, p, v, in.Ref)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case problem != "":
		s.showIncident(w, r, http.StatusUnprocessableEntity, attempt{Type: "personal", Problem: problem}, 0, nil)
	default:
		s.showIncident(w, r, http.StatusOK, attempt{}, 0, known)
	}
}

func (s *Site) premisesPersonal(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	p, err := s.Registry.Premises(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	known, problem, err := s.open(r, p, v, "")
	switch {
	case err != nil:
		s.fail(w, r, err)
	case problem != "":
		s.showPremises(w, r, http.StatusUnprocessableEntity, nil, problem)
	default:
		s.showPremises(w, r, http.StatusOK, known, "")
	}
}
