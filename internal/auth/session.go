package auth

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/store"
)

// What a session holds.
const (
	keyPerson = "person"
	keyEpoch  = "epoch"
)

// purgeEvery is how often expired sessions are deleted, at most.
const purgeEvery = 10 * time.Minute

func newSessions(cfg Config) *scs.SessionManager {
	m := scs.New()
	m.Store = &sessionStore{db: cfg.DB}
	m.HashTokenInStore = true
	m.Lifetime, m.IdleTimeout = cfg.Lifetime, cfg.Idle
	m.Cookie.Name = "bluelamp"
	if cfg.Secure {
		m.Cookie.Name = "__Host-bluelamp" // RFC 6265bis: bound to this host and to TLS
		m.Cookie.Secure = true
	}
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Path = "/"
	m.Cookie.Persist = false
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		level := slog.LevelError
		// The database may call it an interruption, so the request is asked as well.
		if errors.Is(err, context.Canceled) || errors.Is(r.Context().Err(), context.Canceled) {
			level = slog.LevelDebug // the browser has gone: nothing is wrong here
		}
		cfg.Logger.Log(r.Context(), level, "a session could not be read or kept", "err", err)
		http.Error(w, "Your session could not be kept. Try again in a moment.", http.StatusServiceUnavailable)
	}
	return m
}

// Begin starts the session of a person who has just been let in. The request
// must have come through Middleware.
func (a *Auth) Begin(ctx context.Context, p Person) error {
	// Another token than before, or whoever planted that would be signed in too.
	if err := a.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("starting a session: %w", err)
	}
	a.sessions.Put(ctx, keyPerson, p.ID)
	a.sessions.Put(ctx, keyEpoch, int64(p.epoch))
	return nil
}

// SignOut ends the session of the request, if there is one.
func (a *Auth) SignOut(ctx context.Context, remote string) error {
	p, ok := a.current(ctx)
	if ok {
		if err := a.record(ctx, p, audit.SignedOut, "person/"+p.ID, remote, nil); err != nil {
			return err
		}
	}
	if err := a.sessions.Destroy(ctx); err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}

// current returns whose session it is, while the person's rights are still those
// with which it began.
func (a *Auth) current(ctx context.Context) (Person, bool) {
	p, ok := a.Person(a.sessions.GetString(ctx, keyPerson))
	if !ok || p.Disabled || int64(p.epoch) != a.sessions.GetInt64(ctx, keyEpoch) {
		return Person{}, false
	}
	return p, true
}

// Middleware refuses requests that another site made a browser send, and puts
// the person who is signed in into the request's context.
func (a *Auth) Middleware(next http.Handler) http.Handler {
	person := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if p, ok := a.current(ctx); ok {
			r = r.WithContext(WithPerson(ctx, p))
		} else if a.sessions.Exists(ctx, keyPerson) {
			if err := a.sessions.Destroy(ctx); err != nil {
				a.sessions.ErrorFunc(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(a.sessions.LoadAndSave(person))
}

// Require lets through who has a permission. Others get 401 or 403; a page that
// wants to say more asks [Person.Can] itself.
func (a *Auth) Require(want Permission) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, ok := PersonFrom(r.Context())
			switch {
			case !ok:
				http.Error(w, "Sign in first.", http.StatusUnauthorized)
			case !p.Can(want):
				http.Error(w, "Your role does not let you "+string(want)+".", http.StatusForbidden)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// sessionStore keeps sessions in SQL. A deleted one leaves an empty row until it
// would have expired: a request that was under way at the sign-out would
// otherwise write its session back. Time is the wall's here, by which scs sets
// the expiry, even where the platform's clock runs faster.
type sessionStore struct {
	db     *store.DB
	purged atomic.Int64
}

var _ scs.CtxStore = (*sessionStore)(nil)

// FindCtx implements scs.CtxStore.
func (s *sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data string
	err := s.db.Read().QueryRowContext(ctx, `SELECT data FROM sessions WHERE token = $1 AND expiry > $2 AND data <> ''`,
		token, store.Micros(time.Now())).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading a session: %w", err)
	}
	b, err := base64.StdEncoding.DecodeString(data)
	return b, err == nil, err
}

// CommitCtx implements scs.CtxStore.
func (s *sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (token, data, expiry) VALUES ($1, $2, $3)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry WHERE sessions.data <> ''`,
			token, base64.StdEncoding.EncodeToString(b), store.Micros(expiry))
		if err != nil {
			return fmt.Errorf("keeping a session: %w", err)
		}
		return s.purge(ctx, tx)
	})
}

// DeleteCtx implements scs.CtxStore.
func (s *sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE sessions SET data = '' WHERE token = $1`, token); err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
		return nil
	})
}

func (s *sessionStore) purge(ctx context.Context, tx *sql.Tx) error {
	now, last := store.Micros(time.Now()), s.purged.Load()
	if now-last < purgeEvery.Microseconds() || !s.purged.CompareAndSwap(last, now) {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expiry <= $1`, now); err != nil {
		return fmt.Errorf("deleting expired sessions: %w", err)
	}
	return nil
}

// Find implements scs.Store.
func (s *sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s *sessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements scs.Store.
func (s *sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
