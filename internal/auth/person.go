package auth

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bluelamp/bluelamp/internal/store"
)

// Person is somebody who may sign in.
type Person struct {
	ID       string
	Name     string // to sign in with; lower case, and nobody else's
	FullName string
	Roles    []Role
	Disabled bool
	Subject  string // who the identity provider says it is; empty: signs in with a password
	Added    time.Time

	// epoch is the position of the last change that ends the person's sessions.
	epoch uint64
}

// Can reports whether the person may do something now.
func (p Person) Can(want Permission) bool {
	return !p.Disabled && permissionsOf(p.Roles)[want]
}

// RoleWords are the person's roles, as the audit log notes them.
func (p Person) RoleWords() string {
	words := make([]string, len(p.Roles))
	for i, r := range p.Roles {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// Console is who acts through the command line on the server itself, where the
// operating system has checked who it is.
func Console(user string) Person {
	return Person{ID: "console", Name: "console", FullName: "console (" + user + ")", Roles: []Role{Administrator}}
}

// NewPerson is what is known of somebody who is to be added.
type NewPerson struct {
	Name     string
	FullName string // empty: the name
	Roles    []Role
	Password string
}

// Errors about people.
var (
	ErrNoPerson          = errors.New("there is no such person")
	ErrName              = errors.New("this name cannot be used")
	ErrNameTaken         = errors.New("somebody else has this name")
	ErrRoles             = errors.New("these roles cannot be given")
	ErrNotAllowed        = errors.New("you may not do this")
	ErrLastAdministrator = errors.New("this would leave nobody to manage people: make somebody else administrator first")
	ErrTooManyPeople     = errors.New("there are too many people")
)

const (
	maxFullName = 100
	// maxPeople bounds the memory of a directory.
	maxPeople = 100_000
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{1,63}$`)

// cleanName brings a name to the form in which it is kept and compared.
func cleanName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func (n *NewPerson) check() error {
	n.Name, n.FullName = cleanName(n.Name), strings.TrimSpace(store.Text(n.FullName))
	if !nameForm.MatchString(n.Name) {
		return fmt.Errorf("%w: it must have 2 to 64 letters a to z, digits or . _ @ + -", ErrName)
	}
	if n.FullName == "" {
		n.FullName = n.Name
	}
	if utf8.RuneCountInString(n.FullName) > maxFullName {
		return fmt.Errorf("%w: the full name has more than %d characters", ErrName, maxFullName)
	}
	return checkRoles(n.Roles)
}

func checkRoles(roles []Role) error {
	if len(roles) == 0 {
		return fmt.Errorf("%w: choose at least one", ErrRoles)
	}
	for i, r := range roles {
		if !r.Valid() {
			return fmt.Errorf("%w: there is no role %q", ErrRoles, r)
		}
		if slices.Contains(roles[:i], r) {
			return fmt.Errorf("%w: %s is named twice", ErrRoles, r)
		}
	}
	return nil
}

type personKey struct{}

// WithPerson returns a context that says who acts.
func WithPerson(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, personKey{}, p)
}

// PersonFrom returns who acts; ok is false where nobody has signed in.
func PersonFrom(ctx context.Context) (p Person, ok bool) {
	p, ok = ctx.Value(personKey{}).(Person)
	return p, ok
}
