package mud

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// maxLibrary bounds the files of a library.
const maxLibrary = 10_000

// Library holds profiles by their URL, for networks that fetch none.
type Library struct {
	byURL map[string]*Profile
}

// NewLibrary reads every *.json of a directory's top level. Files that cannot be
// read are left out and named by the error; the library of the others is returned
// with it.
func NewLibrary(dir fs.FS) (*Library, error) {
	l := &Library{byURL: map[string]*Profile{}}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return l, fmt.Errorf("reading the directory of MUD files: %w", err)
	}
	var bad []error
	from := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || !strings.EqualFold(path.Ext(e.Name()), ".json") {
			continue
		}
		if len(l.byURL) == maxLibrary {
			bad = append(bad, fmt.Errorf("more than %d MUD files: the rest are left out", maxLibrary))
			break
		}
		p, err := load(dir, e.Name())
		if err == nil && l.byURL[p.URL] != nil {
			err = fmt.Errorf("%s has the mud-url of %s: remove one", e.Name(), from[p.URL])
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		l.byURL[p.URL], from[p.URL] = p, e.Name()
	}
	return l, errors.Join(bad...)
}

func load(dir fs.FS, name string) (*Profile, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening a MUD file: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// Find returns the profile with a URL, nil when there is none.
func (l *Library) Find(mudURL string) *Profile { return l.byURL[mudURL] }

// Profiles returns all, by URL.
func (l *Library) Profiles() []*Profile {
	out := make([]*Profile, 0, len(l.byURL))
	for _, p := range l.byURL {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].URL < out[j].URL })
	return out
}
