package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
)

// mappingCmd works on mappings.
type mappingCmd struct {
	Try  mappingTryCmd  `cmd:"" help:"Show what a program makes of a sample. Nothing is stored."`
	List mappingListCmd `cmd:"" help:"List mappings and their versions."`
	Show mappingShowCmd `cmd:"" help:"Print a mapping's program."`
	Put  mappingPutCmd  `cmd:"" help:"Add a version to a mapping, as a draft."`
	Live mappingLiveCmd `cmd:"" help:"Put a version to work, after trying it on a sample."`
	Stop mappingStopCmd `cmd:"" help:"Stop a mapping: its messages go to quarantine."`
}

// Help adds to the command's help.
func (mappingCmd) Help() string {
	return `A mapping is a short program in CEL that says what the JSON of a device means which no
dialect knows. The device sends to json/<name>, by MQTT or HTTP.`
}

// readInput reads a small file, or standard input.
func readInput(e *env, name string, most int64) ([]byte, error) {
	in := e.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return b, nil
}

// sample is a message to try a program on.
type sample struct {
	Sample string `help:"File with a message as the device sends it; - for standard input." required:"" type:"path" placeholder:"FILE"`
	Topic  string `help:"Topic that it comes under, such as json/parking/north." placeholder:"TOPIC"`
	Device string `help:"Id of the device that sends it." default:"some-device" placeholder:"ID"`
}

func (s sample) input(e *env, name string) (mapping.Input, error) {
	body, err := readInput(e, s.Sample, mapping.MaxBody)
	return mapping.Input{Mapping: name, Topic: cmp.Or(s.Topic, "json/"+name), Device: s.Device, Body: body, Received: time.Now().UTC()}, err
}

// mappingTryCmd tries a program.
type mappingTryCmd struct {
	sample
	Program string `help:"File with the program; - for standard input." required:"" type:"path" placeholder:"FILE"`
}

// Help adds to the command's help.
func (mappingTryCmd) Help() string {
	return "Each observation is printed as a JSON object on a line. Needs no platform."
}

// Run implements the command.
func (c mappingTryCmd) Run(e *env) error {
	if c.Program == "-" && c.Sample == "-" {
		return usagef("only one of --program and --sample can be standard input")
	}
	program, err := readInput(e, c.Program, mapping.MaxProgram)
	if err != nil {
		return err
	}
	in, err := c.input(e, mapping.NameOf(cmp.Or(c.Topic, "json/try")))
	if err != nil {
		return err
	}
	os, err := mapping.Try(string(program), in)
	if err != nil {
		return named(c.Program, err)
	}
	return eachLine(e.Out, os)
}

// named puts the file before a program's error, as compilers do.
func named(file string, err error) error {
	var at *mapping.Error
	if errors.As(err, &at) && at.Line > 0 {
		return fmt.Errorf("%s:%d:%d: %s", file, at.Line, at.Column, at.What)
	}
	return err
}

func openMappings(e *env) (*bus.Log, *mapping.Catalogue, error) {
	log, err := openOldLog(e)
	if err != nil {
		return nil, nil, err
	}
	c, err := mapping.Open(e.ctx, log, clock.Wall(), e.quiet())
	if err != nil {
		log.Close()
		return nil, nil, err
	}
	return log, c, nil
}

// mappingListCmd lists mappings.
type mappingListCmd struct {
	JSON bool `name:"json" help:"Print each mapping with all its versions as a JSON object on a line."`
}

// Run implements the command.
func (c mappingListCmd) Run(e *env) error {
	log, maps, err := openMappings(e)
	if err != nil {
		return err
	}
	defer log.Close()
	if c.JSON {
		return eachLine(e.Out, maps.Mappings())
	}
	if len(maps.Mappings()) == 0 {
		_, err := fmt.Fprintln(e.Out, "No mappings yet: add one with 'bluelamp mapping put', or in the control room.")
		return err
	}
	w := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tLIVE\tVERSIONS\tNEWEST\tBY\tWHY")
	for _, m := range maps.Mappings() {
		v, live := m.Newest(), "-"
		if m.Live > 0 {
			live = strconv.Itoa(m.Live)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", m.Name, live, len(m.Versions), v.Time.Format(time.RFC3339), v.By, oneLine(v.Why))
	}
	return w.Flush()
}

// mappingShowCmd prints a program.
type mappingShowCmd struct {
	Name    string `arg:"" help:"Name of the mapping."`
	Version int    `help:"Which version; by default the live one, else the newest." placeholder:"N"`
	JSON    bool   `name:"json" help:"Print the version as JSON."`
}

// Run implements the command.
func (c mappingShowCmd) Run(e *env) error {
	log, maps, err := openMappings(e)
	if err != nil {
		return err
	}
	defer log.Close()
	m, err := maps.Mapping(c.Name)
	if err != nil {
		return err
	}
	v, err := m.Version(cmp.Or(c.Version, m.Live, len(m.Versions)))
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(v)
	}
	_, err = fmt.Fprintln(e.Out, v.Program)
	return err
}

// mappingPutCmd adds a draft.
type mappingPutCmd struct {
	Name    string `arg:"" help:"Name of the mapping: a to z, 0 to 9, - and _."`
	Program string `help:"File with the program; - for standard input." required:"" type:"path" placeholder:"FILE"`
	Why     string `help:"What changes, and why." placeholder:"TEXT"`
}

// Run implements the command.
func (c mappingPutCmd) Run(e *env) error {
	program, err := readInput(e, c.Program, mapping.MaxProgram)
	if err != nil {
		return err
	}
	if _, err := mapping.Compile(string(program)); err != nil {
		return named(c.Program, err)
	}
	log, maps, err := openMappings(e)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := recordConsole(e, log, mappingEntry("mapping.drafted", c.Name, c.Why, 0)); err != nil {
		return err
	}
	v, err := maps.Draft(e.ctx, c.Name, string(program), "command line: "+username(), c.Why)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Out, "Version %d of %s is saved. Put it to work with 'bluelamp mapping live %s %d --sample FILE'.\n", v.Number, c.Name, c.Name, v.Number)
	return err
}

func mappingEntry(what audit.Action, name, why string, version int) audit.Entry {
	x := audit.Entry{Action: what, Object: "mapping/" + name, Purpose: string(auth.Maintain), Why: why, Detail: map[string]string{"mapping": name}}
	if version > 0 {
		x.Detail["version"] = strconv.Itoa(version)
	}
	return x
}

// mappingLiveCmd puts a version to work.
type mappingLiveCmd struct {
	sample
	Name    string `arg:"" help:"Name of the mapping."`
	Version int    `arg:"" help:"Number of the version."`
	Why     string `help:"Why, for the record." placeholder:"TEXT"`
}

// Run implements the command.
func (c mappingLiveCmd) Run(e *env) error {
	in, err := c.input(e, c.Name)
	if err != nil {
		return err
	}
	log, maps, err := openMappings(e)
	if err != nil {
		return err
	}
	defer log.Close()
	m, err := maps.Mapping(c.Name)
	if err != nil {
		return err
	}
	v, err := m.Version(c.Version)
	if err != nil {
		return err
	}
	os, err := mapping.Try(v.Program, in)
	if err != nil {
		return fmt.Errorf("version %d was not put to work: %w", c.Version, err)
	}
	if len(os) == 0 {
		return fmt.Errorf("version %d was not put to work: it says nothing of %s", c.Version, c.Sample)
	}
	if err := recordConsole(e, log, mappingEntry("mapping.live", c.Name, c.Why, c.Version)); err != nil {
		return err
	}
	if err := maps.Live(e.ctx, c.Name, c.Version, "command line: "+username(), c.Why); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Out, "Version %d of %s is live. Of the sample it makes %s.\n", c.Version, c.Name, count(len(os), "observation"))
	return err
}

// mappingStopCmd stops a mapping.
type mappingStopCmd struct {
	Name string `arg:"" help:"Name of the mapping."`
	Why  string `help:"Why, for the record." placeholder:"TEXT"`
}

// Run implements the command.
func (c mappingStopCmd) Run(e *env) error {
	log, maps, err := openMappings(e)
	if err != nil {
		return err
	}
	defer log.Close()
	if _, err := maps.Mapping(c.Name); err != nil {
		return err
	}
	if err := recordConsole(e, log, mappingEntry("mapping.stopped", c.Name, c.Why, 0)); err != nil {
		return err
	}
	if err := maps.Live(e.ctx, c.Name, 0, "command line: "+username(), c.Why); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Out, "%s is stopped: its messages go to quarantine.\n", c.Name)
	return err
}
