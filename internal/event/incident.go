package event

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/place"
)

// Grade is how urgently people are sent (College of Policing call grading).
type Grade string

// Grades.
const (
	Ungraded                  Grade = ""
	Immediate                 Grade = "immediate"
	Prompt                    Grade = "prompt"
	Scheduled                 Grade = "scheduled"
	ResolvedWithoutDeployment Grade = "resolved_without_deployment"
)

// ClosingCode says how an incident ended.
type ClosingCode string

// Closing codes.
const (
	ClosedTrue      ClosingCode = "true"      // a real cause, dealt with
	ClosedFalse     ClosingCode = "false"     // a false alarm
	ClosedDuplicate ClosingCode = "duplicate" // of another incident
	ClosedTest      ClosingCode = "test"      // a test or maintenance
)

// ChangeType says what happened to an incident.
type ChangeType string

// Changes.
const (
	ChangeOpened       ChangeType = "opened"       // carries the first alert
	ChangeAlertAdded   ChangeType = "alert_added"  // carries a further alert
	ChangeAcknowledged ChangeType = "acknowledged" // someone has taken it up
	ChangeGraded       ChangeType = "graded"
	ChangeNoted        ChangeType = "noted"
	ChangeAssigned     ChangeType = "assigned"  // to a unit or person, in words
	ChangeAttending    ChangeType = "attending" // a unit is on its way or there
	ChangeClosed       ChangeType = "closed"
	ChangeReopened     ChangeType = "reopened"
)

// System is the actor of changes that no person made.
const System = "system"

// IncidentChange is one step in an incident's life. An incident is the sum of
// its changes, in the order of Version.
type IncidentChange struct {
	ID       ID         `json:"id"`
	Incident ID         `json:"incident"`
	Version  int        `json:"version"` // 1 for opened, then rising by one
	Type     ChangeType `json:"type"`
	Time     time.Time  `json:"time"`
	By       string     `json:"by"` // person id, or System
	Why      string     `json:"why,omitempty"`

	Alert *Alert `json:"alert,omitempty"` // opened, alert_added

	// Opened only.
	Number   int          `json:"number,omitempty"` // running number: part of the reference that people say
	Place    *place.Point `json:"place,omitempty"`
	Premises string       `json:"premises,omitempty"`

	Grade      Grade       `json:"grade,omitempty"`       // graded
	Factors    []string    `json:"factors,omitempty"`     // graded: what the officer weighed
	AssignedTo string      `json:"assigned_to,omitempty"` // assigned
	Code       ClosingCode `json:"code,omitempty"`        // closed

	Seq uint64 `json:"-"`
}
