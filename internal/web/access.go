package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// permission is what a route asks of a person.
type permission string

// Permissions.
const (
	anyone        permission = ""          // signed in or not
	signedIn      permission = "signed in" // whatever the role
	seeIncidents  permission = "see incidents"
	runIncidents  permission = "run incidents"
	seePremises   permission = "see premises"
	editPremises  permission = "change premises"
	seePersonal   permission = "open personal data"
	seeSources    permission = "see sources"
	seeQuarantine permission = "see the quarantine"
	seeAudit      permission = "read the audit log"
	managePeople  permission = "manage people"
	seeMetrics    permission = "see metrics"
)

// visitor is the person who asks; nil when nobody has signed in.
type visitor struct {
	ID, Name string
	Roles    []string
	can      func(permission) bool
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
	return v.can(p)
}

// May is may for templates.
func (v *visitor) May(p string) bool { return v.may(permission(p)) }

type visitorKey struct{}

func visitorOf(r *http.Request) *visitor { return visitorIn(r.Context()) }

func visitorIn(ctx context.Context) *visitor {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	return v
}

func withVisitor(r *http.Request, v *visitor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
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
			s.fail(w, r, forbidden("To "+string(needs)+" takes the role of "+orList(rolesWith(needs))+
				". You have the role of "+orList(v.Roles)+". An administrator can change that."))
		}
	}
}

// orList joins words: "operator, supervisor or auditor".
func orList(words []string) string {
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
