// Package registry knows the premises that Bluelamp watches, their alarm
// accounts, keys, zones and keyholders, and the devices that speak to it.
//
// What comes in: premises and devices, put by a person or an import
// ([Registry.Put], [Registry.AmendDevices]), and what becomes of a device's
// credentials ([Registry.Invite], [Registry.Enrol], [Registry.Rotate],
// [Registry.Revoke]) and consent ([Registry.Withdraw]); each is a record on the
// log, whole. What goes out: look-ups in memory, fast enough for every signal
// ([Registry.Account], [Registry.Premises], [Registry.Sensor]), and whether an
// observation may be kept ([Registry.Admit]). Keys, credentials, addresses,
// owners and keyholders are sealed on the log.
package registry

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
)

// Premises is a building that is watched.
type Premises struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Address    string      `json:"-"`    // personal data where somebody lives: sealed on the log
	Kind       string      `json:"kind"` // home, shop, bank, school ...
	Place      place.Point `json:"place"`
	URN        string      `json:"urn,omitempty"` // police unique reference number of the alarm
	Accounts   []Account   `json:"accounts"`
	Keyholders []Keyholder `json:"-"` // personal data: sealed on the log
	Basis      event.Basis `json:"basis,omitempty"`
	Purpose    string      `json:"purpose,omitempty"`
	Updated    time.Time   `json:"updated"`
	By         string      `json:"by"`
}

// KindHome is the kind of premises where people live: what is sensed there is
// personal data, and needs a lawful basis.
const KindHome = "home"

// Home reports whether people live there.
func (p *Premises) Home() bool { return strings.EqualFold(p.Kind, KindHome) }

// ForAlarms is the purpose of an alarm account's contract.
const ForAlarms = "response to the alarm"

// guardedBy reports whether an account is one of the premises'.
func (p *Premises) guardedBy(account string) bool {
	for i := range p.Accounts {
		if p.Accounts[i].Number == account {
			return true
		}
	}
	return false
}

// Account is an alarm panel's account with the receiving centre.
type Account struct {
	Number string          `json:"number"`
	Class  string          `json:"class"` // reporting class, see Class
	Key    []byte          `json:"-"`     // AES key of 16, 24 or 32 bytes, or nil: sealed on the log
	Zones  map[string]Zone `json:"zones,omitempty"`
}

// Zone is a group of detectors of a panel.
type Zone struct {
	Name string         `json:"name"`
	Kind event.ZoneKind `json:"kind"`
}

// Keyholder can attend and reset the alarm.
type Keyholder struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// Errors of the registry.
var (
	// ErrUnknown: no such premises or account.
	ErrUnknown = errors.New("not in the registry")
	// ErrInvalid: a record cannot be taken; the text says why.
	ErrInvalid = errors.New("invalid registry entry")
)

// stored is an entry as the log holds it: a device where Device is set, else
// premises.
type stored struct {
	Premises
	Device         *storedDevice     `json:"device,omitempty"`
	SealedKeys     map[string]string `json:"sealed_keys,omitempty"` // by account number
	SealedPersonal string            `json:"sealed_personal,omitempty"`
}

// personal is what of premises is personal data.
type personal struct {
	Address    string      `json:"address,omitempty"`
	Keyholders []Keyholder `json:"keyholders,omitempty"`
}

const (
	useKey      = "account key"
	usePersonal = "premises' personal data"
)

// Registry is the registry in memory. Its methods may be called from several
// goroutines; what they return must not be changed.
type Registry struct {
	log    *bus.Log
	sealer *seal.Sealer
	clock  *clock.Clock
	logger *slog.Logger

	putting sync.Mutex // from check to apply, so that two puts cannot both take an account

	applying sync.Mutex // keeps records in the log's order
	applied  uint64     // log position of the last record taken up

	mu          sync.RWMutex
	premises    map[string]*Premises
	accounts    map[string]Found
	devices     map[string]*Device
	aliases     map[string]string            // alias: device id
	invitations map[[sha256.Size]byte]string // hash of a token: device id
	version     uint64                       // grows with every change
}

// Found is an account and the premises that it guards.
type Found struct {
	Account  *Account
	Premises *Premises
}

// New reads the registry from the log.
func New(ctx context.Context, log *bus.Log, sealer *seal.Sealer, clk *clock.Clock, logger *slog.Logger) (*Registry, error) {
	r := &Registry{
		log: log, sealer: sealer, clock: clk, logger: logger,
		premises: map[string]*Premises{}, accounts: map[string]Found{},
		devices: map[string]*Device{}, aliases: map[string]string{}, invitations: map[[sha256.Size]byte]string{},
	}
	if err := r.catchUp(ctx, 0); err != nil {
		return nil, fmt.Errorf("reading the registry: %w", err)
	}
	return r, nil
}

// Follow keeps the registry up to date with what other processes put, until the
// context ends; it returns nil then.
func (r *Registry) Follow(ctx context.Context) error {
	r.applying.Lock()
	after := r.applied
	r.applying.Unlock()
	rd, err := r.log.Read(ctx, bus.Registry, after)
	if err != nil {
		return fmt.Errorf("following the registry: %w", err)
	}
	defer rd.Close()
	for {
		recs, err := rd.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("following the registry: %w", err)
		}
		r.applying.Lock()
		for _, rec := range recs {
			r.next(rec)
		}
		r.applying.Unlock()
	}
}

// catchUp takes up what the log holds, at least up to a position: who has put
// something then knows it, and all that others put before it.
func (r *Registry) catchUp(ctx context.Context, to uint64) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	for {
		err := r.log.Each(ctx, bus.Registry, r.applied, func(rec bus.Record) error {
			r.next(rec)
			return nil
		})
		if err != nil || r.applied >= to {
			return err
		}
	}
}

// next takes up the log's next record, for who holds r.applying. A record may
// come twice: Put catches up with its own, and Follow meets it again.
func (r *Registry) next(rec bus.Record) {
	if rec.Seq > r.applied {
		r.apply(rec)
		r.applied = rec.Seq
	}
}

// apply takes one record up.
func (r *Registry) apply(rec bus.Record) {
	var s stored
	if err := json.Unmarshal(rec.Data, &s); err != nil {
		r.logger.Error("a registry record cannot be read and is left out", "position", rec.Seq, "err", err)
		return
	}
	if s.Device != nil {
		r.applyDevice(s.Device, rec.Seq)
		return
	}
	p := s.Premises
	for i := range p.Accounts {
		key, err := r.sealer.Open(useKey, s.SealedKeys[p.Accounts[i].Number])
		if err != nil {
			r.logger.Error("an account's key cannot be opened: its encrypted signals will be refused", "account", p.Accounts[i].Number, "err", err)
		}
		p.Accounts[i].Key = key
	}
	if plain, err := r.sealer.Open(usePersonal, s.SealedPersonal); err != nil {
		r.logger.Error("address and keyholders cannot be opened", "premises", p.ID, "err", err)
	} else if plain != nil {
		var pd personal
		if err := json.Unmarshal(plain, &pd); err != nil {
			r.logger.Error("address and keyholders cannot be read", "premises", p.ID, "err", err)
		}
		p.Address, p.Keyholders = pd.Address, pd.Keyholders
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.premises[p.ID]; old != nil {
		for _, a := range old.Accounts {
			if f := r.accounts[a.Number]; f.Premises == old {
				delete(r.accounts, a.Number)
			}
		}
	}
	r.version++
	r.premises[p.ID] = &p
	for i := range p.Accounts {
		r.accounts[p.Accounts[i].Number] = Found{Account: &p.Accounts[i], Premises: &p}
	}
}

// Put adds premises or replaces those with the same id. All are checked before
// any is written; up to bus.MaxBatch at a time are written as one.
//
// Errors: ErrInvalid.
func (r *Registry) Put(ctx context.Context, by string, ps ...Premises) error {
	r.putting.Lock()
	defer r.putting.Unlock()
	if err := r.check(ps); err != nil {
		return err
	}
	for len(ps) > 0 {
		n := min(len(ps), bus.MaxBatch)
		records := make([][]byte, n)
		for i := range n {
			p := ps[i]
			p.By, p.Updated = by, r.clock.Now()
			data, err := r.sealed(p)
			if err != nil {
				return fmt.Errorf("sealing premises %s: %w", p.ID, err)
			}
			records[i] = data
		}
		last, err := r.log.Append(ctx, bus.Registry, records...)
		if err != nil {
			return fmt.Errorf("putting premises: %w", err)
		}
		if err := r.catchUp(ctx, last); err != nil {
			return fmt.Errorf("reading back the premises that were put: %w", err)
		}
		ps = ps[n:]
	}
	return nil
}

func (r *Registry) sealed(p Premises) ([]byte, error) {
	s := stored{Premises: p, SealedKeys: map[string]string{}}
	for _, a := range p.Accounts {
		if len(a.Key) > 0 {
			s.SealedKeys[a.Number] = r.sealer.Seal(useKey, a.Key)
		}
	}
	plain, err := json.Marshal(personal{p.Address, p.Keyholders})
	if err != nil {
		return nil, err
	}
	s.SealedPersonal = r.sealer.Seal(usePersonal, plain)
	return json.Marshal(s)
}

func (r *Registry) check(ps []Premises) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	owner := map[string]string{}
	for _, p := range ps {
		if err := p.Check(); err != nil {
			return err
		}
		for _, a := range p.Accounts {
			taken := owner[a.Number]
			if f, ok := r.accounts[a.Number]; ok && taken == "" {
				taken = f.Premises.ID
			}
			if taken != "" && taken != p.ID {
				return fmt.Errorf("%w: account %s of premises %s belongs to premises %s already", ErrInvalid, a.Number, p.ID, taken)
			}
			owner[a.Number] = p.ID
		}
	}
	return nil
}

// Check reports what is wrong with p by itself.
func (p *Premises) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: premises %q: %s", ErrInvalid, p.ID, fmt.Sprintf(format, args...))
	}
	switch {
	case p.ID == "" || len(p.ID) > 64 || strings.ContainsAny(p.ID, " \t\r\n"):
		return bad("the id must have 1 to 64 characters without spaces")
	case p.Name == "" || len(p.Name) > 200:
		return bad("the name must have 1 to 200 bytes")
	case !p.Place.Valid() || p.Place == (place.Point{}):
		return bad("the place %v is not a position on the Earth", p.Place)
	case p.Basis != event.BasisNone && !p.Basis.Valid():
		return bad("unknown lawful basis %q: use one of %v", p.Basis, event.Bases())
	}
	for _, a := range p.Accounts {
		if a.Number == "" || len(a.Number) > 16 {
			return bad("account %q: the number must have 1 to 16 characters", a.Number)
		}
		if _, ok := Class(a.Class); !ok {
			return bad("account %s: unknown reporting class %q: use one of %s", a.Number, a.Class, strings.Join(Classes(), ", "))
		}
		if n := len(a.Key); n != 0 && n != 16 && n != 24 && n != 32 {
			return bad("account %s: the key has %d bytes, want 16, 24 or 32", a.Number, n)
		}
	}
	return nil
}

// Account returns the account with the given number.
func (r *Registry) Account(number string) (Found, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	f, ok := r.accounts[number]
	return f, ok
}

// Premises returns the premises with the given id.
//
// Errors: ErrUnknown.
func (r *Registry) Premises(id string) (*Premises, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if p := r.premises[id]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%w: premises %q", ErrUnknown, id)
}

// Version is a number that changes whenever the registry does.
func (r *Registry) Version() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.version
}

// All returns every premises, by id.
func (r *Registry) All() []*Premises {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*Premises, 0, len(r.premises))
	for _, p := range r.premises {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}
