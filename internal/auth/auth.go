package auth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/store"
)

// How long a session lasts.
const (
	DefaultIdle     = 30 * time.Minute // without a request
	DefaultLifetime = 12 * time.Hour   // whatever happens: a shift
)

// secretUse is what password hashes are sealed for.
const secretUse = "password hash"

// Recorder is the audit log. See audit.Recorder.
type Recorder interface {
	Record(ctx context.Context, e audit.Entry) error
}

// Config is what the package needs.
type Config struct {
	Log    *bus.Log
	DB     *store.DB
	Audit  Recorder
	Sealer *seal.Sealer
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discard

	Secure   bool          // served over TLS: the cookie says so
	Idle     time.Duration // 0: DefaultIdle
	Lifetime time.Duration // 0: DefaultLifetime
	Hash     HashCost      // zero: DefaultHashCost
	OIDC     *OIDCConfig   // nil: people sign in with passwords only

	FirstRoles []Role // of who sets the platform up, besides Administrator
}

// Auth is the front desk: who there is, and who is signed in.
type Auth struct {
	*Directory
	cfg      Config
	hasher   *hasher
	limits   *limits
	sessions *scs.SessionManager
	provider *provider
}

// New opens the front desk. It knows everybody when it returns. Close it before
// the log.
func New(ctx context.Context, cfg Config) (*Auth, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Idle == 0 {
		cfg.Idle = DefaultIdle
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = DefaultLifetime
	}
	if cfg.Hash == (HashCost{}) {
		cfg.Hash = DefaultHashCost()
	}
	if !slices.Contains(cfg.FirstRoles, Administrator) { // somebody must be able to add others
		cfg.FirstRoles = append([]Role{Administrator}, cfg.FirstRoles...)
	}
	a := &Auth{cfg: cfg, limits: newLimits()}
	var err error
	if a.hasher, err = newHasher(cfg.Hash); err != nil {
		return nil, err
	}
	if cfg.OIDC != nil {
		if a.provider, err = newProvider(*cfg.OIDC); err != nil {
			return nil, err
		}
	}
	a.sessions = newSessions(cfg)
	if a.Directory, err = openDirectory(ctx, cfg.Log, cfg.Logger); err != nil {
		return nil, err
	}
	return a, nil
}

// Close stops following the log.
func (a *Auth) Close() { a.Directory.close() }

// newID returns an unguessable id of 128 bits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program first
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// record notes what a person does to another. remote may be empty.
func (a *Auth) record(ctx context.Context, by Person, action audit.Action, object, remote string, detail map[string]string) error {
	err := a.cfg.Audit.Record(ctx, audit.Entry{
		Time: a.cfg.Now(), Actor: by.ID, ActorName: by.FullName, Role: by.RoleWords(),
		Action: action, Object: object, Remote: remote, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("nothing was done, since it could not be recorded: %w", err)
	}
	return nil
}

func (a *Auth) change(t changeType, by Person) change {
	return change{ID: newID(), Type: t, Time: a.cfg.Now().UTC(), By: by.ID}
}

// sealPassword checks, hashes and seals a password.
func (a *Auth) sealPassword(ctx context.Context, password string, names ...string) (string, error) {
	if err := CheckPassword(password, names...); err != nil {
		return "", err
	}
	phc, err := a.hasher.hash(ctx, password)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return a.cfg.Sealer.Seal(secretUse, []byte(phc)), nil
}
