package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/bus/backup"
)

// backupCmd works on backups of the log.
type backupCmd struct {
	Create  backupCreateCmd  `cmd:"" help:"Copy to a backup what the log holds and the backup does not."`
	List    backupListCmd    `cmd:"" help:"List what a backup holds."`
	Verify  backupVerifyCmd  `cmd:"" help:"Read a whole backup and compare it with its index."`
	Restore backupRestoreCmd `cmd:"" help:"Fill a new data directory from a backup."`
}

// errBackup: a backup did not pass its verification.
var errBackup = errors.New("the backup is damaged: make a new one while the log is there")

// backupCreateCmd makes a backup, or adds to it.
type backupCreateCmd struct {
	Dir  string `arg:"" help:"Directory of the backup; made where there is none." type:"path"`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Help adds to the command's help.
func (backupCreateCmd) Help() string {
	return `Works while the server runs, and adds only what is new. What was erased from the
log is erased from the backup. Two things are not in a backup: what is kept for an
hour only, and the keys of the data directory. Without secret.key the registry and
the people of a restored log cannot be read: keep a copy of it apart from the backup.
Backups are not encrypted: whoever can read the directory can read what it holds.`
}

// Run implements the command.
func (c backupCreateCmd) Run(e *env) error {
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	bar := newProgress(e.Err)
	added, err := backup.At(c.Dir, time.Now).Create(e.ctx, log, func(stream string, n int) {
		bar.say("%s: %d records", stream, n)
	})
	bar.done()
	if err != nil {
		return err
	}
	if err := recordBackup(e, log, "backup.created", audit.Disclosure, c.Dir, added.Records); err != nil {
		return fmt.Errorf("the backup was made, and could not be recorded: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(added)
	}
	_, err = fmt.Fprintf(e.Out, "%d records added in %d files, %d erased. Keep secret.key elsewhere: it is not in the backup.\n", added.Records, added.Segments, added.Erased)
	return err
}

func recordBackup(e *env, log *bus.Log, action audit.Action, op audit.Operation, dir string, records int) error {
	who := auth.Console(username())
	return audit.NewRecorder(log, time.Now).Record(e.ctx, audit.Entry{
		Time: time.Now().UTC(), Actor: who.ID, ActorName: who.FullName, Role: who.RoleWords(),
		Action: action, Operation: op, Object: "backup/" + dir, Detail: map[string]string{"records": fmt.Sprint(records)},
	})
}

// backupListCmd lists a backup.
type backupListCmd struct {
	Dir  string `arg:"" help:"Directory of the backup." type:"path"`
	JSON bool   `name:"json" help:"Print the index as JSON."`
}

// Run implements the command.
func (c backupListCmd) Run(e *env) error {
	x, err := backup.ReadIndex(c.Dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(x)
	}
	w := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "STREAM\tKEPT FOR\tFILES\tRECORDS\tBYTES\tOLDEST\tNEWEST")
	for _, s := range sums(x) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", s.Stream, cmp.Or(s.Class, "review"), s.files, s.Records, s.Bytes,
			s.Oldest.Format(time.RFC3339), s.Newest.Format(time.RFC3339))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	erased := 0
	for _, t := range x.Tombstones {
		erased += t.Records
	}
	_, err = fmt.Fprintf(e.Out, "Made %s, brought up to date %s. %d records were erased from it.\n",
		x.Created.Format(time.RFC3339), x.Updated.Format(time.RFC3339), erased)
	return err
}

// sum is the segments of one stream and class.
type sum struct {
	backup.Segment
	files int
}

func sums(x *backup.Index) (out []*sum) {
	type key struct{ stream, class string }
	by := map[key]*sum{}
	for _, s := range x.Segments {
		t := by[key{s.Stream, s.Class}]
		if t == nil {
			t = &sum{Segment: s}
			t.Records, t.Bytes = 0, 0
			by[key{s.Stream, s.Class}] = t
			out = append(out, t)
		}
		t.files++
		t.Records += s.Records
		t.Bytes += s.Bytes
		if s.Oldest.Before(t.Oldest) {
			t.Oldest = s.Oldest
		}
		if s.Newest.After(t.Newest) {
			t.Newest = s.Newest
		}
	}
	return out
}

// backupVerifyCmd verifies a backup.
type backupVerifyCmd struct {
	Dir  string `arg:"" help:"Directory of the backup." type:"path"`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Run implements the command.
func (c backupVerifyCmd) Run(e *env) error {
	problems, err := backup.At(c.Dir, time.Now).Verify(e.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(e.Out).Encode(struct {
			OK       bool     `json:"ok"`
			Problems []string `json:"problems"`
		}{len(problems) == 0, append([]string{}, problems...)}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(e.Out, p)
		}
		if len(problems) == 0 {
			fmt.Fprintln(e.Out, "OK: every file is what was written.")
		}
	}
	if len(problems) > 0 {
		return errBackup
	}
	return nil
}

// backupRestoreCmd restores a backup.
type backupRestoreCmd struct {
	Dir  string `arg:"" help:"Directory of the backup." type:"path"`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Help adds to the command's help.
func (backupRestoreCmd) Help() string {
	return `Fills the data directory (--data), which must hold no log yet. Put secret.key, and the
audit log's key, there before you start the server; then run 'bluelamp rebuild'.
What was erased after the backup was last brought up to date comes back: erase it again.`
}

// Run implements the command.
func (c backupRestoreCmd) Run(e *env) error {
	if e.root.Config.NATS != "" {
		return usagef("a backup is restored to a data directory, not to a cluster: leave --nats out")
	}
	bar := newProgress(e.Err)
	done, err := backup.At(c.Dir, time.Now).Restore(e.ctx, e.root.Config.Data, func(stream string, n int) {
		bar.say("%s: %d records", stream, n)
	})
	bar.done()
	if err != nil {
		return err
	}
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := recordBackup(e, log, "backup.restored", audit.Alteration, c.Dir, done.Records); err != nil {
		return fmt.Errorf("the backup was restored, and could not be recorded: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(done)
	}
	_, err = fmt.Fprintf(e.Out, "%d records restored to %s; %d stay erased.\n", done.Records, e.root.Config.Data, done.LeftOut)
	return err
}
