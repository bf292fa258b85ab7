package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/bluelamp/bluelamp/internal/audit"
)

// Errors of signing in.
var (
	// ErrSignIn: the name or the password is wrong; which, nobody is told.
	ErrSignIn = errors.New("the name or the password is wrong")
	// ErrDisabled: the person is known, and kept out.
	ErrDisabled = errors.New("this account has been disabled: ask an administrator")
)

// SignIn checks a name and a password. It starts no session: see Begin.
//
// Errors: ErrSignIn, ErrDisabled (only to who knows the password), ErrThrottled,
// ErrBusy.
func (a *Auth) SignIn(ctx context.Context, name, password, remote string) (Person, error) {
	name = cleanName(name)
	p, known := a.ByName(name)
	refuse := func(why error) (Person, error) {
		// A flood leaves one entry for each attempt that counts, and one for the
		// others in between: it must not fill the disk.
		if wait := (*WaitError)(nil); errors.As(why, &wait) && wait.again {
			return Person{}, why
		}
		return Person{}, errors.Join(why, a.recordRefusal(ctx, p, name, remote, why))
	}
	if err := a.limits.attempt(a.cfg.Now(), name, remote); err != nil {
		return refuse(err)
	}
	if len(password) > 4*MaxPassword { // in bytes
		return refuse(ErrSignIn)
	}
	phc := ""
	if known {
		plain, err := a.cfg.Sealer.Open(secretUse, a.secret(p.ID))
		if err != nil {
			return Person{}, fmt.Errorf("reading the password hash of %s: %w", p.Name, err)
		}
		phc = string(plain)
	}
	right, err := a.hasher.matches(ctx, password, phc)
	switch {
	case err != nil:
		return refuse(err)
	case !right:
		return refuse(ErrSignIn)
	case p.Disabled:
		return refuse(ErrDisabled)
	}
	a.limits.succeeded(name, remote)
	if err := a.record(ctx, p, audit.SignedIn, "person/"+p.ID, remote, map[string]string{"by": "password"}); err != nil {
		return Person{}, err
	}
	return p, nil
}

// recordRefusal notes a refused sign-in. The name is noted only if it is
// somebody's: people type passwords into the wrong field.
func (a *Auth) recordRefusal(ctx context.Context, p Person, name, remote string, why error) error {
	e := audit.Entry{Time: a.cfg.Now(), Action: audit.SignInFailed, Remote: remote, Why: why.Error()}
	if p.ID != "" {
		e.Object, e.Detail = "person/"+p.ID, map[string]string{"name": p.Name}
	} else {
		e.Detail = map[string]string{"name": fmt.Sprintf("not somebody's (%d characters)", len([]rune(name)))}
	}
	return a.cfg.Audit.Record(ctx, e)
}
