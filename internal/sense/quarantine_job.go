package sense

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Bounds of work on many entries.
const (
	maxJobsWaiting = 8
	maxJobsKept    = 50
	jobPage        = 200 // entries that are read at once
)

// Job is work on all open entries of a group, as it stands.
type Job struct {
	ID      string           `json:"id"`
	Filter  QuarantineFilter `json:"filter"`
	Discard bool             `json:"discard,omitempty"` // instead of replaying
	By      string           `json:"by"`
	Why     string           `json:"why,omitempty"`
	Started time.Time        `json:"started"`
	Ended   time.Time        `json:"ended,omitzero"` // zero: under way

	Total   int    `json:"total"`   // open entries when it began
	Done    int    `json:"done"`    // replayed, or discarded
	Refused int    `json:"refused"` // still not accepted, and open
	Passed  int    `json:"passed"`  // dealt with by somebody else, or under way
	Problem string `json:"problem,omitempty"`
	Stopped string `json:"stopped,omitempty"` // why it ended before its end
}

// Seen is how many entries the job has come to.
func (j Job) Seen() int { return j.Done + j.Refused + j.Passed }

type job struct {
	Job
	newest uint64
}

// ErrTooMuch: as many jobs are waiting as may.
var ErrTooMuch = errors.New("there is much work waiting already: try again when some of it is done")

// Start lets the desk work on all open entries of a group, one after another in
// the order in which they came. Run does the work; Job tells how far it is.
// Entries that come meanwhile are left for another time.
//
// Errors: ErrNotFound when the group is empty; ErrTooMuch.
func (d *QuarantineDesk) Start(ctx context.Context, f QuarantineFilter, by, why string, discard bool) (Job, error) {
	j, err := d.newJob(ctx, f, by, why, discard)
	if err != nil {
		return Job{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case d.jobs <- j:
	default:
		return Job{}, ErrTooMuch
	}
	if d.kept = append(d.kept, j); len(d.kept) > maxJobsKept {
		d.kept = d.kept[1:]
	}
	return j.Job, nil
}

func (d *QuarantineDesk) newJob(ctx context.Context, f QuarantineFilter, by, why string, discard bool) (*job, error) {
	f.Settled = false
	total, newest, err := d.queries.QuarantineCount(ctx, f)
	if err != nil {
		return nil, err
	}
	if total == 0 {
		return nil, fmt.Errorf("open entries like this: %w", ErrNotFound)
	}
	d.mu.Lock()
	d.n++
	id := strconv.Itoa(d.n)
	d.mu.Unlock()
	return &job{Job: Job{ID: id, Filter: f, Discard: discard, By: by, Why: why, Started: d.clock.Now(), Total: total}, newest: newest}, nil
}

// WorkAll is Start for those who wait for the end, such as the command line.
// progress, if not nil, is told after each entry.
//
// Errors: ErrNotFound; those of the database and of the log.
func (d *QuarantineDesk) WorkAll(ctx context.Context, f QuarantineFilter, by, why string, discard bool, progress func(Job)) (Job, error) {
	j, err := d.newJob(ctx, f, by, why, discard)
	if err != nil {
		return Job{}, err
	}
	d.work(ctx, j, progress)
	if j.Stopped != "" {
		return j.Job, errors.New(j.Stopped)
	}
	return j.Job, nil
}

// Job returns a job by its id.
//
// Errors: ErrNotFound, also for a job of before the last start.
func (d *QuarantineDesk) Job(id string) (Job, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range d.kept {
		if j.ID == id {
			return j.Job, nil
		}
	}
	return Job{}, fmt.Errorf("job %s: %w", id, ErrNotFound)
}

// Run does the jobs, one after another, until the context ends; it returns nil
// then. A job that is cut short leaves the entries that it has not come to open.
func (d *QuarantineDesk) Run(ctx context.Context) error {
	defer d.Close()
	for {
		select {
		case j := <-d.jobs:
			d.work(ctx, j, nil)
		case <-ctx.Done():
			return nil
		}
	}
}

// work does one job. Only it changes the job, under the mutex.
func (d *QuarantineDesk) work(ctx context.Context, j *job, progress func(Job)) {
	after := uint64(0)
	end := func(why string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		j.Ended, j.Stopped = d.clock.Now(), why
	}
	for {
		rows, err := d.queries.quarantineFrom(ctx, j.Filter, after, j.newest, jobPage)
		if err != nil {
			end(err.Error())
			return
		}
		if len(rows) == 0 {
			end("")
			return
		}
		for _, row := range rows {
			if ctx.Err() != nil {
				end("the server was stopped")
				return
			}
			after = row.Seq
			a := Attempt{Entry: row.ID, By: j.By, Why: j.Why}
			if j.Discard {
				err = d.Discard(ctx, a)
			} else {
				err = d.Replay(ctx, a)
			}
			now, broken := d.count(j, err)
			if progress != nil {
				progress(now)
			}
			if broken {
				end(err.Error())
				return
			}
		}
	}
}

// count notes how one entry of a job went, and reports whether the job cannot go
// on: what is wrong is not the entry but the platform.
func (d *QuarantineDesk) count(j *job, err error) (Job, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		j.Done++
	case errors.Is(err, ErrSettled), errors.Is(err, ErrUnderWay), errors.Is(err, ErrNotFound):
		j.Passed++
	case errors.Is(err, ErrCannotReplay), errors.Is(err, ErrStillRefused):
		j.Refused++
		j.Problem = cutText(err.Error(), maxNote)
	default:
		return j.Job, true
	}
	return j.Job, false
}
