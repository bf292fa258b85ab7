package sense

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Outcome is what became of a quarantine entry.
type Outcome string

// Outcomes. An entry is open until it was replayed or discarded.
const (
	OutcomeOpen      Outcome = ""
	OutcomeReplayed  Outcome = "replayed"
	OutcomeDiscarded Outcome = "discarded"

	// What a note may say besides, and leaves the entry open.
	outcomeBegun  Outcome = "begun"
	outcomeFailed Outcome = "failed"
)

// quarantineNote is what somebody did about an entry, as the log holds it after
// the entry.
//
// An attempt begins with a note that claims the entry; the first claim on the
// log has it until the same attempt fails, and later claims count for nothing.
// So of two people, or two processes, one alone replays an entry.
type quarantineNote struct {
	Entry   event.ID  `json:"entry"`
	Outcome Outcome   `json:"outcome"`
	Claim   string    `json:"claim"`             // names the attempt
	Instead string    `json:"instead,omitempty"` // the claim of an attempt that was given up for lost
	By      string    `json:"by,omitempty"`
	Why     string    `json:"why,omitempty"` // the person's words; of a failure, what was wrong
	Fixed   bool      `json:"fixed,omitempty"`
	Time    time.Time `json:"time"`
}

// standing is how far an entry is.
type standing struct {
	outcome Outcome
	claim   string
}

// take applies a note, and reports whether it counts.
func (s *standing) take(n *quarantineNote) bool {
	switch {
	case s.outcome != OutcomeOpen:
		return false
	case n.Outcome == outcomeBegun && s.claim == n.Instead:
		s.claim = n.Claim
	case n.Outcome == outcomeFailed && s.claim == n.Claim:
		s.claim = ""
	case (n.Outcome == OutcomeReplayed || n.Outcome == OutcomeDiscarded) && s.claim == n.Claim:
		s.outcome = n.Outcome
	default:
		return false
	}
	return true
}

// QuarantineGroup is the open entries of one source with one reason.
type QuarantineGroup struct {
	Source  string    `json:"source"`
	Reason  string    `json:"reason"`
	Count   int       `json:"count"`
	Senders int       `json:"senders"` // devices, or addresses where no device is known
	Empty   int       `json:"empty"`   // entries of which no bytes are kept
	Oldest  time.Time `json:"oldest"`
	Newest  time.Time `json:"newest"`
	Sample  event.ID  `json:"sample"` // the newest entry
	Detail  string    `json:"detail"` // of the sample
}

// QuarantineSender is the part of a group that one device sent.
type QuarantineSender struct {
	Device string    `json:"device"`
	Count  int       `json:"count"`
	Newest time.Time `json:"newest"`
}

// QuarantineRow is one entry without its bytes.
type QuarantineRow struct {
	ID       event.ID  `json:"id"`
	Seq      uint64    `json:"seq"`
	Source   string    `json:"source"`
	From     string    `json:"from"`
	Device   string    `json:"device,omitempty"`
	Topic    string    `json:"topic,omitempty"`
	Received time.Time `json:"received"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
	Size     int       `json:"size"` // bytes that arrived
	Kept     int       `json:"kept"` // of which so many are kept

	Outcome    Outcome   `json:"outcome,omitempty"`
	OutcomeBy  string    `json:"outcome_by,omitempty"`
	OutcomeAt  time.Time `json:"outcome_at,omitzero"`
	OutcomeWhy string    `json:"outcome_why,omitempty"`
	Fixed      bool      `json:"fixed,omitempty"`

	Claim   string    `json:"-"` // of an attempt under way
	ClaimBy string    `json:"under_way_by,omitempty"`
	ClaimAt time.Time `json:"under_way_since,omitzero"`
	Tries   int       `json:"failed_tries,omitempty"`
	Problem string    `json:"problem,omitempty"` // of the last that failed

	claimSeq uint64
}

// QuarantineFilter chooses entries. An empty field means all.
type QuarantineFilter struct {
	Source, Reason, Device string
	Settled                bool // those that were replayed or discarded, instead of the open ones
}

// QuarantineEntries is the read model of the quarantine. The bytes stay on the
// log; see Queries.QuarantineEntry.
type QuarantineEntries struct{ logger *slog.Logger }

var _ store.Projection = (*QuarantineEntries)(nil)

// NewQuarantineEntries returns the read model of the quarantine.
func NewQuarantineEntries(logger *slog.Logger) *QuarantineEntries {
	return &QuarantineEntries{logger: logger}
}

// quarantineModel is the projection's name.
const quarantineModel = "quarantine"

// Name implements store.Projection.
func (*QuarantineEntries) Name() string { return quarantineModel }

// Stream implements store.Projection.
func (*QuarantineEntries) Stream() bus.Stream { return bus.Quarantine }

// Tables implements store.Projection.
func (*QuarantineEntries) Tables() []string { return []string{"quarantine"} }

// Apply implements store.Projection.
func (p *QuarantineEntries) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	for _, rec := range records {
		q, n, err := quarantineRecord(rec)
		if err == nil {
			if n != nil {
				err = p.note(ctx, tx, n, rec.Seq)
			} else {
				err = p.entry(ctx, tx, q, rec.Seq)
			}
			if err != nil {
				return err
			}
			continue
		}
		p.logger.Error("a quarantine record cannot be read and is left out", "position", rec.Seq, "err", err)
	}
	return nil
}

// quarantineRecord reads a record: an entry, or a note about one.
func quarantineRecord(rec bus.Record) (*event.Quarantined, *quarantineNote, error) {
	var r struct {
		event.Quarantined
		Entry event.ID `json:"entry"`
	}
	if err := json.Unmarshal(rec.Data, &r); err != nil {
		return nil, nil, err
	}
	if r.Entry == "" {
		return &r.Quarantined, nil, nil
	}
	n := &quarantineNote{}
	return nil, n, json.Unmarshal(rec.Data, n)
}

func (p *QuarantineEntries) entry(ctx context.Context, tx *sql.Tx, q *event.Quarantined, seq uint64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO quarantine (id, seq, source, origin, device, topic, received, reason, detail, size, kept)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING`,
		string(q.ID), int64(seq), store.Text(q.Source), store.Text(q.From), store.Text(q.Device), store.Text(q.Topic),
		store.Micros(q.Received), store.Text(q.Reason), store.Text(q.Detail), len(q.Bytes)+q.Cut, len(q.Bytes))
	if err != nil {
		return fmt.Errorf("storing quarantine entry %s: %w", q.ID, err)
	}
	return nil
}

// note changes an entry's row as standing.take does; the conditions are its.
func (p *QuarantineEntries) note(ctx context.Context, tx *sql.Tx, n *quarantineNote, seq uint64) error {
	var err error
	switch n.Outcome {
	case outcomeBegun:
		_, err = tx.ExecContext(ctx, `UPDATE quarantine SET claim = $1, claim_by = $2, claim_at = $3, claim_seq = $4
			WHERE id = $5 AND outcome = '' AND claim = $6`,
			store.Text(n.Claim), store.Text(n.By), store.Micros(n.Time), int64(seq), string(n.Entry), store.Text(n.Instead))
	case outcomeFailed:
		_, err = tx.ExecContext(ctx, `UPDATE quarantine SET claim = '', claim_by = '', claim_at = 0, claim_seq = 0, tries = tries + 1, problem = $1
			WHERE id = $2 AND outcome = '' AND claim = $3`,
			store.Text(n.Why), string(n.Entry), store.Text(n.Claim))
	case OutcomeReplayed, OutcomeDiscarded:
		fixed := 0
		if n.Fixed {
			fixed = 1
		}
		_, err = tx.ExecContext(ctx, `UPDATE quarantine SET outcome = $1, outcome_by = $2, outcome_at = $3, outcome_why = $4, fixed = $5
			WHERE id = $6 AND outcome = '' AND claim = $7`,
			string(n.Outcome), store.Text(n.By), store.Micros(n.Time), store.Text(n.Why), fixed, string(n.Entry), store.Text(n.Claim))
	default:
		p.logger.Error("a quarantine note says what nobody knows and is left out", "position", seq, "outcome", n.Outcome)
	}
	if err != nil {
		return fmt.Errorf("storing what became of quarantine entry %s: %w", n.Entry, err)
	}
	return nil
}

// QuarantineGroups returns the open entries by source and reason, largest first.
func (q *Queries) QuarantineGroups(ctx context.Context) ([]QuarantineGroup, error) {
	return list(ctx, q.db, "the quarantine", func(r *sql.Rows, g *QuarantineGroup) error {
		var oldest, newest int64
		err := r.Scan(&g.Source, &g.Reason, &g.Count, &g.Senders, &g.Empty, &oldest, &newest, &g.Sample, &g.Detail)
		g.Oldest, g.Newest = store.Time(oldest), store.Time(newest)
		return err
	}, `SELECT g.source, g.reason, g.entries, g.senders, g.bare, g.oldest, g.newest, q.id, q.detail
		FROM (SELECT source, reason, COUNT(*) AS entries, COUNT(DISTINCT CASE WHEN device <> '' THEN device ELSE origin END) AS senders,
				SUM(CASE WHEN kept = 0 THEN 1 ELSE 0 END) AS bare, MIN(received) AS oldest, MAX(received) AS newest, MAX(seq) AS last
			FROM quarantine WHERE outcome = '' GROUP BY source, reason) g
		JOIN quarantine q ON q.seq = g.last
		ORDER BY g.entries DESC, g.source, g.reason`)
}

// QuarantineSenders returns the devices that sent the open entries of a group,
// those that sent most first.
func (q *Queries) QuarantineSenders(ctx context.Context, f QuarantineFilter, limit int) ([]QuarantineSender, error) {
	return list(ctx, q.db, "the quarantine", func(r *sql.Rows, s *QuarantineSender) error {
		var newest int64
		err := r.Scan(&s.Device, &s.Count, &newest)
		s.Newest = store.Time(newest)
		return err
	}, `SELECT device, COUNT(*), MAX(received) FROM quarantine
		WHERE outcome = '' AND device <> '' AND ($1 = '' OR source = $1) AND ($2 = '' OR reason = $2)
		GROUP BY device ORDER BY COUNT(*) DESC, device LIMIT $3`, f.Source, f.Reason, limit)
}

// QuarantineRows returns open entries, the newest first, before the given log
// position (0: from the newest). An empty reason means all.
func (q *Queries) QuarantineRows(ctx context.Context, reason string, before uint64, limit int) ([]QuarantineRow, error) {
	return q.QuarantineFind(ctx, QuarantineFilter{Reason: reason}, before, limit)
}

const quarantineColumns = `SELECT id, seq, source, origin, device, topic, received, reason, detail, size, kept,
	outcome, outcome_by, outcome_at, outcome_why, fixed, claim, claim_by, claim_at, claim_seq, tries, problem FROM quarantine`

const quarantineChosen = ` WHERE ($1 = '' OR source = $1) AND ($2 = '' OR reason = $2) AND ($3 = '' OR device = $3)
	AND CASE WHEN outcome = '' THEN 0 ELSE 1 END = $4`

func (f QuarantineFilter) args(more ...any) []any {
	settled := 0
	if f.Settled {
		settled = 1
	}
	return append([]any{f.Source, f.Reason, f.Device, settled}, more...)
}

func scanQuarantine(r *sql.Rows, e *QuarantineRow) error {
	var at, seq, outcomeAt, claimAt, claimSeq, fixed int64
	err := r.Scan(&e.ID, &seq, &e.Source, &e.From, &e.Device, &e.Topic, &at, &e.Reason, &e.Detail, &e.Size, &e.Kept,
		&e.Outcome, &e.OutcomeBy, &outcomeAt, &e.OutcomeWhy, &fixed, &e.Claim, &e.ClaimBy, &claimAt, &claimSeq, &e.Tries, &e.Problem)
	e.Received, e.Seq, e.Fixed, e.claimSeq = store.Time(at), uint64(seq), fixed == 1, uint64(claimSeq)
	e.OutcomeAt, e.ClaimAt = store.Time(outcomeAt), store.Time(claimAt)
	return err
}

// QuarantineFind returns the chosen entries, the newest first, before the given
// log position (0: from the newest).
func (q *Queries) QuarantineFind(ctx context.Context, f QuarantineFilter, before uint64, limit int) ([]QuarantineRow, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return list(ctx, q.db, "the quarantine", scanQuarantine,
		quarantineColumns+quarantineChosen+` AND seq < $5 ORDER BY seq DESC LIMIT $6`, f.args(int64(before), limit)...)
}

// quarantineFrom is QuarantineFind the other way: the oldest first, from after
// one log position up to another.
func (q *Queries) quarantineFrom(ctx context.Context, f QuarantineFilter, after, to uint64, limit int) ([]QuarantineRow, error) {
	return list(ctx, q.db, "the quarantine", scanQuarantine,
		quarantineColumns+quarantineChosen+` AND seq > $5 AND seq <= $6 ORDER BY seq LIMIT $7`, f.args(int64(after), int64(to), limit)...)
}

// QuarantineCount counts the chosen entries and returns the log position of the
// newest.
func (q *Queries) QuarantineCount(ctx context.Context, f QuarantineFilter) (n int, newest uint64, err error) {
	var last int64
	err = q.db.Read().QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM quarantine`+quarantineChosen, f.args()...).Scan(&n, &last)
	if err != nil {
		return 0, 0, fmt.Errorf("counting the quarantine: %w", err)
	}
	return n, uint64(last), nil
}

// QuarantineRow returns one entry without its bytes.
//
// Errors: ErrNotFound.
func (q *Queries) QuarantineRow(ctx context.Context, id event.ID) (QuarantineRow, error) {
	rows, err := list(ctx, q.db, "the quarantine", scanQuarantine, quarantineColumns+` WHERE id = $1`, string(id))
	if err != nil {
		return QuarantineRow{}, err
	}
	if len(rows) == 0 {
		return QuarantineRow{}, fmt.Errorf("quarantine entry %s: %w", id, ErrNotFound)
	}
	return rows[0], nil
}

// QuarantineEntry returns one entry with its bytes, from the log.
//
// Errors: ErrNotFound; bus.ErrNotFound when the log has let go of it.
func (q *Queries) QuarantineEntry(ctx context.Context, id event.ID) (event.Quarantined, error) {
	var seq int64
	err := q.db.Read().QueryRowContext(ctx, `SELECT seq FROM quarantine WHERE id = $1`, string(id)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Quarantined{}, fmt.Errorf("quarantine entry %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return event.Quarantined{}, fmt.Errorf("reading quarantine entry %s: %w", id, err)
	}
	rec, err := q.log.Get(ctx, bus.Quarantine, uint64(seq))
	if err != nil {
		return event.Quarantined{}, err
	}
	var e event.Quarantined
	if err := json.Unmarshal(rec.Data, &e); err != nil {
		return event.Quarantined{}, fmt.Errorf("reading quarantine entry %s: %w", id, err)
	}
	return e, nil
}

// quarantineStanding returns how far an entry is, and up to which log position
// that holds. Both come of one statement, so that they belong together.
func (q *Queries) quarantineStanding(ctx context.Context, id event.ID) (s standing, pos uint64, err error) {
	var at int64
	err = q.db.Read().QueryRowContext(ctx, `SELECT q.outcome, q.claim, p.pos FROM quarantine q, positions p
		WHERE q.id = $1 AND p.name = $2`, string(id), quarantineModel).Scan(&s.outcome, &s.claim, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return s, 0, fmt.Errorf("quarantine entry %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return s, 0, fmt.Errorf("reading how far quarantine entry %s is: %w", id, err)
	}
	return s, uint64(at), nil
}
