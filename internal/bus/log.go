package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of the log.
const (
	// MaxBatch is the most records that one commit holds.
	MaxBatch = 1000
	// MaxBatchBytes is the size at which a commit takes no further call.
	MaxBatchBytes = 768 << 10
	// MaxMessage is the most bytes of one call, and the largest value. A cluster
	// must allow messages of that size (max_payload). The server's store takes
	// 32 MiB with its headers.
	MaxMessage = 31 << 20
	// MaxQueued is the most records that wait for a commit on one stream;
	// beyond it Append blocks.
	MaxQueued = 16 * MaxBatch
	// DefaultReserve is the free disk space, in bytes, below which the log
	// refuses to append.
	DefaultReserve = 128 << 20

	gatherTime    = time.Millisecond // see writer.gather
	commitTimeout = 30 * time.Second
	answerTimeout = 5 * time.Second        // after which a commit is sent again
	retryWait     = 250 * time.Millisecond // while a cluster chooses a new leader
	startTimeout  = 2 * time.Minute
)

// Errors of the log.
var (
	// ErrClosed: the log has been closed.
	ErrClosed = errors.New("the log is closed")
	// ErrFull: the disk has less free space than the reserve. Nothing was
	// written; appending works again when space has been freed.
	ErrFull = errors.New("the disk is full: free some space or lower the reserve")
	// ErrTooLarge: a record, or the records of one call, exceed the bounds.
	ErrTooLarge = errors.New("too large for one commit")
	// ErrInUse: another process has the data directory open.
	ErrInUse = errors.New("another bluelamp has this data directory open")
	// ErrNotFound: the log holds no record at that position.
	ErrNotFound = errors.New("no such record on the log")
	// ErrErased: the log held a record at that position, and it was erased. It is
	// also an ErrNotFound.
	ErrErased = fmt.Errorf("%w: it was erased", ErrNotFound)
	// ErrClass: no such retention class, or the stream keeps everything.
	ErrClass = errors.New("not a retention class of this stream")
)

// Config says where the log is.
type Config struct {
	Dir     string // data directory of the embedded log
	URL     string // NATS URL of a cluster; empty: embedded
	Attach  bool   // if Dir is in use, reach its owner's log instead of failing
	Listen  string // host:port at which the embedded server also accepts clients; empty: none
	Reserve int64  // bytes of disk to leave free; 0: DefaultReserve

	Replicas int // copies of each stream on a cluster; 0: 3 with URL, else 1

	// Now tells in which window of time a frame's key belongs (nil: time.Now).
	Now func() time.Time

	// Unsynced acknowledges before what was written is on disk: for filling a new
	// log from a backup, which can be done again. Whoever sets it syncs the files
	// of Dir after Close.
	Unsynced bool

	step func(name string) // tests: called between the steps of an erasure

	Logger  *slog.Logger          // nil: discard
	Metrics prometheus.Registerer // nil: none
}

// Log is the open log. Its methods may be called from several goroutines.
type Log struct {
	cfg    Config
	logger *slog.Logger
	lock   *os.File
	srv    *server.Server
	sock   *doorway
	nc     *nats.Conn
	js     jetstream.JetStream
	disk   *diskGuard
	met    *metrics

	mu      sync.Mutex
	writers map[string]*writer
	closed  bool

	keys    keyring
	patched patchIndex
	ledger  ledger
	erasing sync.Mutex // one erasure at a time
}

// Open opens the log, and creates it where there is none.
//
// Errors: ErrInUse when another process holds Dir and Attach is false.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Reserve == 0 {
		cfg.Reserve = DefaultReserve
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l := &Log{cfg: cfg, logger: cfg.Logger, writers: map[string]*writer{}, met: newMetrics(cfg.Metrics)}
	if err := l.open(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	owner, err := l.connect(ctx)
	if err != nil {
		return err
	}
	if l.js, err = jetstream.New(l.nc, jetstream.WithDefaultTimeout(commitTimeout)); err != nil {
		return fmt.Errorf("opening JetStream: %w", err)
	}
	if !owner {
		return nil
	}
	replicas := l.cfg.Replicas
	if replicas == 0 {
		replicas = 1
		if l.cfg.URL != "" {
			replicas = 3
		}
	}
	for _, s := range append(Streams(), keys, patches) {
		if _, err := l.js.CreateOrUpdateStream(ctx, s.config(replicas)); err != nil {
			return fmt.Errorf("declaring stream %s: %w", s.Name, err)
		}
	}
	if err := l.finishErasures(ctx); err != nil {
		return fmt.Errorf("finishing an erasure that was interrupted: %w", err)
	}
	return nil
}

// connect reaches the log, and reports whether this process owns it, as every
// process does that is not attached to another's.
func (l *Log) connect(ctx context.Context) (owner bool, err error) {
	if l.cfg.URL != "" {
		l.nc, err = nats.Connect(l.cfg.URL, nats.Name("bluelamp"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(false))
		if err != nil {
			return false, fmt.Errorf("connecting to the log at %s: %w", l.cfg.URL, err)
		}
		return true, nil
	}
	if err := os.MkdirAll(l.cfg.Dir, 0o700); err != nil {
		return false, fmt.Errorf("making the data directory: %w", err)
	}
	l.lock, err = lockDir(l.cfg.Dir)
	if errors.Is(err, ErrInUse) && l.cfg.Attach {
		l.nc, err = dialSocket(l.cfg.Dir)
		return false, err
	}
	if err != nil {
		return false, err
	}
	return true, l.embed(ctx)
}

// embed starts the server inside this process.
func (l *Log) embed(ctx context.Context) error {
	opts := &server.Options{
		ServerName: "bluelamp",
		JetStream:  true,
		StoreDir:   filepath.Join(l.cfg.Dir, "log"),
		SyncAlways: !l.cfg.Unsynced,
		MaxPayload: MaxMessage + 1<<20,
		MaxPending: 4 * MaxMessage,
		DontListen: true,
		NoSigs:     true,
		// The disk guard bounds the log; the server's own bounds would be set
		// from what was free when it started.
		JetStreamMaxStore:  1 << 50,
		JetStreamMaxMemory: 256 << 20,
	}
	if l.cfg.Listen != "" {
		if err := listenOn(opts, l.cfg.Listen); err != nil {
			return err
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("making the embedded log server: %w", err)
	}
	srv.SetLoggerV2(natsLogger{l.logger.With("part", "log")}, false, false, false)
	l.srv = srv
	go srv.Start()
	deadline, _ := ctx.Deadline()
	if !srv.ReadyForConnections(time.Until(deadline)) {
		return fmt.Errorf("the embedded log server did not start within %v", startTimeout)
	}
	l.nc, err = nats.Connect("", nats.InProcessServer(srv), nats.Name("bluelamp"), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("connecting to the embedded log: %w", err)
	}
	if l.disk, err = guardDisk(l.cfg.Dir, l.cfg.Reserve, l.logger, l.met); err != nil {
		return err
	}
	l.sock = openDoorway(l.cfg.Dir, srv, l.logger)
	return nil
}

// Close stops the log after the commits under way. What has not been committed
// is answered with ErrClosed.
func (l *Log) Close() {
	l.mu.Lock()
	writers, again := l.writers, l.closed
	l.writers, l.closed = nil, true
	l.mu.Unlock()
	if again {
		return
	}
	for _, w := range writers {
		w.close()
	}
	if l.sock != nil {
		l.sock.close()
	}
	if l.nc != nil {
		l.nc.Close()
	}
	if l.disk != nil {
		l.disk.close()
	}
	if l.srv != nil {
		l.srv.Shutdown()
		l.srv.WaitForShutdown()
	}
	if l.lock != nil {
		_ = l.lock.Close()
	}
}

// Ready reports why the log cannot take appends now, or nil.
func (l *Log) Ready() error {
	if l.nc == nil || !l.nc.IsConnected() {
		return errors.New("not connected to the log")
	}
	if l.srv != nil && !l.srv.JetStreamEnabled() {
		return errors.New("the log has stopped itself, as it does when a write fails: free disk space, then restart")
	}
	return l.disk.err()
}

// Embedded reports whether the log lives in this process.
func (l *Log) Embedded() bool { return l.srv != nil }
