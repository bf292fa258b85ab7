package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/store"
)

// auditCmd works on the record of who did what.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that the record of who did what has not been changed."`
}

// auditVerifyCmd verifies the audit log.
type auditVerifyCmd struct {
	Key        string   `help:"Public key of the log, if you have kept it elsewhere; by default that of the data directory."`
	Checkpoint []string `help:"Checkpoint files that you have kept elsewhere." type:"existingfile" placeholder:"FILE"`
	JSON       bool     `name:"json" help:"Print the report as JSON."`
}

// errTampered: the audit log is not what it was.
var errTampered = errors.New("the audit log has been changed: keep the data directory as it is, and have it looked into")

// Help adds to the command's help.
func (auditVerifyCmd) Help() string {
	return `Every entry is hashed again and compared with every signed checkpoint. Works while
the server runs. Checkpoints that were copied to another machine also show whether
the newest entries were removed together with the checkpoints over them.`
}

// Run implements the command.
func (c auditVerifyCmd) Run(e *env) error {
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	ev := audit.Evidence{Dir: e.root.Config.Data, Key: c.Key}
	for _, name := range c.Checkpoint {
		data, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading a checkpoint: %w", err)
		}
		texts, rest := audit.SplitCheckpoints(data)
		if len(rest) > 0 {
			texts = append(texts, rest)
		}
		if len(texts) == 0 || !bytes.HasPrefix(texts[0], []byte(audit.OriginPrefix)) {
			return usagef("--checkpoint: %s holds no checkpoints of an audit log: give a copy of %s", name, audit.CheckpointsFile)
		}
		ev.Known = append(ev.Known, texts...)
	}
	db, err := store.Open(e.ctx, e.root.Config.Database())
	if err != nil {
		return err
	}
	defer db.Close()
	ev.DB = db
	report, err := audit.Verify(e.ctx, log, ev)
	if err != nil {
		return err
	}
	if err := c.print(e, report); err != nil {
		return err
	}
	if !report.OK() {
		return errTampered
	}
	return nil
}

// auditVerdict is what is printed with --json.
type auditVerdict struct {
	OK          bool           `json:"ok"`
	Entries     int64          `json:"entries"`
	Root        string         `json:"root"`
	Checkpoints int            `json:"checkpoints"`
	Covered     int64          `json:"covered"`
	Problems    []auditProblem `json:"problems"`
}

// auditProblem concerns the entries first to end-1; none when they are equal.
type auditProblem struct {
	First int64  `json:"first"`
	End   int64  `json:"end"`
	What  string `json:"what"`
}

func (c auditVerifyCmd) print(e *env, r audit.Report) error {
	if c.JSON {
		out := auditVerdict{OK: r.OK(), Entries: r.Size, Root: r.Root, Checkpoints: r.Checkpoints, Covered: r.Covered, Problems: []auditProblem{}}
		for _, p := range r.Problems {
			out.Problems = append(out.Problems, auditProblem{p.From, p.To, p.What})
		}
		return json.NewEncoder(e.Out).Encode(out)
	}
	if r.OK() {
		_, err := fmt.Fprintf(e.Out, "OK: %s\n", r)
		return err
	}
	fmt.Fprintf(e.Out, "ALTERED: %s\n", r)
	for _, p := range r.Problems {
		where := "the log"
		switch {
		case p.To == p.From+1:
			where = fmt.Sprintf("entry %d", p.From)
		case p.To > p.From:
			where = fmt.Sprintf("entries %d to %d", p.From, p.To-1)
		}
		fmt.Fprintf(e.Out, "  %s: %s\n", where, p.What)
	}
	return nil
}
