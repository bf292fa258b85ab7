package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// What Vite builds; see web/README.md.
//
//go:embed all:dist
var dist embed.FS

const manifestFile = "dist/manifest.json"

// errNotBuilt: the binary was compiled before the scripts and styles were built.
var errNotBuilt = errors.New("the web pages' scripts and styles are not in this binary: run make web, then build it again")

// chunk is an entry of Vite's manifest.
type chunk struct {
	File    string   `json:"file"`
	CSS     []string `json:"css"`
	Imports []string `json:"imports"`
}

// assets serves the built files and knows which of them a page needs.
type assets struct {
	chunks map[string]chunk
	mu     sync.Mutex
	files  map[string]*asset
}

// asset is a file and its compressed form.
type asset struct {
	plain, packed []byte
	kind          string
}

func newAssets() (*assets, error) {
	data, err := fs.ReadFile(dist, manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotBuilt
	}
	if err != nil {
		return nil, fmt.Errorf("reading the list of scripts and styles: %w", err)
	}
	a := &assets{files: map[string]*asset{}}
	if err := json.Unmarshal(data, &a.chunks); err != nil {
		return nil, fmt.Errorf("reading %s: %w", manifestFile, err)
	}
	return a, nil
}

// head returns the tags that include entries: styles of everything an entry
// imports first, depth first, then its own, then the scripts.
func (a *assets) head(entries ...string) (template.HTML, error) {
	var styles, scripts, preloads []string
	seen := map[string]bool{}
	once := func(list *[]string, file string) {
		if !seen[file] {
			seen[file] = true
			*list = append(*list, file)
		}
	}
	var visit func(name string, entry bool) error
	visit = func(name string, entry bool) error {
		c, ok := a.chunks[name]
		if !ok {
			return fmt.Errorf("%s is not in %s: run make web, then build again", name, manifestFile)
		}
		for _, i := range c.Imports {
			if err := visit(i, false); err != nil {
				return err
			}
		}
		for _, css := range c.CSS {
			once(&styles, css)
		}
		switch {
		case strings.HasSuffix(c.File, ".css"):
			once(&styles, c.File)
		case entry:
			once(&scripts, c.File)
		default:
			once(&preloads, c.File)
		}
		return nil
	}
	for _, e := range entries {
		if err := visit(e, true); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	for _, f := range styles {
		fmt.Fprintf(&b, "<link rel=\"stylesheet\" href=\"/assets/%s\">\n", template.HTMLEscapeString(f))
	}
	for _, f := range preloads {
		fmt.Fprintf(&b, "<link rel=\"modulepreload\" href=\"/assets/%s\">\n", template.HTMLEscapeString(f))
	}
	for _, f := range scripts {
		fmt.Fprintf(&b, "<script type=\"module\" src=\"/assets/%s\"></script>\n", template.HTMLEscapeString(f))
	}
	return template.HTML(b.String()), nil //nolint:gosec // made of our own build's names, escaped
}

// load returns a built file, compressed once.
func (a *assets) load(name string) (*asset, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.files[name]; f != nil {
		return f, nil
	}
	data, err := fs.ReadFile(dist, path.Join("dist", name))
	if err != nil {
		return nil, err
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if ext := path.Ext(name); ext == ".js" || ext == ".mjs" {
		kind = "text/javascript; charset=utf-8" // whatever this machine's table says
	}
	f := &asset{plain: data, kind: kind}
	if f.packed, err = pack(data); err != nil {
		return nil, err
	}
	a.files[name] = f
	return f, nil
}

// serve answers /assets/{file}. Names carry a hash of their contents, so a
// browser may keep them for ever.
func (s *Site) serveAsset(w http.ResponseWriter, r *http.Request) {
	f, err := s.assets.load(r.PathValue("file"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	sendPacked(w, r, f.plain, f.packed)
}

// pack compresses data, or returns nil where that gains nothing.
func pack(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(data) {
		return nil, nil
	}
	return b.Bytes(), nil
}

// sendPacked answers with the compressed form where there is one and the
// browser takes it.
func sendPacked(w http.ResponseWriter, r *http.Request, plain, packed []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	body := plain
	if packed != nil && acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = packed
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func acceptsGzip(r *http.Request) bool {
	for word := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(word), ";")
		if strings.TrimSpace(coding) == "gzip" {
			return strings.ReplaceAll(q, " ", "") != "q=0"
		}
	}
	return false
}
