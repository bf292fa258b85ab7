package web

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// The form of premises. Zones and keyholders are one a line, which is what
// people paste from the sheets that installers send.

func newPremisesForm(action string, isNew, personal bool) *form {
	classes := []option{}
	for _, c := range registry.Classes() {
		t, _ := registry.Class(c)
		label := c + ": must report every " + spanWords(t)
		if t == 0 {
			label = "none: promises nothing"
		}
		classes = append(classes, option{c, label, ""})
	}
	f := &form{Action: action, Submit: "Save the premises", Fields: []field{
		{Name: "name", Label: "Name", Hint: "As the control room says it. It shows without a purpose, so no person's name.", Required: true, Max: 100},
		{Name: "address", Label: "Address", Hint: "Personal data: shown only for a purpose.", Max: 300},
		{Name: "kind", Label: "Kind", Hint: "Home, shop, bank, school ...", Required: true, Max: 40},
		{Name: "lat", Label: "Latitude", Hint: "Degrees, such as 54.7061", Required: true, Max: 20},
		{Name: "lon", Label: "Longitude", Hint: "Degrees, such as 2.6612", Required: true, Max: 20},
		{Name: "urn", Label: "URN", Hint: "The police's unique reference number of the alarm.", Max: 40},
		{Name: "basis", Label: "Lawful basis", Type: "select", Options: basisOptions(), Hint: "Why what is sensed in a home may be kept. An alarm account’s contract covers its own signals where none is stated."},
		{Name: "basis_purpose", Label: "Purpose", Hint: "What it is kept for, such as: response to the alarm.", Max: 200},
		{Name: "account", Label: "Alarm account", Hint: "The number that the panel sends.", Max: 16},
		{Name: "class", Label: "Reporting class", Type: "select", Options: classes, Hint: "EN 50136: how often the panel must be heard."},
		{Name: "key", Label: "Account key", Hint: "32, 48 or 64 hexadecimal digits. Left empty, the key stays as it is.", Type: "password", Max: 64, Autocomplete: "off"},
		{Name: "zones", Label: "Zones", Type: "textarea", Rows: 4, Max: 8000, Hint: "One a line: number, kind (perimeter, interior, external, hold_up), name. Such as: 003, interior, Hall"},
		{Name: "keyholders", Label: "Keyholders", Type: "textarea", Rows: 3, Max: 4000, Hint: "One a line: name, phone. Personal data: shown only for a purpose."},
	}}
	if !personal {
		for i := range f.Fields {
			if x := &f.Fields[i]; x.Name == "address" || x.Name == "keyholders" {
				x.Hint += " Your role does not open them: left empty, they stay as they are."
			}
		}
	}
	if isNew {
		f.Fields = append([]field{{Name: "id", Label: "Id", Hint: "A short name without spaces that never changes.", Required: true, Max: 64}}, f.Fields...)
	}
	return f
}

// premisesForm shows the form. For premises that exist it shows personal data to
// those who may open them, for the purpose of keeping them correct.
func (s *Site) premisesForm(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if id == "" {
		f := newPremisesForm("/premises/new", true, true)
		s.showForm(w, r, http.StatusOK, "Add premises", "/premises", f)
		return
	}
	p, err := s.Registry.Premises(id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	personal := visitorOf(r).may(auth.SeePersonalData)
	if personal {
		if _, _, err := s.open(r, p, url.Values{"purpose": {string(auth.Maintain)}}, "changing them"); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	f := newPremisesForm("/premises/"+url.PathEscape(id)+"/save", false, personal)
	v := premisesValues(p)
	if !personal {
		v.Del("address")
		v.Del("keyholders")
	}
	f.take(v)
	f.forget()
	f.Problem = ""
	for i := range f.Fields {
		f.Fields[i].Error = ""
	}
	s.showForm(w, r, http.StatusOK, "Change "+p.Name, "/premises", f)
}

func (s *Site) premisesSave(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	id := r.PathValue("id")
	isNew := id == ""
	personal := visitorOf(r).may(auth.SeePersonalData)
	f, title, old := newPremisesForm("/premises/new", true, true), "Add premises", &registry.Premises{}
	if !isNew {
		var err error
		if old, err = s.Registry.Premises(id); err != nil {
			s.fail(w, r, err)
			return
		}
		f, title = newPremisesForm("/premises/"+url.PathEscape(id)+"/save", false, personal), "Change "+old.Name
	}
	if f.take(v) {
		if isNew {
			id = f.value("id")
			if _, err := s.Registry.Premises(id); err == nil {
				f.wrong("id", "There are premises with this id already.")
			}
		}
		if f.Problem == "" {
			saved, err := s.savePremises(r, f, id, old)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			if saved {
				done(w, r, "/premises/"+url.PathEscape(id), "premises")
				return
			}
		}
	}
	f.forget()
	s.showForm(w, r, http.StatusUnprocessableEntity, title, "/premises", f)
}

// savePremises puts the premises that a form describes; false when the form is
// wrong, and says how.
func (s *Site) savePremises(r *http.Request, f *form, id string, old *registry.Premises) (bool, error) {
	p := premisesOf(f, id, old)
	if !visitorOf(r).may(auth.SeePersonalData) {
		if p.Address == "" {
			p.Address = old.Address
		}
		if len(p.Keyholders) == 0 {
			p.Keyholders = old.Keyholders
		}
	}
	if f.Problem != "" {
		return false, nil
	}
	if err := p.Check(); err != nil {
		f.Problem = upperFirst(strings.TrimPrefix(err.Error(), registry.ErrInvalid.Error()+": ")) + "."
		return false, nil
	}
	err := s.record(r.Context(), audit.Entry{
		Action: "premises.changed", Operation: audit.Alteration, Object: "premises/" + p.ID,
		Purpose: string(auth.Maintain), Detail: map[string]string{"premises": p.Name},
	})
	if err != nil {
		return false, err
	}
	err = s.Registry.Put(r.Context(), visitorOf(r).ID, p)
	if errors.Is(err, registry.ErrInvalid) {
		f.Problem = upperFirst(strings.TrimPrefix(err.Error(), registry.ErrInvalid.Error()+": ")) + "."
		return false, nil
	}
	return err == nil, err
}

// premisesOf reads a form. Accounts beyond the first are kept as they are.
func premisesOf(f *form, id string, old *registry.Premises) registry.Premises {
	number := func(name string) float64 {
		n, err := strconv.ParseFloat(f.value(name), 64)
		if err != nil || n < -180 || n > 180 {
			f.wrong(name, "This is not a number of degrees.")
		}
		return n
	}
	p := registry.Premises{
		ID: id, Name: f.value("name"), Address: f.value("address"), Kind: f.value("kind"), URN: f.value("urn"),
		Place: place.Point{Lat: number("lat"), Lon: number("lon")},
		Basis: event.Basis(f.value("basis")), Purpose: f.value("basis_purpose"),
	}
	for line := range strings.Lines(f.value("keyholders")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, phone, _ := strings.Cut(line, ",")
		p.Keyholders = append(p.Keyholders, registry.Keyholder{Name: strings.TrimSpace(name), Phone: strings.TrimSpace(phone)})
	}
	a := registry.Account{Number: f.value("account"), Class: f.value("class")}
	if len(old.Accounts) > 0 && a.Number == old.Accounts[0].Number {
		a.Key = old.Accounts[0].Key
	}
	if key := f.value("key"); key != "" {
		var err error
		if a.Key, err = hex.DecodeString(key); err != nil || !slices.Contains([]int{16, 24, 32}, len(a.Key)) {
			f.wrong("key", "A key has 32, 48 or 64 hexadecimal digits.")
		}
	}
	a.Zones = zonesOf(f)
	if a.Number != "" {
		p.Accounts = append(p.Accounts, a)
	}
	if len(old.Accounts) > 1 {
		p.Accounts = append(p.Accounts, old.Accounts[1:]...)
	}
	return p
}

func zonesOf(f *form) map[string]registry.Zone {
	zones := map[string]registry.Zone{}
	for line := range strings.Lines(f.value("zones")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		number, rest, _ := strings.Cut(line, ",")
		kind, name, _ := strings.Cut(rest, ",")
		k := event.ZoneKind(strings.TrimSpace(kind))
		switch k {
		case event.ZoneUnknown, event.ZonePerimeter, event.ZoneInterior, event.ZoneExternal, event.ZoneHoldUp:
		default:
			f.wrong("zones", fmt.Sprintf("The kind %q is not known: use perimeter, interior, external or hold_up.", k))
		}
		zones[strings.TrimSpace(number)] = registry.Zone{Name: strings.TrimSpace(name), Kind: k}
	}
	return zones
}

// premisesValues is what the form shows of premises.
func premisesValues(p *registry.Premises) url.Values {
	v := url.Values{
		"name": {p.Name}, "address": {p.Address}, "kind": {p.Kind}, "urn": {p.URN},
		"basis": {string(p.Basis)}, "basis_purpose": {p.Purpose},
		"lat": {degrees(p.Place.Lat)}, "lon": {degrees(p.Place.Lon)},
	}
	var lines []string
	for _, k := range p.Keyholders {
		lines = append(lines, k.Name+", "+k.Phone)
	}
	v.Set("keyholders", strings.Join(lines, "\n"))
	if len(p.Accounts) > 0 {
		a := p.Accounts[0]
		v.Set("account", a.Number)
		v.Set("class", a.Class)
		lines = nil
		for number, z := range a.Zones {
			lines = append(lines, number+", "+string(z.Kind)+", "+z.Name)
		}
		sort.Strings(lines)
		v.Set("zones", strings.Join(lines, "\n"))
	}
	return v
}

// showForm shows a page that is a form and nothing else.
func (s *Site) showForm(w http.ResponseWriter, r *http.Request, status int, title, section string, f *form) {
	s.render(w, r, status, page{Name: "form", Title: title, Section: section, Class: "page-narrow", Data: f})
}
