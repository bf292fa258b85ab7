package web

import "net/http"

// route is one address, what it asks of a person, and what answers.
type route struct {
	pattern string
	needs   permission
	handle  http.HandlerFunc
}

// table lists every route.
func (s *Site) table(api http.Handler) []route {
	program := api.ServeHTTP
	return []route{
		{"GET /{$}", seeIncidents, s.board},
		{"GET /incidents", seeIncidents, s.incidents},
		{"GET /incidents/{id}", seeIncidents, s.incident},
		{"POST /incidents/{id}/act", runIncidents, s.act},
		{"POST /incidents/{id}/personal", seePersonal, s.incidentPersonal},
		{"GET /signals/{seq}", seeIncidents, s.signal},

		{"GET /premises", seePremises, s.premisesList},
		{"GET /premises/new", editPremises, s.premisesForm},
		{"POST /premises/new", editPremises, s.premisesSave},
		{"GET /premises/{id}", seePremises, s.premisesPage},
		{"POST /premises/{id}/personal", seePersonal, s.premisesPersonal},
		{"POST /premises/{id}/edit", editPremises, s.premisesForm},
		{"POST /premises/{id}/save", editPremises, s.premisesSave},

		{"GET /sources", seeSources, s.sources},
		{"GET /sources/{source}", seeSources, s.source},
		{"GET /quarantine", seeQuarantine, s.quarantine},
		{"GET /quarantine/entries", seeQuarantine, s.quarantineEntries},
		{"GET /quarantine/entries/{id}", seeQuarantine, s.quarantineEntry},

		{"GET /help", signedIn, s.help},

		{"GET /api/v1/stream", seeIncidents, s.stream},
		{"GET /api/v1/map/base", seeIncidents, s.baseMap},
		{"GET /api/v1/map/premises", seePremises, s.premisesMap},
		{"GET /api/v1/incidents", seeIncidents, program},
		{"GET /api/v1/incidents/{id}", seeIncidents, program},
		{"POST /api/v1/incidents/{id}/actions", runIncidents, program},
		{"GET /api/v1/sources", seeSources, program},
		{"GET /api/openapi.json", anyone, program},

		{"GET /assets/{file}", anyone, s.serveAsset},
		{"GET /healthz", anyone, s.healthz},
		{"GET /readyz", anyone, s.readyz},
		{"GET /metrics", anyone, s.metrics}, // it asks for itself: this machine may
		{"/", anyone, s.lost},
	}
}

// routes makes the handler of all routes.
func (s *Site) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	for _, rt := range s.table(s.api()) {
		mux.HandleFunc(rt.pattern, s.allow(rt.needs, rt.handle))
	}
	return s.guard(s.recognise(mux)), nil
}

func (s *Site) lost(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, notFound("There is no page at this address."))
}
