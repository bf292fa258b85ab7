package web

import (
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

const (
	premisesRows      = 100
	premisesIncidents = 10
)

// premisesListData is what the list of premises shows.
type premisesListData struct {
	Words string
	List  []*registry.Premises
	Total int
	After string // the name and id to go on from
}

func (s *Site) premisesList(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := premisesListData{Words: strings.TrimSpace(shorten(200, q.Get("q")))}
	all := s.Registry.All()
	d.Total = len(all)
	sort.SliceStable(all, func(i, j int) bool { return premisesKey(all[i]) < premisesKey(all[j]) })
	for _, p := range all {
		if !premisesMatch(p, d.Words) || premisesKey(p) <= q.Get("after") {
			continue
		}
		if len(d.List) == premisesRows {
			d.After = premisesKey(d.List[len(d.List)-1])
			break
		}
		d.List = append(d.List, p)
	}
	s.render(w, r, http.StatusOK, page{Name: "premises_list", Title: "Premises", Section: "/premises", Class: "page-wide", Data: d})
}

// premisesKey orders premises: by name, then by id.
func premisesKey(p *registry.Premises) string { return strings.ToLower(p.Name) + "\x1f" + p.ID }

// premisesMatch reports whether every word is in the name, id, kind, URN or an
// account. Addresses are personal data and are not searched.
func premisesMatch(p *registry.Premises, words string) bool {
	parts := []string{p.Name, p.ID, p.Kind, p.URN}
	for _, a := range p.Accounts {
		parts = append(parts, a.Number)
	}
	text := strings.ToLower(strings.Join(parts, " "))
	for word := range strings.FieldsSeq(strings.ToLower(words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// premisesData is what one premises' page shows.
type premisesData struct {
	P         *registry.Premises
	Devices   []sense.Device
	Enrolled  []deviceRow // of the registry
	Basis     [2]string   // whether what is sensed there may be kept
	BasisWhy  string
	Incidents []incident.Incident
	Personal  *personal
	Problem   string
	Purposes  []option
}

func (s *Site) premisesPage(w http.ResponseWriter, r *http.Request) {
	s.showPremises(w, r, http.StatusOK, nil, "")
}

func (s *Site) showPremises(w http.ResponseWriter, r *http.Request, status int, known *personal, problem string) {
	p, err := s.Registry.Premises(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d := premisesData{P: p, Personal: known, Problem: problem, Purposes: purposes}
	d.Basis, d.BasisWhy = premisesBasis(p)
	if d.Enrolled, err = s.enrolledAt(r.Context(), p.ID); err != nil {
		s.fail(w, r, err)
		return
	}
	if d.Devices, err = s.Sense.DevicesAt(r.Context(), p.ID); err != nil {
		s.fail(w, r, err)
		return
	}
	if d.Incidents, _, err = s.find(r.Context(), filter{Premises: p.ID}, 0, premisesIncidents); err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, status, page{
		Name: "premises", Title: p.Name, Section: "/premises", Class: "page-wide",
		Islands: []string{mapEntry}, Data: d,
	})
}

// AccountNumbers lists the account numbers of premises.
func (d premisesListData) AccountNumbers(p *registry.Premises) string {
	out := make([]string, len(p.Accounts))
	for i, a := range p.Accounts {
		out[i] = a.Number
	}
	return strings.Join(out, ", ")
}

func degrees(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
