package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/store"
)

// quarantineCmd works the quarantine.
type quarantineCmd struct {
	List    quarantineListCmd    `cmd:"" help:"List what could not be accepted: by reason, or the entries of one reason."`
	Show    quarantineShowCmd    `cmd:"" help:"Show one entry."`
	Replay  quarantineReplayCmd  `cmd:"" help:"Let entries come in again by the way they came."`
	Discard quarantineDiscardCmd `cmd:"" help:"Settle entries that are worth nothing."`
}

// Help adds to the command's help.
func (quarantineCmd) Help() string {
	return "Works while the server runs, and without it. What is done is on the audit log."
}

// chosen are the flags that choose entries.
type chosen struct {
	Reason string `help:"Only entries with this reason." placeholder:"REASON"`
	Source string `help:"Only entries of this source." placeholder:"SOURCE"`
	Device string `help:"Only entries of this device." placeholder:"ID"`
}

func (c chosen) filter() sense.QuarantineFilter {
	return sense.QuarantineFilter{Source: c.Source, Reason: c.Reason, Device: c.Device}
}

// ward is the quarantine of a platform, as the command line works it.
type ward struct {
	log     *bus.Log
	db      *store.DB
	queries *sense.Queries
	desk    *sense.QuarantineDesk // nil until openDesk
}

// openWard opens the quarantine, with its read model up to date.
func openWard(e *env) (_ *ward, err error) {
	w := &ward{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.log, err = openOldLog(e); err != nil {
		return nil, err
	}
	if w.db, err = store.Open(e.ctx, e.root.Config.Database()); err != nil {
		return nil, err
	}
	if err = w.catchUp(e.ctx, e); err != nil {
		return nil, err
	}
	w.queries = sense.NewQueries(w.db, w.log)
	return w, nil
}

func (w *ward) catchUp(ctx context.Context, e *env) error {
	return w.db.CatchUp(ctx, w.log, sense.NewQuarantineEntries(e.quiet()), nil)
}

func (w *ward) close() {
	if w.desk != nil {
		w.desk.Close()
	}
	if w.db != nil {
		w.db.Close()
	}
	if w.log != nil {
		w.log.Close()
	}
}

// record writes down what is about to be done from the command line.
func (w *ward) record(e *env, entry audit.Entry) error { return recordConsole(e, w.log, entry) }

// recordConsole is how what is done on the command line gets on the audit log.
func recordConsole(e *env, log *bus.Log, entry audit.Entry) error {
	who := auth.Console(username())
	entry.Time, entry.Actor, entry.ActorName, entry.Role = time.Now().UTC(), who.ID, who.FullName, who.RoleWords()
	if err := audit.NewRecorder(log, time.Now).Record(e.ctx, entry); err != nil {
		return fmt.Errorf("nothing was done, since it could not be recorded: %w", err)
	}
	return nil
}

// quarantineListCmd lists groups or entries.
type quarantineListCmd struct {
	chosen
	Settled bool `help:"List what was replayed or discarded, instead of what is open."`
	Limit   int  `help:"Entries at most." default:"100"`
	JSON    bool `name:"json" help:"Print each group or entry as a JSON object on a line."`
}

// Help adds to the command's help.
func (quarantineListCmd) Help() string {
	return "Without --reason, --source, --device and --settled the groups are listed; with any of these their entries, the newest first."
}

// Run implements the command.
func (c quarantineListCmd) Run(e *env) error {
	w, err := openWard(e)
	if err != nil {
		return err
	}
	defer w.close()
	if c.chosen == (chosen{}) && !c.Settled {
		return c.groups(e, w)
	}
	f := c.filter()
	f.Settled = c.Settled
	rows, err := w.queries.QuarantineFind(e.ctx, f, 0, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return eachLine(e.Out, rows)
	}
	t := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tRECEIVED\tSOURCE\tFROM\tBYTES\tREASON\tSTATE\tDETAIL")
	for _, r := range rows {
		from, state := r.Device, string(r.Outcome)
		if from == "" {
			from = r.From
		}
		if state == "" {
			state = "open"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%.100s\n", r.ID, r.Received.Format(time.RFC3339), r.Source, from, r.Size, r.Reason, state, oneLine(r.Detail))
	}
	return t.Flush()
}

func (c quarantineListCmd) groups(e *env, w *ward) error {
	groups, err := w.queries.QuarantineGroups(e.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return eachLine(e.Out, groups)
	}
	if len(groups) == 0 {
		_, err := fmt.Fprintln(e.Out, "The quarantine is empty.")
		return err
	}
	t := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ENTRIES\tREASON\tSOURCE\tSENDERS\tNEWEST\tSUCH AS")
	for _, g := range groups {
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%.100s\n", g.Count, g.Reason, g.Source, g.Senders, g.Newest.Format(time.RFC3339), oneLine(g.Detail))
	}
	return t.Flush()
}

func eachLine[T any](out io.Writer, list []T) error {
	enc := json.NewEncoder(out)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// oneLine keeps what strangers wrote from moving the cursor.
func oneLine(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// quarantineShowCmd shows an entry.
type quarantineShowCmd struct {
	ID      string `arg:"" help:"Id of the entry, see 'bluelamp quarantine list'."`
	Purpose string `help:"Show the bytes too, which may be personal data, for this purpose: ${enum}." enum:",respond,safeguard,investigate,maintain,audit" default:"" placeholder:"PURPOSE"`
	Why     string `help:"A note for the record of the look." placeholder:"TEXT"`
	JSON    bool   `name:"json" help:"Print JSON; the bytes are in base64."`
}

// Run implements the command.
func (c quarantineShowCmd) Run(e *env) error {
	w, err := openWard(e)
	if err != nil {
		return err
	}
	defer w.close()
	row, err := w.queries.QuarantineRow(e.ctx, event.ID(c.ID))
	if err != nil {
		return err
	}
	out := struct {
		sense.QuarantineRow
		Bytes []byte `json:"bytes,omitempty"`
	}{QuarantineRow: row}
	if c.Purpose != "" {
		entry, err := w.queries.QuarantineEntry(e.ctx, row.ID)
		if err != nil {
			return err
		}
		err = w.record(e, audit.Entry{
			Action: audit.RecordOpened, Operation: audit.Consultation, Object: "quarantine/" + c.ID, Purpose: c.Purpose, Why: c.Why,
			Detail: map[string]string{"opened": "bytes of a quarantine entry", "device": row.Device, "reason": row.Reason},
		})
		if err != nil {
			return err
		}
		out.Bytes = entry.Bytes
	}
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(out)
	}
	t := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	for _, x := range [][2]string{
		{"Id", string(row.ID)},
		{"Received", row.Received.Format(time.RFC3339Nano)},
		{"Source", row.Source},
		{"From", row.From},
		{"Device", row.Device},
		{"Topic", oneLine(row.Topic)},
		{"Reason", row.Reason},
		{"Detail", oneLine(row.Detail)},
		{"Size", fmt.Sprintf("%d bytes, %d kept", row.Size, row.Kept)},
		{"State", stateOf(&row)},
		{"Last problem", oneLine(row.Problem)},
	} {
		if x[1] != "" {
			fmt.Fprintf(t, "%s:\t%s\n", x[0], x[1])
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	switch {
	case len(out.Bytes) > 0:
		_, err = fmt.Fprint(e.Out, hex.Dump(out.Bytes))
	case c.Purpose == "" && row.Kept > 0:
		_, err = fmt.Fprintln(e.Out, "Its bytes may be personal data: --purpose shows them, and is recorded.")
	}
	return err
}

func stateOf(r *sense.QuarantineRow) string {
	switch {
	case r.Outcome != sense.OutcomeOpen:
		return fmt.Sprintf("%s by %s at %s %s", r.Outcome, r.OutcomeBy, r.OutcomeAt.Format(time.RFC3339), oneLine(r.OutcomeWhy))
	case r.ClaimBy != "":
		return fmt.Sprintf("being worked on by %s since %s", r.ClaimBy, r.ClaimAt.Format(time.RFC3339))
	case r.Tries > 0:
		return "open, tried " + count(r.Tries, "time")
	}
	return "open"
}
