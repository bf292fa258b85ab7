// Package store keeps the read models: SQL tables that show the log to people.
//
// Tables can be dropped and rebuilt from the log at any time ([DB.Rebuild]),
// except sign-in sessions, which only live here. A [Projection] turns one
// stream's records into rows. It stores its position in the transaction that
// holds the rows, so each record is applied exactly once, whatever is killed
// when; and if two processes project at once, the later transaction finds the
// position moved and starts from there.
//
// SQLite (the default) and PostgreSQL run the same statements: $1 parameters,
// ON CONFLICT, RETURNING, window functions. Times are microseconds since 1970 in
// BIGINT ([Micros], [Time]), structures are JSON in TEXT.
//
// Start reading at [Open], then projector.go.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	_ "modernc.org/sqlite" // driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is the most connections that read at once.
const readers = 8

// DB is an open database.
type DB struct {
	read    *sql.DB
	write   *sql.DB // SQLite: one connection, since it takes one writer at a time
	dialect database.Dialect
}

// Open opens the database at url and brings its schema up to date. A url is
// postgres://... or the path of an SQLite file, which is made where there is
// none.
func Open(ctx context.Context, url string) (*DB, error) {
	open := openSQLite
	if IsPostgres(url) {
		open = openPostgres
	}
	db, err := open(url)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := db.migrate(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("bringing the database up to date: %w", err)
	}
	return db, nil
}

// IsPostgres reports whether a database url names a PostgreSQL server.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

func openSQLite(path string) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// NORMAL syncs at checkpoints only: what a power cut may take is rebuilt
	// from the log, whose acknowledgements are what counts. Deleted rows are
	// overwritten: deletion here is mostly erasure.
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(10000)", "foreign_keys(1)", "cache_size(-32000)", "secure_delete(1)"}}
	dsn := "file:" + (&url.URL{Path: abs}).EscapedPath() + "?" + pragmas.Encode()
	write, err := sql.Open("sqlite", dsn+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	return &DB{read: read, write: write, dialect: database.DialectSQLite3}, nil
}

func openPostgres(url string) (*DB, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2 * readers)
	db.SetMaxIdleConns(readers)
	return &DB{read: db, write: db, dialect: database.DialectPostgres}, nil
}

func (db *DB) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(db.dialect, db.write, files)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Close closes the database.
func (db *DB) Close() {
	_ = db.read.Close()
	if db.write != db.read {
		_ = db.write.Close()
	}
}

// Read is for queries. Writing through it fails on SQLite.
func (db *DB) Read() *sql.DB { return db.read }

// Postgres reports whether the database is PostgreSQL.
func (db *DB) Postgres() bool { return db.dialect == database.DialectPostgres }

// Update runs fn in a transaction and commits it, or rolls it back when fn
// returns an error or panics.
func (db *DB) Update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing a transaction: %w", err)
	}
	return nil
}

// Text is how tables hold a text that came from outside: PostgreSQL takes neither
// a NUL nor bytes that are not UTF-8, and one such record would stop a projection.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Micros is how tables hold a time: microseconds since 1970; 0 for no time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the time that a table holds as micros.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
