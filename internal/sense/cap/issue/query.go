package issue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/store"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Queries reads what the public may see. Drafts it never shows.
type Queries struct{ db *store.DB }

// NewQueries returns the queries of a database.
func NewQueries(db *store.DB) *Queries { return &Queries{db} }

// maxStanding bounds what the public's page lists.
const maxStanding = 200

// Standing returns the actual warnings that stand at a time, the newest first.
func (q *Queries) Standing(ctx context.Context, at time.Time) ([]Warning, error) {
	return q.list(ctx, `SELECT body FROM warnings
		WHERE state = 'issued' AND status = $1 AND msg_type <> $2 AND replaced = '' AND expires > $3
		ORDER BY sent DESC, id LIMIT $4`, string(codec.Actual), string(codec.MsgCancel), store.Micros(at), maxStanding)
}

// Issued returns the newest messages that were sent since a time, exercises and
// tests among them.
func (q *Queries) Issued(ctx context.Context, since time.Time, limit int) ([]Warning, error) {
	return q.list(ctx, `SELECT body FROM warnings WHERE state = 'issued' AND sent >= $1 ORDER BY sent DESC, id LIMIT $2`,
		store.Micros(since), limit)
}

// Document returns the signed message of a warning that was issued.
//
// Errors: ErrNotFound.
func (q *Queries) Document(ctx context.Context, id event.ID) (doc []byte, sent time.Time, err error) {
	var text string
	var micros int64
	err = q.db.Read().QueryRowContext(ctx, `SELECT document, sent FROM warnings WHERE id = $1 AND state = 'issued'`,
		store.Text(string(id))).Scan(&text, &micros)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading the message of warning %s: %w", id, err)
	}
	return []byte(text), store.Time(micros), nil
}

func (q *Queries) list(ctx context.Context, query string, args ...any) ([]Warning, error) {
	rows, err := q.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading warnings: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Warning
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("reading warnings: %w", err)
		}
		var w Warning
		if err := json.Unmarshal([]byte(body), &w); err != nil {
			return nil, fmt.Errorf("reading warnings: %w", err)
		}
		out = append(out, w)
	}
	return out, rows.Err()
}
