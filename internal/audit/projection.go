package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// Unreadable is the action under which a record shows that is not an entry.
const Unreadable Action = "unreadable"

// Projection fills the table of entries that [Search] reads.
type Projection struct{}

var _ store.Projection = Projection{}

// Name implements store.Projection.
func (Projection) Name() string { return "audit" }

// Stream implements store.Projection.
func (Projection) Stream() bus.Stream { return bus.Audit }

// Tables implements store.Projection.
func (Projection) Tables() []string { return []string{"audit"} }

// Apply implements store.Projection. A record that is no entry gets a row too:
// the numbers must be those of the tree.
func (Projection) Apply(ctx context.Context, tx *sql.Tx, records []bus.Record) error {
	var leaf int64
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(leaf) + 1, 0) FROM audit`).Scan(&leaf); err != nil {
		return fmt.Errorf("numbering audit entries: %w", err)
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO audit
		(leaf, seq, time, actor, actor_name, role, action, operation, object, purpose, why, detail, remote, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`)
	if err != nil {
		return fmt.Errorf("filing audit entries: %w", err)
	}
	defer func() { _ = insert.Close() }()
	for _, r := range records {
		e, err := parseEntry(r.Data)
		if err != nil {
			e = Entry{Time: r.Time, Action: Unreadable, Why: err.Error()}
		}
		e = e.fit()
		detail := "{}"
		if e.Detail != nil {
			d, err := json.Marshal(e.Detail)
			if err != nil {
				return err
			}
			detail = string(d)
		}
		_, err = insert.ExecContext(ctx, leaf, int64(r.Seq), store.Micros(e.Time), e.Actor, e.ActorName, e.Role, string(e.Action),
			string(e.Operation), e.Object, e.Purpose, e.Why, detail, e.Remote, tlog.RecordHash(r.Data).String())
		if err != nil {
			return fmt.Errorf("filing audit entry %d: %w", leaf, err)
		}
		leaf++
	}
	return nil
}

// Query chooses entries. Empty fields choose all.
type Query struct {
	Actor    string
	Object   string // exact, or all that begin with it if it ends in "/"
	Action   string // exact, or all that begin with it if it ends in "."
	From, To time.Time
	Before   *int64 // leaf: the entries that are older than it, for the next page
	Limit    int    // entries of a page; 0: DefaultPage, at most MaxPage
}

// Sizes of a page.
const (
	DefaultPage = 50
	MaxPage     = 1000
)

// Row is an entry as it was found.
type Row struct {
	Entry
	Leaf int64  // number, for [Log.Prove]
	Seq  uint64 // position on the stream
}

// Search returns a page of entries, the newest first.
func Search(ctx context.Context, db *store.DB, q Query) ([]Row, error) {
	var where []string
	var args []any
	cond := func(c string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(c, len(args)))
	}
	prefix := func(column, value, end string) {
		switch {
		case value == "":
		case strings.HasSuffix(value, end): // a range, so that the index serves it
			cond(column+" >= $%d", value)
			cond(column+" < $%d", value[:len(value)-1]+string(value[len(value)-1]+1))
		default:
			cond(column+" = $%d", value)
		}
	}
	if q.Actor != "" {
		cond("actor = $%d", q.Actor)
	}
	prefix("object", q.Object, "/")
	prefix("action", q.Action, ".")
	if !q.From.IsZero() {
		cond("time >= $%d", store.Micros(q.From))
	}
	if !q.To.IsZero() {
		cond("time < $%d", store.Micros(q.To))
	}
	if q.Before != nil {
		cond("leaf < $%d", *q.Before)
	}
	query := `SELECT leaf, seq, time, actor, actor_name, role, action, operation, object, purpose, why, detail, remote FROM audit`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, ` AND `)
	}
	if q.Limit <= 0 {
		q.Limit = DefaultPage
	}
	query += fmt.Sprintf(` ORDER BY leaf DESC LIMIT %d`, min(q.Limit, MaxPage))
	rows, err := db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("searching the audit log: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Row
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, fmt.Errorf("searching the audit log: %w", err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("searching the audit log: %w", err)
	}
	return out, nil
}

func scanRow(rows *sql.Rows) (Row, error) {
	var r Row
	var at int64
	var detail string
	err := rows.Scan(&r.Leaf, &r.Seq, &at, &r.Actor, &r.ActorName, &r.Role, &r.Action, &r.Operation,
		&r.Object, &r.Purpose, &r.Why, &detail, &r.Remote)
	if err != nil {
		return r, err
	}
	r.Time = store.Time(at)
	if detail == "{}" {
		return r, nil
	}
	err = json.Unmarshal([]byte(detail), &r.Detail)
	return r, err
}
