package web

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a golden file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		must(t, os.MkdirAll("testdata", 0o750))
		must(t, os.WriteFile(file, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if string(want) != got {
		t.Errorf("%s differs (run with -update to accept):\n%s", file, got)
	}
}

// TestEveryRoleAtEveryRoute asks for every route as every role, and holds the
// answers to a table that people can read.
func TestEveryRoleAtEveryRoute(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	rm.alarm(t, "3002", "HA", event.HoldUp, "009")
	in := rm.queue(t, 1)[0]
	admin := rm.administrator(t)
	fill := strings.NewReplacer("{$}", "", "{id}/act", string(in.ID)+"/act", "incidents/{id}", "incidents/"+string(in.ID),
		"premises/{id}", "premises/quay-11", "people/{id}", "people/"+admin.ID, "entries/{id}", "entries/none",
		"{seq}", "1", "{source}", "dc09", "{what}", "nothing")
	roles := append([]auth.Role{""}, auth.Roles()...)
	clients := map[auth.Role]*http.Client{"": rm.signIn(t)}
	for _, role := range auth.Roles() {
		clients[role] = rm.signIn(t, role)
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-44s", "")
	for _, role := range roles {
		fmt.Fprintf(&table, " %-13s", map[bool]string{true: "nobody", false: string(role)}[role == ""])
	}
	for _, rt := range rm.site.table(http.NotFoundHandler()) {
		method, path, ok := strings.Cut(rt.pattern, " ")
		if !ok || path == "/api/v1/stream" || strings.Contains(path, "sign") { // these have tests of their own
			continue
		}
		fmt.Fprintf(&table, "\n%-44s", rt.pattern)
		for _, role := range roles {
			var got answer
			if method == http.MethodGet {
				got = rm.get(t, clients[role], fill.Replace(path))
			} else {
				got = rm.post(t, clients[role], fill.Replace(path), nil)
			}
			verdict := fmt.Sprint(got.status)
			if to := got.header.Get("Location"); strings.HasPrefix(to, "/signin") && !strings.Contains(to, "done") {
				verdict = "sign in"
			}
			fmt.Fprintf(&table, " %-13s", verdict)
			if got.status >= 500 {
				t.Errorf("%s as %s: %d", rt.pattern, role, got.status)
			}
		}
	}
	lines := strings.Split(table.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	golden(t, "access", strings.Join(lines, "\n")+"\n")
}

func TestWhoMayNotIsToldWhichRoleMay(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	got := rm.get(t, rm.signIn(t, auth.Analyst), "/people")
	if got.status != http.StatusForbidden || !strings.Contains(got.body, "takes the role of administrator") || !strings.Contains(got.body, "analyst") {
		t.Errorf("%d: %s", got.status, got.body)
	}
	got = rm.get(t, rm.signIn(t), "/api/v1/incidents")
	if got.status != http.StatusUnauthorized || got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", got.status, got.header)
	}
	got = rm.get(t, rm.signIn(t), "/incidents?state=open")
	if to := got.header.Get("Location"); to != "/signin?next="+url.QueryEscape("/incidents?state=open") {
		t.Errorf("one who is signed out is sent to %q", to)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	rm := newRoom(t, storetest.SQLite(t))
	c := rm.signIn(t, auth.Operator)
	for _, path := range []string{"/", "/nowhere", "/assets/none", "/api/v1/incidents", "/healthz", "/signin"} {
		got := rm.get(t, c, path)
		for name, want := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, got.header.Get(name))
			}
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rm.url+"/signout", nil)
	must(t, err)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := rm.send(t, c, req); got.status != http.StatusForbidden || !strings.Contains(got.body, "another site") {
		t.Errorf("a form of another site is answered %d: %s", got.status, got.body)
	}
	if got := rm.post(t, c, "/signin", url.Values{"name": {strings.Repeat("x", maxForm)}}); got.status != http.StatusBadRequest {
		t.Errorf("a form that is too large is answered %d", got.status)
	}
	cookies := rm.post(t, rm.signIn(t), "/signin", url.Values{"name": {"p-operator"}, "password": {testPassword}}).header.Values("Set-Cookie")
	if !slices.ContainsFunc(cookies, func(s string) bool { return strings.Contains(s, "HttpOnly") && strings.Contains(s, "SameSite=Lax") }) {
		t.Errorf("the session's cookie is %q", cookies)
	}
}

func TestSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		rm := newRoom(t, db)
		rm.signIn(t, auth.Operator)
		c := rm.signIn(t)
		got := rm.post(t, c, "/signin", url.Values{"name": {"p-operator"}, "password": {"wrong"}})
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "The name or the password is wrong.") || strings.Contains(got.body, `value="wrong"`) {
			t.Errorf("a wrong password is answered %d: %s", got.status, got.body)
		}
		got = rm.post(t, c, "/signin", url.Values{"name": {"p-operator"}, "password": {testPassword}, "next": {"//elsewhere.example/"}})
		if to := got.header.Get("Location"); to != "/" {
			t.Errorf("signing in leads to %q", to)
		}
		if got := rm.get(t, c, "/"); got.status != http.StatusOK {
			t.Errorf("signed in, the board is answered %d", got.status)
		}
		rm.post(t, c, "/signout", nil)
		if got := rm.get(t, c, "/"); got.status != http.StatusSeeOther {
			t.Errorf("signed out, the board is answered %d", got.status)
		}
	})
}

func TestOursKeepsPeopleHere(t *testing.T) {
	for next, want := range map[string]string{
		"/incidents?a=b": "/incidents?a=b", "": "/", "https://x.example/": "/", "//x.example": "/", "/\\x.example": "/",
		"javascript:alert(1)": "/", "/a\nb": "/", "incidents": "/", "/%2f/x": "/%2f/x",
	} {
		if got := ours(next); got != want {
			t.Errorf("ours(%q) = %q, want %q", next, got, want)
		}
	}
}
