package issue

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/cap/signed"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Errors of Do and Check.
var (
	// ErrNotFound: there is no such warning.
	ErrNotFound = errors.New("there is no such warning")
	// ErrChanged: somebody else was first.
	ErrChanged = errors.New("the warning has changed since you opened it: look at it again")
	// ErrNotAllowed: the action lacks something or does not fit.
	ErrNotAllowed = errors.New("not possible")
	// ErrOwnWork: who wrote a warning may not approve it.
	ErrOwnWork = errors.New("somebody who has not written on it must approve it")
)

// Config is what an office needs.
type Config struct {
	Log    *bus.Log
	Clock  *clock.Clock
	Logger *slog.Logger

	Sender string // of CAP: unique in the world, such as warnings@force.example
	Name   string // of the force, as people say it
	Web    string // address of the public page; empty: messages name none

	Key  crypto.Signer
	Cert *x509.Certificate
}

// Office writes, approves and issues warnings. What it knows is on the log;
// several offices on one log see each other's work.
type Office struct {
	cfg  Config
	head letterhead

	mu   sync.Mutex
	pos  uint64 // on the log, up to which book goes
	book map[event.ID]*Warning
}

// maxWaiting bounds the drafts that wait.
const maxWaiting = 200

// New returns an office that has read what is on the log.
func New(ctx context.Context, cfg Config) (*Office, error) {
	probe := &codec.Alert{Identifier: "x", Sender: cfg.Sender, Sent: time.Unix(0, 0), Status: codec.Test, MsgType: codec.MsgAlert, Scope: codec.Public}
	if err := probe.Check(); err != nil {
		return nil, fmt.Errorf("the sender of warnings %q: %w", cfg.Sender, err)
	}
	if cfg.Key == nil || cfg.Cert == nil {
		return nil, errors.New("warnings cannot be issued without a key to sign them")
	}
	o := &Office{cfg: cfg, head: letterhead{cfg.Sender, cfg.Name, cfg.Web}, book: map[event.ID]*Warning{}}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.catchUp(ctx); err != nil {
		return nil, err
	}
	return o, nil
}

// Certificate is what others verify the force's warnings with, in PEM.
func (o *Office) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.cfg.Cert.Raw})
}

// Sender is who the messages say they are from.
func (o *Office) Sender() (sender, name string) { return o.cfg.Sender, o.cfg.Name }

// catchUp takes up what is on the log.
func (o *Office) catchUp(ctx context.Context) error {
	err := o.cfg.Log.Each(ctx, bus.Warnings, o.pos, func(rec bus.Record) error {
		o.pos = rec.Seq
		var c Change
		if err := json.Unmarshal(rec.Data, &c); err != nil {
			o.cfg.Logger.Error("a change of a warning cannot be read and is left out", "position", rec.Seq, "err", err)
			return nil
		}
		changed, err := apply(o.get, &c)
		if err != nil {
			o.cfg.Logger.Warn("a change of a warning is left out", "position", rec.Seq, "err", err)
			return nil
		}
		for _, w := range changed {
			o.book[w.ID] = w
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the warnings on the log: %w", err)
	}
	return nil
}

func (o *Office) get(id event.ID) (*Warning, error) { return o.book[id], nil }

// Get returns a warning as it is now.
//
// Errors: ErrNotFound.
func (o *Office) Get(ctx context.Context, id event.ID) (Warning, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.catchUp(ctx); err != nil {
		return Warning{}, err
	}
	if w := o.book[id]; w != nil {
		return *w, nil
	}
	return Warning{}, fmt.Errorf("%w: %s", ErrNotFound, id)
}

// List returns the warnings that wait for approval, those that stand, and the
// newest of the others, up to limit.
func (o *Office) List(ctx context.Context, limit int) (waiting, standing, past []Warning, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.catchUp(ctx); err != nil {
		return nil, nil, nil, err
	}
	now := o.cfg.Clock.Now()
	for _, w := range o.book {
		switch {
		case w.State == Drafted:
			waiting = append(waiting, *w)
		case w.Stands(now):
			standing = append(standing, *w)
		default:
			past = append(past, *w)
		}
	}
	for _, l := range [][]Warning{waiting, standing, past} {
		slices.SortFunc(l, func(a, b Warning) int {
			if n := b.Written.Compare(a.Written); n != 0 {
				return n
			}
			return strings.Compare(string(a.ID), string(b.ID))
		})
	}
	return waiting, standing, past[:min(len(past), limit)], nil
}

// Chain returns the messages before a warning about the same matter, the first
// first.
func (o *Office) Chain(id event.ID) []Warning {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []Warning
	w := o.book[id]
	for w != nil && w.Of != "" {
		if w = o.book[w.Of]; w != nil {
			out = append(out, *w)
		}
	}
	slices.Reverse(out)
	return out
}

// Action is what a person does.
type Action struct {
	Type    ChangeType
	Warning event.ID // of a new draft: the id that it shall have; empty: the office chooses
	Version int      // that the person saw; all but a new draft
	By      string
	Why     string

	MsgType codec.MsgType // a new draft: Alert, Update or Cancel
	Of      event.ID      // a new draft: what it updates or cancels
	Draft   Draft         // a new draft, a revision; of a Cancel it is made from Of
}

// Check says whether Do would take an action now, and writes nothing.
//
// Errors: those of Do.
func (o *Office) Check(ctx context.Context, a Action) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.catchUp(ctx); err != nil {
		return err
	}
	_, err := o.change(a)
	return err
}

// Do takes an action, and returns the warning after it, once it is on the log.
//
// Errors: ErrNotFound, ErrChanged, ErrNotAllowed, ErrOwnWork. On any other the
// action may still take effect; it shows when it has.
func (o *Office) Do(ctx context.Context, a Action) (Warning, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.catchUp(ctx); err != nil {
		return Warning{}, err
	}
	c, err := o.change(a)
	if err != nil {
		return Warning{}, err
	}
	data, err := json.Marshal(c)
	if err != nil {
		return Warning{}, fmt.Errorf("encoding a change of a warning: %w", err)
	}
	// Its outcome is waited for even if the person has gone: the next change
	// must know of it.
	ctx = context.WithoutCancel(ctx)
	last, err := o.cfg.Log.Append(ctx, bus.Warnings, data)
	if err != nil {
		return Warning{}, fmt.Errorf("writing that a warning was %s: %w", c.Type, err)
	}
	if err := o.catchUp(ctx); err != nil {
		return Warning{}, err
	}
	w := o.book[c.Warning]
	if w == nil || w.Change != c.ID || o.pos < last {
		return Warning{}, ErrChanged // another office was first
	}
	return *w, nil
}

// change makes the change of an action that is allowed.
func (o *Office) change(a Action) (*Change, error) {
	no := func(why string) error { return fmt.Errorf("%w: %s", ErrNotAllowed, why) }
	a.Why = strings.TrimSpace(a.Why)
	switch {
	case a.By == "":
		return nil, no("an action needs a person")
	case len(a.Why) > maxText:
		return nil, no(fmt.Sprintf("the reason is longer than %d bytes", maxText))
	case a.Type == ChangeDrafted:
		return o.drafted(a)
	}
	w := o.book[a.Warning]
	switch {
	case w == nil:
		return nil, fmt.Errorf("%w: %s", ErrNotFound, a.Warning)
	case a.Version != w.Version:
		return nil, ErrChanged
	case w.State != Drafted:
		return nil, no("it was " + string(w.State) + " already: what is issued is never changed, only updated or cancelled")
	}
	c := o.next(a, w.ID, w.Version+1)
	switch a.Type {
	case ChangeRevised:
		if w.MsgType == codec.MsgCancel {
			return nil, no("a cancellation says what the message said: discard it and write another")
		}
		c.Draft = &a.Draft
		return c, a.Draft.check(c.Time)
	case ChangeDiscarded:
		if a.Why == "" {
			return nil, no("say why it is discarded")
		}
		return c, nil
	case ChangeIssued:
		if slices.Contains(w.Authors, a.By) {
			return nil, ErrOwnWork
		}
		return c, o.sign(w, c)
	}
	return nil, no(fmt.Sprintf("unknown action %q", a.Type))
}

func (o *Office) next(a Action, id event.ID, version int) *Change {
	now := o.cfg.Clock.Now()
	return &Change{
		ID: event.NewID("warning-change", string(id), strconv.Itoa(version), string(a.Type), a.By), Warning: id, Version: version,
		Type: a.Type, By: a.By, Time: now, Why: a.Why,
	}
}

// drafted makes the change that begins a draft.
func (o *Office) drafted(a Action) (*Change, error) {
	no := func(why string) error { return fmt.Errorf("%w: %s", ErrNotAllowed, why) }
	waiting := 0
	for _, w := range o.book {
		if w.State == Drafted {
			waiting++
		}
	}
	if waiting >= maxWaiting {
		return nil, no(fmt.Sprintf("%d drafts wait already: approve or discard some", waiting))
	}
	now := o.cfg.Clock.Now()
	id := a.Warning
	if id == "" {
		id = event.NewID("public-warning", a.By, now.Format(time.RFC3339Nano), strconv.Itoa(len(o.book)), a.Draft.Headline)
	}
	if o.book[id] != nil {
		return nil, ErrChanged
	}
	c := o.next(a, id, 1)
	c.MsgType, c.Of, c.Draft = a.MsgType, a.Of, &a.Draft
	switch a.MsgType {
	case codec.MsgAlert:
		if a.Of != "" {
			return nil, no("a new warning is about no earlier one")
		}
	case codec.MsgUpdate, codec.MsgCancel:
		of := o.book[a.Of]
		if of == nil {
			return nil, fmt.Errorf("%w: %s", ErrNotFound, a.Of)
		}
		if !of.Stands(now) {
			return nil, no("only a warning that stands can be updated or cancelled")
		}
		if a.Why == "" {
			return nil, no("say why it is updated or cancelled")
		}
		if a.MsgType == codec.MsgCancel {
			d := cancellation(of)
			c.Draft = &d
		}
		if c.Draft.Status != of.Status {
			return nil, no("an exercise cannot change what is actual, nor the other way round")
		}
	default:
		return nil, no("choose a warning, an update or a cancellation")
	}
	return c, c.Draft.check(now)
}

// sign completes the change that issues a warning with the message itself.
func (o *Office) sign(w *Warning, c *Change) error {
	if err := w.Draft.check(c.Time); err != nil {
		return err
	}
	c.Identifier, c.Sender, c.Sent = "bluelamp-"+string(w.ID), o.cfg.Sender, c.Time.UTC().Truncate(time.Second)
	var refs []codec.Reference
	for at := o.book[w.Of]; at != nil; at = o.book[at.Of] {
		if len(refs) == 0 {
			if !at.Stands(c.Time) {
				return fmt.Errorf("%w: what it is about does not stand any more", ErrNotAllowed)
			}
			if !c.Sent.After(at.Sent) { // messages of one matter have an order
				c.Sent = at.Sent.Add(time.Second)
			}
		}
		if len(refs) < maxRefs {
			refs = append(refs, at.Ref())
		}
	}
	slices.Reverse(refs)
	a, err := o.head.compose(w, c.Identifier, c.Sent, refs)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAllowed, err)
	}
	doc, err := codec.Encode(a)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAllowed, err)
	}
	if c.Document, err = signed.Sign(doc, o.cfg.Key, o.cfg.Cert); err != nil {
		return fmt.Errorf("signing a warning: %w", err)
	}
	return nil
}

// maxRefs is the most earlier messages that one names: the newest.
const maxRefs = 100
