package retention

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Interval is how often the keeper looks for what has expired.
const Interval = time.Minute

// shortest is the least time between two looks on a fast clock.
const shortest = time.Second

// Backups are copies of the log that must forget what the log forgets.
type Backups interface {
	// Apply erases from the backups what the log's ledger says was erased. It may
	// be called again with what was applied before.
	Apply(ctx context.Context, log *bus.Log) error
}

// Keeper expires and erases.
type Keeper struct {
	log     *bus.Log
	clock   *clock.Clock
	backups []Backups
	logger  *slog.Logger
}

// NewKeeper returns a keeper. The clock must agree with the log's own, which is
// the machine's: on a clock that runs ahead everything would have expired.
func NewKeeper(log *bus.Log, clk *clock.Clock, logger *slog.Logger, backups ...Backups) *Keeper {
	return &Keeper{log: log, clock: clk, logger: logger, backups: backups}
}

// Run expires what has expired, at once and then every Interval, until the context
// ends; it returns nil then. What fails is said in the log and tried again.
func (k *Keeper) Run(ctx context.Context) error {
	t := time.NewTicker(max(k.clock.Real(Interval), shortest))
	defer t.Stop()
	for {
		if err := k.Once(ctx); err != nil && ctx.Err() == nil {
			k.logger.Error("what has expired could not be erased everywhere: trying again in a minute", "err", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Once expires what has expired now: in every stream, every window of a class
// whose first record may not be kept any longer (see bus.Window). So nothing is
// kept for longer than its class says, and the last of a window for as much less
// as the window lasts.
func (k *Keeper) Once(ctx context.Context) error {
	var errs []error
	for _, s := range bus.Streams() {
		if !s.Expires() {
			continue
		}
		for _, class := range event.Retentions() {
			if err := k.expire(ctx, s, class); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, k.apply(ctx))...)
}

func (k *Keeper) expire(ctx context.Context, s bus.Stream, class event.Retention) error {
	window, err := bus.Window(string(class))
	if err != nil {
		return err
	}
	before := k.clock.Now().Add(window - class.Duration())
	e, err := k.log.Expire(ctx, s.Kept(string(class)), before, fmt.Sprintf("may be kept for %s", class), "retention")
	if err == nil && e.Frames > 0 {
		k.logger.Info("expired", "stream", s.Name, "class", class, "before", e.Before, "frames", e.Frames)
	}
	return err
}

func (k *Keeper) apply(ctx context.Context) error {
	var errs []error
	for _, b := range k.backups {
		if err := b.Apply(ctx, k.log); err != nil {
			errs = append(errs, fmt.Errorf("erasing from a backup: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Subject is whose records are meant: those of a device and of what it brings, or
// those of premises.
type Subject struct {
	Device   string
	Premises string
	// Devices are those at the premises: what is in quarantine names no premises.
	Devices []string
}

// ErrNoSubject: a request to erase names neither a device nor premises, or both.
var ErrNoSubject = errors.New("name a device or premises, one of them")

// Count is how many records a subject has.
type Count struct {
	Observations uint64 `json:"observations"`
	Quarantined  uint64 `json:"quarantined"`
}

// places lists where a subject's records are.
func (n *Count) places() []place {
	return []place{{bus.Observations, &n.Observations}, {bus.Quarantine, &n.Quarantined}}
}

type place struct {
	stream bus.Stream
	n      *uint64
}

// Count counts what Erase would erase.
func (k *Keeper) Count(ctx context.Context, who Subject) (Count, error) {
	var n Count
	if err := who.check(); err != nil {
		return n, err
	}
	for _, p := range n.places() {
		match := who.matcher(p.stream)
		if err := k.log.Each(ctx, p.stream, 0, func(r bus.Record) error {
			if match(r) {
				*p.n++
			}
			return nil
		}); err != nil {
			return n, err
		}
	}
	return n, nil
}

// passes bounds how often Erase looks for what came in while it erased.
const passes = 3

// Erase erases every observation of a subject, and what of it is in quarantine,
// from the log, the read models and the backups. Alerts and incidents that rest
// on the observations stay: they serve another purpose and say so themselves.
// Whoever withdraws consent must have the registry refuse the device first.
//
// Errors: ErrNoSubject. On any other, what the ledger already names is still
// erased, at the latest when the log is next opened.
func (k *Keeper) Erase(ctx context.Context, who Subject, why, by string) (Count, error) {
	var n Count
	if err := who.check(); err != nil {
		return n, err
	}
	what := bus.Erasure{Device: who.Device, Premises: who.Premises, Why: why, By: by}
	for _, p := range n.places() {
		match := who.matcher(p.stream)
		for range passes {
			erased, err := k.log.Erase(ctx, p.stream, what, match)
			*p.n += erased
			if err != nil {
				return n, err
			}
			if erased == 0 {
				break
			}
		}
	}
	return n, k.apply(ctx)
}

// check reports whether it is said whose records are meant.
func (who Subject) check() error {
	if (who.Device == "") == (who.Premises == "") {
		return ErrNoSubject
	}
	return nil
}

// owner is what of an observation, or of a quarantine entry, says whose it is.
type owner struct {
	ID       event.ID `json:"id"`
	Device   string   `json:"device"`
	Via      string   `json:"via"`
	Enrolled string   `json:"enrolled"`
	From     string   `json:"from"`
	Premises string   `json:"premises"`
	Entry    event.ID `json:"entry"` // of a note: the entry that it is about
}

// matcher returns a function that recognises the subject's records in a stream.
// What people wrote about an entry of the quarantine goes with it.
func (who Subject) matcher(s bus.Stream) func(bus.Record) bool {
	quarantine := s.Name == bus.Quarantine.Name
	quoted, _ := json.Marshal(who.Device + who.Premises) // a string always can be
	quoted = bytes.Trim(quoted, `"`)
	entries := map[event.ID]bool{}
	return func(r bus.Record) bool {
		if !quarantine && !bytes.Contains(r.Data, quoted) && !bytes.ContainsRune(r.Data, '\\') {
			return false // spares reading most records
		}
		var o owner
		if json.Unmarshal(r.Data, &o) != nil {
			return false
		}
		switch {
		case quarantine && o.Entry != "":
			return entries[o.Entry]
		case !who.owns(&o, quarantine):
			return false
		case quarantine:
			entries[o.ID] = true
		}
		return true
	}
}

func (who Subject) owns(o *owner, quarantine bool) bool {
	devices := []string{who.Device}
	if who.Premises != "" {
		if o.Premises == who.Premises {
			return true
		}
		if devices = who.Devices; !quarantine {
			devices = nil
		}
	}
	for _, id := range devices {
		is := func(v string) bool {
			rest, ok := strings.CutPrefix(v, id)
			return ok && (rest == "" || rest[0] == '/' || quarantine && strings.HasPrefix(rest, " via ")) // by an edge gateway
		}
		if is(o.Device) || is(o.Via) || is(o.Enrolled) || is(o.From) {
			return true
		}
	}
	return false
}
