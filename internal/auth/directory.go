package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// changeType says what happened to a person.
type changeType string

const (
	added        changeType = "added"
	rolesChanged changeType = "roles"
	passwordSet  changeType = "password"
	disabled     changeType = "disabled"
	enabled      changeType = "enabled"
	signedOutAll changeType = "signed-out"
	tokenMade    changeType = "setup-token" // the set-up token, by its hash
	setUp        changeType = "setup"       // the first administrator, with the token's hash
)

// change is one record of the PEOPLE stream.
type change struct {
	ID       string     `json:"id"`
	Type     changeType `json:"type"`
	Time     time.Time  `json:"time"`
	By       string     `json:"by"`
	Person   string     `json:"person,omitempty"`
	Name     string     `json:"name,omitempty"`
	FullName string     `json:"full_name,omitempty"`
	Roles    []Role     `json:"roles,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	Secret   string     `json:"secret,omitempty"` // password hash, sealed
	Token    string     `json:"token,omitempty"`  // SHA-256 of the set-up token
}

// Directory is who there is, as the PEOPLE stream has it. Every process reads the
// same changes in the same order and accepts or refuses the same ones; whoever
// wrote a change learns its fate when its own directory meets it. So two people
// can never have one name, though two servers add them at once.
type Directory struct {
	log    *bus.Log
	logger *slog.Logger

	mu      sync.RWMutex
	pos     uint64
	people  map[string]*member // by id
	byName  map[string]string  // name to id
	bySub   map[string]string  // subject to id
	token   change             // the last set-up token
	waiting map[string]chan error

	cancel context.CancelFunc
	done   chan struct{}
}

// member is a person with what only the directory needs.
type member struct {
	Person
	secret string
}

const followRetry = time.Second

// openDirectory reads all people and follows what changes until close.
func openDirectory(ctx context.Context, log *bus.Log, logger *slog.Logger) (*Directory, error) {
	d := &Directory{
		log: log, logger: logger, people: map[string]*member{}, byName: map[string]string{}, bySub: map[string]string{},
		waiting: map[string]chan error{}, done: make(chan struct{}),
	}
	if err := log.Each(ctx, bus.People, 0, func(r bus.Record) error { d.take(r); return nil }); err != nil {
		return nil, fmt.Errorf("reading who there is: %w", err)
	}
	follow, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	go d.run(follow)
	return d, nil
}

func (d *Directory) close() {
	d.cancel()
	<-d.done
}

func (d *Directory) run(ctx context.Context) {
	defer close(d.done)
	for ctx.Err() == nil {
		err := d.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		d.logger.Error("the directory of people lost the log and reads on", "err", err)
		select {
		case <-time.After(followRetry):
		case <-ctx.Done():
		}
	}
}

func (d *Directory) follow(ctx context.Context) error {
	r, err := d.log.Read(ctx, bus.People, d.position())
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		records, err := r.Next(ctx)
		if err != nil {
			return err
		}
		for _, rec := range records {
			d.take(rec)
		}
	}
}

func (d *Directory) position() uint64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.pos
}

// take applies a record, and tells its writer if that waits here.
func (d *Directory) take(r bus.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pos = r.Seq
	var c change
	if err := json.Unmarshal(r.Data, &c); err != nil {
		d.logger.Error("a record about a person cannot be read", "position", r.Seq, "err", err)
		return
	}
	err := d.apply(c, r.Seq)
	if w := d.waiting[c.ID]; w != nil {
		delete(d.waiting, c.ID)
		w <- err
	}
}

// write appends a change and returns what became of it.
func (d *Directory) write(ctx context.Context, c change) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	fate := make(chan error, 1)
	d.mu.Lock()
	d.waiting[c.ID] = fate
	d.mu.Unlock()
	forget := func() {
		d.mu.Lock()
		delete(d.waiting, c.ID)
		d.mu.Unlock()
	}
	if _, err := d.log.Append(ctx, bus.People, data); err != nil {
		forget()
		return fmt.Errorf("writing a change of a person: %w", err)
	}
	select {
	case err := <-fate:
		return err
	case <-ctx.Done():
		forget()
		return ctx.Err()
	case <-d.done:
		return errors.New("the directory of people was closed")
	}
}

// apply changes what the directory knows, or refuses. It must depend on nothing
// but the changes so far.
func (d *Directory) apply(c change, pos uint64) error {
	switch c.Type {
	case tokenMade:
		if len(d.people) == 0 {
			d.token = c
		}
		return nil
	case setUp:
		if err := d.mayUse(c.Token, c.Time); err != nil {
			return err
		}
		return d.add(c, pos)
	case added:
		return d.add(c, pos)
	}
	m := d.people[c.Person]
	if m == nil {
		return ErrNoPerson
	}
	switch c.Type {
	case rolesChanged:
		if !slices.Contains(c.Roles, Administrator) && d.onlyAdministrator(m) {
			return ErrLastAdministrator
		}
		m.Roles = c.Roles
	case disabled:
		if d.onlyAdministrator(m) {
			return ErrLastAdministrator
		}
		m.Disabled = true
	case enabled:
		m.Disabled = false
	case passwordSet:
		m.secret = c.Secret
	case signedOutAll:
	default:
		return fmt.Errorf("a change of the unknown type %q", c.Type)
	}
	m.epoch = pos
	return nil
}

// mayUse says whether the set-up token with a hash is good at a time.
func (d *Directory) mayUse(hash string, at time.Time) error {
	switch {
	case len(d.people) > 0:
		return ErrSetUpDone
	case d.token.Token == "" || hash != d.token.Token || at.After(d.token.Time.Add(SetupTokenLife)):
		return ErrSetupToken
	}
	return nil
}

func (d *Directory) add(c change, pos uint64) error {
	switch {
	case d.byName[c.Name] != "" || c.Subject != "" && d.bySub[c.Subject] != "" || d.people[c.Person] != nil:
		return ErrNameTaken
	case len(d.people) >= maxPeople:
		return ErrTooManyPeople
	}
	d.people[c.Person] = &member{secret: c.Secret, Person: Person{
		ID: c.Person, Name: c.Name, FullName: c.FullName, Roles: c.Roles, Subject: c.Subject, Added: c.Time, epoch: pos,
	}}
	d.byName[c.Name] = c.Person
	if c.Subject != "" {
		d.bySub[c.Subject] = c.Person
	}
	return nil
}

// onlyAdministrator reports whether nobody else could manage people.
func (d *Directory) onlyAdministrator(m *member) bool {
	if !m.Can(ManagePeople) {
		return false
	}
	for _, other := range d.people {
		if other != m && other.Can(ManagePeople) {
			return false
		}
	}
	return true
}

// Person finds a person by id.
func (d *Directory) Person(id string) (Person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m, ok := d.people[id]
	if !ok {
		return Person{}, false
	}
	return m.copy(), true
}

// ByName finds a person by the name to sign in with.
func (d *Directory) ByName(name string) (Person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m, ok := d.people[d.byName[cleanName(name)]]
	if !ok {
		return Person{}, false
	}
	return m.copy(), true
}

func (d *Directory) bySubject(subject string) (Person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m, ok := d.people[d.bySub[subject]]
	if !ok {
		return Person{}, false
	}
	return m.copy(), true
}

// People lists everybody by name.
func (d *Directory) People() []Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]Person, 0, len(d.people))
	for _, m := range d.people {
		out = append(out, m.copy())
	}
	slices.SortFunc(out, func(a, b Person) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Empty reports whether there is nobody yet.
func (d *Directory) Empty() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.people) == 0
}

func (d *Directory) secret(id string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if m := d.people[id]; m != nil {
		return m.secret
	}
	return ""
}

func (m *member) copy() Person {
	p := m.Person
	p.Roles = slices.Clone(p.Roles)
	return p
}
