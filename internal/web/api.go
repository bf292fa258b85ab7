package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// apiPage is how many incidents a page of the API has when nothing is said.
const apiPage = 200

// api is the JSON API. It describes itself at /api/openapi.json (OpenAPI 3.1);
// errors are RFC 9457 problems.
func (s *Site) api() http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Bluelamp", s.Version)
	config.OpenAPIPath = "/api/openapi"
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no $schema in answers
	config.Info.Description = "Incidents and sources of a Bluelamp control room. Sign in first: the API takes the session's cookie."
	api := humago.New(mux, config)
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, MaxBodyBytes: maxForm}
	}
	huma.Register(api, op("list-incidents", http.MethodGet, "/api/v1/incidents", "List incidents"), s.apiIncidents)
	huma.Register(api, op("get-incident", http.MethodGet, "/api/v1/incidents/{id}", "One incident with its changes"), s.apiIncident)
	huma.Register(api, op("act-on-incident", http.MethodPost, "/api/v1/incidents/{id}/actions", "Acknowledge, grade, assign, close ..."), s.apiAct)
	huma.Register(api, op("list-sources", http.MethodGet, "/api/v1/sources", "The health of the sources"), s.apiSources)
	return packing(mux)
}

type apiListInput struct {
	State string `query:"state" enum:"open,any" default:"any" doc:"open: those that are not closed, the most urgent first; any: all, the newest first"`
	After string `query:"after" maxLength:"200" doc:"where to go on: next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"200"`
}

type apiList struct {
	Items []incident.Incident `json:"items"`
	Next  string              `json:"next" doc:"empty on the last page"`
	Now   time.Time           `json:"now" doc:"the server's clock"`
	Speed float64             `json:"speed" doc:"seconds that pass on it in one of real life"`
}

type apiListOutput struct{ Body apiList }

func (s *Site) apiIncidents(ctx context.Context, in *apiListInput) (*apiListOutput, error) {
	out := &apiListOutput{Body: apiList{Items: []incident.Incident{}, Now: s.clock.Now(), Speed: s.clock.Speed()}}
	limit := in.Limit
	if limit == 0 {
		limit = apiPage
	}
	var page []incident.Incident
	var err error
	if in.State == "open" {
		after := incident.Start
		if in.After != "" {
			if after, err = readCursor(in.After); err != nil {
				return nil, huma.Error422UnprocessableEntity("after is not a page of this list: leave it out to begin at the start", err)
			}
		}
		var next *incident.Cursor
		if page, next, err = s.Incidents.Queue(ctx, after, limit); next != nil {
			out.Body.Next = writeCursor(*next)
		}
	} else {
		before := 0
		if in.After != "" {
			if before, err = strconv.Atoi(in.After); err != nil || before < 1 {
				return nil, huma.Error422UnprocessableEntity("after is not a page of this list: leave it out to begin at the start")
			}
		}
		page, err = s.Incidents.Recent(ctx, before, limit)
		if len(page) == limit && page[limit-1].Number > 1 {
			out.Body.Next = strconv.Itoa(page[limit-1].Number)
		}
	}
	if err != nil {
		return nil, s.apiError(ctx, err)
	}
	for i := range page {
		out.Body.Items = append(out.Body.Items, summary(page[i]))
	}
	return out, nil
}

func writeCursor(c incident.Cursor) string {
	data, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func readCursor(word string) (incident.Cursor, error) {
	var c incident.Cursor
	data, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(data, &c)
	return c, err
}

type apiOneInput struct {
	ID string `path:"id" maxLength:"64"`
}

type apiOne struct {
	Incident incident.Incident      `json:"incident"`
	Changes  []event.IncidentChange `json:"changes" doc:"in order; each alert with its reason"`
}

type apiOneOutput struct{ Body apiOne }

func (s *Site) apiIncident(ctx context.Context, in *apiOneInput) (*apiOneOutput, error) {
	out := &apiOneOutput{}
	var err error
	if out.Body.Incident, err = s.current(ctx, event.ID(in.ID)); err == nil {
		out.Body.Changes, err = s.Incidents.Changes(ctx, event.ID(in.ID))
	}
	if err != nil {
		return nil, s.apiError(ctx, err)
	}
	return out, nil
}

type apiActInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Type     string   `json:"type" enum:"acknowledged,graded,noted,assigned,attending,closed,reopened"`
		Version  int      `json:"version" minimum:"1" doc:"the version that you saw; the action is refused if it has changed"`
		Why      string   `json:"why,omitempty" maxLength:"4000"`
		Grade    string   `json:"grade,omitempty" enum:"immediate,prompt,scheduled,resolved_without_deployment"`
		Factors  []string `json:"factors,omitempty" maxItems:"20" doc:"what was weighed"`
		Assigned string   `json:"assigned,omitempty" maxLength:"100"`
		Code     string   `json:"code,omitempty" enum:"true,false,duplicate,test"`
	}
}

type apiActOutput struct{ Body incident.Incident }

func (s *Site) apiAct(ctx context.Context, in *apiActInput) (*apiActOutput, error) {
	for _, f := range in.Body.Factors {
		if factorWords[f] == "" {
			return nil, huma.Error422UnprocessableEntity("the factor " + strconv.Quote(shorten(40, f)) + " is not known")
		}
	}
	after, err := s.do(ctx, incident.Action{
		Incident: event.ID(in.ID), Version: in.Body.Version, By: visitorIn(ctx).ID, Why: in.Body.Why,
		Type: event.ChangeType(in.Body.Type), Grade: event.Grade(in.Body.Grade), Factors: in.Body.Factors,
		AssignedTo: in.Body.Assigned, Code: event.ClosingCode(in.Body.Code),
	})
	if err != nil {
		return nil, s.apiError(ctx, err)
	}
	return &apiActOutput{Body: summary(after)}, nil
}

type apiSourcesOutput struct {
	Body struct {
		Items []sense.SourceHealth `json:"items"`
	}
}

func (s *Site) apiSources(ctx context.Context, _ *struct{}) (*apiSourcesOutput, error) {
	out := &apiSourcesOutput{}
	var err error
	if out.Body.Items, err = s.Sense.Sources(ctx); err != nil {
		return nil, s.apiError(ctx, err)
	}
	if out.Body.Items == nil {
		out.Body.Items = []sense.SourceHealth{}
	}
	return out, nil
}

// apiError is fail for the operations of the API.
func (s *Site) apiError(ctx context.Context, err error) error {
	if f := failureOf(err); f != nil {
		return huma.NewError(f.status, f.words)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return huma.NewError(http.StatusServiceUnavailable, "the request was given up")
	}
	reference := newReference()
	s.logger.Error("a request failed", "reference", reference, "err", err)
	return huma.NewError(http.StatusInternalServerError, "the server could not do this; its log says more under "+reference)
}
