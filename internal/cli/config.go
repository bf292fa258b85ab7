package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// configFile gives flags their values from a YAML file whose keys are the flags'
// names. Nested keys join with a hyphen: dc09: {tcp: ...} is dc09-tcp.
type configFile struct {
	path   string
	values map[string]any
	used   map[string]bool
}

var _ kong.Resolver = (*configFile)(nil)

// maxConfig bounds the configuration file, in bytes.
const maxConfig = 1 << 20

// load reads the file that --config or BLUELAMP_CONFIG names.
func (f *configFile) load(args []string) error {
	f.path = os.Getenv("BLUELAMP_CONFIG")
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			f.path = v
		} else if a == "--config" && i+1 < len(args) {
			f.path = args[i+1]
		} else if a == "--" {
			break
		}
	}
	f.values, f.used = map[string]any{}, map[string]bool{}
	if f.path == "" {
		return nil
	}
	st, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("reading the configuration file: %w", err)
	}
	if st.Size() > maxConfig {
		return fmt.Errorf("the configuration file %s has %d bytes, more than %d", f.path, st.Size(), maxConfig)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("reading the configuration file: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return fmt.Errorf("configuration file %s: %s", f.path, yaml.FormatError(err, false, true))
	}
	flatten(f.values, "", tree)
	return nil
}

func flatten(out map[string]any, prefix string, tree map[string]any) {
	for k, v := range tree {
		key := strings.ReplaceAll(prefix+k, "_", "-")
		if sub, ok := v.(map[string]any); ok && key != "oidc-roles" {
			flatten(out, key+"-", sub)
			continue
		}
		out[key] = v
	}
}

// Validate implements kong.Resolver.
func (f *configFile) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: the environment comes before the file.
func (f *configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := f.values[flag.Name]
	if !ok {
		return nil, nil
	}
	if envSet(flag) != "" || flag.Name == "help" || flag.Name == "config" {
		return nil, nil
	}
	f.used[flag.Name] = true
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = fmt.Sprint(p)
		}
		return strings.Join(parts, ","), nil
	case map[string]any:
		parts := make([]string, 0, len(v))
		for k, p := range v {
			parts = append(parts, fmt.Sprintf("%s=%v", k, p))
		}
		sort.Strings(parts)
		return strings.Join(parts, ";"), nil
	}
	return fmt.Sprint(v), nil
}

// unused reports keys of the file that no flag of any command has: one file may
// serve all commands.
func (f *configFile) unused(model *kong.Application) error {
	known := map[string]bool{}
	for _, n := range append(model.Leaves(false), model.Node) {
		for _, flag := range n.Flags {
			known[flag.Name] = flag.Name != "config" && flag.Name != "help"
		}
	}
	var bad []string
	for k := range f.values {
		if !known[k] {
			bad = append(bad, k)
		}
	}
	sort.Strings(bad)
	if len(bad) > 0 {
		return fmt.Errorf("configuration file %s: unknown key %s: 'bluelamp config' lists those that exist", f.path, strings.Join(bad, ", "))
	}
	return nil
}

// blame adds to an error about a flag's value that the value is the file's.
func (f *configFile) blame(err error) error {
	for name := range f.used {
		if strings.HasPrefix(err.Error(), "--"+name+":") || strings.HasPrefix(err.Error(), "--"+name+" ") {
			return fmt.Errorf("%w (key %s of the configuration file %s)", err, name, f.path)
		}
	}
	return err
}

func envSet(flag *kong.Flag) string {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return name
		}
	}
	return ""
}

// byDefault is the origin of a value that nobody gave.
const byDefault = "default"

// origin says where a flag's value comes from.
func (e *env) origin(flag *kong.Flag) string {
	for _, p := range e.parsed.Path {
		if p.Flag != nil && !p.Resolved && p.Flag.Name == flag.Name {
			return "flag"
		}
	}
	switch {
	case envSet(flag) != "":
		return "environment " + envSet(flag)
	case e.file.used[flag.Name]:
		return "file " + e.file.path
	}
	return byDefault
}

// given reports whether the named flag has a value that somebody gave.
func (e *env) given(name string) bool {
	for _, flag := range e.kong.Model.Flags {
		if flag.Name == name {
			return e.origin(flag) != byDefault
		}
	}
	return false
}

// configCmd prints the effective configuration.
type configCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// setting is one value of the configuration.
type setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Help adds to the command's help.
func (configCmd) Help() string {
	return `The settings that follow may be given here too, to see what they come to. In the
configuration file the same names are keys, and nested keys join with a hyphen:

  http: 0.0.0.0:8443
  dc09:
    tcp: 0.0.0.0:10500    # is dc09-tcp

Secrets are not shown.`
}

// shown is a flag's value as people may see it.
func shown(flag *kong.Flag) string {
	switch v := flag.Target.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case map[string]string:
		parts := make([]string, 0, len(v))
		for _, k := range sortedKeys(v) {
			parts = append(parts, k+"="+v[k])
		}
		return strings.Join(parts, ";")
	case string:
		if flag.Tag.Has("secret") && v != "" {
			return "(hidden)"
		}
		return withoutPassword(v)
	default:
		return fmt.Sprint(v)
	}
}

// withoutPassword hides the password of a URL: of the database, of a cluster.
func withoutPassword(v string) string {
	if !strings.Contains(v, "@") || !strings.Contains(v, "://") {
		return v
	}
	parts := strings.Split(v, ",") // a cluster has several
	for i, p := range parts {
		u, err := url.Parse(p)
		if err != nil {
			return "(hidden)" // it may hold a password that cannot be told apart
		}
		if q := u.Query(); q.Has("password") {
			q.Set("password", "xxxxx")
			u.RawQuery = q.Encode()
		}
		parts[i] = u.Redacted()
	}
	return strings.Join(parts, ",")
}

// Run implements the command.
func (c configCmd) Run(e *env) error {
	var out []setting
	for _, flag := range e.kong.Model.Flags {
		if flag.Name == "help" {
			continue
		}
		out = append(out, setting{Name: flag.Name, Value: shown(flag), Origin: e.origin(flag)})
	}
	if c.JSON {
		enc := json.NewEncoder(e.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	w := tabwriter.NewWriter(e.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tORIGIN")
	for _, s := range out {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, cmp.Or(s.Value, "-"), s.Origin)
	}
	return w.Flush()
}
