package web

import (
	"fmt"
	"net/http"

	"github.com/bluelamp/bluelamp/internal/auth"
	"github.com/bluelamp/bluelamp/internal/incident"
)

// boardRows is how many incidents the board shows to those without JavaScript.
const boardRows = 100

func (s *Site) board(w http.ResponseWriter, r *http.Request) {
	queue, next, err := s.Incidents.Queue(r.Context(), incident.Start, boardRows)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, page{
		Name: "board", Title: "Board", Section: "/", Fill: true,
		Islands: []string{boardEntry}, Data: struct {
			Zone  string
			Queue []incident.Incident
			More  bool
		}{s.zone.String(), queue, next != nil},
	})
}

func (s *Site) help(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, page{Name: "help", Title: "Help", Section: "/help", Data: nil})
}

func (s *Site) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "alive")
}

func (s *Site) readyz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, "not ready:", err)
			return
		}
	}
	fmt.Fprintln(w, "ready")
}

func (s *Site) metrics(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.Metrics == nil:
		s.lost(w, r)
	case loopback(r) || visitorOf(r).may(auth.SeeMetrics):
		s.Metrics.ServeHTTP(w, r)
	default:
		s.fail(w, r, forbidden("Metrics are for this machine itself, and for the role of "+orList(auth.RolesWith(auth.SeeMetrics))+"."))
	}
}
