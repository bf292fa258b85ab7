package web

import (
	"net/http"

	"github.com/bluelamp/bluelamp/internal/sense"
)

const (
	deviceRows    = 500 // devices of one source's page
	attentionRows = 50  // devices that need attention on the overview
)

// sourceRow is a source on the health page.
type sourceRow struct {
	sense.SourceHealth
	State [2]string // class and words
	Rate  string
}

// sourcesData is what the health page shows.
type sourcesData struct {
	Sources   []sourceRow
	Attention []sense.Device
	More      int
	Parts     []Part
}

func (s *Site) sources(w http.ResponseWriter, r *http.Request) {
	list, err := s.Sense.Sources(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d := sourcesData{Parts: s.parts(r)}
	for _, src := range list {
		d.Sources = append(d.Sources, sourceRow{src, sourceState(src), s.rates.words(src.Source)})
		need := src.Silent + src.Unknown
		take := min(need, attentionRows-len(d.Attention))
		d.More += need - take
		if take <= 0 {
			continue
		}
		devices, err := s.Sense.Devices(r.Context(), src.Source, take)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		d.Attention = append(d.Attention, devices...)
	}
	s.render(w, r, http.StatusOK, page{Name: "sources", Title: "Sources", Section: "/sources", Class: "page-wide", Data: d})
}

func (s *Site) source(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("source")
	devices, err := s.Sense.Devices(r.Context(), name, deviceRows+1)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(devices) == 0 {
		s.fail(w, r, notFound("No device of this source has been heard or expected."))
		return
	}
	more := len(devices) > deviceRows
	s.render(w, r, http.StatusOK, page{Name: "source", Title: sourceName(name), Section: "/sources", Class: "page-wide", Data: struct {
		Source  string
		Devices []sense.Device
		More    bool
	}{name, devices[:min(len(devices), deviceRows)], more}})
}

// sourceState judges a source by its devices.
func sourceState(h sense.SourceHealth) [2]string {
	switch {
	case h.Devices > 0 && h.Silent+h.Unknown == h.Devices:
		return [2]string{"bad", "Nothing is heard"}
	case h.Silent > 0:
		return [2]string{"warn", plural(h.Silent, "device is silent", "devices are silent")}
	case h.Unknown > 0:
		return [2]string{"unknown", plural(h.Unknown, "device was never heard", "devices were never heard")}
	default:
		return [2]string{"ok", "All are heard"}
	}
}

// parts tells of the platform itself: what app knows, and whether it is ready.
func (s *Site) parts(r *http.Request) []Part {
	p := Part{Name: "Bluelamp", State: "ok", Words: "Taking signals and showing them"}
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			p.State, p.Words = "bad", err.Error()
		}
	}
	parts := []Part{p}
	if s.Parts != nil {
		parts = append(parts, s.Deps.Parts(r.Context())...)
	}
	return parts
}
