package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDCConfig is the identity provider through which people sign in.
type OIDCConfig struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Redirect     string          // our address to which the provider sends people back
	Scopes       []string        // besides openid; empty: profile, email
	Claim        string          // claim that says what somebody is: a text or a list; empty: "groups"
	Roles        map[string]Role // what its values mean here; others mean nothing
}

const (
	oidcTimeout = 10 * time.Second
	flowLife    = 10 * time.Minute
	maxValues   = 200 // values of the claim that are looked at

	keyState    = "oidc-state"
	keyNonce    = "oidc-nonce"
	keyVerifier = "oidc-verifier"
	keyStarted  = "oidc-started"
)

// Errors of signing in through a provider.
var (
	// ErrNoProvider: none is configured.
	ErrNoProvider = errors.New("no identity provider is configured: sign in with a password")
	// ErrProvider: the provider could not be reached, or said what it should not.
	ErrProvider = errors.New("signing in through the identity provider failed: try again")
	// ErrNotMapped: the provider knows the person, but no role follows from that.
	ErrNotMapped = errors.New("you are known to the identity provider, but have no role here: ask an administrator to be given one")
)

// provider talks to the identity provider, which it first does when it must: a
// control room starts without it.
type provider struct {
	cfg    OIDCConfig
	client *http.Client

	mu    sync.Mutex
	known *oidc.Provider
}

func newProvider(cfg OIDCConfig) (*provider, error) {
	if cfg.Claim == "" {
		cfg.Claim = "groups"
	}
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{"profile", "email"}
	}
	if cfg.Issuer == "" || cfg.ClientID == "" || cfg.Redirect == "" || len(cfg.Roles) == 0 {
		return nil, errors.New("the identity provider needs an issuer, a client id, a redirect address, and a table of roles")
	}
	for value, r := range cfg.Roles {
		if !r.Valid() {
			return nil, fmt.Errorf("the identity provider's value %q stands for the role %q, which does not exist", value, r)
		}
	}
	return &provider{cfg: cfg, client: &http.Client{Timeout: oidcTimeout}}, nil
}

// discover returns what the provider says of itself.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		known, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
		if err != nil {
			return nil, oauth2.Config{}, fmt.Errorf("%w: %w", ErrProvider, err)
		}
		p.known = known
	}
	return p.known, oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, RedirectURL: p.cfg.Redirect,
		Endpoint: p.known.Endpoint(), Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
	}, nil
}

// OIDC reports whether people can sign in through an identity provider.
func (a *Auth) OIDC() bool { return a.provider != nil }

// OIDCStart returns the provider's address to send the browser to, and keeps in
// its session what the answer must match.
//
// Errors: ErrNoProvider, ErrProvider.
func (a *Auth) OIDCStart(ctx context.Context) (string, error) {
	if a.provider == nil {
		return "", ErrNoProvider
	}
	_, conf, err := a.provider.discover(ctx)
	if err != nil {
		return "", err
	}
	state, nonce, verifier := newID(), newID(), oauth2.GenerateVerifier()
	a.sessions.Put(ctx, keyState, state)
	a.sessions.Put(ctx, keyNonce, nonce)
	a.sessions.Put(ctx, keyVerifier, verifier)
	a.sessions.Put(ctx, keyStarted, a.cfg.Now().Unix())
	return conf.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// OIDCFinish takes the query with which the browser comes back. The person is
// added at the first time, and has the roles that the provider's claim stands
// for at each time. It starts no session: see Begin.
//
// Errors: ErrNoProvider, ErrProvider, ErrNotMapped, ErrDisabled, ErrNameTaken,
// ErrThrottled.
func (a *Auth) OIDCFinish(ctx context.Context, query url.Values, remote string) (Person, error) {
	if a.provider == nil {
		return Person{}, ErrNoProvider
	}
	if err := a.limits.attempt(a.cfg.Now(), "", remote); err != nil {
		return Person{}, err
	}
	id, err := a.identify(ctx, query)
	if err != nil {
		return Person{}, errors.Join(err, a.recordRefusal(ctx, Person{}, id.name(), remote, err))
	}
	p, err := a.admit(ctx, id, remote)
	if err != nil {
		return Person{}, errors.Join(err, a.recordRefusal(ctx, p, id.name(), remote, err))
	}
	a.limits.succeeded("", remote)
	if err := a.record(ctx, p, audit.SignedIn, "person/"+p.ID, remote, map[string]string{"by": "identity provider"}); err != nil {
		return Person{}, err
	}
	return p, nil
}

// identity is what the provider says of somebody.
type identity struct {
	subject   string // issuer and subject: unique
	Preferred string `json:"preferred_username"`
	Email     string `json:"email"`
	FullName  string `json:"name"`
	roles     []Role
}

func (id identity) name() string {
	if id.Preferred != "" {
		return id.Preferred
	}
	return id.Email
}

// identify checks the provider's answer against what was asked.
func (a *Auth) identify(ctx context.Context, query url.Values) (identity, error) {
	state, nonce := a.sessions.PopString(ctx, keyState), a.sessions.PopString(ctx, keyNonce)
	verifier := a.sessions.PopString(ctx, keyVerifier)
	started, _ := a.sessions.Pop(ctx, keyStarted).(int64)
	switch {
	case state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(query.Get("state"))) != 1:
		return identity{}, fmt.Errorf("%w: the answer does not belong to this browser's request", ErrProvider)
	case a.cfg.Now().Sub(time.Unix(started, 0)) > flowLife:
		return identity{}, fmt.Errorf("%w: it took longer than %v", ErrProvider, flowLife)
	case query.Get("error") != "":
		return identity{}, fmt.Errorf("%w: the provider says %.100q", ErrProvider, query.Get("error"))
	}
	known, conf, err := a.provider.discover(ctx)
	if err != nil {
		return identity{}, err
	}
	ctx = oidc.ClientContext(ctx, a.provider.client)
	tokens, err := conf.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return identity{}, fmt.Errorf("%w: exchanging the code: %w", ErrProvider, err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return identity{}, fmt.Errorf("%w: there was no id token", ErrProvider)
	}
	// By the wall's clock, which the provider shares.
	token, err := known.VerifierContext(ctx, &oidc.Config{ClientID: a.provider.cfg.ClientID}).Verify(ctx, raw)
	if err != nil {
		return identity{}, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1 {
		return identity{}, fmt.Errorf("%w: the id token answers another request", ErrProvider)
	}
	return a.provider.read(token)
}

// read takes what we need from the token's claims.
func (p *provider) read(token *oidc.IDToken) (identity, error) {
	id := identity{subject: token.Issuer + " " + token.Subject}
	all := map[string]any{}
	if err := errors.Join(token.Claims(&id), token.Claims(&all)); err != nil {
		return id, fmt.Errorf("%w: its claims: %w", ErrProvider, err)
	}
	var values []any
	switch v := all[p.cfg.Claim].(type) {
	case string:
		values = []any{v}
	case []any:
		values = v[:min(len(v), maxValues)]
	}
	for _, v := range values {
		s, _ := v.(string)
		if r, ok := p.cfg.Roles[s]; ok && !slices.Contains(id.roles, r) {
			id.roles = append(id.roles, r)
		}
	}
	slices.Sort(id.roles)
	return id, nil
}

// providerPerson is who the audit log names for what follows from the provider.
func providerPerson() Person { return Person{ID: "identity-provider", FullName: "identity provider"} }

// admit finds or adds the person, with the roles that the provider gives.
func (a *Auth) admit(ctx context.Context, id identity, remote string) (Person, error) {
	p, known := a.bySubject(id.subject)
	switch {
	case len(id.roles) == 0 && known && !p.Disabled:
		c := a.change(signedOutAll, providerPerson()) // who lost all roles there
		c.Person = p.ID
		return p, errors.Join(ErrNotMapped, a.write(ctx, c))
	case len(id.roles) == 0:
		return p, ErrNotMapped
	case known && p.Disabled:
		return p, ErrDisabled
	case known && slices.Equal(p.Roles, id.roles):
		return p, nil
	}
	by := providerPerson()
	c := a.change(added, by)
	c.Person, c.Roles, c.Subject = newID(), id.roles, id.subject
	action, detail := audit.PersonAdded, map[string]string{"roles": Person{Roles: id.roles}.RoleWords()}
	if known {
		c.Type, c.Person, c.Subject = rolesChanged, p.ID, ""
		action, detail["from"] = audit.RolesChanged, p.RoleWords()
	} else {
		n := NewPerson{Name: id.name(), FullName: id.FullName, Roles: id.roles}
		if err := n.check(); err != nil {
			return Person{}, err
		}
		c.Name, c.FullName = n.Name, n.FullName
	}
	if err := a.record(ctx, by, action, "person/"+c.Person, remote, detail); err != nil {
		return p, err
	}
	return a.finish(ctx, by, c, remote)
}
