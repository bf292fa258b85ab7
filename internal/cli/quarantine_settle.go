package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// quarantineReplayCmd replays entries.
type quarantineReplayCmd struct {
	chosen
	IDs  []string `arg:"" optional:"" name:"id" help:"Ids of entries; or choose a group with --reason."`
	File string   `help:"Replay this file's bytes instead of the one entry's, which you have mended; - for standard input." placeholder:"FILE" type:"path"`
	Why  string   `help:"What was mended, for the record." placeholder:"TEXT"`
	JSON bool     `name:"json" help:"Print the result as JSON."`
}

// Run implements the command.
func (c quarantineReplayCmd) Run(e *env) error {
	instead, err := c.mended(e)
	if err != nil {
		return err
	}
	return settleChosen(e, c.chosen, c.IDs, c.Why, c.JSON, "replayed", func(w *ward, id event.ID, by string) error {
		return w.desk.Replay(e.ctx, sense.Attempt{Entry: id, By: by, Why: c.Why, Bytes: instead})
	})
}

func (c quarantineReplayCmd) mended(e *env) ([]byte, error) {
	if c.File == "" {
		return nil, nil
	}
	if len(c.IDs) != 1 {
		return nil, usagef("--file mends one entry: name it")
	}
	in := e.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, fmt.Errorf("reading what to replay: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, sense.MaxReplay+1))
	if err != nil {
		return nil, fmt.Errorf("reading what to replay: %w", err)
	}
	return append([]byte{}, b...), nil
}

// quarantineDiscardCmd discards entries.
type quarantineDiscardCmd struct {
	chosen
	IDs  []string `arg:"" optional:"" name:"id" help:"Ids of entries; or choose a group with --reason."`
	Why  string   `help:"Why they are worth nothing, for the record." required:"" placeholder:"TEXT"`
	JSON bool     `name:"json" help:"Print the result as JSON."`
}

// Run implements the command.
func (c quarantineDiscardCmd) Run(e *env) error {
	return settleChosen(e, c.chosen, c.IDs, c.Why, c.JSON, "discarded", func(w *ward, id event.ID, by string) error {
		return w.desk.Discard(e.ctx, sense.Attempt{Entry: id, By: by, Why: c.Why})
	})
}

// openDesk opens the ways back in, which only those need who settle entries: they
// read much of the log.
func (w *ward) openDesk(e *env) error {
	sealer, err := app.OpenSealer(e.ctx, w.log, e.root.Config.Data)
	if err != nil {
		return err
	}
	clk := clock.Wall()
	reg, err := registry.New(e.ctx, w.log, sealer, clk, e.quiet())
	if err != nil {
		return err
	}
	in := sense.NewIntake(w.log, clk, reg, e.quiet(), nil)
	messages, sources, err := app.Replayers(e.ctx, &e.root.Config, w.log, sealer, reg, in, clk, e.quiet())
	if err != nil {
		return err
	}
	w.desk = sense.NewQuarantineDesk(w.queries, w.log, clk, messages, sources, e.quiet())
	return nil
}

// settled is what became of the entries of a command.
type settled struct {
	Done    int    `json:"done"`
	Refused int    `json:"refused"` // still not accepted, and open
	Passed  int    `json:"passed"`  // dealt with by somebody else
	Problem string `json:"problem,omitempty"`
}

// errLeft: not every entry could be settled.
var errLeft = errors.New("not every entry could be settled: see above")

func settleChosen(e *env, c chosen, ids []string, why string, asJSON bool, outcome string, do func(*ward, event.ID, string) error) error {
	if (len(ids) == 0) == (c.Reason == "") {
		return usagef("name entries, or choose a group with --reason")
	}
	w, err := openWard(e)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.openDesk(e); err != nil {
		return err
	}
	err = w.record(e, audit.Entry{
		Action: audit.Action("quarantine." + outcome), Object: "quarantine", Purpose: string(auth.Maintain), Why: why,
		Detail: map[string]string{"reason": c.Reason, "source": c.Source, "device": c.Device, "entries": fmt.Sprint(ids)},
	})
	if err != nil {
		return err
	}
	by := "command line: " + username()
	var s settled
	if len(ids) > 0 {
		for _, id := range ids {
			if err := s.count(do(w, event.ID(id), by)); err != nil {
				return err
			}
		}
	} else if err := s.all(e, w, c.filter(), by, why, outcome == "discarded"); err != nil {
		return err
	}
	return s.print(e, asJSON, outcome)
}

// all works on a whole group.
func (s *settled) all(e *env, w *ward, f sense.QuarantineFilter, by, why string, discard bool) error {
	bar := newProgress(e.Err)
	defer bar.done()
	j, err := w.desk.WorkAll(e.ctx, f, by, why, discard, func(j sense.Job) { bar.say("%d of %d", j.Seen(), j.Total) })
	*s = settled{j.Done, j.Refused, j.Passed, j.Problem}
	return err
}

// count notes how one entry went; it returns the error of what is not the entry's
// fault.
func (s *settled) count(err error) error {
	switch {
	case err == nil:
		s.Done++
	case errors.Is(err, sense.ErrSettled), errors.Is(err, sense.ErrUnderWay):
		s.Passed++
		s.Problem = err.Error()
	case errors.Is(err, sense.ErrStillRefused), errors.Is(err, sense.ErrCannotReplay):
		s.Refused++
		s.Problem = err.Error()
	default:
		return err
	}
	return nil
}

func (s *settled) print(e *env, asJSON bool, outcome string) error {
	if asJSON {
		if err := json.NewEncoder(e.Out).Encode(s); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(e.Out, "%s %s.\n", entries(s.Done), outcome)
		if s.Refused+s.Passed > 0 {
			fmt.Fprintf(e.Out, "%d not accepted this time either, %d dealt with by somebody else. The last: %s\n", s.Refused, s.Passed, oneLine(s.Problem))
		}
	}
	if s.Refused+s.Passed > 0 {
		return errLeft
	}
	return nil
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
