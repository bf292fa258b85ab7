package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

const quarantineRows = 100

func (s *Site) quarantine(w http.ResponseWriter, r *http.Request) {
	groups, err := s.Sense.QuarantineGroups(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, page{Name: "quarantine", Title: "Quarantine", Section: "/quarantine", Data: groups})
}

func (s *Site) quarantineEntries(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	reason := q.Get("reason")
	before, _ := strconv.ParseUint(q.Get("before"), 10, 63) // what is no number begins at the newest
	rows, err := s.Sense.QuarantineRows(r.Context(), reason, before, quarantineRows+1)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	older := ""
	if len(rows) > quarantineRows {
		rows = rows[:quarantineRows]
		older = "/quarantine/entries?" + url.Values{
			"reason": {reason}, "before": {strconv.FormatUint(rows[len(rows)-1].Seq, 10)},
		}.Encode()
	}
	s.render(w, r, http.StatusOK, page{Name: "quarantine_entries", Title: "Quarantine", Section: "/quarantine", Class: "page-wide", Data: struct {
		Reason, Older string
		Rows          []sense.QuarantineRow
	}{reason, older, rows}})
}

func (s *Site) quarantineEntry(w http.ResponseWriter, r *http.Request) {
	e, err := s.Sense.QuarantineEntry(r.Context(), event.ID(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, page{Name: "quarantine_entry", Title: "Quarantine entry", Section: "/quarantine", Data: struct {
		E        event.Quarantined
		Text     string
		RawBytes string
		Size     int
	}{e, asText(e.Bytes), dump(e.Bytes), len(e.Bytes) + e.Cut}})
}
