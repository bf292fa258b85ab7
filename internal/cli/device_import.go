package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/audit"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// deviceImportCmd imports a file of devices.
type deviceImportCmd struct {
	File   string `arg:"" help:"CSV file with a header, or a file of JSON objects, one a line; - for standard input." type:"path"`
	Format string `enum:"auto,csv,jsonl" default:"auto" help:"csv or jsonl; auto: by the file's name, and CSV from standard input."`
	DryRun bool   `help:"Only say what would change, field by field."`
	JSON   bool   `name:"json" help:"Print what changes as JSON."`
}

// Help adds to the command's help.
func (deviceImportCmd) Help() string {
	var names []string
	for _, f := range deviceFields() {
		names = append(names, f.name)
	}
	return `Columns or fields, in any order: id, ` + strings.Join(names, ", ") + `.
Required: id, and name for a new device. Of devices that are known already, what the
file has no column for is kept, and so are credentials and invitations; what it leaves
empty is cleared. speaks and aliases hold several with a semicolon between, reporting
is a span such as 15m, consent_given and consent_until are days. A new consent_given
is a new consent. Nothing is imported when any line is wrong.`
}

// deviceChange is what a line of a file changes.
type deviceChange struct {
	Line   int           `json:"line"`
	ID     string        `json:"id"`
	Fields []fieldChange `json:"fields"`
}

// fieldChange is one field's change. Personal data are not shown.
type fieldChange struct {
	Field    string `json:"field"`
	Old      string `json:"old,omitempty"`
	New      string `json:"new,omitempty"`
	Personal bool   `json:"personal,omitempty"`
}

// wrongLine is a line that cannot be imported.
type wrongLine struct {
	Line    int    `json:"line"`
	Problem string `json:"problem"`
}

// devicePlan is what an import does.
type devicePlan struct {
	Imported  bool           `json:"imported"`
	Added     []deviceChange `json:"added"`
	Changed   []deviceChange `json:"changed"`
	Unchanged []string       `json:"unchanged"`
	Wrong     []wrongLine    `json:"wrong"`

	puts []registry.Device
}

// Run implements the command.
func (c deviceImportCmd) Run(e *env) error {
	in := e.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	lines, wrong, err := c.lines(in)
	if err != nil {
		return fmt.Errorf("nothing was imported from %s: %w", c.File, err)
	}
	desk, err := openDevices(e, false)
	if err != nil {
		return err
	}
	defer desk.close()
	plan := planDevices(desk.reg, lines, wrong)
	if len(plan.Wrong) == 0 && !c.DryRun && len(plan.puts) > 0 {
		err := desk.record(audit.Entry{Action: "devices.imported", Operation: audit.Alteration, Object: "device/", Detail: map[string]string{
			"file": c.File, "added": strconv.Itoa(len(plan.Added)), "changed": strconv.Itoa(len(plan.Changed)),
		}})
		if err != nil {
			return fmt.Errorf("nothing was imported, since it could not be recorded: %w", err)
		}
		if err := desk.reg.AmendDevices(e.ctx, desk.by(), plan.puts...); err != nil {
			return err
		}
	}
	plan.Imported = len(plan.Wrong) == 0 && !c.DryRun
	if c.JSON {
		if err := json.NewEncoder(e.Out).Encode(plan); err != nil {
			return err
		}
	} else {
		plan.print(e.Out, c.DryRun)
	}
	if len(plan.Wrong) > 0 {
		return plan.problems(c.File, c.JSON)
	}
	return nil
}

// problems tells of the wrong lines together: whoever mends a long list wants to
// know of all. Where they are printed already it only counts them.
func (p *devicePlan) problems(file string, printed bool) error {
	if printed {
		return fmt.Errorf("nothing was imported from %s: %s wrong", file, count(len(p.Wrong), "line is"))
	}
	var said []error
	for i, w := range p.Wrong {
		if i == maxImportFails {
			said = append(said, fmt.Errorf("and %d lines more", len(p.Wrong)-i))
			break
		}
		said = append(said, fmt.Errorf("line %d: %s", w.Line, w.Problem))
	}
	return fmt.Errorf("nothing was imported from %s:\n%w", file, errors.Join(said...))
}

func (p *devicePlan) print(w io.Writer, dry bool) {
	would := ""
	if dry || len(p.Wrong) > 0 {
		for _, c := range p.Added {
			fmt.Fprintf(w, "+ %s (line %d)\n", c.ID, c.Line)
			for _, f := range c.Fields {
				fmt.Fprintf(w, "    %s: %s\n", f.Field, f.shown(f.New))
			}
		}
		for _, c := range p.Changed {
			fmt.Fprintf(w, "~ %s (line %d)\n", c.ID, c.Line)
			for _, f := range c.Fields {
				fmt.Fprintf(w, "    %s: %s -> %s\n", f.Field, f.shown(f.Old), f.shown(f.New))
			}
		}
		for _, id := range p.Unchanged {
			fmt.Fprintf(w, "= %s\n", id)
		}
		would = " would be"
	}
	end := "."
	if would != "" {
		end = ". Nothing was changed."
	}
	fmt.Fprintf(w, "%s%s added, %d changed; %d unchanged%s\n", count(len(p.Added), "device"), would, len(p.Changed), len(p.Unchanged), end)
}

func (f fieldChange) shown(v string) string {
	switch {
	case f.Personal:
		return "(personal)"
	case v == "":
		return "(none)"
	}
	return v
}

// deviceLine is what a line of a file says: its fields by name.
type deviceLine struct {
	line   int
	fields map[string]string
}

// lines reads a whole file.
func (c deviceImportCmd) lines(in io.Reader) ([]deviceLine, []wrongLine, error) {
	ext := strings.ToLower(filepath.Ext(c.File))
	if c.Format == "jsonl" || c.Format == "auto" && slices.Contains([]string{".json", ".jsonl", ".ndjson"}, ext) {
		return jsonDevices(in)
	}
	return csvDevices(in)
}

// maxDevices is the most lines of a file of devices, maxDeviceLine the longest.
const (
	maxDevices    = 1_000_000
	maxDeviceLine = 1 << 20
)

var errTooManyDevices = fmt.Errorf("more than %d lines: split the file", maxDevices)

func knownField(name string) bool {
	return name == "id" || slices.ContainsFunc(deviceFields(), func(f deviceField) bool { return f.name == name })
}

func csvDevices(in io.Reader) (out []deviceLine, wrong []wrongLine, err error) {
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("reading the header: %w", err)
	}
	for i, h := range header {
		header[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))) // spreadsheets begin their files with it
		if !knownField(header[i]) {
			return nil, nil, fmt.Errorf("the header has the column %q, which devices have not: see 'bluelamp device import --help'", h)
		}
		if slices.Contains(header[:i], header[i]) {
			return nil, nil, fmt.Errorf("the header has the column %q twice", h)
		}
	}
	if !slices.Contains(header, "id") {
		return nil, nil, errors.New(`the header lacks the column "id": see 'bluelamp device import --help'`)
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, wrong, nil
		}
		if len(out)+len(wrong) == maxDevices {
			return nil, nil, errTooManyDevices
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			wrong = append(wrong, wrongLine{bad.StartLine, bad.Err.Error()})
			if !errors.Is(err, csv.ErrFieldCount) {
				return out, wrong, nil // where the next line begins is anybody's guess
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		l := deviceLine{fields: map[string]string{}}
		l.line, _ = r.FieldPos(0)
		for i, v := range row {
			l.fields[header[i]] = strings.TrimSpace(v)
		}
		out = append(out, l)
	}
}

func jsonDevices(in io.Reader) (out []deviceLine, wrong []wrongLine, err error) {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 64<<10), maxDeviceLine)
	n := 1
	for ; sc.Scan(); n++ {
		line := bytes.TrimSpace(bytes.TrimPrefix(sc.Bytes(), []byte("\ufeff")))
		if len(line) == 0 {
			continue
		}
		if len(out)+len(wrong) == maxDevices {
			return nil, nil, errTooManyDevices
		}
		fields, err := jsonDevice(line)
		if err != nil {
			wrong = append(wrong, wrongLine{n, err.Error()})
			continue
		}
		out = append(out, deviceLine{n, fields})
	}
	if err := sc.Err(); err != nil {
		return nil, nil, fmt.Errorf("line %d: %w", n, err)
	}
	return out, wrong, nil
}

func jsonDevice(line []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || d.More() {
		return nil, errors.New("not one JSON object")
	}
	fields := map[string]string{}
	for name, v := range object {
		if !knownField(name) {
			return nil, fmt.Errorf("the field %.50q, which devices have not: see 'bluelamp device import --help'", name)
		}
		text, err := jsonText(v)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		fields[name] = text
	}
	return fields, nil
}

// jsonText is a field's value as a column would hold it.
func jsonText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(v), nil
	case json.Number:
		return v.String(), nil
	case []any:
		var parts []string
		for _, p := range v {
			s, ok := p.(string)
			if !ok || strings.Contains(s, ";") {
				return "", errors.New("want a list of texts without semicolons")
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, ";"), nil
	}
	return "", errors.New("want a text, a number or a list of texts")
}

// planDevices compares a file with the registry.
func planDevices(reg *registry.Registry, lines []deviceLine, wrong []wrongLine) *devicePlan {
	p := &devicePlan{Added: []deviceChange{}, Changed: []deviceChange{}, Unchanged: []string{}, Wrong: append([]wrongLine{}, wrong...)}
	fields := deviceFields()
	var ds []registry.Device
	var changes []deviceChange
	var fresh []bool
	for _, l := range lines {
		d := registry.Device{ID: l.fields["id"]}
		old, err := reg.Device(d.ID)
		if err == nil {
			d = *old
		}
		change, bad := amended(&d, l, fields)
		if bad != nil {
			p.Wrong = append(p.Wrong, wrongLine{l.line, bad.Error()})
			continue
		}
		ds, changes, fresh = append(ds, d), append(changes, change), append(fresh, err != nil)
	}
	for i, err := range reg.CheckDevices(ds) {
		switch {
		case err != nil:
			p.Wrong = append(p.Wrong, wrongLine{changes[i].Line, strings.TrimPrefix(err.Error(), registry.ErrInvalid.Error()+": ")})
			continue
		case fresh[i]:
			p.Added = append(p.Added, changes[i])
		case len(changes[i].Fields) > 0:
			p.Changed = append(p.Changed, changes[i])
		default:
			p.Unchanged = append(p.Unchanged, ds[i].ID)
			continue
		}
		p.puts = append(p.puts, ds[i])
	}
	slices.SortStableFunc(p.Wrong, func(a, b wrongLine) int { return a.Line - b.Line })
	return p
}

// amended changes a device as a line says, and returns how.
func amended(d *registry.Device, l deviceLine, fields []deviceField) (deviceChange, error) {
	c := deviceChange{Line: l.line, ID: d.ID, Fields: []fieldChange{}}
	if (l.fields["lat"] == "") != (l.fields["lon"] == "") {
		return c, errors.New("lat and lon go together")
	}
	for _, f := range fields {
		v, said := l.fields[f.name]
		if !said {
			continue
		}
		old := f.get(d)
		if err := f.set(d, v); err != nil {
			return c, fmt.Errorf("column %s: %w", f.name, err)
		}
		if now := f.get(d); now != old {
			change := fieldChange{Field: f.name, Old: old, New: now}
			if f.personal {
				change = fieldChange{Field: f.name, Personal: true}
			}
			c.Fields = append(c.Fields, change)
		}
	}
	return c, nil
}
