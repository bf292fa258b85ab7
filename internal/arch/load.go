package arch

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Load reads the import graph of the module whose go.mod lies in root, from the
// sources themselves: nothing is built, and files for other systems count too.
func Load(root string) (Graph, error) {
	module, err := modulePath(filepath.Join(root, "go.mod"))
	if err != nil {
		return Graph{}, err
	}
	g := Graph{Module: module, Packages: map[string]Package{}}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading the source tree: %w", err)
		}
		if entry.IsDir() {
			if path != root && skipped(entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		return g.add(root, path)
	})
	return g, err
}

// skipped names the directories that the go command passes over too, and the
// npm packages, which bring Go files now and then.
func skipped(name string) bool {
	return name == "testdata" || name == "vendor" || name == "node_modules" ||
		strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// add reads the head of one file into its package.
func (g Graph) add(root, path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return fmt.Errorf("reading the imports of %s: %w", path, err)
	}
	dir, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("placing %s in the module: %w", path, err)
	}
	dir = filepath.ToSlash(dir)
	p := g.Packages[dir]
	p.Documented = p.Documented || documented(file)
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("reading the imports of %s: %w", path, err)
		}
		p.Imports = append(p.Imports, name)
	}
	g.Packages[dir] = p
	return nil
}

// documented reports whether a file carries words about its package, rather
// than only a directive such as a build constraint.
func documented(file *ast.File) bool {
	return file.Doc != nil && strings.TrimSpace(file.Doc.Text()) != ""
}

// modulePath reads the module's path from its go.mod.
func modulePath(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if path, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(path), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	return "", fmt.Errorf("%s names no module", name)
}
