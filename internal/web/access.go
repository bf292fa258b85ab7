package web

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
)

// permission is what a route asks of a person.
type permission = auth.Permission

// Permissions that are not of any role.
const (
	anyone   permission = ""          // signed in or not
	signedIn permission = "signed in" // whatever the role
)

// visitor is the person who asks; nil when nobody has signed in.
type visitor struct {
	auth.Person
	Remote string // network address
}

// may reports whether a visitor has a permission.
func (v *visitor) may(p permission) bool {
	switch {
	case p == anyone:
		return true
	case v == nil:
		return false
	case p == signedIn:
		return true
	}
	return v.Can(p)
}

// May is may for templates.
func (v *visitor) May(p string) bool { return v.may(permission(p)) }

type visitorKey struct{}

func visitorOf(r *http.Request) *visitor { return visitorIn(r.Context()) }

func withVisitor(ctx context.Context, v *visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, v)
}

func visitorIn(ctx context.Context) *visitor {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	return v
}

// recognise says who asks, by the session that auth has found.
func (s *Site) recognise(next http.Handler) http.Handler {
	return s.People.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, ok := auth.PersonFrom(r.Context()); ok {
			r = r.WithContext(withVisitor(r.Context(), &visitor{Person: p, Remote: remote(r)}))
		}
		next.ServeHTTP(w, r)
	}))
}

// stillAllowed reports whether a person who asked a while ago would be let in
// again: the same roles, not disabled, not signed out everywhere.
func (s *Site) stillAllowed(r *http.Request) bool {
	v := visitorOf(r)
	if v == nil {
		return false
	}
	now, ok := s.People.Person(v.ID)
	return ok && reflect.DeepEqual(now, v.Person)
}

// remote is the network address of who asks.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// record puts what a person is about to do on the audit log, with who that is.
func (s *Site) record(ctx context.Context, e audit.Entry) error {
	if v := visitorIn(ctx); v != nil {
		e.Actor, e.ActorName, e.Role, e.Remote = v.ID, v.FullName, v.RoleWords(), v.Remote
	}
	e.Time = s.clock.Now()
	return s.Audit.Record(ctx, e)
}

// personName names who did something; those who were never people are named by
// what they are ("import").
func (s *Site) personName(id string) string {
	if p, ok := s.People.Person(id); ok {
		return p.FullName
	}
	return id
}

// allow lets those through who have a permission. Others are asked to sign in,
// or told which role they lack.
func (s *Site) allow(needs permission, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := visitorOf(r)
		switch {
		case v.may(needs):
			next(w, r)
		case v == nil && forProgram(r):
			writeProblem(w, problem{Title: "Signed out", Status: http.StatusUnauthorized, Detail: "Sign in first."})
		case v == nil:
			to := "/signin"
			if r.Method == http.MethodGet && r.URL.Path != "/" {
				to += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
		default:
			s.fail(w, r, forbidden("To "+string(needs)+" takes the role of "+orList(auth.RolesWith(needs))+
				". You have the role of "+orList(v.Roles)+". An administrator can change that."))
		}
	}
}

// orList joins words: "operator, supervisor or auditor".
func orList(roles []auth.Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	switch len(words) {
	case 0:
		return "nobody"
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// ours returns an address within this site, or the board: an address from a
// request must not lead a person elsewhere.
func ours(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
