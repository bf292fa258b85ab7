package cli

import (
	"cmp"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// premisesCmd works on the registry.
type premisesCmd struct {
	Import premisesImportCmd `cmd:"" help:"Add premises and alarm accounts from a CSV file, or change those with the same id."`
	List   premisesListCmd   `cmd:"" help:"List premises and their alarm accounts."`
}

// openRegistry opens the registry on a log.
func openRegistry(e *env, log *bus.Log) (*registry.Registry, error) {
	sealer, err := app.OpenSealer(e.ctx, log, e.root.Config.Data)
	if err != nil {
		return nil, err
	}
	return registry.New(e.ctx, log, sealer, clock.Wall(), e.quiet())
}

// premisesImportCmd imports a CSV file.
type premisesImportCmd struct {
	File   string `arg:"" help:"CSV file with a header; - for standard input." type:"path"`
	DryRun bool   `help:"Only check the file and say what would change."`
}

// Help adds to the command's help.
func (premisesImportCmd) Help() string {
	return `Columns, in any order: id, name, kind, address, lat, lon, urn, basis, purpose, account,
class, key, zones. Required: id, name, lat, lon. A line for each account: lines with one id make one
premises, and all but the first may leave out what they share. Of premises that are
known already, what the file has no column for is kept; so are keyholders.
class is SP2 to SP6 or none; key is hexadecimal; zones look like
  1=perimeter:Front door;2=interior:Hall;9=hold_up:Counter
with the kinds perimeter, interior, external and hold_up. basis is the lawful basis on
which what is sensed there is kept: consent, contract, legal_obligation,
vital_interests, public_task, legitimate_interests or law_enforcement. Of a home
without one nothing is kept but what a device's own entry allows; where there is an
alarm account, its contract covers its own signals.`
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
	read, err := readPremises(in)
	if err != nil {
		return fmt.Errorf("nothing was imported from %s:\n%w", c.File, err)
	}
	log, err := openLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	reg, err := openRegistry(e, log)
	if err != nil {
		return err
	}
	added, changed := 0, 0
	for i := range read.found {
		if old, err := reg.Premises(read.found[i].ID); err == nil {
			read.keep(&read.found[i], old)
			changed++
		} else {
			added++
		}
	}
	if n := baseless(read.found); n > 0 {
		fmt.Fprintf(e.Err, "%d of these homes state no basis (column basis): what is sensed there is refused, unless the device's own entry states one.\n", n)
	}
	if c.DryRun {
		fmt.Fprintf(e.Out, "%d premises would be added, %d changed. Nothing was changed.\n", added, changed)
		return nil
	}
	who := auth.Console(username())
	err = audit.NewRecorder(log, time.Now).Record(e.ctx, audit.Entry{
		Time: time.Now().UTC(), Actor: who.ID, ActorName: who.FullName, Role: who.RoleWords(), Action: "premises.imported", Operation: audit.Alteration,
		Object: "premises/", Detail: map[string]string{"file": c.File, "added": strconv.Itoa(added), "changed": strconv.Itoa(changed)},
	})
	if err != nil {
		return fmt.Errorf("nothing was imported, since it could not be recorded: %w", err)
	}
	if err := reg.Put(e.ctx, "command line: "+username(), read.found...); err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "%d premises added, %d changed.\n", added, changed)
	return nil
}

// baseless counts the homes of which nothing may be kept as they are described.
func baseless(ps []registry.Premises) (n int) {
	for i := range ps {
		if p := &ps[i]; p.Home() && p.Basis == event.BasisNone && len(p.Accounts) == 0 {
			n++
		}
	}
	return n
}

// username is who runs the command, for the record.
func username() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// keep takes over from what is known of premises already whatever the file has
// no column for: keyholders always.
func (r *premisesReader) keep(p, old *registry.Premises) {
	text := func(col string, is *string, was string) {
		if _, ok := r.cols[col]; !ok {
			*is = was
		}
	}
	p.Keyholders = old.Keyholders
	text("kind", &p.Kind, old.Kind)
	text("address", &p.Address, old.Address)
	text("urn", &p.URN, old.URN)
	text("basis", (*string)(&p.Basis), string(old.Basis))
	text("purpose", &p.Purpose, old.Purpose)
	if _, ok := r.cols["account"]; !ok {
		p.Accounts = old.Accounts
		return
	}
	for i := range p.Accounts {
		a := &p.Accounts[i]
		at := slices.IndexFunc(old.Accounts, func(o registry.Account) bool { return o.Number == a.Number })
		if at < 0 {
			continue
		}
		text("class", &a.Class, old.Accounts[at].Class)
		if _, ok := r.cols["key"]; !ok {
			a.Key = old.Accounts[at].Key
		}
		if _, ok := r.cols["zones"]; !ok {
			a.Zones = old.Accounts[at].Zones
		}
	}
}

// Bounds of an import.
const (
	maxImport      = 2_000_000 // lines
	maxImportFails = 20        // bad lines that are named
)

// premisesReader makes premises of the lines of a CSV file.
type premisesReader struct {
	csv   *csv.Reader
	cols  map[string]int
	row   []string
	at    map[string]int // by id, in found
	found []registry.Premises
	lines []int // on which each of found was met first
	fails []error
}

// readPremises reads a whole file, and names its bad lines together: whoever
// mends a long list wants to know of all.
func readPremises(in io.Reader) (*premisesReader, error) {
	r := &premisesReader{csv: csv.NewReader(in), cols: map[string]int{}, at: map[string]int{}}
	r.csv.ReuseRecord = true
	if err := r.header(); err != nil {
		return nil, err
	}
	for n := 0; len(r.fails) < maxImportFails; n++ {
		row, err := r.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if n == maxImport {
			return nil, fmt.Errorf("more than %d lines: split the file", maxImport)
		}
		if err != nil { // names its line
			r.fails = append(r.fails, err)
			if !errors.Is(err, csv.ErrFieldCount) {
				break // where the next line begins is anybody's guess
			}
			continue
		}
		r.row = row
		line, _ := r.csv.FieldPos(0)
		if err := r.take(line); err != nil {
			r.fail(line, err)
		}
	}
	for i := range r.found {
		if err := r.found[i].Check(); err != nil && len(r.fails) < maxImportFails {
			r.fail(r.lines[i], err)
		}
	}
	return r, errors.Join(r.fails...)
}

func (r *premisesReader) fail(line int, err error) {
	r.fails = append(r.fails, fmt.Errorf("line %d: %w", line, err))
}

func (r *premisesReader) header() error {
	header, err := r.csv.Read()
	if err != nil {
		return fmt.Errorf("reading the header: %w", err)
	}
	for i, h := range header {
		h = strings.TrimPrefix(h, "\ufeff") // spreadsheets begin their files with it
		r.cols[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, need := range []string{"id", "name", "lat", "lon"} {
		if _, ok := r.cols[need]; !ok {
			return fmt.Errorf("the header lacks the column %q: see 'bluelamp premises import --help'", need)
		}
	}
	return nil
}

// get returns the row's value of a column, or "".
func (r *premisesReader) get(name string) string {
	if i, ok := r.cols[name]; ok {
		return strings.TrimSpace(r.row[i])
	}
	return ""
}

func (r *premisesReader) take(line int) error {
	i, known := r.at[r.get("id")]
	if !known {
		p, err := premisesOf(r.get)
		if err != nil {
			return err
		}
		i = len(r.found)
		r.at[p.ID] = i
		r.found = append(r.found, p)
		r.lines = append(r.lines, line)
	} else if err := r.same(&r.found[i]); err != nil {
		return fmt.Errorf("%w than on line %d, and one id is one premises", err, r.lines[i])
	}
	if r.get("account") == "" {
		return nil
	}
	a, err := accountOf(r.get)
	if err != nil {
		return err
	}
	r.found[i].Accounts = append(r.found[i].Accounts, a)
	return nil
}

// same complains when the row says something else of its premises than an
// earlier row did. What it leaves out is the same.
func (r *premisesReader) same(p *registry.Premises) error {
	number := func(is float64) func(string) bool {
		return func(v string) bool {
			n, err := strconv.ParseFloat(v, 64)
			return err == nil && n == is
		}
	}
	text := func(is string) func(string) bool { return func(v string) bool { return v == is } }
	for _, col := range []struct {
		name string
		same func(string) bool
	}{
		{"name", text(p.Name)},
		{"kind", text(p.Kind)},
		{"address", text(p.Address)},
		{"lat", number(p.Place.Lat)},
		{"lon", number(p.Place.Lon)},
		{"urn", text(p.URN)},
		{"basis", text(string(p.Basis))},
		{"purpose", text(p.Purpose)},
	} {
		if v := r.get(col.name); v != "" && !col.same(v) {
			return fmt.Errorf("column %s: %q is another for premises %q", col.name, v, p.ID)
		}
	}
	return nil
}

func premisesOf(get func(string) string) (registry.Premises, error) {
	lat, err := strconv.ParseFloat(get("lat"), 64)
	if err != nil {
		return registry.Premises{}, fmt.Errorf("column lat: %q is not a number of degrees", get("lat"))
	}
	lon, err := strconv.ParseFloat(get("lon"), 64)
	if err != nil {
		return registry.Premises{}, fmt.Errorf("column lon: %q is not a number of degrees", get("lon"))
	}
	return registry.Premises{
		ID: strings.Clone(get("id")), Name: strings.Clone(get("name")), Kind: strings.Clone(get("kind")),
		Address: strings.Clone(get("address")), URN: strings.Clone(get("urn")), Place: place.Point{Lat: lat, Lon: lon},
		Basis: event.Basis(strings.Clone(get("basis"))), Purpose: strings.Clone(get("purpose")),
	}, nil
}

func accountOf(get func(string) string) (registry.Account, error) {
	a := registry.Account{Number: strings.Clone(get("account")), Class: strings.Clone(get("class"))}
	if a.Class == "" {
		a.Class = "none"
	}
	key, err := hex.DecodeString(get("key"))
	if err != nil {
		return a, errors.New("column key: want hexadecimal digits, two for each byte") // the key itself is not for screens
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
	log, err := openOldLog(e)
	if err != nil {
		return err
	}
	defer log.Close()
	reg, err := openRegistry(e, log)
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(e.Out)
		for _, p := range reg.All() {
			if err := enc.Encode(p); err != nil {
				return err
			}
		}
		return nil
	}
	if len(reg.All()) == 0 {
		_, err := fmt.Fprintln(e.Out, "No premises yet: add some with 'bluelamp premises import', or in the control room.")
		return err
	}
	w := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tKIND\tPLACE\tACCOUNT\tCLASS\tENCRYPTED")
	for _, p := range reg.All() {
		if len(p.Accounts) == 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t-\t-\t-\n", p.ID, p.Name, cmp.Or(p.Kind, "-"), p.Place)
		}
		for _, a := range p.Accounts {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Name, cmp.Or(p.Kind, "-"), p.Place, a.Number, a.Class, yesNo(len(a.Key) > 0))
		}
	}
	return w.Flush()
}
