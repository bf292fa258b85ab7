package cli

import (
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
	log, err := openLog(e)
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
	if c.JSON {
		if err := json.NewEncoder(e.Out).Encode(report); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(e.Out, report)
		for _, p := range report.Problems {
			fmt.Fprintf(e.Out, "  entries %d to %d: %s\n", p.From, p.To-1, p.What)
		}
	}
	if !report.OK() {
		return errTampered
	}
	return nil
}
