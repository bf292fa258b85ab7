package cli

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// premisesCmd works on the registry.
type premisesCmd struct {
	Import premisesImportCmd `cmd:"" help:"Add premises and alarm accounts from a CSV file, or replace those with the same id."`
	List   premisesListCmd   `cmd:"" help:"List premises and their alarm accounts."`
}

// openRegistry opens the registry on the log.
func openRegistry(e *env) (*registry.Registry, func(), error) {
	log, err := openLog(e)
	if err != nil {
		return nil, nil, err
	}
	sealer, err := seal.Open(e.root.Config.Data)
	if err == nil {
		var r *registry.Registry
		if r, err = registry.New(e.ctx, log, sealer, clock.Wall(), e.logger); err == nil {
			return r, log.Close, nil
		}
	}
	log.Close()
	return nil, nil, err
}

// premisesImportCmd imports a CSV file.
type premisesImportCmd struct {
	File   string `arg:"" help:"CSV file with a header; - for standard input." type:"path"`
	DryRun bool   `help:"Only check the file and say what would change."`
}

// Help adds to the command's help.
func (premisesImportCmd) Help() string {
	return `Columns, in any order: id, name, kind, address, lat, lon, urn, account, class, key, zones.
Required: id, name, lat, lon. A line for each account: lines with one id make one premises.
class is SP2 to SP6 or none; key is hexadecimal; zones look like
  1=perimeter:Front door;2=interior:Hall;9=hold_up:Counter
with the kinds perimeter, interior, external and hold_up.`
}

// Run implements the command.
func (c premisesImportCmd) Run(e *env) error {
	in := e.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	ps, err := readPremises(in)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	reg, done, err := openRegistry(e)
	if err != nil {
		return err
	}
	defer done()
	added, replaced := 0, 0
	for _, p := range ps {
		if _, err := reg.Premises(p.ID); err == nil {
			replaced++
		} else {
			added++
		}
		if err := p.Check(); err != nil {
			return err
		}
	}
	if c.DryRun {
		fmt.Fprintf(e.Out, "%d premises would be added, %d replaced.\n", added, replaced)
		return nil
	}
	if err := reg.Put(e.ctx, operator(), ps...); err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "%d premises added, %d replaced.\n", added, replaced)
	return nil
}

// operator names who runs the command, for the record.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "command line: " + u.Username
	}
	return "command line"
}

// Bounds of an import.
const maxImport = 2_000_000 // lines

func readPremises(in io.Reader) ([]registry.Premises, error) {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	col := map[string]int{}
	for i, h := range header {
		col[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, need := range []string{"id", "name", "lat", "lon"} {
		if _, ok := col[need]; !ok {
			return nil, fmt.Errorf("the header lacks the column %q", need)
		}
	}
	at := map[string]int{}
	var out []registry.Premises
	for n := 0; n < maxImport; n++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		get := func(name string) string {
			if i, ok := col[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		i, known := at[get("id")]
		if !known {
			p, err := premisesOf(get)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			i = len(out)
			at[p.ID] = i
			out = append(out, p)
		}
		if get("account") != "" {
			a, err := accountOf(get)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			out[i].Accounts = append(out[i].Accounts, a)
		}
	}
	return nil, fmt.Errorf("more than %d lines: split the file", maxImport)
}

func premisesOf(get func(string) string) (registry.Premises, error) {
	lat, err := strconv.ParseFloat(get("lat"), 64)
	if err != nil {
		return registry.Premises{}, fmt.Errorf("column lat: %w", err)
	}
	lon, err := strconv.ParseFloat(get("lon"), 64)
	if err != nil {
		return registry.Premises{}, fmt.Errorf("column lon: %w", err)
	}
	return registry.Premises{
		ID: strings.Clone(get("id")), Name: strings.Clone(get("name")), Kind: strings.Clone(get("kind")),
		Address: strings.Clone(get("address")), URN: strings.Clone(get("urn")), Place: place.Point{Lat: lat, Lon: lon},
	}, nil
}

func accountOf(get func(string) string) (registry.Account, error) {
	a := registry.Account{Number: strings.Clone(get("account")), Class: strings.Clone(get("class"))}
	if a.Class == "" {
		a.Class = "none"
	}
	key, err := hex.DecodeString(get("key"))
	if err != nil {
		return a, fmt.Errorf("column key: %w: want hexadecimal digits", err)
	}
	a.Key = key
	for _, z := range strings.Split(get("zones"), ";") {
		if z = strings.TrimSpace(z); z == "" {
			continue
		}
		number, rest, ok := strings.Cut(z, "=")
		kind, name, _ := strings.Cut(rest, ":")
		if !ok || !zoneKinds[event.ZoneKind(kind)] {
			return a, fmt.Errorf("column zones: %q: want number=kind:name with the kind perimeter, interior, external or hold_up", z)
		}
		if a.Zones == nil {
			a.Zones = map[string]registry.Zone{}
		}
		a.Zones[strings.Clone(number)] = registry.Zone{Kind: event.ZoneKind(strings.Clone(kind)), Name: strings.Clone(name)}
	}
	return a, nil
}

var zoneKinds = map[event.ZoneKind]bool{
	event.ZonePerimeter: true, event.ZoneInterior: true, event.ZoneExternal: true, event.ZoneHoldUp: true,
}

// premisesListCmd lists the registry.
type premisesListCmd struct {
	JSON bool `name:"json" help:"Print each premises as a JSON object on a line."`
}

// Run implements the command.
func (c premisesListCmd) Run(e *env) error {
	reg, done, err := openRegistry(e)
	if err != nil {
		return err
	}
	defer done()
	if c.JSON {
		enc := json.NewEncoder(e.Out)
		for _, p := range reg.All() {
			if err := enc.Encode(p); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tKIND\tPLACE\tACCOUNT\tCLASS\tENCRYPTED")
	for _, p := range reg.All() {
		if len(p.Accounts) == 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\t\t\n", p.ID, p.Name, p.Kind, p.Place)
		}
		for _, a := range p.Accounts {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%t\n", p.ID, p.Name, p.Kind, p.Place, a.Number, a.Class, len(a.Key) > 0)
		}
	}
	return w.Flush()
}
