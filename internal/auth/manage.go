package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
)

// SetupTokenLife is how long a set-up token is good for.
const SetupTokenLife = 24 * time.Hour

// Errors of the first run.
var (
	// ErrSetUpDone: there is somebody already, who can add others.
	ErrSetUpDone = errors.New("the platform has been set up already: sign in")
	// ErrSetupToken: not the newest set-up token, or older than its life.
	ErrSetupToken = errors.New("the set-up token is wrong or has expired: the server prints a new one when it starts")
)

// SetupToken makes the token with which the first administrator can be added.
// It replaces any earlier one, is good for SetupTokenLife, and only its hash is
// kept: show it to whoever started the server.
//
// Errors: ErrSetUpDone.
func (a *Auth) SetupToken(ctx context.Context) (string, error) {
	if !a.Empty() {
		return "", ErrSetUpDone
	}
	token := newID()
	c := a.change(tokenMade, Person{})
	c.Token = hashToken(token)
	if err := a.write(ctx, c); err != nil {
		return "", err
	}
	return token, nil
}

// SetUp adds the first administrator, whose roles it sets, and uses up the
// token. Of two at once one succeeds.
//
// Errors: ErrSetUpDone, ErrSetupToken, ErrName, ErrPassword, ErrThrottled.
func (a *Auth) SetUp(ctx context.Context, token string, n NewPerson, remote string) (Person, error) {
	if err := a.limits.attempt(a.cfg.Now(), "", remote); err != nil {
		return Person{}, err
	}
	if err := a.checkToken(token); err != nil {
		return Person{}, errors.Join(err, a.recordRefusal(ctx, Person{}, n.Name, remote, err))
	}
	n.Roles = a.cfg.FirstRoles
	by := Person{FullName: "set-up token"}
	c, err := a.addition(ctx, setUp, by, n)
	if err != nil {
		return Person{}, err
	}
	c.Token = hashToken(token)
	if err := a.record(ctx, by, audit.SetUp, "person/"+c.Person, remote, map[string]string{"name": c.Name}); err != nil {
		return Person{}, err
	}
	return a.finish(ctx, by, c, remote)
}

// checkToken spares the work for a token that will be refused.
func (a *Auth) checkToken(token string) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.mayUse(hashToken(token), a.cfg.Now())
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Add adds a person.
//
// Errors: ErrNotAllowed, ErrName, ErrNameTaken, ErrRoles, ErrPassword.
func (a *Auth) Add(ctx context.Context, by Person, n NewPerson) (Person, error) {
	if err := mayManage(by); err != nil {
		return Person{}, err
	}
	if _, taken := a.ByName(n.Name); taken {
		return Person{}, ErrNameTaken
	}
	c, err := a.addition(ctx, added, by, n)
	if err != nil {
		return Person{}, err
	}
	detail := map[string]string{"name": c.Name, "roles": Person{Roles: c.Roles}.RoleWords()}
	if err := a.record(ctx, by, audit.PersonAdded, "person/"+c.Person, "", detail); err != nil {
		return Person{}, err
	}
	return a.finish(ctx, by, c, "")
}

func (a *Auth) addition(ctx context.Context, t changeType, by Person, n NewPerson) (change, error) {
	if err := n.check(); err != nil {
		return change{}, err
	}
	secret, err := a.sealPassword(ctx, n.Password, n.Name, n.FullName)
	if err != nil {
		return change{}, err
	}
	c := a.change(t, by)
	c.Person, c.Name, c.FullName, c.Roles, c.Secret = newID(), n.Name, n.FullName, n.Roles, secret
	return c, nil
}

// finish writes a change that is on the audit log, notes there if it was
// refused, and returns the person as changed.
func (a *Auth) finish(ctx context.Context, by Person, c change, remote string) (Person, error) {
	if err := a.write(ctx, c); err != nil {
		refused := a.record(ctx, by, "person.change-refused", "person/"+c.Person, remote,
			map[string]string{"change": string(c.Type), "reason": err.Error()})
		return Person{}, errors.Join(err, refused)
	}
	p, ok := a.Person(c.Person)
	if !ok {
		return Person{}, ErrNoPerson
	}
	return p, nil
}

// SetRoles gives a person other roles, and ends the person's sessions.
//
// Errors: ErrNotAllowed, ErrNoPerson, ErrRoles, ErrLastAdministrator.
func (a *Auth) SetRoles(ctx context.Context, by Person, id string, roles []Role) (Person, error) {
	if err := checkRoles(roles); err != nil {
		return Person{}, err
	}
	return a.alter(ctx, by, id, rolesChanged, audit.RolesChanged, func(p Person, c *change) map[string]string {
		c.Roles = roles
		return map[string]string{"name": p.Name, "from": p.RoleWords(), "to": Person{Roles: roles}.RoleWords()}
	})
}

// Disable keeps a person out, at once.
//
// Errors: ErrNotAllowed, ErrNoPerson, ErrLastAdministrator.
func (a *Auth) Disable(ctx context.Context, by Person, id string) (Person, error) {
	return a.alter(ctx, by, id, disabled, audit.PersonDisabled, nil)
}

// Enable lets a disabled person in again.
//
// Errors: ErrNotAllowed, ErrNoPerson.
func (a *Auth) Enable(ctx context.Context, by Person, id string) (Person, error) {
	return a.alter(ctx, by, id, enabled, audit.PersonEnabled, nil)
}

// EndSessions signs a person out everywhere. People may do that to themselves.
//
// Errors: ErrNotAllowed, ErrNoPerson.
func (a *Auth) EndSessions(ctx context.Context, by Person, id string) (Person, error) {
	return a.alter(ctx, by, id, signedOutAll, audit.SessionsEnded, nil)
}

// SetPassword gives a person another password, and ends the person's sessions.
// People may change their own: ask them for the old one first ([Auth.SignIn]).
//
// Errors: ErrNotAllowed, ErrNoPerson, ErrPassword.
func (a *Auth) SetPassword(ctx context.Context, by Person, id, password string) (Person, error) {
	p, ok := a.Person(id)
	if !ok {
		return Person{}, ErrNoPerson
	}
	if by.ID != id {
		if err := mayManage(by); err != nil {
			return Person{}, err
		}
	}
	if p.Subject != "" {
		return Person{}, fmt.Errorf("%w: %s signs in through the identity provider, and has no password here", ErrNotAllowed, p.Name)
	}
	secret, err := a.sealPassword(ctx, password, p.Name, p.FullName)
	if err != nil {
		return Person{}, err
	}
	return a.alter(ctx, by, id, passwordSet, audit.PasswordSet, func(_ Person, c *change) map[string]string {
		c.Secret = secret
		return map[string]string{"name": p.Name}
	})
}

// alter records and writes a change of a person who is there. fill completes the
// change and returns what to note of it.
func (a *Auth) alter(ctx context.Context, by Person, id string, t changeType, action audit.Action, fill func(Person, *change) map[string]string) (Person, error) {
	own := by.ID == id && (t == passwordSet || t == signedOutAll)
	if err := mayManage(by); err != nil && !own {
		return Person{}, err
	}
	p, ok := a.Person(id)
	if !ok {
		return Person{}, ErrNoPerson
	}
	c := a.change(t, by)
	c.Person = id
	detail := map[string]string{"name": p.Name}
	if fill != nil {
		detail = fill(p, &c)
	}
	if err := a.record(ctx, by, action, "person/"+id, "", detail); err != nil {
		return Person{}, err
	}
	return a.finish(ctx, by, c, "")
}

func mayManage(by Person) error {
	if !by.Can(ManagePeople) {
		return fmt.Errorf("%w: it takes the role of administrator", ErrNotAllowed)
	}
	return nil
}
