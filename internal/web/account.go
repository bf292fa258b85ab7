package web

import (
	"errors"
	"net/http"

	"github.com/bluelamp/bluelamp/internal/auth"
)

func ownPasswordForm() *form {
	return &form{Action: "/account/password", Submit: "Change the password", Fields: []field{
		{Name: "old", Label: "Your password now", Type: "password", Required: true, Max: auth.MaxPassword, Autocomplete: "current-password"},
		newPassword("password", "New password"),
	}}
}

// account is a person's own page.
func (s *Site) account(w http.ResponseWriter, r *http.Request) {
	s.showAccount(w, r, http.StatusOK, ownPasswordForm())
}

func (s *Site) showAccount(w http.ResponseWriter, r *http.Request, status int, f *form) {
	f.forget()
	var may []permission
	for _, p := range auth.Permissions() {
		if visitorOf(r).may(p) {
			may = append(may, p)
		}
	}
	s.render(w, r, status, page{Name: "account", Title: "Your account", Class: "page-narrow", Data: struct {
		Form     *form
		May      []permission
		Password bool
	}{f, may, visitorOf(r).Subject == ""}})
}

func (s *Site) accountPassword(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	f, me := ownPasswordForm(), visitorOf(r).Person
	if f.take(v) {
		_, err := s.People.SignIn(r.Context(), me.Name, f.value("old"), remote(r))
		if errors.Is(err, auth.ErrSignIn) {
			f.wrong("old", "This is not your password.")
		} else if err == nil {
			_, err = s.People.SetPassword(r.Context(), me, me.ID, f.value("password"))
			if err == nil {
				done(w, r, "/signin", "password")
				return
			}
			if !wrongPerson(f, err) {
				s.fail(w, r, err)
				return
			}
		} else {
			s.fail(w, r, err)
			return
		}
	}
	s.showAccount(w, r, http.StatusUnprocessableEntity, f)
}

func (s *Site) accountEverywhere(w http.ResponseWriter, r *http.Request) {
	me := visitorOf(r).Person
	if _, err := s.People.EndSessions(r.Context(), me, me.ID); err != nil {
		s.fail(w, r, err)
		return
	}
	done(w, r, "/signin", "everywhere")
}
