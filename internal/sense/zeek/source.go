package zeek

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/protocol/zeek"
)

// Timing and bounds of a source.
const (
	lookAgain = 2 * time.Second        // for new files in a directory
	poll      = 200 * time.Millisecond // for new lines in a file
	batch     = 500                    // lines that are committed together
	gather    = 100 * time.Millisecond // how long a batch waits for more lines
	maxFiles  = 1000                   // followed at once by one source
)

// Source follows the logs of one monitor: a file, or conn.log, ssh.log and
// notice.log of a directory. It remembers on the log how far it has read, so that a restart
// goes on where it stopped and observes nothing twice.
type Source struct {
	path   string
	log    *bus.Log
	in     *sense.Intake
	logger *slog.Logger
}

// NewSource returns a source for the file or directory at path.
func NewSource(path string, log *bus.Log, in *sense.Intake, logger *slog.Logger) *Source {
	return &Source{path: path, log: log, in: in, logger: logger}
}

// Run follows the logs until the context ends, and returns nil then.
func (s *Source) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	following := map[string]bool{}
	t := time.NewTicker(lookAgain)
	defer t.Stop()
	for {
		for _, f := range s.files() {
			if following[f] || len(following) >= maxFiles {
				continue
			}
			following[f] = true
			wg.Go(func() {
				if err := s.follow(ctx, f); err != nil {
					s.logger.Error("a log is not followed any more: restart when it is mended", "file", f, "err", err)
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// files lists what to follow now. Rotated files keep a name of their own, which
// the follower of the current file finds by itself.
func (s *Source) files() []string {
	st, err := os.Stat(s.path)
	if err != nil {
		return nil // it may come yet, as a file or a directory
	}
	if !st.IsDir() {
		return []string{s.path}
	}
	var out []string
	for _, kind := range []string{zeek.KindConn, zeek.KindSSH, zeek.KindNotice} {
		name := filepath.Join(s.path, kind+".log")
		if _, err := os.Stat(name); err == nil {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// progress is how far a file has been read, and where the log then stood.
type progress struct {
	File zeek.Position `json:"file"`
	Log  uint64        `json:"log"`
}

func (s *Source) key(file string) string {
	sum := sha256.Sum256([]byte(file))
	return "zeek-" + hex.EncodeToString(sum[:8])
}

// restore returns where to go on, and the ids that were observed after that.
func (s *Source) restore(ctx context.Context, file string) (*zeek.Position, map[event.ID]bool, error) {
	data, err := s.log.Value(ctx, bus.Snapshots, s.key(file))
	if errors.Is(err, bus.ErrNotFound) {
		data, err = []byte(`{}`), nil
	}
	if err != nil {
		return nil, nil, err
	}
	var p progress
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, nil, fmt.Errorf("reading how far %s was read: %w", file, err)
	}
	known := map[event.ID]bool{}
	err = s.log.Each(ctx, bus.Observations, p.Log, func(rec bus.Record) error {
		var o struct {
			ID     event.ID `json:"id"`
			Source string   `json:"source"`
		}
		if json.Unmarshal(rec.Data, &o) == nil && o.Source == sourceName {
			known[o.ID] = true
		}
		return nil
	})
	return &p.File, known, err
}

// follow takes in one file.
func (s *Source) follow(ctx context.Context, file string) error {
	from, known, err := s.restore(ctx, file)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	f := zeek.Follow(file, from, poll)
	defer func() { _ = f.Close() }()
	m := mapper{sensor: s.sensor()}
	for ctx.Err() == nil {
		os, err := s.next(ctx, file, f, &m, known)
		if err != nil {
			return err
		}
		if len(os) == 0 {
			continue
		}
		err = bus.Insist(ctx, s.logger, "writing observations of "+file, func() error { return s.in.ObserveAll(ctx, os...) })
		if err != nil {
			return nil
		}
		if err := s.save(ctx, file, f.Position()); err != nil && ctx.Err() == nil {
			s.logger.Warn("how far a log was read could not be saved; a restart will read on from earlier", "file", file, "err", err)
		}
	}
	return nil
}

// sensor names the monitor after where its logs are: two that write to
// directories of one name must differ.
func (s *Source) sensor() string {
	if abs, err := filepath.Abs(s.path); err == nil {
		return abs
	}
	return s.path
}

func (s *Source) save(ctx context.Context, file string, at zeek.Position) error {
	last, err := s.log.Last(ctx, bus.Observations)
	if err != nil {
		return err
	}
	data, err := json.Marshal(progress{File: at, Log: last})
	if err != nil {
		return err
	}
	return s.log.Put(ctx, bus.Snapshots, s.key(file), data)
}

// next waits for a line and gathers what follows it shortly.
func (s *Source) next(ctx context.Context, file string, f *zeek.Follower, m *mapper, known map[event.ID]bool) ([]*event.Observation, error) {
	var out []*event.Observation
	wait, stop := context.WithCancel(ctx)
	defer stop()
	for len(out) < batch {
		rec, err := f.Next(wait)
		var bad *zeek.LineError
		// What was read counts even when the wait has ended meanwhile: the position
		// is past it.
		switch {
		case errors.As(err, &bad):
			if err := s.in.Quarantine(ctx, sourceName, fmt.Sprintf("%s:%d", file, bad.Line), "unreadable line", bad.Err.Error(), bad.Raw); err != nil {
				s.logger.Error("a bad line was lost to the quarantine", "file", file, "line", bad.Line, "err", err)
			}
			continue
		case errors.Is(err, zeek.ErrGap):
			s.logger.Warn("a log was rotated away unread", "file", file, "err", err)
			continue
		case err != nil && wait.Err() != nil:
			return out, nil
		case err != nil:
			return nil, err
		}
		o, _, err := m.observe(rec)
		if err != nil {
			if err := s.in.Quarantine(ctx, sourceName, fmt.Sprintf("%s:%d", file, rec.Line), "bad value", err.Error(), rec.Raw()); err != nil {
				s.logger.Error("a bad line was lost to the quarantine", "file", file, "line", rec.Line, "err", err)
			}
			continue
		}
		if o == nil || known[o.ID] {
			continue
		}
		out = append(out, o)
		if len(out) == 1 {
			time.AfterFunc(gather, stop)
		}
	}
	return out, nil
}
