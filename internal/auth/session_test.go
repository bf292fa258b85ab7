package auth_test

import (
	"database/sql"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
)

// site is a small site behind the front desk.
func site(t *testing.T, d *desk, routes map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /signin", func(w http.ResponseWriter, r *http.Request) {
		p, err := d.SignIn(r.Context(), r.FormValue("name"), r.FormValue("password"), r.RemoteAddr)
		if err == nil {
			err = d.Begin(r.Context(), p)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
	})
	mux.HandleFunc("POST /signout", func(w http.ResponseWriter, r *http.Request) {
		if err := d.SignOut(r.Context(), r.RemoteAddr); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.PersonFrom(r.Context())
		_, _ = io.WriteString(w, p.Name)
	})
	mux.Handle("GET /people", d.Require(auth.ManagePeople)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "people")
	})))
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	srv := httptest.NewServer(d.Middleware(mux))
	t.Cleanup(srv.Close)
	return srv
}

// browser is a client with cookies.
type browser struct {
	t   *testing.T
	srv *httptest.Server
	c   *http.Client
}

func browse(t *testing.T, srv *httptest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, srv, &http.Client{Jar: jar}}
}

func (b *browser) do(method, path string, form url.Values, header http.Header) (int, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

func (b *browser) signIn(name string) {
	b.t.Helper()
	if code, body := b.do("POST", "/signin", url.Values{"name": {name}, "password": {good}}, nil); code != 200 {
		b.t.Fatalf("signing in: %d %s", code, body)
	}
}

func (b *browser) me() string {
	_, name := b.do("GET", "/me", nil, nil)
	return name
}

func (b *browser) token() string {
	u, err := url.Parse(b.srv.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.c.Jar.Cookies(u) {
		return c.Value
	}
	return ""
}

func TestSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := open(t, db, nil)
		admin := d.add(t, "robin", auth.Administrator)
		sam := d.add(t, "sam", auth.Operator)
		srv := site(t, d, nil)
		b := browse(t, srv)
		if b.me() != "" || b.token() != "" {
			t.Error("a visitor has a session")
		}
		b.signIn("sam")
		first := b.token()
		if b.me() != "sam" || first == "" {
			t.Fatalf("signed in as %q", b.me())
		}
		b.signIn("sam") // fixation: never the token from before
		if b.token() == first {
			t.Error("signing in kept the session's token")
		}
		var stored int
		if err := db.Read().QueryRow(`SELECT COUNT(*) FROM sessions WHERE token = $1`, b.token()).Scan(&stored); err != nil || stored != 0 {
			t.Errorf("the token itself lies in the database: %v", err)
		}
		if code, _ := b.do("GET", "/people", nil, nil); code != http.StatusForbidden {
			t.Errorf("an operator at /people: %d", code)
		}
		if code, _ := browse(t, srv).do("GET", "/people", nil, nil); code != http.StatusUnauthorized {
			t.Errorf("a visitor at /people: %d", code)
		}
		r := browse(t, srv)
		r.signIn("robin")
		if code, body := r.do("GET", "/people", nil, nil); code != 200 || body != "people" {
			t.Errorf("an administrator at /people: %d %s", code, body)
		}
		if code, _ := b.do("POST", "/signout", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}); code != http.StatusForbidden {
			t.Errorf("a request made by another site: %d", code)
		}

		// Another sign-in elsewhere; a change of roles ends both.
		c := browse(t, srv)
		c.signIn("sam")
		if _, err := d.SetRoles(t.Context(), admin, sam.ID, []auth.Role{auth.Administrator}); err != nil {
			t.Fatal(err)
		}
		if b.me() != "" || c.me() != "" || r.me() != "robin" {
			t.Errorf("after a change of roles: %q, %q and %q are signed in", b.me(), c.me(), r.me())
		}
		b.signIn("sam")
		if _, err := d.Disable(t.Context(), admin, sam.ID); err != nil {
			t.Fatal(err)
		}
		if b.me() != "" {
			t.Error("a disabled person is signed in")
		}
		if _, err := d.EndSessions(t.Context(), admin, admin.ID); err != nil {
			t.Fatal(err)
		}
		if r.me() != "" {
			t.Error("signing out everywhere left a session")
		}
		r.signIn("robin")
		held := r.token()
		if code, _ := r.do("POST", "/signout", nil, nil); code != 200 || r.me() != "" {
			t.Errorf("after signing out: %d, %q", code, r.me())
		}
		old := browse(t, srv)
		if _, name := old.do("GET", "/me", nil, http.Header{"Cookie": {"bluelamp=" + held}}); name != "" {
			t.Error("a token from before the sign-out still works")
		}
		if d.audited(t, audit.SignedOut) != 1 {
			t.Error("the sign-out is not on the audit log")
		}
	})
}

// A request that is under way while its session ends must not bring it back.
func TestSignOutIsFinal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := open(t, db, nil)
		d.add(t, "sam", auth.Operator)
		arrived, release := make(chan bool), make(chan bool)
		srv := site(t, d, map[string]http.HandlerFunc{"GET /slow": func(http.ResponseWriter, *http.Request) {
			arrived <- true
			<-release
		}})
		b := browse(t, srv)
		b.signIn("sam")
		held := b.token()
		done := make(chan bool)
		go func() {
			defer close(done)
			browse(t, srv).do("GET", "/slow", nil, http.Header{"Cookie": {"bluelamp=" + held}})
		}()
		<-arrived
		b.do("POST", "/signout", nil, nil)
		close(release)
		<-done
		if _, name := browse(t, srv).do("GET", "/me", nil, http.Header{"Cookie": {"bluelamp=" + held}}); name != "" {
			t.Error("the slow request revived the session")
		}
	})
}

func TestSessionsExpire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := open(t, db, nil)
		d.add(t, "sam", auth.Operator)
		srv := site(t, d, nil)
		b := browse(t, srv)
		b.signIn("sam")
		err := db.Update(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`UPDATE sessions SET expiry = $1`, store.Micros(time.Now().Add(-time.Second)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if b.me() != "" {
			t.Error("an expired session works")
		}
	})
}

func TestCookie(t *testing.T) {
	for _, secure := range []bool{false, true} {
		d := open(t, storetest.SQLite(t), func(c *auth.Config) { c.Secure = secure })
		d.add(t, "sam", auth.Operator)
		srv := site(t, d, nil)
		resp, err := http.PostForm(srv.URL+"/signin", url.Values{"name": {"sam"}, "password": {good}})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if len(resp.Cookies()) != 1 {
			t.Fatalf("%d cookies", len(resp.Cookies()))
		}
		c := resp.Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Path != "/" || c.Domain != "" ||
			strings.HasPrefix(c.Name, "__Host-") != secure || c.MaxAge != 0 {
			t.Errorf("cookie %v", c)
		}
	}
}
