package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/bus/backup"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/retention"
	"github.com/bluelamp/bluelamp/internal/store"
)

// eraseCmd erases what a device, or the devices of premises, said.
type eraseCmd struct {
	Device   string   `help:"Id of the device; what it brings from others (hub/child) is meant too." placeholder:"ID"`
	Premises string   `help:"Id of the premises." placeholder:"ID"`
	Why      string   `help:"Why it is erased, in words, for the record; name nobody." placeholder:"TEXT"`
	Backup   []string `help:"Backup from which it is erased too." type:"path" placeholder:"DIR"`
	DryRun   bool     `help:"Only say how much there is."`
	JSON     bool     `name:"json" help:"Print the result as JSON."`
}

// Help adds to the command's help.
func (eraseCmd) Help() string {
	return `Works while the server runs, and without it. Observations go from the log, where
they are overwritten on disk, from the database and from the backups that are named.
What a device had retained for its own subscribers goes too; a broker that runs
forgets it when it is restarted. Alerts and incidents that rest on them stay; they show that a signal was erased.
A device that still sends is heard again: withdraw its consent, or revoke it, first.`
}

// Run implements the command.
func (c eraseCmd) Run(e *env) error {
	who := retention.Subject{Device: c.Device, Premises: c.Premises}
	if (c.Device == "") == (c.Premises == "") {
		return usagef("give --device or --premises, one of them")
	}
	if strings.TrimSpace(c.Why) == "" && !c.DryRun {
		return usagef("--why is missing: say for the record why this is erased")
	}
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	var backups []retention.Backups
	for _, dir := range c.Backup {
		if _, err := backup.ReadIndex(dir); err != nil {
			return fmt.Errorf("nothing was erased: %w", err)
		}
		backups = append(backups, backup.At(dir, time.Now))
	}
	reg, err := openRegistry(e, log)
	if err != nil {
		return fmt.Errorf("nothing was erased: %w", err)
	}
	for _, d := range reg.Devices() {
		if c.Premises != "" && d.Premises == c.Premises {
			who.Devices = append(who.Devices, d.ID)
		}
	}
	keeper := retention.NewKeeper(log, clock.Wall(), e.quiet(), backups...)
	n, err := keeper.Count(e.ctx, who)
	if err != nil {
		return fmt.Errorf("nothing was erased: %w", err)
	}
	if c.DryRun {
		return c.print(e, n, "would be erased. Nothing was changed")
	}
	if err := c.record(e, log, n); err != nil {
		return fmt.Errorf("nothing was erased, since it could not be recorded: %w", err)
	}
	n, err = keeper.Erase(e.ctx, who, c.Why, "command line: "+username())
	if err = errors.Join(err, forgetRows(e, log), forgetRetained(e, log, append(who.Devices, c.Device))); err != nil {
		return fmt.Errorf("not everything was erased (run the command again): %w", err)
	}
	return c.print(e, n, "erased")
}

func (c eraseCmd) record(e *env, log *bus.Log, n retention.Count) error {
	object := "premises/" + c.Premises
	if c.Device != "" {
		object = "device/" + c.Device
	}
	who := auth.Console(username())
	return audit.NewRecorder(log, time.Now).Record(e.ctx, audit.Entry{
		Time: time.Now().UTC(), Actor: who.ID, ActorName: who.FullName, Role: who.RoleWords(),
		Action: "observations.erased", Operation: audit.Erasure, Object: object, Why: c.Why,
		Detail: map[string]string{
			"observations": strconv.FormatUint(n.Observations, 10),
			"quarantined":  strconv.FormatUint(n.Quarantined, 10),
			"backups":      strconv.Itoa(len(c.Backup)),
		},
	})
}

// forgetRetained takes what the devices had retained off the log.
func forgetRetained(e *env, log *bus.Log, devices []string) error {
	for _, id := range devices {
		if id == "" {
			continue
		}
		if _, err := mqtt.Forget(e.ctx, log, id); err != nil {
			return err
		}
	}
	return nil
}

// forgetRows deletes from the database the rows of what the ledger says was erased.
// A running server does so too; whoever is first moves the position.
func forgetRows(e *env, log *bus.Log) error {
	db, err := store.Open(e.ctx, e.root.Config.Database())
	if err != nil {
		return err
	}
	defer db.Close()
	return db.CatchUp(e.ctx, log, retention.NewLedger(e.quiet(), retention.RowsOf(app.Projections(e.quiet()))...), nil)
}

func (c eraseCmd) print(e *env, n retention.Count, what string) error {
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(struct {
			retention.Count
			DryRun bool `json:"dry_run"`
		}{n, c.DryRun})
	}
	_, err := fmt.Fprintf(e.Out, "%d observations and %d entries of the quarantine %s.\n", n.Observations, n.Quarantined, what)
	return err
}
