package web

import (
	"errors"
	"net/http"

	"github.com/bluelamp/bluelamp/internal/auth"
)

// signInData is what the sign-in page shows.
type signInData struct {
	Form     *form
	Empty    bool // nobody has been added yet
	Provider bool
	Next     string
}

func signInForm(next string) *form {
	return &form{Action: "/signin", Submit: "Sign in", Hidden: map[string]string{"next": next}, Fields: []field{
		{Name: "name", Label: "Name", Required: true, Max: 64, Autocomplete: "username"},
		{Name: "password", Label: "Password", Type: "password", Required: true, Max: auth.MaxPassword, Autocomplete: "current-password"},
	}}
}

func (s *Site) signIn(w http.ResponseWriter, r *http.Request) {
	s.showSignIn(w, r, http.StatusOK, signInForm(ours(r.URL.Query().Get("next"))))
}

func (s *Site) showSignIn(w http.ResponseWriter, r *http.Request, status int, f *form) {
	f.forget()
	s.render(w, r, status, page{Name: "signin", Title: "Sign in", Class: "page-narrow", Data: signInData{
		Form: f, Empty: s.People.Empty(), Provider: s.People.OIDC(), Next: f.Hidden["next"],
	}})
}

func (s *Site) signInSent(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	f := signInForm(ours(v.Get("next")))
	if !f.take(v) {
		s.showSignIn(w, r, http.StatusUnprocessableEntity, f)
		return
	}
	p, err := s.People.SignIn(r.Context(), f.value("name"), f.value("password"), remote(r))
	s.letIn(w, r, p, err, f)
}

// letIn starts the session of who has signed in, or says why not.
func (s *Site) letIn(w http.ResponseWriter, r *http.Request, p auth.Person, err error, f *form) {
	if err == nil {
		if err = s.People.Begin(r.Context(), p); err == nil {
			http.Redirect(w, r, f.Hidden["next"], http.StatusSeeOther)
			return
		}
	}
	status := signInStatus(err)
	if status == 0 {
		s.fail(w, r, err)
		return
	}
	s.logger.Info("a sign-in was refused", "remote", remote(r), "err", err)
	f.Problem = signInWords(err)
	s.showSignIn(w, r, status, f)
}

// signInStatus is the answer to who was not let in; 0 for what nobody foresaw.
func signInStatus(err error) int {
	switch {
	case errors.Is(err, auth.ErrSignIn), errors.Is(err, auth.ErrDisabled), errors.Is(err, auth.ErrNotMapped), errors.Is(err, auth.ErrNameTaken):
		return http.StatusForbidden
	case errors.Is(err, auth.ErrThrottled), errors.Is(err, auth.ErrBusy):
		return http.StatusTooManyRequests
	case errors.Is(err, auth.ErrProvider), errors.Is(err, auth.ErrNoProvider):
		return http.StatusBadGateway
	}
	return 0
}

// signInWords says why somebody was not let in, and nothing of what lies behind.
func signInWords(err error) string {
	for _, known := range []error{auth.ErrSignIn, auth.ErrDisabled, auth.ErrNotMapped, auth.ErrNameTaken, auth.ErrBusy, auth.ErrProvider, auth.ErrNoProvider} {
		if errors.Is(err, known) {
			return sentence(known)
		}
	}
	var wait *auth.WaitError
	if errors.As(err, &wait) {
		return sentence(wait)
	}
	return "You could not be signed in. Try again."
}

func (s *Site) providerStart(w http.ResponseWriter, r *http.Request) {
	to, err := s.People.OIDCStart(r.Context())
	if err != nil {
		s.letIn(w, r, auth.Person{}, err, signInForm("/"))
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *Site) providerBack(w http.ResponseWriter, r *http.Request) {
	p, err := s.People.OIDCFinish(r.Context(), r.URL.Query(), remote(r))
	s.letIn(w, r, p, err, signInForm("/"))
}

func (s *Site) signOut(w http.ResponseWriter, r *http.Request) {
	if err := s.People.SignOut(r.Context(), remote(r)); err != nil {
		s.fail(w, r, err)
		return
	}
	done(w, r, "/signin", "signedout")
}

func setUpForm(token string) *form {
	return &form{Action: "/setup", Submit: "Create the first administrator", Hidden: map[string]string{"token": token}, Fields: []field{
		{Name: "name", Label: "Name to sign in with", Hint: "Letters a to z, digits and . _ @ + -", Required: true, Max: 64, Autocomplete: "username"},
		{Name: "full", Label: "Full name", Hint: "As it stands beside what you do.", Required: true, Max: 100, Autocomplete: "name"},
		newPassword("password", "Password"),
		{Name: "again", Label: "Password again", Type: "password", Required: true, Max: auth.MaxPassword, Autocomplete: "new-password"},
	}}
}

func newPassword(name, label string) field {
	return field{
		Name: name, Label: label, Type: "password", Required: true, Max: auth.MaxPassword, Autocomplete: "new-password",
		Hint: "At least 12 characters. Three random words make a good one.",
	}
}

func (s *Site) setUp(w http.ResponseWriter, r *http.Request) {
	if !s.People.Empty() {
		s.fail(w, r, forbidden("This Bluelamp has been set up already. Sign in, or ask an administrator to add you."))
		return
	}
	s.showForm(w, r, http.StatusOK, "Set up Bluelamp", "", setUpForm(r.URL.Query().Get("token")))
}

func (s *Site) setUpSent(w http.ResponseWriter, r *http.Request) {
	v, ok := s.sent(w, r)
	if !ok {
		return
	}
	f := setUpForm(v.Get("token"))
	good := f.take(v)
	if good && f.value("password") != f.value("again") {
		f.wrong("again", "The two passwords differ.")
		good = false
	}
	if good {
		_, err := s.People.SetUp(r.Context(), v.Get("token"), auth.NewPerson{
			Name: f.value("name"), FullName: f.value("full"), Password: f.value("password"),
		}, remote(r))
		if err == nil {
			done(w, r, "/signin", "setup")
			return
		}
		if !wrongPerson(f, err) {
			s.fail(w, r, err)
			return
		}
	}
	f.forget()
	s.showForm(w, r, http.StatusUnprocessableEntity, "Set up Bluelamp", "", f)
}

// wrongPerson tells in a form what is wrong with a person; false when the error
// is of another kind.
func wrongPerson(f *form, err error) bool {
	switch {
	case errors.Is(err, auth.ErrPassword):
		f.wrong("password", sentence(err))
	case errors.Is(err, auth.ErrName), errors.Is(err, auth.ErrNameTaken):
		f.wrong("name", sentence(err))
	case errors.Is(err, auth.ErrRoles):
		f.wrong("role", sentence(err))
	case errors.Is(err, auth.ErrSetUpDone), errors.Is(err, auth.ErrSetupToken), errors.Is(err, auth.ErrThrottled),
		errors.Is(err, auth.ErrLastAdministrator), errors.Is(err, auth.ErrNotAllowed), errors.Is(err, auth.ErrTooManyPeople):
		f.Problem = sentence(err)
	default:
		return false
	}
	return true
}
