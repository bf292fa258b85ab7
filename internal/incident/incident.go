package incident

import (
	"fmt"
	"maps"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// State is where an incident is in its life.
type State string

// States, in the order of a life.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Attending    State = "attending"
	Closed       State = "closed"
)

// Incident is what the control room works on.
type Incident struct {
	ID         event.ID          `json:"id"`
	Number     int               `json:"number"`
	Ref        string            `json:"ref"` // as people say it: "BL-2026-000123"
	State      State             `json:"state"`
	Grade      event.Grade       `json:"grade"`
	GradedAs   event.Kind        `json:"graded_as,omitempty"` // the gravest cause that the grade weighed
	Kind       string            `json:"kind"`                // intruder, hold_up, network_attack ...
	Title      string            `json:"title"`               // the gravest of its causes, and whom it concerns
	Subject    string            `json:"subject"`             // of the first alert: premises, a host's address
	Priority   int               `json:"priority"`            // 0 to 100: the queue's order
	RankReason string            `json:"rank_reason"`         // why it stands where it does
	Opened     time.Time         `json:"opened"`
	Updated    time.Time         `json:"updated"`
	FirstAlert time.Time         `json:"first_alert"` // event time at which the earliest alert starts
	LastAlert  time.Time         `json:"last_alert"`  // event time at which the newest alert ends
	Place      *Place            `json:"place,omitempty"`
	Premises   *PremisesRef      `json:"premises,omitempty"`
	Alerts     int               `json:"alerts"`
	Signals    int               `json:"signals"`
	Confirmed  bool              `json:"confirmed"`
	Assigned   string            `json:"assigned,omitempty"`
	Code       event.ClosingCode `json:"code,omitempty"`
	Version    int               `json:"version"`
	Seq        uint64            `json:"seq"` // log position of the newest change

	Causes map[string]Cause `json:"causes,omitempty"` // newest word of each cause
}

// Place is where an incident is.
type Place struct {
	place.Point
	Name string `json:"name,omitempty"`
}

// PremisesRef names the premises of an incident.
type PremisesRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Cause is the newest alert of one cause, in brief.
type Cause struct {
	Where    string     `json:"where"` // see whereabouts
	Kind     event.Kind `json:"kind"`
	Score    float64    `json:"score"`
	Signals  int        `json:"signals"`
	Revision int        `json:"revision"`
	Over     bool       `json:"over,omitempty"` // restored
}

// Apply adds a change. Changes come in the order of Version; one that is applied
// already is ignored, so that reading the log again does no harm.
//
// Errors: a change that does not follow the last.
func (in *Incident) Apply(c *event.IncidentChange) error {
	if c.Version <= in.Version {
		return nil
	}
	if c.Version != in.Version+1 {
		return fmt.Errorf("incident %s: change %d does not follow %d", c.Incident, c.Version, in.Version)
	}
	in.Version, in.Updated = c.Version, c.Time
	if c.Seq > 0 {
		in.Seq = c.Seq
	}
	switch c.Type {
	case event.ChangeOpened:
		in.open(c)
		in.add(c.Alert)
	case event.ChangeAlertAdded:
		in.add(c.Alert)
	case event.ChangeAcknowledged:
		in.State = Acknowledged
	case event.ChangeAttending:
		in.State = Attending
	case event.ChangeGraded:
		in.Grade, in.GradedAs = c.Grade, in.leading()
	case event.ChangeAssigned:
		in.Assigned = c.AssignedTo
	case event.ChangeClosed:
		in.State, in.Code = Closed, c.Code
	case event.ChangeReopened:
		in.State, in.Code = Open, ""
	}
	in.Priority, in.RankReason = in.rank()
	in.Title = upperFirst(weightOf(in.leading()).words) + ": " + in.Subject
	return nil
}

func (in *Incident) open(c *event.IncidentChange) {
	in.ID, in.Number, in.Opened = c.Incident, c.Number, c.Time
	in.Ref = fmt.Sprintf("BL-%d-%06d", c.Time.Year(), c.Number)
	in.State = Open
	if c.Alert != nil {
		in.Subject = c.Alert.Subject
	}
	if c.Place != nil {
		in.Place = &Place{Point: *c.Place}
	}
	if c.Premises != "" && c.Alert != nil {
		in.Premises = &PremisesRef{ID: c.Premises, Name: c.Alert.Subject}
	}
}

func (in *Incident) add(a *event.Alert) {
	if a == nil {
		return
	}
	if in.Causes == nil {
		in.Causes = map[string]Cause{}
	}
	in.Alerts++
	if a.End.After(in.LastAlert) {
		in.LastAlert = a.End
	}
	if in.FirstAlert.IsZero() || a.Start.Before(in.FirstAlert) {
		in.FirstAlert = a.Start
	}
	c, known := in.Causes[a.Cause]
	if !known && len(in.Causes) >= maxCauses {
		return
	}
	in.Signals += a.Total - c.Signals
	over := ends(a.Kind)
	if over {
		c.Over = true // what it was still counts for the rank
	} else {
		c.Kind, c.Score, c.Over = a.Kind, a.Score, false
	}
	c.Signals, c.Revision, c.Where = a.Total, a.Revision, whereabouts(a)
	in.Causes[a.Cause] = c
	if a.Kind == event.KindIntruderConfirmed || a.Kind == event.KindHoldUpConfirmed {
		in.Confirmed = true
	}
	if f := weightOf(in.leading()).family; f != "" {
		in.Kind = f
	}
	if in.Place == nil && a.Place != nil {
		in.Place = &Place{Point: *a.Place}
	}
}

// copy returns an incident that shares nothing with in.
func (in *Incident) copy() Incident {
	out := *in
	out.Causes = maps.Clone(in.Causes)
	return out
}

// leading is the kind of the cause that weighs most.
func (in *Incident) leading() event.Kind {
	best, kind := -1, event.Kind("")
	for _, c := range in.Causes {
		if w := weightOf(c.Kind).base; w > best || w == best && c.Kind < kind {
			best, kind = w, c.Kind
		}
	}
	return kind
}
