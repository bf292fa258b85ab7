package arch

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHouse holds the real source tree to the design.
func TestHouse(t *testing.T) {
	g, err := Load(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := g.Packages[self]; !ok {
		t.Fatalf("Load did not find %s itself, so it is not reading the tree: %v", self, g.Packages)
	}
	for _, sentence := range Check(g) {
		t.Error(sentence)
	}
}

func TestCheck(t *testing.T) {
	const m = "example.org/house/"
	const missions = "mission packages do not import each other; they meet in events, or through a small interface that its user declares and app fills in"
	const pure = "protocol uses the standard library only, so that others can import it without our dependencies"
	for name, c := range map[string]struct {
		pkg     string
		imports []string
		want    []string
	}{
		"all the way down": {
			pkg:     "cmd/bluelamp",
			imports: []string{"os", m + "internal/app", m + "internal/cli", m + "internal/bus", m + "protocol/dc09"},
		},
		"any library above protocol": {
			pkg:     "internal/store",
			imports: []string{"database/sql", "modernc.org/sqlite", m + "internal/event"},
		},
		"siblings of one mission": {
			pkg:     "internal/detect/network",
			imports: []string{m + "internal/detect", m + "internal/detect/rule"},
		},
		"a page and its mission": {
			pkg:     "internal/web/incident",
			imports: []string{m + "internal/incident", m + "internal/web"},
		},
		"a protocol and another": {
			pkg:     "protocol/ieee1609",
			imports: []string{"encoding/binary", m + "protocol/uper"},
		},
		"upwards": {
			pkg:     "internal/bus",
			imports: []string{m + "internal/sense"},
			want:    []string{"internal/bus imports internal/sense: imports point down only, and from bus, store, audit, auth and seal one does not reach up to the mission packages"},
		},
		"far upwards": {
			pkg:     "internal/web",
			imports: []string{m + "internal/app", m + "cmd/bluelamp"},
			want: []string{
				"internal/web imports cmd/bluelamp: imports point down only, and from web one does not reach up to cmd",
				"internal/web imports internal/app: imports point down only, and from web one does not reach up to app and cli",
			},
		},
		"a mission and its page": {
			pkg:     "internal/incident",
			imports: []string{m + "internal/web/incident"},
			want:    []string{"internal/incident imports internal/web/incident: imports point down only, and from the mission packages one does not reach up to web"},
		},
		"two missions": {
			pkg:     "internal/sense/dc09",
			imports: []string{m + "internal/incident", m + "internal/sense"},
			want:    []string{"internal/sense/dc09 imports internal/incident: " + missions},
		},
		"a protocol and the world": {
			pkg:     "protocol/dc09",
			imports: []string{"errors", "golang.org/x/text/encoding", m + "internal/event", m + "rules"},
			want: []string{
				"protocol/dc09 imports internal/event: imports point down only, and from protocol one does not reach up to event, place and clock",
				"protocol/dc09 imports rules: " + pure,
				"protocol/dc09 imports golang.org/x/text/encoding: " + pure,
			},
		},
		"the checker": {
			pkg:     "internal/app",
			imports: []string{m + "internal/arch"},
			want:    []string{"internal/app imports internal/arch: this package checks the design and serves nothing else"},
		},
		"no room": {
			pkg:     "internal/util",
			imports: []string{m + "internal/app"},
			want:    []string{"internal/util has no place in the design: put it in one of its rooms, or give it a floor in internal/arch/rooms.go"},
		},
		"the root": {
			pkg:  ".",
			want: []string{". has no place in the design: put it in one of its rooms, or give it a floor in internal/arch/rooms.go"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Check(Graph{
				Module:   "example.org/house",
				Packages: map[string]Package{c.pkg: {Imports: c.imports, Documented: true}},
			})
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                       "module example.org/house\n\ngo 1.26\n",
		"internal/bus/bus.go":          "package bus\n\nimport \"example.org/house/internal/sense\"\n\nvar _ sense.X\n",
		"internal/bus/bus_plan9.go":    "package bus\n\nimport _ \"embed\"\n",
		"internal/bus/bus_test.go":     "package bus\n\nimport _ \"example.org/house/internal/web\"\n",
		"internal/sense/doc.go":        "// Package sense takes signals in.\npackage sense\n",
		"internal/sense/testdata/a.go": "package broken {",
		"web/node_modules/a/a.go":      "package broken {",
		"internal/sense/tagged.go":     "//go:build linux\n\npackage sense\n\ntype X int\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	want := Graph{Module: "example.org/house", Packages: map[string]Package{
		"internal/bus":   {Imports: []string{"example.org/house/internal/sense", "embed"}},
		"internal/sense": {Documented: true},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
	wantSentences := []string{
		"internal/bus has no package comment: say what comes in, what goes out and where to start reading, in its doc.go",
		"internal/bus imports internal/sense: imports point down only, and from bus, store, audit, auth and seal one does not reach up to the mission packages",
	}
	if diff := cmp.Diff(wantSentences, Check(got)); diff != "" {
		t.Errorf("Check (-want +got):\n%s", diff)
	}
}

func TestLoadErrors(t *testing.T) {
	root := t.TempDir()
	if _, err := Load(root); err == nil {
		t.Error("Load accepted a directory without a go.mod")
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("go 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(root); err == nil {
		t.Error("Load accepted a go.mod without a module line")
	}
}
