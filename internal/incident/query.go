package incident

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
)

// Queries reads the read model of incidents.
type Queries struct{ db *store.DB }

// NewQueries returns the queries of a database.
func NewQueries(db *store.DB) *Queries { return &Queries{db: db} }

// MaxPage bounds the incidents of one page.
const MaxPage = 500

// Cursor is a place in a list: that of its last incident.
type Cursor struct {
	Priority int   `json:"p"`
	Opened   int64 `json:"o"` // microseconds
	Number   int   `json:"n"`
}

// Start is the cursor before the first incident.
var Start = Cursor{Priority: math.MaxInt32}

// Queue returns incidents that are not closed, in the order in which they want
// attention: priority, then the longest waiting. next is where the following
// page begins, nil after the last.
func (q *Queries) Queue(ctx context.Context, after Cursor, limit int) (page []Incident, next *Cursor, err error) {
	rows, err := q.db.Read().QueryContext(ctx, `SELECT body FROM incidents
		WHERE state <> 'closed' AND (priority < $1 OR priority = $1 AND (opened > $2 OR opened = $2 AND number > $3))
		ORDER BY priority DESC, opened, number LIMIT $4`, after.Priority, after.Opened, after.Number, clamp(limit)+1)
	page, err = incidents(rows, err)
	if len(page) > clamp(limit) {
		page = page[:clamp(limit)]
		last := page[len(page)-1]
		next = &Cursor{Priority: last.Priority, Opened: store.Micros(last.Opened), Number: last.Number}
	}
	return page, next, err
}

// Recent returns incidents of any state, the newest number first, before the
// given number; 0 begins at the newest.
func (q *Queries) Recent(ctx context.Context, before, limit int) ([]Incident, error) {
	if before <= 0 {
		before = math.MaxInt32
	}
	return incidents(q.db.Read().QueryContext(ctx, `SELECT body FROM incidents WHERE number < $1
		ORDER BY number DESC LIMIT $2`, before, clamp(limit)))
}

// ByID returns one incident.
//
// Errors: ErrNotFound.
func (q *Queries) ByID(ctx context.Context, id event.ID) (Incident, error) {
	in, err := incidents(q.db.Read().QueryContext(ctx, `SELECT body FROM incidents WHERE id = $1`, string(id)))
	if err != nil {
		return Incident{}, err
	}
	if len(in) == 0 {
		return Incident{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return in[0], nil
}

// Changed returns the incidents whose newest change has a log position after
// the given one, oldest change first.
func (q *Queries) Changed(ctx context.Context, after uint64, limit int) ([]Incident, error) {
	return incidents(q.db.Read().QueryContext(ctx, `SELECT body FROM incidents WHERE seq > $1 ORDER BY seq LIMIT $2`,
		int64(after), clamp(limit)))
}

// Changes returns an incident's changes in order.
func (q *Queries) Changes(ctx context.Context, id event.ID) ([]event.IncidentChange, error) {
	rows, err := q.db.Read().QueryContext(ctx, `SELECT body, seq FROM incident_changes WHERE incident = $1 ORDER BY version LIMIT 5000`, string(id))
	if err != nil {
		return nil, fmt.Errorf("reading the changes of incident %s: %w", id, err)
	}
	defer func() { _ = rows.Close() }()
	var out []event.IncidentChange
	for rows.Next() {
		var body string
		var seq int64
		if err := rows.Scan(&body, &seq); err != nil {
			return nil, fmt.Errorf("reading the changes of incident %s: %w", id, err)
		}
		var c event.IncidentChange
		if err := json.Unmarshal([]byte(body), &c); err != nil {
			return nil, fmt.Errorf("reading the changes of incident %s: %w", id, err)
		}
		c.Seq = uint64(seq)
		out = append(out, c)
	}
	return out, rows.Err()
}

// Counts returns how many incidents there are in each state.
func (q *Queries) Counts(ctx context.Context) (map[State]int, error) {
	rows, err := q.db.Read().QueryContext(ctx, `SELECT state, COUNT(*) FROM incidents GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("counting incidents: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[State]int{}
	for rows.Next() {
		var s string
		var n int
		if err := rows.Scan(&s, &n); err != nil {
			return nil, fmt.Errorf("counting incidents: %w", err)
		}
		out[State(s)] = n
	}
	return out, rows.Err()
}

func clamp(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

func incidents(rows *sql.Rows, err error) ([]Incident, error) {
	if err != nil {
		return nil, fmt.Errorf("reading incidents: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Incident
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("reading incidents: %w", err)
		}
		var in Incident
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			return nil, fmt.Errorf("reading incidents: %w", err)
		}
		out = append(out, in)
	}
	return out, rows.Err()
}
