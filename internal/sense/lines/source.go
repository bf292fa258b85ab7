package lines

import (
	"context"
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
	"github.com/bluelamp/bluelamp/protocol/tail"
)

// Timing and bounds of a source.
const (
	lookAgain = 2 * time.Second        // for new files in a directory
	poll      = 200 * time.Millisecond // for new lines in a file
	batch     = 500                    // lines that are committed together
	gather    = 100 * time.Millisecond // how long a batch waits for more lines
	maxFiles  = 1000                   // followed at once by one source
)

// Source follows the logs of one monitor: a file, or those of a directory that
// the dialect names. It remembers on the log how far it has read, so that a
// restart goes on where it stopped and observes nothing twice.
type Source struct {
	dialect Dialect
	path    string
	log     *bus.Log
	in      *sense.Intake
	logger  *slog.Logger
}

// NewSource returns a source for the file or directory at path.
func NewSource(d Dialect, path string, log *bus.Log, in *sense.Intake, logger *slog.Logger) *Source {
	return &Source{dialect: d, path: path, log: log, in: in, logger: logger}
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
	for _, name := range s.dialect.Files {
		name = filepath.Join(s.path, name)
		if _, err := os.Stat(name); err == nil {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// sensor names the monitor after where its logs are: two that write to
// directories of one name must differ.
func (s *Source) sensor() string {
	if abs, err := filepath.Abs(s.path); err == nil {
		return abs
	}
	return s.path
}

// reading is one file that is being followed.
type reading struct {
	src    *Source
	file   string
	lines  *tail.Follower
	mapper Mapper
	known  map[event.ID]bool // observed after the saved position: not to be observed again
}

// follow takes in one file.
func (s *Source) follow(ctx context.Context, file string) error {
	r, err := s.resume(ctx, file)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() { _ = r.lines.Close() }()
	for ctx.Err() == nil {
		os, err := r.next(ctx)
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
		if err := r.save(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("how far a log was read could not be saved; a restart will read on from earlier", "file", file, "err", err)
		}
	}
	return nil
}

// next waits for a line and gathers what follows it shortly.
func (r *reading) next(ctx context.Context) ([]*event.Observation, error) {
	var out []*event.Observation
	wait, stop := context.WithCancel(ctx)
	defer stop()
	for len(out) < batch {
		l, err := r.lines.Next(wait)
		// What was read counts even when the wait has ended meanwhile: the position
		// is past it.
		switch {
		case errors.Is(err, tail.ErrLineTooLong):
			r.quarantine(ctx, newFault(&l, err))
			continue
		case errors.Is(err, tail.ErrGap):
			r.src.logger.Warn("a log was rotated away unread", "file", r.file, "err", err)
			continue
		case err != nil && wait.Err() != nil:
			return out, nil
		case err != nil:
			return nil, err
		}
		o, _, err := r.mapper.Observe(&l)
		if err != nil {
			r.quarantine(ctx, newFault(&l, err))
			continue
		}
		if o == nil || r.known[o.ID] {
			continue
		}
		out = append(out, o)
		if len(out) == 1 {
			time.AfterFunc(gather, stop)
		}
	}
	return out, nil
}

func (r *reading) quarantine(ctx context.Context, f *fault) {
	from := fmt.Sprintf("%s:%d", r.file, f.line)
	if err := r.src.in.Quarantine(ctx, r.src.dialect.Name, from, reasonOf(f.err), f.err.Error(), f.text); err != nil {
		r.src.logger.Error("a bad line was lost to the quarantine", "file", r.file, "line", f.line, "err", err)
	}
}
