package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Graph is what a module's packages import and whether they introduce themselves.
type Graph struct {
	// Module is the module's path, "github.com/bluelamp/bluelamp".
	Module string
	// Packages are keyed by their path within the module; "." is its root.
	Packages map[string]Package
}

// Package is one package as its files show it.
type Package struct {
	// Imports are full import paths, of the files that are not tests.
	Imports []string
	// Documented says that a file of the package carries a package comment.
	Documented bool
}

// self is this package: it belongs to no floor, for nothing in the house uses it.
const self = "internal/arch"

// Check returns one sentence for each breach of the design, in order of package
// path. An empty result means that the house is in order.
func Check(g Graph) []string {
	var found []string
	for _, path := range slices.Sorted(maps.Keys(g.Packages)) {
		p := g.Packages[path]
		if !p.Documented {
			found = append(found, fmt.Sprintf(
				"%s has no package comment: say what comes in, what goes out and where to start reading, in its doc.go", path))
		}
		from, ok := roomOf(path)
		if !ok {
			if path != self {
				found = append(found, fmt.Sprintf(
					"%s has no place in the design: put it in one of its rooms, or give it a floor in %s/rooms.go", path, self))
			}
			continue
		}
		for _, imported := range slices.Sorted(slices.Values(p.Imports)) {
			if why := forbidden(g.Module, from, imported); why != "" {
				short := strings.TrimPrefix(imported, g.Module+"/")
				found = append(found, fmt.Sprintf("%s imports %s: %s", path, short, why))
			}
		}
	}
	return found
}

// forbidden returns the rule that an import breaks, or "" if it breaks none.
func forbidden(module string, from room, imported string) string {
	inside, ours := strings.CutPrefix(imported, module+"/")
	if !ours {
		if from.floor == protocolFloor && !standard(imported) {
			return "protocol uses the standard library only, so that others can import it without our dependencies"
		}
		return ""
	}
	if inside == self {
		return "this package checks the design and serves nothing else"
	}
	to, ok := roomOf(inside)
	switch {
	case !ok:
		return "" // reported once, at the package itself
	case to.floor > from.floor:
		return fmt.Sprintf("imports point down only, and from %[2]s one does not reach up to %[1]s", words[to.floor], words[from.floor])
	case from.floor == missionFloor && to.floor == missionFloor && from.name != to.name:
		return "mission packages do not import each other; they meet in events, " +
			"or through a small interface that its user declares and app fills in"
	case from.floor == protocolFloor && from.name != to.name:
		return "protocol uses the standard library only, so that others can import it without our dependencies"
	default:
		return ""
	}
}

// standard reports whether an import path is of the standard library: its first
// element has no dot, which the go command reserves for it.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
