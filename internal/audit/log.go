package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// When checkpoints are signed, whichever comes first.
const (
	CheckpointEntries  = 256
	CheckpointInterval = 5 * time.Minute

	signTimeout = time.Minute
	// stateKey is where the last checkpoint lies in bus.Snapshots.
	stateKey = "audit-checkpoint"
)

// Config is what a Log needs.
type Config struct {
	Log    *bus.Log
	Dir    string           // data directory: key and checkpoints
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discard
}

// Log records entries and signs checkpoints over them. One process has it open.
type Log struct {
	*Recorder
	cfg    Config
	signer note.Signer
	key    string

	mu      sync.Mutex // guards what follows, and one advance at a time
	tree    tree
	pos     uint64 // position on the stream of the tree's last leaf
	signed  Checkpoint
	trouble error

	unsigned atomic.Int64
	nudge    chan struct{}
	stop     chan struct{}
	done     chan struct{}
	once     sync.Once
}

// state is what is kept of the tree between two runs.
type state struct {
	Checkpoint string `json:"checkpoint"`
	Pos        uint64 `json:"pos"`
	Tree       tree   `json:"tree"`
}

// Open opens the audit log, takes up its tree from the last checkpoint, and goes
// on signing until Close. A log that contradicts its own checkpoints opens all
// the same, since a control room must work: see [Log.Trouble].
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	signer, key, err := loadKey(cfg.Dir)
	if err != nil {
		return nil, err
	}
	l := &Log{
		Recorder: NewRecorder(cfg.Log, cfg.Now), cfg: cfg, signer: signer, key: key,
		nudge: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if err := l.restore(ctx); err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	if l.trouble != nil {
		cfg.Logger.Error("the audit log contradicts its own checkpoints: verify it", "err", l.trouble)
	}
	go l.run()
	return l, nil
}

// Key returns the public key that checks this log's checkpoints.
func (l *Log) Key() string { return l.key }

// Trouble returns what was found to be wrong when the log was opened, or nil.
// [Verify] finds more, and says where.
func (l *Log) Trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

// Record is Recorder.Record.
func (l *Log) Record(ctx context.Context, e Entry) error {
	if err := l.Recorder.Record(ctx, e); err != nil {
		return err
	}
	if l.unsigned.Add(1) >= CheckpointEntries {
		select {
		case l.nudge <- struct{}{}:
		default:
		}
	}
	return nil
}

// Checkpoint signs a checkpoint over all that is on the log now.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkpoint(ctx)
}

// Close signs a last checkpoint and stops. Close it before the bus.
func (l *Log) Close() {
	l.once.Do(func() { close(l.stop) })
	<-l.done
}

func (l *Log) run() {
	defer close(l.done)
	tick := time.NewTicker(CheckpointInterval)
	defer tick.Stop()
	for stopping := false; !stopping; {
		select {
		case <-tick.C:
		case <-l.nudge:
		case <-l.stop:
			stopping = true
		}
		ctx, cancel := context.WithTimeout(context.Background(), signTimeout)
		if _, err := l.Checkpoint(ctx); err != nil {
			l.cfg.Logger.Error("no checkpoint could be signed over the audit log; the next attempt follows", "err", err)
		}
		cancel()
	}
}

func (l *Log) checkpoint(ctx context.Context) (Checkpoint, error) {
	l.unsigned.Store(0)
	if err := l.advance(ctx, nil); err != nil {
		return Checkpoint{}, err
	}
	if l.tree.Size == l.signed.Size && l.signed.Text != "" {
		return l.signed, nil
	}
	c, err := sign(l.signer, l.tree.Size, l.tree.root(), l.cfg.Now())
	if err != nil {
		return Checkpoint{}, err
	}
	// The file first: what is on the log is then in the file too.
	if err := saveCheckpoint(l.cfg.Dir, c); err != nil {
		return Checkpoint{}, err
	}
	data, err := json.Marshal(state{Checkpoint: c.Text, Pos: l.pos, Tree: l.tree})
	if err != nil {
		return Checkpoint{}, err
	}
	if err := l.cfg.Log.Put(ctx, bus.Snapshots, stateKey, data); err != nil {
		return Checkpoint{}, err
	}
	l.signed = c
	return c, nil
}

// advance takes what is new on the log into the tree.
func (l *Log) advance(ctx context.Context, each func()) error {
	return l.cfg.Log.Each(ctx, bus.Audit, l.pos, func(r bus.Record) error {
		l.tree.add(tlog.RecordHash(r.Data), nil)
		l.pos = r.Seq
		if each != nil {
			each()
		}
		return nil
	})
}

// restore takes up the tree from the last checkpoint's state, or builds it from
// the whole log where that is not there or cannot be right.
func (l *Log) restore(ctx context.Context) error {
	last, err := l.lastSaved()
	if err != nil {
		return err
	}
	err = l.takeUp(ctx)
	if err != nil && (last.Text != "" || !errors.Is(err, errUnsigned)) {
		l.cfg.Logger.Warn("the audit log's tree is built again from the whole log", "why", err)
	}
	if err != nil {
		l.tree, l.pos = tree{}, 0
	}
	contradicted := false
	check := func() {
		contradicted = contradicted || l.tree.Size == last.Size && l.tree.root() != last.Root
	}
	check()
	if err := l.advance(ctx, check); err != nil {
		return err
	}
	switch {
	case last.Text == "":
		// Signed at once: until there is a checkpoint, nothing vouches for anything.
		if _, err := l.checkpoint(ctx); err != nil {
			return fmt.Errorf("signing the first checkpoint: %w", err)
		}
	case contradicted:
		l.trouble = fmt.Errorf("the first %d entries of the audit log are not those over which the checkpoint of %s was signed",
			last.Size, last.Time.Format(time.RFC3339))
	case l.tree.Size < last.Size:
		l.trouble = fmt.Errorf("the audit log has %d entries, but a checkpoint over %d was signed at %s: entries were removed",
			l.tree.Size, last.Size, last.Time.Format(time.RFC3339))
	}
	return nil
}

// errUnsigned: the log is new.
var errUnsigned = errors.New("no checkpoint was signed yet")

// takeUp restores the saved state, if it is right in itself.
func (l *Log) takeUp(ctx context.Context) error {
	data, err := l.cfg.Log.Value(ctx, bus.Snapshots, stateKey)
	if errors.Is(err, bus.ErrNotFound) {
		return errUnsigned
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the saved state: %w", err)
	}
	c, err := ParseCheckpoint([]byte(s.Checkpoint), l.key)
	if err != nil {
		return err
	}
	if !s.Tree.whole() || s.Tree.Size != c.Size || s.Tree.root() != c.Root {
		return errors.New("the saved state does not agree with its checkpoint")
	}
	end, err := l.cfg.Log.Last(ctx, bus.Audit)
	if err != nil {
		return err
	}
	if end < s.Pos {
		return errors.New("the log ends before the last checkpoint")
	}
	l.tree, l.pos, l.signed = s.Tree, s.Pos, c
	return nil
}

// lastSaved returns the newest checkpoint in the file that is ours.
func (l *Log) lastSaved() (Checkpoint, error) {
	file, err := os.ReadFile(filepath.Join(l.cfg.Dir, CheckpointsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("reading the saved checkpoints: %w", err)
	}
	texts, _ := SplitCheckpoints(file)
	for i := len(texts) - 1; i >= 0; i-- {
		if c, err := ParseCheckpoint(texts[i], l.key); err == nil {
			return c, nil
		}
	}
	return Checkpoint{}, nil
}
