package web

import (
	"context"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Bounds of an incident's page.
const (
	timelineRows    = 100 // the newest changes; all of them on request
	causeSignals    = 12  // raw signals of one cause
	incidentSignals = 60  // raw signals of all causes together
)

// incidentData is what an incident's page shows.
type incidentData struct {
	In       incident.Incident
	Timeline []event.IncidentChange // newest first
	Hidden   int                    // changes that the timeline leaves out
	Since    int                    // changes after this version are news to the reader; 0: none
	Causes   []cause
	Advice   *event.Alert // the newest alert of the gravest cause
	Place    *registry.Premises
	Devices  []sense.Device
	Personal *personal
	Factors  []option
	Grades   []option
	Codes    []option
	Purposes []option
	Try      attempt
	Zone     string // of the page's times, where reasons give theirs in UTC and that differs; else empty
}

// cause is one cause of an incident: its newest alert and signals.
type cause struct {
	Alert   *event.Alert
	Over    bool
	Signals []signal
	More    int // signals that are not shown
}

// attempt is a form that could not be taken, with what was typed.
type attempt struct {
	Type    event.ChangeType
	Problem string
	Changed bool // others changed the incident meanwhile
	Text    string
	Grade   string
	Factors []string
	To      string
	Code    string
}

// Is reports whether the attempt was of a type.
func (a attempt) Is(t string) bool { return string(a.Type) == t }

// Weighs reports whether a factor was chosen.
func (a attempt) Weighs(f string) bool { return slices.Contains(a.Factors, f) }

func (s *Site) incident(w http.ResponseWriter, r *http.Request) {
	s.showIncident(w, r, http.StatusOK, attempt{}, 0, nil)
}

// showIncident renders an incident's page, after an attempt with what was typed.
func (s *Site) showIncident(w http.ResponseWriter, r *http.Request, status int, try attempt, since int, known *personal) {
	d, err := s.incidentData(r.Context(), event.ID(r.PathValue("id")), r.URL.Query().Get("timeline") == "all")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d.Try, d.Since, d.Personal = try, since, known
	p := page{Name: "incident", Title: d.In.Ref + " " + d.In.Title, Section: "/incidents", Class: "page-wide", Data: d}
	if d.In.Place != nil {
		p.Islands = []string{mapEntry}
	}
	s.render(w, r, status, p)
}

func (s *Site) incidentData(ctx context.Context, id event.ID, all bool) (*incidentData, error) {
	in, err := s.current(ctx, id)
	if err != nil {
		return nil, err
	}
	changes, err := s.Incidents.Changes(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &incidentData{In: in, Factors: factors, Grades: gradeChoices, Codes: codeChoices, Purposes: purposes}
	d.Causes = s.causes(ctx, &in, changes)
	for i := range d.Causes {
		if !d.Causes[i].Over {
			d.Advice = d.Causes[i].Alert
			break
		}
	}
	if in.Premises != nil {
		// Premises that left the registry are still named by the incident.
		d.Place, _ = s.Registry.Premises(in.Premises.ID)
		if d.Devices, err = s.Sense.DevicesAt(ctx, in.Premises.ID); err != nil {
			return nil, err
		}
	}
	slices.Reverse(changes)
	if !all && len(changes) > timelineRows {
		d.Hidden = len(changes) - timelineRows
		changes = changes[:timelineRows]
	}
	d.Timeline = changes
	d.Zone = s.besideUTC(d)
	return d, nil
}

// besideUTC names the force's zone if the page has a reason with a time in UTC,
// as detectors write them, from when the force's clocks said something else.
func (s *Site) besideUTC(d *incidentData) string {
	differs := func(at time.Time, reason string) string {
		local := at.In(s.zone)
		if _, offset := local.Zone(); offset == 0 || !strings.Contains(reason, " UTC") {
			return ""
		}
		return local.Format("MST")
	}
	for _, c := range d.Causes {
		if z := differs(c.Alert.End, c.Alert.Reason); z != "" {
			return z
		}
	}
	for i := range d.Timeline {
		c := &d.Timeline[i]
		if c.By != event.System {
			continue
		}
		reason := c.Why
		if c.Alert != nil {
			reason += c.Alert.Reason
		}
		if z := differs(c.Time, reason); z != "" {
			return z
		}
	}
	return ""
}

// current returns an incident as it is: the desk's word where it still holds
// the incident, since the read model follows a moment later.
func (s *Site) current(ctx context.Context, id event.ID) (incident.Incident, error) {
	if in, err := s.Desk.Get(id); err == nil {
		return in, nil
	}
	return s.Incidents.ByID(ctx, id)
}

// causes gathers an incident's causes, the gravest first, with their signals.
func (s *Site) causes(ctx context.Context, in *incident.Incident, changes []event.IncidentChange) []cause {
	newest := map[string]*event.Alert{}
	for i := range changes {
		a := changes[i].Alert
		if a == nil {
			continue
		}
		if old := newest[a.Cause]; old == nil || a.Revision >= old.Revision {
			newest[a.Cause] = a
		}
	}
	out := make([]cause, 0, len(newest))
	for name, a := range newest {
		out = append(out, cause{Alert: a, Over: in.Causes[name].Over})
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		switch {
		case a.Over != b.Over:
			return b.Over
		case a.Alert.Score != b.Alert.Score:
			return a.Alert.Score > b.Alert.Score
		case !a.Alert.End.Equal(b.Alert.End):
			return a.Alert.End.After(b.Alert.End)
		}
		return a.Alert.ID < b.Alert.ID
	})
	left := incidentSignals
	for i := range out {
		refs := out[i].Alert.Observations
		n := min(len(refs), causeSignals, left)
		left -= n
		for _, ref := range refs[:n] {
			out[i].Signals = append(out[i].Signals, s.readSignal(ctx, ref))
		}
		byTime(out[i].Signals)
		out[i].More = max(out[i].Alert.Total, len(refs)) - n
	}
	return out
}

// byTime sorts signals by when they happened: an alert lists them as they
// counted, and a late one counts last. Those that cannot be read come last.
func byTime(signals []signal) {
	slices.SortStableFunc(signals, func(a, b signal) int {
		switch {
		case a.O == nil && b.O == nil:
			return 0
		case a.O == nil:
			return 1
		case b.O == nil:
			return -1
		}
		return a.O.Time.Compare(b.O.Time)
	})
}
