package sense

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Replayer takes up again, by the path that an entry came by, what could not be
// accepted then.
type Replayer interface {
	// Replay observes bytes, which are the entry's or what a person made of them.
	// It returns when all that they say is on disk. When it returns an error
	// nothing was observed, and the error says why in words for that person;
	// except for ErrUnsure.
	Replay(ctx context.Context, entry event.Quarantined, what []byte) error
}

// rememberer is a Replayer that can tell whether an attempt that was cut short
// had its effect.
type rememberer interface {
	// Replayed reports whether what the bytes say is on the log since a time.
	Replayed(ctx context.Context, entry event.Quarantined, what []byte, since time.Time) (bool, error)
}

// Errors of the work on the quarantine.
var (
	// ErrSettled: the entry was replayed or discarded already.
	ErrSettled = errors.New("the entry has been dealt with already")
	// ErrUnderWay: somebody else's attempt has the entry.
	ErrUnderWay = errors.New("somebody is replaying the entry at this moment")
	// ErrCannotReplay: there is nothing to replay, or no way.
	ErrCannotReplay = errors.New("the entry cannot be replayed")
	// ErrStillRefused: the bytes were not accepted this time either.
	ErrStillRefused = errors.New("it was not accepted this time either")
	// ErrUnsure: the log did not say whether it took what was replayed. The
	// attempt counts as under way until it is given up for lost.
	ErrUnsure = errors.New("whether it was taken is not known")
)

const (
	// lostAfter is how long an attempt may take before another may take its place.
	lostAfter = 10 * time.Minute
	// attemptTimeout bounds one attempt, and is well below lostAfter.
	attemptTimeout = time.Minute
)

// QuarantineDesk is where people work the quarantine: they replay entries, as
// they are or mended, or discard them. Each entry is settled once.
type QuarantineDesk struct {
	queries  *Queries
	log      *bus.Log
	clock    *clock.Clock
	logger   *slog.Logger
	messages Replayer            // of what enrolled devices sent by MQTT or HTTP
	sources  map[string]Replayer // of everything else, by source
	tail     tail

	jobs chan *job
	mu   sync.Mutex
	kept []*job // newest last
	n    int
}

// NewQuarantineDesk returns a desk. messages replays what enrolled devices sent
// (see NewMessageReplayer) and may be nil; sources replays the rest, by the
// entries' source.
func NewQuarantineDesk(q *Queries, log *bus.Log, clk *clock.Clock, messages Replayer, sources map[string]Replayer, logger *slog.Logger) *QuarantineDesk {
	return &QuarantineDesk{queries: q, log: log, clock: clk, logger: logger, messages: messages, sources: sources, tail: tail{log: log}, jobs: make(chan *job, maxJobsWaiting)}
}

// Close lets go of what the desk holds of the log. Run does it too when it ends.
func (d *QuarantineDesk) Close() { d.tail.close() }

// Attempt is what somebody wants done with an entry.
type Attempt struct {
	Entry event.ID
	By    string // who
	Why   string // in their own words
	Bytes []byte // instead of the entry's; nil: as they are
	// GivenUp is the time since which an attempt has been under way that the
	// person gives up for lost; zero: none.
	GivenUp time.Time
}

// Replay takes an entry up again, and settles it when that succeeds.
//
// Errors: ErrNotFound, ErrSettled, ErrUnderWay, ErrCannotReplay; ErrStillRefused,
// and the entry stays open.
func (d *QuarantineDesk) Replay(ctx context.Context, a Attempt) error {
	row, err := d.queries.QuarantineRow(ctx, a.Entry)
	if err != nil {
		return err
	}
	if err := d.free(&row, a.GivenUp); err != nil {
		return err
	}
	entry, err := d.queries.QuarantineEntry(ctx, a.Entry)
	if errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("%w: its bytes have expired: discard it", ErrCannotReplay)
	}
	if err != nil {
		return err
	}
	r, err := d.replayer(&entry, a.Bytes)
	if err != nil {
		return err
	}
	what, fixed := entry.Bytes, false
	if a.Bytes != nil {
		what, fixed = a.Bytes, !bytes.Equal(a.Bytes, entry.Bytes)
	}
	// A browser that goes away must not leave an attempt in the middle.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer stop()
	claim, err := d.claim(ctx, &row, a)
	if err != nil {
		return err
	}
	n := quarantineNote{Entry: a.Entry, Outcome: OutcomeReplayed, Claim: claim, By: a.By, Why: a.Why, Fixed: fixed}
	if row.Claim != "" {
		if done, err := d.hadEffect(ctx, r, &entry, what, row.claimSeq); err != nil || done {
			return errors.Join(err, d.settle(ctx, n, err))
		}
	}
	switch err := r.Replay(ctx, entry, what); {
	case err == nil:
		return d.settle(ctx, n, nil)
	case errors.Is(err, ErrUnsure):
		return err
	case nothingWritten(err):
		return errors.Join(err, d.settle(ctx, n, err))
	default:
		return errors.Join(fmt.Errorf("%w: %w", ErrStillRefused, err), d.settle(ctx, n, err))
	}
}

// Discard settles an entry without replaying it.
//
// Errors: ErrNotFound, ErrSettled, ErrUnderWay.
func (d *QuarantineDesk) Discard(ctx context.Context, a Attempt) error {
	row, err := d.queries.QuarantineRow(ctx, a.Entry)
	if err != nil {
		return err
	}
	if err := d.free(&row, a.GivenUp); err != nil {
		return err
	}
	claim, err := d.claim(ctx, &row, a)
	if err != nil {
		return err
	}
	return d.settle(ctx, quarantineNote{Entry: a.Entry, Outcome: OutcomeDiscarded, Claim: claim, By: a.By, Why: a.Why}, nil)
}

// Lost reports whether an entry's attempt has taken so long that another may
// take its place.
func (d *QuarantineDesk) Lost(r *QuarantineRow) bool {
	return r.Claim != "" && d.clock.Now().Sub(r.ClaimAt) > lostAfter
}

// CannotReplay says why an entry cannot be replayed as it is, or nil.
func (d *QuarantineDesk) CannotReplay(e *event.Quarantined) error {
	_, err := d.replayer(e, nil)
	return err
}

// free reports why an entry may not be claimed.
func (d *QuarantineDesk) free(r *QuarantineRow, givenUp time.Time) error {
	switch {
	case r.Outcome != OutcomeOpen:
		return fmt.Errorf("%w: it was %s by %s", ErrSettled, r.Outcome, r.OutcomeBy)
	case r.Claim == "":
		return nil
	case !d.Lost(r):
		return fmt.Errorf("%w: %s, since %s", ErrUnderWay, r.ClaimBy, r.ClaimAt.Format(time.RFC3339))
	case !givenUp.Equal(r.ClaimAt):
		return fmt.Errorf("%w: %s began at %s and never said how it ended: look at the entry, and give that attempt up", ErrUnderWay, r.ClaimBy, r.ClaimAt.Format(time.RFC3339))
	}
	return nil
}

// replayer returns what replays an entry, with the given bytes instead of its
// own unless they are nil.
func (d *QuarantineDesk) replayer(e *event.Quarantined, instead []byte) (Replayer, error) {
	r := d.sources[e.Source]
	if e.Device != "" && e.Topic != "" {
		r = d.messages
	}
	switch {
	case r == nil:
		return nil, fmt.Errorf("%w: there is no way back in for what came from %q: mend the sender, and discard the entry", ErrCannotReplay, e.Source)
	case instead != nil && len(instead) == 0:
		return nil, fmt.Errorf("%w: nothing is left of it", ErrCannotReplay)
	case len(instead) > MaxReplay:
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d", ErrCannotReplay, len(instead), MaxReplay)
	case instead != nil:
	case len(e.Bytes) == 0:
		return nil, fmt.Errorf("%w: nothing of what arrived was kept", ErrCannotReplay)
	case e.Cut > 0:
		return nil, fmt.Errorf("%w: only its first %d bytes were kept, %d are missing", ErrCannotReplay, len(e.Bytes), e.Cut)
	}
	return r, nil
}

// MaxReplay bounds the bytes that a person may replay instead of an entry's.
const MaxReplay = 128 << 10

// claim makes an entry this attempt's own, and returns the claim.
func (d *QuarantineDesk) claim(ctx context.Context, r *QuarantineRow, a Attempt) (string, error) {
	mine := rand.Text()
	pos, err := d.note(ctx, quarantineNote{Entry: a.Entry, Outcome: outcomeBegun, Claim: mine, Instead: r.Claim, By: a.By})
	if err != nil {
		return "", err
	}
	// Who was first is what the log says up to here. The read model may be
	// behind, so the rest is read from the log.
	s, err := d.tail.standing(ctx, a.Entry, pos, d.queries.quarantineStanding)
	switch {
	case err != nil:
		return "", fmt.Errorf("finding out who is first with quarantine entry %s: %w", a.Entry, err)
	case s.outcome != OutcomeOpen:
		return "", fmt.Errorf("%w: it was %s in this moment", ErrSettled, s.outcome)
	case s.claim != mine:
		return "", fmt.Errorf("%w: somebody else was quicker", ErrUnderWay)
	}
	return mine, nil
}

// hadEffect reports whether an attempt that was given up for lost had observed
// what it should.
func (d *QuarantineDesk) hadEffect(ctx context.Context, r Replayer, e *event.Quarantined, what []byte, claim uint64) (bool, error) {
	m, ok := r.(rememberer)
	if !ok {
		return false, nil
	}
	rec, err := d.log.Get(ctx, bus.Quarantine, claim)
	if err != nil {
		return false, fmt.Errorf("looking for what the lost attempt did: %w", err)
	}
	return m.Replayed(ctx, *e, what, rec.Time)
}

// settle writes down how an attempt ended: as n says, or with a failure.
func (d *QuarantineDesk) settle(ctx context.Context, n quarantineNote, failed error) error {
	if failed != nil {
		n.Outcome, n.Why, n.Fixed = outcomeFailed, cutText(failed.Error(), maxNote), false
	}
	_, err := d.note(ctx, n)
	return err
}

const maxNote = 1000 // bytes of why

func (d *QuarantineDesk) note(ctx context.Context, n quarantineNote) (uint64, error) {
	n.Time, n.Why = d.clock.Now(), cutText(n.Why, maxNote)
	data, err := json.Marshal(n)
	if err != nil {
		return 0, fmt.Errorf("writing down what becomes of quarantine entry %s: %w", n.Entry, err)
	}
	// As long as entries are, and never gone before its own: it may quote that.
	pos, err := d.log.Append(ctx, bus.Quarantine.Kept(string(event.RetainMonth)), data)
	if err != nil {
		return 0, fmt.Errorf("writing down what becomes of quarantine entry %s: %w", n.Entry, err)
	}
	return pos, nil
}

// cutText cuts a text to a number of bytes, at a character.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}
