package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/auth"
)

//go:embed templates/*.html
var templates embed.FS

const (
	layoutFile = "templates/layout.html"
	partsFile  = "templates/parts.html"
)

// Entries of the islands; see web/README.md.
const (
	themeEntry     = "src/theme/theme.css"
	boardEntry     = "src/board/main.ts"
	mapEntry       = "src/incident-map/main.ts"
	livestampEntry = "src/livestamp/main.ts"
)

// page is what a template is rendered with.
type page struct {
	Name    string // the template's
	Title   string
	Section string // of the navigation: "/incidents"
	Class   string // of main: "page-wide", "page-narrow"
	Fill    bool   // the page is exactly one screen
	Islands []string
	Done    string // what has just been done, in words
	Data    any

	// Set by render.
	Head    template.HTML
	Visitor *visitor
	Nav     []section
	Now     time.Time
	Speed   float64
	Demo    bool
	Version string
	Path    string
}

// section is an entry of the navigation.
type section struct {
	Path, Name string
	needs      permission
	Current    bool
}

var sections = []section{
	{Path: "/", Name: "Board", needs: auth.SeeIncidents},
	{Path: "/incidents", Name: "Incidents", needs: auth.SeeIncidents},
	{Path: "/premises", Name: "Premises", needs: auth.SeePremises},
	{Path: "/warnings/desk", Name: "Warnings", needs: auth.WriteWarnings},
	{Path: "/devices", Name: "Devices", needs: auth.SeePremises},
	{Path: "/sources", Name: "Sources", needs: auth.SeeSources},
	{Path: "/quarantine", Name: "Quarantine", needs: auth.SeeQuarantine},
	{Path: "/mappings", Name: "Mappings", needs: auth.SeeQuarantine},
	{Path: "/audit", Name: "Audit", needs: auth.SeeAudit},
	{Path: "/people", Name: "People", needs: auth.ManagePeople},
	{Path: "/help", Name: "Help", needs: signedIn},
}

// parsePages parses each page together with the layout and the shared parts.
func parsePages(funcs template.FuncMap) (map[string]*template.Template, error) {
	base, err := template.New("layout.html").Funcs(funcs).ParseFS(templates, layoutFile, partsFile)
	if err != nil {
		return nil, fmt.Errorf("reading the pages' layout: %w", err)
	}
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, f := range files {
		if f == layoutFile || f == partsFile {
			continue
		}
		t, err := template.Must(base.Clone()).ParseFS(templates, f)
		if err != nil {
			return nil, fmt.Errorf("reading page %s: %w", f, err)
		}
		pages[strings.TrimSuffix(path.Base(f), ".html")] = t
	}
	return pages, nil
}

// render answers with a page. It is rendered whole before the first byte goes
// out, so that a failure can still be told.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, p page) {
	if err := s.complete(r, &p); err != nil {
		s.plainFailure(w, r, err)
		return
	}
	var b bytes.Buffer
	t := s.pages[p.Name]
	if t == nil {
		s.plainFailure(w, r, fmt.Errorf("there is no page %q", p.Name))
		return
	}
	if err := t.Execute(&b, p); err != nil {
		s.plainFailure(w, r, fmt.Errorf("rendering page %s: %w", p.Name, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store") // nothing of the control room stays on a machine
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// complete fills in what every page has.
func (s *Site) complete(r *http.Request, p *page) error {
	var err error
	if p.Head, err = s.assets.head(append([]string{themeEntry, livestampEntry}, p.Islands...)...); err != nil {
		return err
	}
	p.Visitor = visitorOf(r)
	for _, n := range sections {
		if p.Visitor.may(n.needs) {
			n.Current = n.Path == p.Section
			p.Nav = append(p.Nav, n)
		}
	}
	p.Now, p.Speed = s.clock.Now(), s.clock.Speed()
	p.Demo, p.Version, p.Path = s.Demo, s.Version, r.URL.Path
	if p.Done == "" {
		p.Done = doneWords[r.URL.Query().Get("done")]
	}
	return nil
}

// doneWords are what a page says after the form that led to it. The page's
// address carries only the code.
var doneWords = map[string]string{
	"acknowledged": "Acknowledged.",
	"graded":       "The grade is recorded.",
	"noted":        "The note is recorded.",
	"assigned":     "Assigned.",
	"attending":    "Recorded: a unit is attending.",
	"closed":       "The incident is closed.",
	"reopened":     "The incident is open again.",
	"premises":     "The premises are saved.",
	"revoked":      "The device is revoked: its password is void, and nothing of it is kept.",
	"reinstated":   "The device may be enrolled again: invite it.",
	"withdrawn":    "The consent has ended: nothing the device senses is kept from now on.",
	"added":        "The person is added.",
	"roles":        "The roles are changed.",
	"disabled":     "The person can no longer sign in, and is signed out everywhere.",
	"enabled":      "The person can sign in again.",
	"signedout":    "You are signed out.",
	"password":     "The password is set. Whoever had the old one is signed out.",
	"setup":        "You are the first administrator. Sign in.",
	"everywhere":   "Signed out everywhere.",

	"warning-drafted":    "The draft is saved. Somebody else must approve it.",
	"warning-cancelling": "The cancellation is written. Somebody else must approve it: until then the warning stands.",
	"warning-discarded":  "The draft is discarded.",
	"warning-issued":     "The warning is public.",
	"replayed":           "Replayed: what it says is among the observations now.",
	"discarded":          "Discarded. Its bytes stay on the log as long as the quarantine keeps them.",
	"draft":              "The draft is saved. It changes nothing until it goes live.",
	"live":               "The mapping is live.",
	"stopped":            "The mapping is stopped: its messages go to quarantine.",
}

// done leads to a page after a form was taken.
func done(w http.ResponseWriter, r *http.Request, to, code string) {
	http.Redirect(w, r, to+"?done="+code, http.StatusSeeOther)
}
