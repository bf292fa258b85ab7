package web

import (
	"net/http"

	"github.com/bluelamp/bluelamp/internal/auth"
)

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
		{"GET /{$}", auth.SeeIncidents, s.board},
		{"GET /incidents", auth.SeeIncidents, s.incidents},
		{"GET /incidents/{id}", auth.SeeIncidents, s.incident},
		{"POST /incidents/{id}/act", auth.RunIncidents, s.act},
		{"POST /incidents/{id}/personal", auth.SeePersonalData, s.incidentPersonal},
		{"GET /signals/{seq}", auth.SeeIncidents, s.signal},

		{"GET /premises", auth.SeePremises, s.premisesList},
		{"GET /premises/new", auth.ManagePremises, s.premisesForm},
		{"POST /premises/new", auth.ManagePremises, s.premisesSave},
		{"GET /premises/{id}", auth.SeePremises, s.premisesPage},
		{"POST /premises/{id}/personal", auth.SeePersonalData, s.premisesPersonal},
		{"POST /premises/{id}/edit", auth.ManagePremises, s.premisesForm},
		{"POST /premises/{id}/save", auth.ManagePremises, s.premisesSave},

		{"GET /premises/{id}/timeline", auth.SeePremises, s.premisesTimeline},
		{"POST /premises/{id}/timeline", auth.SeePersonalData, s.premisesTimelineOpen},

		{"GET /devices", auth.SeePremises, s.devices},
		{"GET /devices/{id}", auth.SeePremises, s.device},
		{"POST /devices/{id}/personal", auth.SeePersonalData, s.devicePersonal},
		{"POST /devices/{id}/do/{what}", auth.ManagePremises, s.deviceDo},

		{"GET /sources", auth.SeeSources, s.sources},
		{"GET /sources/{source}", auth.SeeSources, s.source},
		{"GET /quarantine", auth.SeeQuarantine, s.quarantine},
		{"GET /quarantine/entries", auth.SeeQuarantine, s.quarantineEntries},
		{"GET /quarantine/entries/{id}", auth.SeeQuarantine, s.quarantineEntry},
		{"POST /quarantine/entries/{id}/open", auth.SeeQuarantine, s.allow(auth.SeePersonalData, s.quarantineOpen)},
		{"POST /quarantine/entries/{id}/replay", auth.WorkQuarantine, s.quarantineReplay},
		{"POST /quarantine/entries/{id}/discard", auth.WorkQuarantine, s.quarantineDiscard},
		{"POST /quarantine/group", auth.WorkQuarantine, s.quarantineGroup},
		{"GET /quarantine/work/{job}", auth.WorkQuarantine, s.quarantineWork},
		{"GET /mappings", auth.SeeQuarantine, s.mappings},
		{"GET /mappings/new", auth.WorkQuarantine, s.mappingNew},
		{"POST /mappings/new", auth.WorkQuarantine, s.mappingSent},
		{"GET /mappings/{name}", auth.SeeQuarantine, s.mapping},
		{"POST /mappings/{name}", auth.WorkQuarantine, s.mappingSent},

		{"GET /warnings", anyone, s.warnings},
		{"GET /warnings/feed.atom", anyone, s.warningsFeed},
		{"GET /warnings/certificate.pem", anyone, s.warningsCertificate},
		{"GET /warnings/{file}", anyone, s.warningDocument}, // {id}.xml
		{"GET /warnings/desk", auth.WriteWarnings, s.warningsDesk},
		{"GET /warnings/desk/new", auth.WriteWarnings, s.warningForm},
		{"POST /warnings/desk/new", auth.WriteWarnings, s.warningNew},
		{"GET /warnings/desk/{id}", auth.WriteWarnings, s.warning},
		{"GET /warnings/desk/{id}/{form}", auth.WriteWarnings, s.warningForm},
		{"POST /warnings/desk/{id}/{what}", auth.WriteWarnings, s.warningAct},
		{"POST /warnings/desk/{id}/approve", auth.ApproveWarnings, s.warningApprove},

		{"GET /audit", auth.SeeAudit, s.auditLog},
		{"POST /audit/verify", auth.SeeAudit, s.auditVerify},

		{"GET /people", auth.ManagePeople, s.people},
		{"POST /people", auth.ManagePeople, s.peopleAdd},
		{"GET /people/{id}", auth.ManagePeople, s.person},
		{"POST /people/{id}/{what}", auth.ManagePeople, s.personChange},
		{"GET /account", signedIn, s.account},
		{"POST /account/password", signedIn, s.accountPassword},
		{"POST /account/sign-out-everywhere", signedIn, s.accountEverywhere},

		{"GET /signin", anyone, s.signIn},
		{"POST /signin", anyone, s.signInSent},
		{"GET /signin/oidc", anyone, s.providerStart},
		{"GET /signin/oidc/callback", anyone, s.providerBack},
		{"POST /signout", anyone, s.signOut},
		{"GET /setup", anyone, s.setUp},
		{"POST /setup", anyone, s.setUpSent},

		{"GET /help", signedIn, s.help},

		{"GET /api/v1/stream", auth.SeeIncidents, s.stream},
		{"GET /api/v1/map/base", auth.SeeIncidents, s.baseMap},
		{"GET /api/v1/map/premises", auth.SeePremises, s.premisesMap},
		{"GET /api/v1/incidents", auth.SeeIncidents, program},
		{"GET /api/v1/incidents/{id}", auth.SeeIncidents, program},
		{"POST /api/v1/incidents/{id}/actions", auth.RunIncidents, program},
		{"GET /api/v1/sources", auth.SeeSources, program},
		{"GET /api/openapi.json", anyone, program},

		{"GET /metrics", anyone, s.metrics}, // it asks for itself: this machine may
		{"/", anyone, s.lost},
	}
}

// routes makes the handler of all routes.
func (s *Site) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.table(s.api()) {
		mux.HandleFunc(rt.pattern, s.allow(rt.needs, rt.handle))
	}
	// These know nobody, and cost no look at a session.
	outer := http.NewServeMux()
	outer.HandleFunc("GET /assets/{file}", s.serveAsset)
	outer.HandleFunc("GET /healthz", s.healthz)
	outer.HandleFunc("GET /readyz", s.readyz)
	outer.Handle("/", s.recognise(mux))
	return s.guard(outer)
}

func (s *Site) lost(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, notFound("There is no page at this address."))
}
