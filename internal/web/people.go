package web

import (
	"net/http"
	"net/url"

	"github.com/bluelamp/bluelamp/internal/auth"
)

var roleWords = map[auth.Role]string{
	auth.Operator:      "works the live incidents",
	auth.Supervisor:    "leads the operators, changes premises",
	auth.Analyst:       "looks for patterns, without personal data",
	auth.Investigator:  "follows up what happened",
	auth.Administrator: "runs the platform, manages people",
	auth.Auditor:       "checks how the platform is used",
}

func roleField(chosen []auth.Role) field {
	f := field{Name: "role", Label: "Roles", Type: "checkboxes", Required: true}
	for _, r := range auth.Roles() {
		f.Options = append(f.Options, option{string(r), inWords(string(r)), roleWords[r]})
	}
	for _, r := range chosen {
		f.Values = append(f.Values, string(r))
	}
	return f
}

func rolesOf(v url.Values) []auth.Role {
	var out []auth.Role
	for _, r := range v["role"] {
		out = append(out, auth.Role(r))
	}
	return out
}

func personForm() *form {
	return &form{Action: "/people", Submit: "Add the person", Fields: []field{
		{Name: "name", Label: "Name to sign in with", Hint: "Letters a to z, digits and . _ @ + -", Required: true, Max: 64, Autocomplete: "off"},
		{Name: "full", Label: "Full name", Required: true, Max: 100, Autocomplete: "off"},
		roleField(nil),
		newPassword("password", "First password"),
	}}
}

func (s *Site) people(w http.ResponseWriter, r *http.Request) {
	s.showPeople(w, r, http.StatusOK, personForm())
}

func (s *Site) showPeople(w http.ResponseWriter, r *http.Request, status int, f *form) {
	f.forget()
	s.render(w, r, status, page{Name: "people", Title: "People", Section: "/people", Class: "page-wide", Data: struct {
		List []auth.Person
		Form *form
	}{s.People.People(), f}})
}

func (s *Site) peopleAdd(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	f := personForm()
	if f.take(v) {
		_, err := s.People.Add(r.Context(), visitorOf(r).Person, auth.NewPerson{
			Name: f.value("name"), FullName: f.value("full"), Roles: rolesOf(v), Password: f.value("password"),
		})
		if err == nil {
			done(w, r, "/people", "added")
			return
		}
		if !wrongPerson(f, err) {
			s.fail(w, r, err)
			return
		}
	}
	s.showPeople(w, r, http.StatusUnprocessableEntity, f)
}

// personData is what one person's page shows.
type personData struct {
	P        auth.Person
	Roles    *form
	Password *form
	Own      bool
}

func (s *Site) person(w http.ResponseWriter, r *http.Request) {
	s.showPerson(w, r, http.StatusOK, nil, nil)
}

func (s *Site) showPerson(w http.ResponseWriter, r *http.Request, status int, roles, password *form) {
	p, ok := s.People.Person(r.PathValue("id"))
	if !ok {
		s.fail(w, r, auth.ErrNoPerson)
		return
	}
	base := "/people/" + url.PathEscape(p.ID)
	if roles == nil {
		roles = rolesForm(base, p.Roles)
	}
	if password == nil {
		password = passwordForm(base)
	}
	password.forget()
	s.render(w, r, status, page{Name: "person", Title: p.FullName, Section: "/people", Data: personData{
		P: p, Roles: roles, Password: password, Own: p.ID == visitorOf(r).ID,
	}})
}

func rolesForm(base string, roles []auth.Role) *form {
	return &form{Action: base + "/roles", Submit: "Change the roles", Fields: []field{roleField(roles)}}
}

func passwordForm(base string) *form {
	return &form{Action: base + "/password", Submit: "Set the password", Fields: []field{newPassword("password", "New password")}}
}

// personChange changes a person's roles or password, or keeps the person out.
func (s *Site) personChange(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	id, by, ctx := r.PathValue("id"), visitorOf(r).Person, r.Context()
	base := "/people/" + url.PathEscape(id)
	var err error
	var roles, password *form
	code := r.PathValue("what")
	switch code {
	case "roles":
		roles = rolesForm(base, nil)
		if roles.take(v) {
			_, err = s.People.SetRoles(ctx, by, id, rolesOf(v))
		}
		if err != nil && wrongPerson(roles, err) {
			err = nil
		}
	case "password":
		password = passwordForm(base)
		if password.take(v) {
			_, err = s.People.SetPassword(ctx, by, id, password.value("password"))
		}
		if err != nil && wrongPerson(password, err) {
			err = nil
		}
	case "disabled":
		_, err = s.People.Disable(ctx, by, id)
	case "enabled":
		_, err = s.People.Enable(ctx, by, id)
	case "everywhere":
		_, err = s.People.EndSessions(ctx, by, id)
	default:
		err = notFound("There is no such form.")
	}
	switch {
	case err != nil:
		s.fail(w, r, err)
	case roles != nil && roles.Problem != "", password != nil && password.Problem != "":
		s.showPerson(w, r, http.StatusUnprocessableEntity, roles, password)
	default:
		done(w, r, base, code)
	}
}
