package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/seal"
)

// oidcCallback is where an identity provider sends people back to.
const oidcCallback = "/signin/oidc/callback"

// OpenSealer opens the key of a data directory. It makes one only for a log that
// has nothing sealed yet: another key would open none of it.
func OpenSealer(ctx context.Context, log *bus.Log, dir string) (*seal.Sealer, error) {
	for _, s := range []bus.Stream{bus.Registry, bus.People} {
		last, err := log.Last(ctx, s)
		if err != nil {
			return nil, err
		}
		if last > 0 {
			return seal.Existing(dir)
		}
	}
	return seal.Open(dir)
}

func (a *App) authConfig() auth.Config {
	c := auth.Config{
		Log: a.log, DB: a.db, Audit: a.record, Sealer: a.sealer, Now: a.clock.Now, Logger: a.logger, Secure: a.cfg.secure(),
	}
	if a.opts.Demo {
		c.FirstRoles = auth.Roles() // one person plays all the parts
	}
	if a.cfg.OIDCIssuer != "" {
		roles := map[string]auth.Role{}
		for group, role := range a.cfg.OIDCRoles {
			roles[group] = auth.Role(role)
		}
		c.OIDC = &auth.OIDCConfig{
			Issuer: a.cfg.OIDCIssuer, ClientID: a.cfg.OIDCClient, ClientSecret: a.cfg.OIDCSecret,
			Redirect: a.cfg.URL + oidcCallback, Claim: a.cfg.OIDCClaim, Roles: roles,
		}
	}
	return c
}

// checkOIDC reports what is wrong with how people are to sign in.
func (c *Config) checkOIDC() error {
	if c.OIDCIssuer == "" {
		return nil
	}
	if c.OIDCClient == "" {
		return errors.New("--oidc-issuer needs --oidc-client")
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		return errors.New("--oidc-issuer needs --url: the address to which the provider sends people back")
	}
	for group, role := range c.OIDCRoles {
		if !auth.Role(role).Valid() {
			return fmt.Errorf("--oidc-roles: group %s has the unknown role %q: use one of %v", group, role, auth.Roles())
		}
	}
	return nil
}

// SetupURL returns the one-time address at which the first administrator is
// made, or "" when there are people already.
func (a *App) SetupURL(ctx context.Context) (string, error) {
	token, err := a.people.SetupToken(ctx)
	if errors.Is(err, auth.ErrSetUpDone) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("making the set-up link: %w", err)
	}
	return a.room.url + "/setup?token=" + url.QueryEscape(token), nil
}
