package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
)

// Bounds of the catalogue.
const (
	maxMappings = 1000
	maxVersions = 1000 // of one mapping
	maxNote     = 500  // bytes of why
)

// Errors of the catalogue.
var (
	// ErrUnknown: no such mapping or version.
	ErrUnknown = errors.New("there is no such mapping")
	// ErrInvalid: a mapping cannot be taken; the text says why.
	ErrInvalid = errors.New("invalid mapping")
)

// Mapping is a named program with its history.
type Mapping struct {
	Name     string    `json:"name"`
	Live     int       `json:"live"` // version that is at work; 0: none
	Versions []Version `json:"versions"`
}

// Version is one text of a mapping. Versions are numbered from 1 and never
// change.
type Version struct {
	Number  int       `json:"number"`
	Program string    `json:"program"`
	By      string    `json:"by"`
	Why     string    `json:"why,omitempty"`
	Time    time.Time `json:"time"`
}

// Newest returns the last version.
func (m *Mapping) Newest() Version { return m.Versions[len(m.Versions)-1] }

// Version returns a version by its number.
//
// Errors: ErrUnknown.
func (m *Mapping) Version(n int) (Version, error) {
	if n < 1 || n > len(m.Versions) {
		return Version{}, fmt.Errorf("%w: %s has no version %d", ErrUnknown, m.Name, n)
	}
	return m.Versions[n-1], nil
}

// stored is a record of the log: a draft, which becomes the next version of its
// mapping; or which version is to be at work from here on.
type stored struct {
	Name    string    `json:"name"`
	Program string    `json:"program,omitempty"`
	Live    *int      `json:"live,omitempty"`
	By      string    `json:"by"`
	Why     string    `json:"why,omitempty"`
	Time    time.Time `json:"time"`
}

// Catalogue is the mappings in memory. Its methods may be called from several
// goroutines.
type Catalogue struct {
	log    *bus.Log
	clock  *clock.Clock
	logger *slog.Logger

	reading sync.Mutex // one reader of the log at a time
	mu      sync.RWMutex
	by      map[string]*Mapping // each is replaced, never changed
	live    map[string]*Program
	read    uint64
}

// Open reads the mappings from the log.
func Open(ctx context.Context, log *bus.Log, clk *clock.Clock, logger *slog.Logger) (*Catalogue, error) {
	c := &Catalogue{log: log, clock: clk, logger: logger, by: map[string]*Mapping{}, live: map[string]*Program{}}
	if err := c.catchUp(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// catchUp takes up all that is on the log.
func (c *Catalogue) catchUp(ctx context.Context) error {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.mu.RLock()
	read := c.read
	c.mu.RUnlock()
	if err := c.log.Each(ctx, bus.Mappings, read, func(rec bus.Record) error { c.apply(rec); return nil }); err != nil {
		return fmt.Errorf("reading the mappings: %w", err)
	}
	return nil
}

// Follow keeps the catalogue up to date with what other processes put, until the
// context ends; it returns nil then.
func (c *Catalogue) Follow(ctx context.Context) error {
	c.mu.RLock()
	read := c.read
	c.mu.RUnlock()
	rd, err := c.log.Read(ctx, bus.Mappings, read)
	if err != nil {
		return fmt.Errorf("following the mappings: %w", err)
	}
	defer rd.Close()
	for {
		recs, err := rd.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("following the mappings: %w", err)
		}
		c.reading.Lock()
		for _, rec := range recs {
			c.apply(rec)
		}
		c.reading.Unlock()
	}
}

// apply takes one record up, in the order of the log and once. Whoever calls it
// holds reading.
func (c *Catalogue) apply(rec bus.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rec.Seq <= c.read {
		return
	}
	c.read = rec.Seq
	var s stored
	if err := json.Unmarshal(rec.Data, &s); err != nil || s.Name == "" {
		c.logger.Error("a mapping's record cannot be read and is left out", "position", rec.Seq, "err", err)
		return
	}
	m := &Mapping{Name: s.Name}
	if old := c.by[s.Name]; old != nil {
		m.Live, m.Versions = old.Live, slices.Clone(old.Versions)
	}
	if s.Live == nil {
		m.Versions = append(m.Versions, Version{Number: len(m.Versions) + 1, Program: s.Program, By: s.By, Why: s.Why, Time: s.Time})
		c.by[s.Name] = m
		return
	}
	if *s.Live < 0 || *s.Live > len(m.Versions) {
		c.logger.Error("a mapping's record names a version that there is not, and is left out", "mapping", s.Name, "version", *s.Live, "position", rec.Seq)
		return
	}
	delete(c.live, s.Name)
	m.Live = *s.Live
	c.by[s.Name] = m
	if m.Live == 0 {
		return
	}
	p, err := Compile(m.Versions[m.Live-1].Program)
	if err != nil { // written by a newer or an older bluelamp
		c.logger.Error("a live mapping's program is not understood: its messages go to quarantine", "mapping", s.Name, "version", m.Live, "err", err)
		return
	}
	c.live[s.Name] = p
}

// goodName keeps names fit for topics.
var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Draft adds a version to a mapping, which may be new. It changes nothing about
// which version is at work.
//
// Errors: ErrInvalid; *Error when the program is wrong.
func (c *Catalogue) Draft(ctx context.Context, name, program, by, why string) (Version, error) {
	if !goodName.MatchString(name) {
		return Version{}, fmt.Errorf("%w: the name %.70q must have 1 to 64 of a to z, 0 to 9, - and _", ErrInvalid, name)
	}
	program = strings.ReplaceAll(program, "\r\n", "\n")
	if _, err := Compile(program); err != nil {
		return Version{}, err
	}
	c.mu.RLock()
	m, n := c.by[name], len(c.by)
	c.mu.RUnlock()
	switch {
	case m == nil && n >= maxMappings:
		return Version{}, fmt.Errorf("%w: there are %d mappings, and no more may be", ErrInvalid, n)
	case m != nil && len(m.Versions) >= maxVersions:
		return Version{}, fmt.Errorf("%w: %s has %d versions, and no more may be", ErrInvalid, name, len(m.Versions))
	}
	pos, err := c.put(ctx, stored{Name: name, Program: program, By: by, Why: why})
	if err != nil {
		return Version{}, err
	}
	if m, err = c.Mapping(name); err != nil {
		return Version{}, err
	}
	// Of two who drafted at once, each wants the number of their own.
	for i := len(m.Versions) - 1; i >= 0; i-- {
		if v := m.Versions[i]; v.By == by && v.Program == program {
			return v, nil
		}
	}
	return Version{}, fmt.Errorf("the draft at %d of the log was not taken up", pos)
}

// Live puts a version to work instead of the one that is; 0 stops the mapping.
// Going back is the same as going forward.
//
// Errors: ErrUnknown; *Error when the program is not understood any more.
func (c *Catalogue) Live(ctx context.Context, name string, version int, by, why string) error {
	m, err := c.Mapping(name)
	if err != nil {
		return err
	}
	if version != 0 {
		v, err := m.Version(version)
		if err != nil {
			return err
		}
		if _, err := Compile(v.Program); err != nil {
			return err
		}
	}
	_, err = c.put(ctx, stored{Name: name, Live: &version, By: by, Why: why})
	return err
}

func (c *Catalogue) put(ctx context.Context, s stored) (uint64, error) {
	s.Time = c.clock.Now()
	s.Why = strings.ToValidUTF8(s.Why[:min(len(s.Why), maxNote)], "")
	data, err := json.Marshal(s)
	if err != nil {
		return 0, fmt.Errorf("writing mapping %s: %w", s.Name, err)
	}
	pos, err := c.log.Append(ctx, bus.Mappings, data)
	if err != nil {
		return 0, fmt.Errorf("saving mapping %s: %w", s.Name, err)
	}
	return pos, c.catchUp(ctx)
}

// Mapping returns a mapping; it must not be changed.
//
// Errors: ErrUnknown.
func (c *Catalogue) Mapping(name string) (*Mapping, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m := c.by[name]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w: %.70q", ErrUnknown, name)
}

// Mappings returns every mapping, by name; they must not be changed.
func (c *Catalogue) Mappings() []*Mapping {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]*Mapping, 0, len(c.by))
	for _, m := range c.by {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *Mapping) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// program returns the program that is at work under a name, or nil.
func (c *Catalogue) program(name string) *Program {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.live[name]
}
