// Package cli is the command line: it turns arguments, environment and
// configuration file into calls of the packages that do the work.
//
// Each subcommand is a struct with its flags and a Run method, in the file of
// its name. Exit codes: 0 success, 1 failure, 2 wrong usage.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/bluelamp/bluelamp/internal/app"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// IO is where a command reads and writes.
type IO struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// root holds every flag and subcommand.
type root struct {
	ConfigFile string     `name:"config" help:"Configuration file (YAML)." env:"BLUELAMP_CONFIG" type:"path" placeholder:"FILE"`
	Config     app.Config `embed:""`

	Serve      serveCmd      `cmd:"" help:"Run the platform."`
	Demo       demoCmd       `cmd:"" help:"Run the platform with a simulated town whose devices speak to it."`
	Replay     replayCmd     `cmd:"" help:"Run recorded signals through the detectors, and print the alerts."`
	DC09       dc09Cmd       `cmd:"" name:"dc09" help:"Speak SIA DC-09, as an alarm panel does."`
	Edge       edgeCmd       `cmd:"" help:"Run a gateway for a street cabinet or a site with a poor link."`
	Premises   premisesCmd   `cmd:"" help:"List premises and alarm accounts, or import them."`
	Device     deviceCmd     `cmd:"" help:"List, import, enrol and revoke devices."`
	Sense      senseCmd      `cmd:"" help:"Ask what devices may say."`
	Mapping    mappingCmd    `cmd:"" help:"Teach the platform the JSON of devices that it does not know."`
	Quarantine quarantineCmd `cmd:"" help:"Look at what could not be accepted, and replay it."`
	Hotlist    hotlistCmd    `cmd:"" help:"The number plates that are looked for."`
	MUD        mudCmd        `cmd:"" name:"mud" help:"Read manufacturers' usage descriptions, and check traffic against them."`
	CAP        capCmd        `cmd:"" name:"cap" help:"Check public warnings."`
	Erase      eraseCmd      `cmd:"" help:"Erase what was observed of a device or of premises."`
	Backup     backupCmd     `cmd:"" help:"Back the log up, and restore it."`
	Bench      benchCmd      `cmd:"" help:"Measure the platform."`
	Audit      auditCmd      `cmd:"" help:"Check the record of who did what."`
	Rebuild    rebuildCmd    `cmd:"" help:"Make the database anew from the log."`
	ShowConf   configCmd     `cmd:"" name:"config" help:"Print the effective configuration and where each value comes from."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// env is what commands run in.
type env struct {
	IO
	ctx     context.Context
	root    *root
	kong    *kong.Kong
	parsed  *kong.Context
	file    *configFile
	version string
	logger  *slog.Logger
}

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main runs the program and returns its exit code.
func Main(args []string, stdio IO, version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, stdio, version)
}

func run(ctx context.Context, args []string, stdio IO, version string) int {
	r := &root{}
	file := &configFile{}
	exit := -1
	k, err := kong.New(r,
		kong.Name("bluelamp"),
		kong.Description(description),
		kong.Writers(stdio.Out, stdio.Err),
		kong.Exit(func(code int) { exit = code }),
		kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Resolvers(file),
		kong.ExplicitGroups(groups),
	)
	if err != nil {
		fmt.Fprintln(stdio.Err, "bluelamp:", err)
		return exitFailure
	}
	if err := file.load(args); err != nil {
		fmt.Fprintln(stdio.Err, "bluelamp:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := k.Parse(args)
	if exit >= 0 { // help was asked for and printed
		return exit
	}
	if err != nil {
		fmt.Fprintf(stdio.Err, "bluelamp: %v\nSee '%s --help'.\n", file.blame(err), helpFor(parsed, err))
		return exitUsage
	}
	if err := file.unused(k.Model); err != nil {
		fmt.Fprintln(stdio.Err, "bluelamp:", err)
		return exitUsage
	}
	e := &env{IO: stdio, ctx: ctx, root: r, kong: k, parsed: parsed, file: file, version: version, logger: newLogger(stdio.Err, r.Config)}
	if err := parsed.Run(e); err != nil {
		fmt.Fprintln(stdio.Err, "bluelamp:", err)
		var wrong usageError
		if errors.As(err, &wrong) {
			return exitUsage
		}
		return exitFailure
	}
	return exitOK
}

// helpFor names the command whose help tells more about a mistake.
func helpFor(parsed *kong.Context, err error) string {
	var wrong *kong.ParseError
	if parsed == nil && errors.As(err, &wrong) {
		parsed = wrong.Context
	}
	if parsed == nil || parsed.Selected() == nil {
		return "bluelamp"
	}
	return parsed.Selected().FullPath()
}

func newLogger(w io.Writer, c app.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// versionCmd prints the version.
type versionCmd struct{}

// Run implements the command.
func (versionCmd) Run(e *env) error {
	_, err := fmt.Fprintln(e.Out, "bluelamp", e.version)
	return err
}
