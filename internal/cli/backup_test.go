package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// backupEnv is what commands on a data directory run in.
func backupEnv(t *testing.T, data string) (*env, *bytes.Buffer) {
	t.Helper()
	var out, errs bytes.Buffer
	r := &root{}
	r.Config.Data = data
	k, err := kong.New(&struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := k.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &env{
		IO: IO{Out: &out, Err: &errs}, ctx: context.Background(), logger: slog.New(slog.DiscardHandler),
		root: r, kong: k, parsed: parsed, file: &configFile{},
	}, &out
}

// observe puts observations of two devices on the log of a data directory.
func observe(t *testing.T, data string) {
	t.Helper()
	log, err := bus.Open(t.Context(), bus.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for n := range 3 {
		for _, device := range []string{"hub-7", "hub-8"} {
			o, err := json.Marshal(event.Observation{ID: event.NewID("t", device, fmt.Sprint(n)), Kind: event.KindPresent, Source: "mqtt", Device: device + "/door"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := log.Append(t.Context(), bus.Observations.Kept("31d"), o); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBackupAndEraseCommands(t *testing.T) {
	data, dir, to := t.TempDir(), filepath.Join(t.TempDir(), "backup"), t.TempDir()
	observe(t, data)
	e, out := backupEnv(t, data)
	other, otherOut := backupEnv(t, to)
	empty, _ := backupEnv(t, t.TempDir())
	for _, step := range []struct {
		run  func() error
		fail string // in the error
		out  string
	}{
		{func() error { return backupVerifyCmd{Dir: dir}.Run(e) }, "holds no backup", ""},
		{func() error { return backupCreateCmd{Dir: dir}.Run(empty) }, "holds no log", ""},
		{func() error { return backupCreateCmd{Dir: dir}.Run(e) }, "", "6 records added in 1 files, 0 erased."},
		{func() error { return backupVerifyCmd{Dir: dir}.Run(e) }, "", "OK: every file"},
		{func() error { return eraseCmd{}.Run(e) }, "--device or --premises", ""},
		{func() error { return eraseCmd{Device: "hub-7"}.Run(e) }, "--why is missing", ""},
		{func() error { return eraseCmd{Device: "hub-7", Why: "x", Backup: []string{to}}.Run(e) }, "nothing was erased", ""},
		{func() error { return eraseCmd{Device: "hub-7", DryRun: true}.Run(e) }, "", "3 observations and 0 entries of the quarantine would be erased. Nothing was changed.\n"},
		{func() error { return eraseCmd{Device: "hub-7", DryRun: true, JSON: true}.Run(e) }, "", `{"observations":3,"quarantined":0,"dry_run":true}`},
		{func() error {
			return eraseCmd{Device: "hub-7", Why: "consent withdrawn", Backup: []string{dir}}.Run(e)
		}, "", "3 observations and 0 entries of the quarantine erased.\n"},
		{func() error { return eraseCmd{Device: "hub-7", DryRun: true}.Run(e) }, "", "0 observations"},
		{func() error { return backupListCmd{Dir: dir}.Run(e) }, "", "OBSERVATIONS  31d       1      3"},
		{func() error { return backupListCmd{Dir: dir}.Run(e) }, "", "3 records were erased from it."},
		{func() error { return backupCreateCmd{Dir: dir, JSON: true}.Run(e) }, "", `"erased":0`},
		{func() error { return backupRestoreCmd{Dir: dir}.Run(e) }, "holds a log already", ""},
		{func() error { return backupVerifyCmd{Dir: dir, JSON: true}.Run(e) }, "", `{"ok":true,"problems":[]}`},
		{func() error { return backupRestoreCmd{Dir: dir}.Run(other) }, "", "records restored to " + to},
		{func() error { return eraseCmd{Device: "hub-8", DryRun: true}.Run(other) }, "", "3 observations"},
		{func() error { return eraseCmd{Device: "hub-7", DryRun: true}.Run(other) }, "", "0 observations"},
	} {
		out.Reset()
		otherOut.Reset()
		err := step.run()
		said := out.String() + otherOut.String()
		if (err != nil) != (step.fail != "") || err != nil && !strings.Contains(err.Error(), step.fail) || !strings.Contains(said, step.out) {
			t.Fatalf("%v, %q; want %q, %q", err, said, step.fail, step.out)
		}
	}
	log, err := bus.Open(t.Context(), bus.Config{Dir: to})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var actions []string
	if err := log.Each(t.Context(), bus.Audit, 0, func(r bus.Record) error {
		var a struct {
			Action string `json:"action"`
		}
		err := json.Unmarshal(r.Data, &a)
		actions = append(actions, a.Action)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(actions, " "); got != "backup.created observations.erased backup.restored" {
		t.Errorf("on the audit log: %s", got)
	}
	_ = backupCmd{}
}
