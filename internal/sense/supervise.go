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
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// SupervisionGrace is added to a reporting time before a device counts as
// silent, for the way of its signal to us.
const SupervisionGrace = 2 * time.Second

// ClassEnrolled is the reporting class of an enrolled device, whose entry in the
// registry says how often it speaks.
const ClassEnrolled = event.ClassEnrolled

// Supervisor notices which alarm accounts and enrolled devices fall silent, and
// says so as observations: device.silent when one that was heard is not heard
// again within its reporting time, device.returned when it is heard again,
// device.unknown for one that was never heard, for that long, since it was known.
//
// It reads the observations and their clock ticks (see [Ticker]), so what it
// says follows from the log. Where ticks are missing the platform was not
// listening, and nobody was silent then: each gets its reporting time again from
// the first tick after the gap. So does a device from which things may be kept
// again: while they may not, nothing it says is on the log.
type Supervisor struct {
	in     *Intake
	reg    *registry.Registry
	source string // of the alarm accounts
	logger *slog.Logger

	panels    map[string]*panel // by panel.key
	ticked    time.Time         // newest tick
	listening time.Time         // since when there has been no gap

	due     dueHeap
	known   uint64            // version of the registry that panels reflects
	written map[event.ID]bool // since the saved state: not to be written again
}

// panel is what is known of an alarm account or a device. Its fields are the
// saved state.
type panel struct {
	Account string    `json:"account"`          // the device's id, where it is one
	Device  bool      `json:"device,omitempty"` // an enrolled device, not an account
	Source  string    `json:"source,omitempty"` // under which a device was heard, or called unknown
	First   time.Time `json:"first"`            // since when it is expected
	Heard   time.Time `json:"heard,omitzero"`
	Silent  bool      `json:"silent,omitempty"` // said to be silent or unknown, and not heard since
	Paused  bool      `json:"paused,omitempty"` // nothing is expected of it now

	check time.Time // when to look again
	index int       // place in the heap, -1 when not in it
}

// deviceMark tells devices' keys from accounts'.
const deviceMark = "\x00"

// NewSupervisor returns the supervisor of the alarm accounts of one source and of
// all enrolled devices.
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
	Via      string     `json:"via"`
	Enrolled string     `json:"enrolled"`
	Kind     event.Kind `json:"kind"`
	Received time.Time  `json:"received"`
	Recorded bool       `json:"recorded"`
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
		case heardBy(o.Kind) && !o.Recorded:
			out = append(out, s.signal(&o)...)
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

// signal notes whom an observation was heard from: an account, or a device and
// the one that brought it. It returns the observations of those that have come
// back.
func (s *Supervisor) signal(o *heardOf) []*event.Observation {
	var out []*event.Observation
	if o.Source == s.source && o.Kind == event.KindAlarm {
		out = s.heard(s.panel(o.Device, false, o.Received), o, out)
	}
	sensor := o.Enrolled
	if sensor == "" {
		if d := s.reg.Sensor(o.Device); d != nil {
			sensor = d.ID
		}
	}
	for i, id := range [...]string{sensor, o.Via} {
		if id == "" || i == 1 && id == sensor {
			continue
		}
		if d, err := s.reg.Device(id); err != nil || d.Reporting == 0 {
			continue // it promises nothing
		}
		out = s.heard(s.panel(id, true, o.Received), o, out)
	}
	return out
}

// heard notes that an account or a device was heard, and adds the observation
// that it has come back when it had been silent.
func (s *Supervisor) heard(p *panel, o *heardOf, out []*event.Observation) []*event.Observation {
	last, silent := p.Heard, p.Silent
	p.Heard, p.Silent = o.Received, false
	pr, ok := s.promise(p, o.Received)
	if !ok {
		return out
	}
	s.schedule(p, pr)
	if silent {
		out = append(out, s.observation(event.KindReturned, p, pr, last, o.Received))
	}
	if p.Device {
		p.Source = o.Source
	}
	return out
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
		s.expectAll(now)
	}
	var out []*event.Observation
	for len(s.due) > 0 && s.due[0].check.Before(now) {
		p := heap.Pop(&s.due).(*panel)
		pr, ok := s.promise(p, now)
		if !ok {
			p.Paused = true
			continue
		}
		p.Silent = true
		kind := event.KindSilent
		if p.Heard.IsZero() {
			kind = event.KindUnknown
		}
		out = append(out, s.observation(kind, p, pr, p.Heard, now))
	}
	return out
}

// expectAll schedules whoever the registry says has promised to report.
func (s *Supervisor) expectAll(now time.Time) {
	expect := func(p *panel) {
		pr, ok := s.promise(p, now)
		if ok && p.Paused {
			p.First, p.Paused = now, false
		}
		if !ok {
			pr, p.Paused = promise{}, true
		}
		s.schedule(p, pr)
	}
	for _, prem := range s.reg.All() {
		for i := range prem.Accounts {
			expect(s.panel(prem.Accounts[i].Number, false, now))
		}
	}
	for _, d := range s.reg.Devices() {
		if p := s.panels[deviceMark+d.ID]; p != nil || d.Reporting > 0 {
			expect(s.panel(d.ID, true, now))
		}
	}
}

// panel returns what is known of an account or a device.
func (s *Supervisor) panel(name string, device bool, now time.Time) *panel {
	key := name
	if device {
		key = deviceMark + name
	}
	p := s.panels[key]
	if p == nil {
		p = &panel{Account: name, Device: device, First: now, index: -1}
		s.panels[key] = p
	}
	return p
}

// promise is what an account or a device has promised, and where it is.
type promise struct {
	class     string
	reporting time.Duration // 0: to report some day
	premises  *registry.Premises
	place     *place.Point
	source    string // of a device that was never heard
}

// promise returns what is expected of an account or a device now; false when it
// is not known, or nothing of it may be kept.
func (s *Supervisor) promise(p *panel, now time.Time) (promise, bool) {
	if !p.Device {
		f, ok := s.reg.Account(p.Account)
		if !ok {
			return promise{}, false
		}
		reporting, _ := registry.Class(f.Account.Class)
		return promise{class: f.Account.Class, reporting: reporting, premises: f.Premises, place: &f.Premises.Place}, true
	}
	d, err := s.reg.Device(p.Account)
	if err != nil || !d.Kept(now) {
		return promise{}, false
	}
	pr := promise{class: ClassEnrolled, reporting: d.Reporting, place: d.Place, source: "device"}
	if len(d.Speaks) > 0 {
		pr.source = d.Speaks[0]
	}
	if pr.premises, err = s.reg.Premises(d.Premises); err == nil && pr.place == nil {
		pr.place = &pr.premises.Place
	}
	return pr, true
}

// schedule sets when to look at a panel or a device again.
func (s *Supervisor) schedule(p *panel, pr promise) {
	if p.Silent || pr.reporting == 0 {
		if p.index >= 0 {
			heap.Remove(&s.due, p.index)
		}
		return
	}
	since := p.Heard
	if since.Before(p.First) {
		since = p.First
	}
	if since.Before(s.listening) {
		since = s.listening
	}
	p.check = since.Add(pr.reporting + SupervisionGrace)
	if p.index < 0 {
		heap.Push(&s.due, p)
	} else {
		heap.Fix(&s.due, p.index)
	}
}

func (s *Supervisor) observation(kind event.Kind, p *panel, pr promise, heard, now time.Time) *event.Observation {
	sup := &event.Supervision{Account: p.Account, Class: pr.class, Reporting: pr.reporting}
	if !heard.IsZero() {
		sup.LastHeard = &heard
	}
	o := &event.Observation{
		ID:   event.NewID(string(kind), s.source, p.Account, heard.Format(time.RFC3339Nano)),
		Kind: kind, Source: s.source, Device: p.Account, Time: now, Supervision: sup,
	}
	if p.Device {
		if p.Source == "" {
			p.Source = pr.source
		}
		o.ID = event.NewID(string(kind), "device", p.Account, heard.Format(time.RFC3339Nano), p.First.Format(time.RFC3339Nano))
		o.Source, o.Enrolled = p.Source, p.Account
	}
	if pr.premises != nil {
		o.Premises, o.PremisesName = pr.premises.ID, pr.premises.Name
	}
	if pr.place != nil {
		at := *pr.place
		o.Place = &at
	}
	return o
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
	for key, p := range saved.Panels {
		p.index = -1
		s.panels[key] = p
	}
	return nil // the first tick schedules them
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
