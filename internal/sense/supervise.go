package sense

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// SupervisionGrace is added to a reporting time before a device counts as
// silent, for the way of its signal to us.
const SupervisionGrace = 2 * time.Second

// Supervisor notices which alarm accounts fall silent, and says so as
// observations: device.silent when a panel that was heard is not heard again
// within its class's reporting time, device.returned when it is heard again,
// device.unknown for a panel that was never heard, for that long, since its
// account was known.
//
// It reads the observations and their clock ticks (see [Ticker]), so what it
// says follows from the log. Where ticks are missing the platform was not
// listening, and nobody was silent then: every panel gets its reporting time
// again from the first tick after the gap.
type Supervisor struct {
	in     *Intake
	reg    *registry.Registry
	source string
	logger *slog.Logger

	panels    map[string]*panel
	ticked    time.Time // newest tick
	listening time.Time // since when there has been no gap

	due     dueHeap
	known   uint64            // version of the registry that panels reflects
	written map[event.ID]bool // since the saved state: not to be written again
}

// panel is what is known of one account. Its fields are the saved state.
type panel struct {
	Account string    `json:"account"`
	First   time.Time `json:"first"` // when its account was first known
	Heard   time.Time `json:"heard,omitzero"`
	Silent  bool      `json:"silent,omitempty"` // said to be silent or unknown, and not heard since

	check time.Time // when to look again
	index int       // place in the heap, -1 when not in it
}

// NewSupervisor returns the supervisor of the accounts of one source.
func NewSupervisor(in *Intake, reg *registry.Registry, source string, logger *slog.Logger) *Supervisor {
	return &Supervisor{in: in, reg: reg, source: source, logger: logger, panels: map[string]*panel{}, written: map[event.ID]bool{}}
}

// Stage returns the supervisor's stage of the log.
func (s *Supervisor) Stage() bus.Stage {
	return bus.Stage{
		Name: "supervision-" + s.source, In: bus.Observations, Out: bus.Observations,
		Handle: s.handle, Recover: s.recover, Save: s.save, Load: s.load,
	}
}

// heardOf is what the supervisor reads of an observation.
type heardOf struct {
	ID       event.ID   `json:"id"`
	Source   string     `json:"source"`
	Device   string     `json:"device"`
	Kind     event.Kind `json:"kind"`
	Received time.Time  `json:"received"`
}

func (s *Supervisor) handle(ctx context.Context, records []bus.Record) error {
	var out []*event.Observation
	for _, rec := range records {
		var o heardOf
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			s.logger.Error("an observation cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		switch {
		case o.Kind == event.KindClockTick:
			out = append(out, s.tick(o.Received)...)
		case o.Source == s.source && o.Kind == event.KindAlarm:
			if back := s.heard(o.Device, o.Received); back != nil {
				out = append(out, back)
			}
		}
	}
	fresh := out[:0]
	for _, o := range out {
		if s.written[o.ID] {
			delete(s.written, o.ID)
			continue
		}
		fresh = append(fresh, o)
	}
	return bus.Insist(ctx, s.logger, "writing who fell silent", func() error { return s.in.ObserveAll(ctx, fresh...) })
}

// heard notes that an account was heard, and returns the observation that it has
// come back when it had been silent.
func (s *Supervisor) heard(account string, at time.Time) *event.Observation {
	p := s.panel(account, at)
	last, silent := p.Heard, p.Silent
	p.Heard, p.Silent = at, false
	f, ok := s.reg.Account(account)
	if !ok {
		return nil
	}
	s.schedule(p, f)
	if !silent {
		return nil
	}
	return s.observation(event.KindReturned, f, last, at)
}

// tick returns the observations of those whose time has run out.
func (s *Supervisor) tick(now time.Time) []*event.Observation {
	deaf := now.Sub(s.ticked) > s.in.tickGap()
	s.ticked = now
	if deaf {
		s.listening = now
	}
	if v := s.reg.Version(); v != s.known || deaf {
		s.known = v
		for _, prem := range s.reg.All() {
			for i := range prem.Accounts {
				s.schedule(s.panel(prem.Accounts[i].Number, now), registry.Found{Account: &prem.Accounts[i], Premises: prem})
			}
		}
	}
	var out []*event.Observation
	for len(s.due) > 0 && s.due[0].check.Before(now) {
		p := heap.Pop(&s.due).(*panel)
		f, ok := s.reg.Account(p.Account)
		if !ok {
			continue
		}
		p.Silent = true
		kind := event.KindSilent
		if p.Heard.IsZero() {
			kind = event.KindUnknown
		}
		out = append(out, s.observation(kind, f, p.Heard, now))
	}
	return out
}

func (s *Supervisor) panel(account string, now time.Time) *panel {
	p := s.panels[account]
	if p == nil {
		p = &panel{Account: account, First: now, index: -1}
		s.panels[account] = p
	}
	return p
}

// schedule sets when to look at a panel again.
func (s *Supervisor) schedule(p *panel, f registry.Found) {
	reporting, _ := registry.Class(f.Account.Class)
	if p.Silent || reporting == 0 {
		if p.index >= 0 {
			heap.Remove(&s.due, p.index)
		}
		return
	}
	since := p.Heard
	if since.IsZero() {
		since = p.First
	}
	if since.Before(s.listening) {
		since = s.listening
	}
	p.check = since.Add(reporting + SupervisionGrace)
	if p.index < 0 {
		heap.Push(&s.due, p)
	} else {
		heap.Fix(&s.due, p.index)
	}
}

func (s *Supervisor) observation(kind event.Kind, f registry.Found, heard, now time.Time) *event.Observation {
	reporting, _ := registry.Class(f.Account.Class)
	sup := &event.Supervision{Account: f.Account.Number, Class: f.Account.Class, Reporting: reporting}
	if !heard.IsZero() {
		sup.LastHeard = &heard
	}
	at := f.Premises.Place
	return &event.Observation{
		ID:   event.NewID(string(kind), s.source, f.Account.Number, heard.Format(time.RFC3339Nano)),
		Kind: kind, Source: s.source, Device: f.Account.Number, Time: now,
		Premises: f.Premises.ID, PremisesName: f.Premises.Name, Place: &at, Supervision: sup,
	}
}

func (s *Supervisor) recover(rec bus.Record) error {
	var o heardOf
	if json.Unmarshal(rec.Data, &o) == nil {
		switch o.Kind {
		case event.KindSilent, event.KindUnknown, event.KindReturned:
			s.written[o.ID] = true
		}
	}
	return nil
}

// supervision is the saved state.
type supervision struct {
	Panels    map[string]*panel `json:"panels"`
	Ticked    time.Time         `json:"ticked"`
	Listening time.Time         `json:"listening"`
}

func (s *Supervisor) save() ([]byte, error) {
	clear(s.written)
	return json.Marshal(supervision{s.panels, s.ticked, s.listening})
}

func (s *Supervisor) load(state []byte) error {
	var saved supervision
	if err := json.Unmarshal(state, &saved); err != nil {
		return fmt.Errorf("reading the supervised panels: %w", err)
	}
	s.ticked, s.listening = saved.Ticked, saved.Listening
	for account, p := range saved.Panels {
		p.index = -1
		s.panels[account] = p
	}
	return nil // the first tick schedules them
}

// Ticker puts a clock tick on the log every second, by which those who read
// observations know that time passes while nobody speaks.
type Ticker struct {
	in     *Intake
	logger *slog.Logger
}

// NewTicker returns a ticker that writes through in.
func NewTicker(in *Intake, logger *slog.Logger) *Ticker { return &Ticker{in: in, logger: logger} }

// fastestTick bounds the ticks of a clock that runs fast, in real time.
const fastestTick = 200 * time.Millisecond

// maxMissed is how many ticks may be missing until it counts as a gap.
const maxMissed = 10

// tickEvery is how often a tick comes, on the platform's clock.
func (in *Intake) tickEvery() time.Duration {
	return max(time.Second, time.Duration(float64(fastestTick)*in.clock.Speed()))
}

// tickGap is how long there can be no tick while the platform runs.
func (in *Intake) tickGap() time.Duration { return maxMissed * in.tickEvery() }

// Run ticks until the context ends, and returns nil then.
func (t *Ticker) Run(ctx context.Context) error {
	every := time.NewTicker(t.in.clock.Real(t.in.tickEvery()))
	defer every.Stop()
	stuck := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		now := t.in.Now()
		err := t.in.ObserveAll(ctx, &event.Observation{
			ID:   event.NewID("tick", now.Format(time.RFC3339Nano)),
			Kind: event.KindClockTick, Source: "clock", Device: "clock", Time: now,
		})
		if stuck != (err != nil) && ctx.Err() == nil {
			stuck = err != nil
			if stuck {
				t.logger.Error("clock ticks cannot be written: supervision and time windows wait", "err", err)
			} else {
				t.logger.Info("clock ticks can be written again")
			}
		}
	}
}

// dueHeap orders panels by when to look at them.
type dueHeap []*panel

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].check.Before(h[j].check) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *dueHeap) Push(x any)        { p := x.(*panel); p.index = len(*h); *h = append(*h, p) }
func (h *dueHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	p.index = -1
	*h = old[:len(old)-1]
	return p
}
