package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Bounds of keeping.
const (
	// maxUnreadFirst is how many rows may be unreadable before any has been read.
	// Until then none goes to quarantine: a file of another format is a mistake,
	// not ten thousand entries.
	maxUnreadFirst = 1000
	// maxRefusals is how many of the observations that may not be kept get an entry
	// each in the quarantine. The entries hold nothing of what was said; the rest is
	// counted.
	maxRefusals = 20
	// maxUnderWay is how many observations wait for the disk at once.
	maxUnderWay = 4096
)

// homeFormats are of homes: what they hold is kept of registered homes only.
var homeFormats = map[string]bool{"contact-sensor": true, "ha": true, "z2m": true, "frigate": true, "esphome": true, "tasmota": true}

// secretFormats are of dialects whose messages may hold what must not be kept even
// where they cannot be read (sense.Secretive): session keys, number plates, where
// somebody is.
var secretFormats = map[string]bool{"tts": true, "ha": true, "frigate": true}

var errNotAttached = fmt.Errorf("%w: it is of a home, and of no registered device or premises: name them with --device or --premises", registry.ErrNoBasis)

// errWhose: a row of a home that is not known. What it says may be what must not
// be kept.
var errWhose = errors.New("a row of a home's recording cannot be read, and whose it is is not known, so its bytes were not kept: mend the file, or name the home with --device or --premises")

// replayKeeper puts on the platform's log what a replay reads.
type replayKeeper struct {
	cmd *replayCmd
	e   *env
	log *bus.Log
	reg *registry.Registry
	in  *sense.Intake

	known   map[event.ID]struct{} // that the log has
	waiting []unread              // rows that were not read, before the first that was
	rows    bool                  // one was read

	underway chan struct{}
	wg       sync.WaitGroup
	mu       sync.Mutex
	err      error // the first that the log gave
	sum      keptSummary
}

// keptSummary counts what became of what a replay read.
type keptSummary struct {
	kept, had, quarantined, refused int
	why                             error // of the newest refusal
}

// unread is a row that could not be read, with its bytes.
type unread struct {
	from, reason string
	err          error
	bytes        []byte
}

// newReplayKeeper opens the log, finds out what it holds already, and records
// what is about to be done.
func newReplayKeeper(e *env, cmd *replayCmd) (_ *replayKeeper, err error) {
	k := &replayKeeper{cmd: cmd, e: e, known: map[event.ID]struct{}{}, underway: make(chan struct{}, maxUnderWay)}
	if k.log, err = openOldLog(e); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			k.log.Close()
		}
	}()
	if k.reg, err = openRegistry(e, k.log); err != nil {
		return nil, err
	}
	if err := k.check(); err != nil {
		return nil, fmt.Errorf("nothing was kept: %w", err)
	}
	k.in = sense.NewIntake(k.log, clock.Wall(), k, e.quiet(), nil)
	for _, s := range []bus.Stream{bus.Observations, bus.Quarantine} {
		if err := k.learn(s); err != nil {
			return nil, err
		}
	}
	if err := k.record("replay.begun", nil); err != nil {
		return nil, err
	}
	return k, nil
}

// check refuses at once what could not be kept of any row.
func (k *replayKeeper) check() error {
	probe := event.Observation{Kind: event.KindState, Device: cmp.Or(k.cmd.Device, "of the recording"), Via: k.cmd.Device, Premises: k.cmd.Premises}
	if id := k.cmd.Device; id != "" {
		d, err := k.reg.Device(id)
		if err != nil {
			return fmt.Errorf("%w: see 'bluelamp device list'", err)
		}
		if d.Premises != "" && k.cmd.Premises != "" && d.Premises != k.cmd.Premises {
			return fmt.Errorf("device %s is at the premises %s: leave --premises out, or name these", id, d.Premises)
		}
	}
	if id := k.cmd.Premises; id != "" {
		if _, err := k.reg.Premises(id); err != nil {
			return fmt.Errorf("%w: see 'bluelamp premises list'", err)
		}
	}
	if k.cmd.Format == "contact-sensor" { // whose rows name nobody
		return k.Admit(&probe)
	}
	return k.reg.Admit(&probe)
}

// Admit implements sense.Admission: the registry's, and of a home nothing that
// belongs to nobody.
func (k *replayKeeper) Admit(o *event.Observation) error {
	if err := k.reg.Admit(o); err != nil {
		return err
	}
	if homeFormats[k.cmd.Format] && o.Enrolled == "" {
		if _, err := k.reg.Premises(o.Premises); err != nil {
			return errNotAttached
		}
	}
	return nil
}

// learn notes what a stream holds.
func (k *replayKeeper) learn(s bus.Stream) error {
	bar := newProgress(k.e.Err)
	defer bar.done()
	n := 0
	err := k.log.Each(k.e.ctx, s, 0, func(rec bus.Record) error {
		var x struct {
			ID   event.ID   `json:"id"`
			Kind event.Kind `json:"kind"`
		}
		if json.Unmarshal(rec.Data, &x) == nil && x.Kind != event.KindClockTick {
			k.known[x.ID] = struct{}{}
		}
		n++
		bar.say("reading what the log has: %d", n)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what the log has already: %w", err)
	}
	return nil
}

func (k *replayKeeper) record(what audit.Action, counts map[string]string) error {
	detail := map[string]string{"format": k.cmd.Format, "files": strings.Join(k.cmd.Files, " "), "premises": k.cmd.Premises, "device": k.cmd.Device}
	for name, n := range counts {
		detail[name] = n
	}
	for name, v := range detail {
		if v == "" {
			delete(detail, name)
		}
	}
	return recordConsole(k.e, k.log, audit.Entry{Action: what, Operation: audit.Collection, Object: "observations/" + k.cmd.Format, Detail: detail})
}

// take keeps a row's observation, of which it makes a copy.
func (k *replayKeeper) take(row *replayRow) error {
	if err := k.begun(); err != nil {
		return err
	}
	c := k.attached(row.o)
	if _, had := k.known[c.ID]; had {
		k.sum.had++
		return nil
	}
	if c.Alarm != nil && c.Source == "dc09" && !k.account(c) {
		u := row.past.of(row.name, row.o)
		u.reason, u.err = "unknown account", fmt.Errorf("account %q is not in the registry: add it, then replay this entry", c.Alarm.Account)
		return k.quarantine(&u)
	}
	if err := k.Admit(c); err != nil {
		return k.refuse(c, err)
	}
	k.known[c.ID] = struct{}{}
	err := k.send(func(done func(uint64, error)) error { return k.in.Observe(k.e.ctx, c, done) })
	if err == nil {
		k.sum.kept++
	}
	return err
}

// refuse notes an observation that may not be kept.
func (k *replayKeeper) refuse(o *event.Observation, why error) error {
	k.sum.refused++
	k.sum.why = why
	if k.sum.refused > maxRefusals {
		return nil
	}
	return k.in.Refuse(k.e.ctx, o, why)
}

// bad keeps a row that cannot be read, once it is plain that the file is of the
// format: when one of its rows could be read.
func (k *replayKeeper) bad(row *replayRow) error {
	u := row.past.unread(row.name, row.err)
	if homeFormats[k.cmd.Format] && k.cmd.Device == "" && k.cmd.Premises == "" {
		u.err, u.bytes = errWhose, nil
	} else if secretFormats[k.cmd.Format] && len(u.bytes) > 0 {
		u.err = fmt.Errorf("%w; the row's %d bytes may hold what must not be kept, and were not", u.err, len(u.bytes))
		u.bytes = nil
	}
	if k.rows {
		return k.quarantine(&u)
	}
	if k.waiting = append(k.waiting, u); len(k.waiting) > maxUnreadFirst {
		return fmt.Errorf("nothing was kept: none of the first %d rows could be read as --format %s: is that what the files are?", len(k.waiting), k.cmd.Format)
	}
	return nil
}

// begun puts in quarantine what waited for a row that can be read.
func (k *replayKeeper) begun() error {
	k.rows = true
	for i := range k.waiting {
		if err := k.quarantine(&k.waiting[i]); err != nil {
			return err
		}
	}
	k.waiting = nil
	return nil
}

// quarantine keeps a row with its bytes and what is wrong with it. The intake
// bounds what strangers may fill the quarantine with; this is an operator's file,
// of which nothing is to be lost.
func (k *replayKeeper) quarantine(row *unread) error {
	q := event.NewQuarantined(sourceOf(k.cmd.Format), row.from, row.reason, row.err.Error(), row.bytes, k.in.Now(), 0)
	q.Device = k.cmd.Device // whose it is, for who may see it and for erasure
	q.ID = event.NewID("unread", q.Source, row.from, string(row.bytes), k.cmd.Device, k.cmd.Premises)
	if _, had := k.known[q.ID]; had {
		k.sum.had++
		return nil
	}
	k.known[q.ID] = struct{}{}
	data, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("encoding a quarantine entry: %w", err)
	}
	err = k.send(func(done func(uint64, error)) error {
		return k.log.AppendAsync(k.e.ctx, bus.Quarantine.Kept(string(event.RetainMonth)), done, data)
	})
	if err == nil {
		k.sum.quarantined++
	}
	return err
}

// sourceOf is what the quarantine calls a format: as the live source of such rows
// does, by which it finds the way back in.
func sourceOf(format string) string {
	if format == "eve" {
		return "suricata"
	}
	return format
}

// send puts something on the log without waiting for the disk, unless very much
// is under way.
func (k *replayKeeper) send(put func(done func(uint64, error)) error) error {
	k.mu.Lock()
	err := k.err
	k.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case k.underway <- struct{}{}:
	case <-k.e.ctx.Done():
		return k.e.ctx.Err()
	}
	k.wg.Add(1)
	done := func(_ uint64, err error) {
		if err != nil {
			k.mu.Lock()
			k.err = err
			k.mu.Unlock()
		}
		<-k.underway
		k.wg.Done()
	}
	if err := put(done); err != nil {
		done(0, err)
		return err
	}
	return nil
}

// finish waits until all is on disk, and records what there is.
func (k *replayKeeper) finish(err error) error {
	k.wg.Wait()
	if err == nil {
		err = k.err
	}
	defer k.log.Close()
	s := &k.sum
	if err != nil {
		if s.kept+s.quarantined > 0 {
			err = fmt.Errorf("not everything was kept: run the command again, which keeps only what is missing: %w", err)
		}
		return err
	}
	// What was kept is recorded even when the person has given up meanwhile.
	ctx, stop := context.WithTimeout(context.WithoutCancel(k.e.ctx), 10*time.Second)
	defer stop()
	e := *k.e
	e.ctx, k.e = ctx, &e
	counts := map[string]string{"kept": strconv.Itoa(s.kept), "there already": strconv.Itoa(s.had), "in quarantine": strconv.Itoa(s.quarantined), "refused": strconv.Itoa(s.refused)}
	if err := k.record("replay.kept", counts); err != nil {
		return fmt.Errorf("it was kept, and that could not be recorded: %w", err)
	}
	fmt.Fprintf(k.e.Err, "%d kept, %d there already, %d in quarantine, %d refused\n", s.kept, s.had, s.quarantined, s.refused)
	if s.refused > 0 && s.kept+s.had == 0 {
		return fmt.Errorf("nothing was kept: %w", s.why)
	}
	return nil
}

// reasonOf groups what is wrong with rows.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, sense.ErrRecording):
		return "not a recorded message"
	case strings.Contains(err.Error(), "impossible position"):
		return "impossible position"
	}
	return "unreadable row"
}
