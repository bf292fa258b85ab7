package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/store"
	"github.com/bluelamp/bluelamp/internal/store/storetest"
	"github.com/go-jose/go-jose/v4"
)

// identityProvider is a small OpenID provider that lets everybody in as person.
type identityProvider struct {
	t      *testing.T
	srv    *httptest.Server
	key    *rsa.PrivateKey
	person map[string]any       // claims
	spoil  func(map[string]any) // changes the token's claims
	codes  map[string]url.Values
}

func newIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &identityProvider{t: t, key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	p.srv = httptest.NewServer(mux)
	t.Cleanup(p.srv.Close)
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.srv.URL, "authorization_endpoint": p.srv.URL + "/authorise", "token_endpoint": p.srv.URL + "/token",
			"jwks_uri": p.srv.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorise", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		p.codes["code"] = q
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"code"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		asked := p.codes[r.FormValue("code")]
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if asked == nil || asked.Get("code_challenge_method") != "S256" || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.token(asked)})
	})
	return p
}

func (p *identityProvider) token(asked url.Values) string {
	claims := map[string]any{
		"iss": p.srv.URL, "aud": asked.Get("client_id"), "nonce": asked.Get("nonce"),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	}
	maps.Copy(claims, p.person)
	if p.spoil != nil {
		p.spoil(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// oidcDesk is a site where people sign in through a provider.
func oidcDesk(t *testing.T, db *store.DB, p *identityProvider, fates *[]error) (*desk, *browser) {
	t.Helper()
	back := http.NewServeMux() // the address must be known before the site is there
	redirect := httptest.NewServer(back)
	t.Cleanup(redirect.Close)
	d := open(t, db, func(c *auth.Config) {
		c.OIDC = &auth.OIDCConfig{
			Issuer: p.srv.URL, ClientID: "bluelamp", ClientSecret: "secret", Redirect: redirect.URL + "/back",
			Roles: map[string]auth.Role{"control-room": auth.Operator, "it": auth.Administrator},
		}
	})
	srv := site(t, d, map[string]http.HandlerFunc{
		"GET /start": func(w http.ResponseWriter, r *http.Request) {
			to, err := d.OIDCStart(r.Context())
			if err != nil {
				*fates = append(*fates, err)
				return
			}
			http.Redirect(w, r, to, http.StatusFound)
		},
		"GET /finish": func(w http.ResponseWriter, r *http.Request) {
			person, err := d.OIDCFinish(r.Context(), r.URL.Query(), r.RemoteAddr)
			*fates = append(*fates, err)
			if err == nil {
				err = d.Begin(r.Context(), person)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
		},
	})
	back.HandleFunc("GET /back", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, srv.URL+"/finish?"+r.URL.RawQuery, http.StatusFound)
	})
	return d, browse(t, srv)
}

func TestIdentityProvider(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newIdentityProvider(t)
		var fates []error
		d, b := oidcDesk(t, db, p, &fates)
		last := func() error { return fates[len(fates)-1] }
		p.person = map[string]any{"sub": "1", "preferred_username": "Sam.Vale", "name": "Sam Vale", "groups": []string{"control-room", "choir"}}
		b.do("GET", "/start", nil, nil)
		if last() != nil || b.me() != "sam.vale" {
			t.Fatalf("signed in as %q: %v", b.me(), last())
		}
		first, _ := d.ByName("sam.vale")
		if first.RoleWords() != "operator" || first.FullName != "Sam Vale" {
			t.Errorf("added %+v", first)
		}
		// Other groups, other roles; the same person.
		p.person["groups"], p.person["preferred_username"] = "it", "sam.renamed"
		b.do("GET", "/start", nil, nil)
		if now, _ := d.ByName("sam.vale"); last() != nil || now.ID != first.ID || now.RoleWords() != "administrator" || b.me() != "sam.vale" {
			t.Errorf("with other groups: %+v, %v", now, last())
		}
		if _, err := d.SignIn(t.Context(), "sam.vale", "", "192.0.2.1"); !errors.Is(err, auth.ErrSignIn) {
			t.Errorf("with an empty password: %v", err)
		}
		if _, err := d.SetPassword(t.Context(), auth.Console("x"), first.ID, good); !errors.Is(err, auth.ErrNotAllowed) {
			t.Errorf("giving a password: %v", err)
		}
		p.person["groups"] = []any{"choir", 5}
		b.do("GET", "/start", nil, nil)
		if !errors.Is(last(), auth.ErrNotMapped) || b.me() != "" {
			t.Errorf("without a role: %v, signed in as %q", last(), b.me())
		}
		d.add(t, "robin", auth.Administrator)
		p.person = map[string]any{"sub": "2", "preferred_username": "robin", "groups": "it"}
		b.do("GET", "/start", nil, nil)
		if !errors.Is(last(), auth.ErrNameTaken) || b.me() != "" {
			t.Errorf("with another's name: %v", last())
		}
	})
}

func TestIdentityProviderDeceives(t *testing.T) {
	p := newIdentityProvider(t)
	var fates []error
	_, b := oidcDesk(t, storetest.SQLite(t), p, &fates)
	p.person = map[string]any{"sub": "1", "preferred_username": "sam", "groups": "it"}
	for name, spoil := range map[string]func(map[string]any){
		"another request's nonce": func(c map[string]any) { c["nonce"] = "x" },
		"another audience":        func(c map[string]any) { c["aud"] = "x" },
		"another issuer":          func(c map[string]any) { c["iss"] = "https://x.example" },
		"an expired token":        func(c map[string]any) { c["exp"] = 5 },
	} {
		p.spoil = spoil
		b.do("GET", "/start", nil, nil)
		if err := fates[len(fates)-1]; !errors.Is(err, auth.ErrProvider) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.spoil = nil
	for _, q := range []string{"", "?state=x&code=code", "?state=&code=code"} {
		b.do("GET", "/finish"+q, nil, nil)
		if err := fates[len(fates)-1]; !errors.Is(err, auth.ErrProvider) || !strings.Contains(err.Error(), "this browser's request") {
			t.Errorf("an answer nobody asked for: %v", err)
		}
	}
	if b.me() != "" {
		t.Error("somebody is signed in")
	}
}

func TestProviderConfig(t *testing.T) {
	d := open(t, storetest.SQLite(t), nil)
	if _, err := d.OIDCStart(t.Context()); !errors.Is(err, auth.ErrNoProvider) || d.OIDC() {
		t.Errorf("without a provider: %v", err)
	}
	cfg := d.cfg
	cfg.OIDC = &auth.OIDCConfig{Issuer: "http://127.0.0.1:1", ClientID: "x", Redirect: "x", Roles: map[string]auth.Role{"a": auth.Analyst}}
	away, err := auth.New(t.Context(), cfg)
	if err != nil {
		t.Fatalf("a provider that is away keeps the platform from starting: %v", err)
	}
	defer away.Close()
	if _, err := away.OIDCStart(t.Context()); !errors.Is(err, auth.ErrProvider) {
		t.Errorf("a provider that is away: %v", err)
	}
	for _, c := range []auth.OIDCConfig{{}, {Issuer: "x", ClientID: "x", Redirect: "x", Roles: map[string]auth.Role{"a": "king"}}} {
		cfg := d.cfg
		cfg.OIDC = &c
		if _, err := auth.New(t.Context(), cfg); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}
