package cli

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense/street"
)

// hotlistCmd works on the number plates that the force looks for.
type hotlistCmd struct {
	Import hotlistImportCmd `cmd:"" help:"Put number plates on the hotlist from a CSV file."`
	List   hotlistListCmd   `cmd:"" help:"List the number plates that are looked for, and why."`
	Remove hotlistRemoveCmd `cmd:"" help:"Take number plates off the hotlist."`
}

// openHotlist opens the hotlist on a log.
func openHotlist(e *env, log *bus.Log) (*street.Hotlist, error) {
	sealer, err := app.OpenSealer(e.ctx, log, e.root.Config.Data)
	if err != nil {
		return nil, err
	}
	return street.OpenHotlist(e.ctx, log, sealer, time.Now, e.quiet())
}

// recordHotlist notes on the audit log what is about to be done. Plates are not
// written there: that log is kept for ever and is not sealed.
func recordHotlist(e *env, log *bus.Log, entry audit.Entry) error {
	who := auth.Console(username())
	entry.Time, entry.Actor, entry.ActorName, entry.Role = time.Now().UTC(), who.ID, who.FullName, who.RoleWords()
	entry.Object = "hotlist/"
	if err := audit.NewRecorder(log, time.Now).Record(e.ctx, entry); err != nil {
		return fmt.Errorf("nothing was done, since it could not be recorded: %w", err)
	}
	return nil
}

// hotlistImportCmd imports a CSV file.
type hotlistImportCmd struct {
	File       string `arg:"" help:"CSV file with a header; - for standard input." type:"path"`
	Authoriser string `help:"Who answers for entries whose line names nobody." placeholder:"NAME"`
	Days       int    `help:"How long entries stay whose line has no date." default:"28" placeholder:"N"`
	DryRun     bool   `help:"Only check the file and say what would be done."`
}

// Help adds to the command's help.
func (hotlistImportCmd) Help() string {
	return `Columns, in any order: plate, list, reason, authoriser, expires. Required: plate, list,
reason. expires is a date such as 2026-06-30, at most 366 days ahead. An entry replaces
one of the same plate. Nothing is put on the list unless every line is good. A running
server looks for the plates within seconds.`
}

// Run implements the command.
func (c hotlistImportCmd) Run(e *env) error {
	in := e.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	wanted, err := readWanted(in, c.Authoriser, time.Now().UTC().AddDate(0, 0, c.Days))
	if err == nil {
		err = street.CheckWanted(time.Now(), wanted...)
	}
	if err != nil {
		return fmt.Errorf("nothing was imported from %s:\n%w", c.File, err)
	}
	if c.DryRun {
		_, err := fmt.Fprintf(e.Out, "%s would be put on the hotlist. Nothing was changed.\n", count(len(wanted), "number plate"))
		return err
	}
	log, err := openLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	list, err := openHotlist(e, log)
	if err != nil {
		return err
	}
	err = recordHotlist(e, log, audit.Entry{
		Action: "hotlist.imported", Operation: audit.Collection,
		Detail: map[string]string{"file": c.File, "plates": strconv.Itoa(len(wanted)), "authorisers": authorisers(wanted)},
	})
	if err != nil {
		return err
	}
	if err := list.Put(e.ctx, "command line: "+username(), wanted...); err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "%s put on the hotlist, which now has %d.\n", count(len(wanted), "number plate"), len(list.All()))
	return nil
}

// authorisers names who answers for entries, once each.
func authorisers(ws []street.Wanted) string {
	seen := map[string]bool{}
	var names []string
	for _, w := range ws {
		if !seen[w.Authoriser] && len(names) < maxImportFails {
			seen[w.Authoriser] = true
			names = append(names, w.Authoriser)
		}
	}
	return strings.Join(names, "; ")
}

// readWanted reads a whole file, and names its bad lines together. What a line
// leaves out is as given.
func readWanted(in io.Reader, authoriser string, expires time.Time) ([]street.Wanted, error) {
	r := csv.NewReader(in)
	r.TrimLeadingSpace = true
	cols, err := wantedColumns(r)
	if err != nil {
		return nil, err
	}
	var out []street.Wanted
	var fails []error
	for len(fails) < maxImportFails {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // names its line, and no plate
			fails = append(fails, err)
			if !errors.Is(err, csv.ErrFieldCount) {
				break
			}
			continue
		}
		if len(out) == maxImport {
			return nil, fmt.Errorf("more than %d lines: split the file", maxImport)
		}
		get := func(name string) string {
			if i, ok := cols[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		w := street.Wanted{Plate: get("plate"), List: get("list"), Reason: get("reason"), Authoriser: get("authoriser"), Expires: expires}
		if w.Authoriser == "" {
			w.Authoriser = authoriser
		}
		if date := get("expires"); date != "" {
			if w.Expires, err = wantedUntil(date); err != nil {
				line, _ := r.FieldPos(0)
				fails = append(fails, fmt.Errorf("line %d: %w", line, err))
			}
		}
		out = append(out, w)
	}
	if len(out) == 0 && len(fails) == 0 {
		return nil, errors.New("the file has no entries")
	}
	return out, errors.Join(fails...)
}

func wantedColumns(r *csv.Reader) (map[string]int, error) {
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	cols := map[string]int{}
	for i, h := range head {
		cols[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))] = i
	}
	for _, need := range []string{"plate", "list", "reason"} {
		if _, ok := cols[need]; !ok {
			return nil, fmt.Errorf("the header lacks the column %q: see 'bluelamp hotlist import --help'", need)
		}
	}
	return cols, nil
}

// wantedUntil reads the day, or the moment, at whose end an entry expires.
func wantedUntil(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("column expires: %.40q is no date such as 2026-06-30", s)
	}
	return t.AddDate(0, 0, 1), nil // it holds on the day itself
}

// hotlistListCmd lists the hotlist.
type hotlistListCmd struct {
	Why  string `help:"Why you look at the list: it is recorded." required:"" placeholder:"TEXT"`
	JSON bool   `name:"json" help:"Print each entry as a JSON object on a line."`
}

// Run implements the command.
func (c hotlistListCmd) Run(e *env) error {
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	list, err := openHotlist(e, log)
	if err != nil {
		return err
	}
	all := list.All()
	err = recordHotlist(e, log, audit.Entry{
		Action: "hotlist.listed", Operation: audit.Consultation, Why: c.Why, Detail: map[string]string{"plates": strconv.Itoa(len(all))},
	})
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(e.Out)
		for _, w := range all {
			if err := enc.Encode(w); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(e.Out, "No number plate is looked for: put some on the list with 'bluelamp hotlist import'.")
		return err
	}
	tw := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "PLATE\tLIST\tREASON\tAUTHORISER\tEXPIRES")
	for _, w := range all {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", w.Plate, w.List, w.Reason, w.Authoriser, w.Expires.UTC().Format("2006-01-02 15:04"))
	}
	return tw.Flush()
}

// hotlistRemoveCmd takes plates off the list.
type hotlistRemoveCmd struct {
	Why    string   `help:"Why they are not looked for any more: it is recorded." required:"" placeholder:"TEXT"`
	Plates []string `arg:"" name:"plate" help:"Number plates to take off the list."`
}

// Run implements the command.
func (c hotlistRemoveCmd) Run(e *env) error {
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	list, err := openHotlist(e, log)
	if err != nil {
		return err
	}
	err = recordHotlist(e, log, audit.Entry{
		Action: "hotlist.removed", Operation: audit.Erasure, Why: c.Why, Detail: map[string]string{"plates": strconv.Itoa(len(c.Plates))},
	})
	if err != nil {
		return err
	}
	n, err := list.Remove(e.ctx, c.Plates...)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "%s taken off the hotlist, which now has %d.\n", count(n, "number plate"), len(list.All()))
	if n < len(c.Plates) {
		return fmt.Errorf("%d of the %d were not on it", len(c.Plates)-n, len(c.Plates))
	}
	return nil
}
