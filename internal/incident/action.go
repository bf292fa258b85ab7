package incident

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Errors of Do and Check.
var (
	// ErrNotFound: no such incident, or it was closed too long ago to change.
	ErrNotFound = errors.New("no such incident at the desk")
	// ErrChanged: the incident has changed since the person looked.
	ErrChanged = errors.New("the incident has changed since you opened it: look at it again")
	// ErrNotAllowed: the action does not fit the incident's state, or lacks something.
	ErrNotAllowed = errors.New("not possible")
	// ErrStopped: the desk has stopped; the platform is shutting down.
	ErrStopped = errors.New("the incident desk has stopped")
)

// Action is what a person does to an incident.
type Action struct {
	Incident event.ID
	Version  int // the version that the person saw; 0: whatever it is
	By       string
	Why      string

	Type       event.ChangeType
	Grade      event.Grade       // graded
	Factors    []string          // graded
	AssignedTo string            // assigned
	Code       event.ClosingCode // closed
}

// Bounds of what a person writes.
const (
	maxText    = 4000 // bytes of a reason or note
	maxName    = 200  // bytes of a unit's or person's name, or of a factor
	maxFactors = 20
)

func (a Action) check(in *Incident) error {
	no := func(why string) error { return fmt.Errorf("%w: %s", ErrNotAllowed, why) }
	switch {
	case a.By == "":
		return no("an action needs a person")
	case len(a.Why) > maxText:
		return no(fmt.Sprintf("the text is longer than %d bytes", maxText))
	case in.State == Closed && a.Type != event.ChangeReopened && a.Type != event.ChangeNoted:
		return no("the incident is closed: reopen it first")
	}
	switch a.Type {
	case event.ChangeAcknowledged:
		if in.State != Open {
			return no("it has been acknowledged already")
		}
	case event.ChangeAttending:
		if in.State == Attending {
			return no("a unit is attending already")
		}
	case event.ChangeGraded:
		if _, ok := gradeRank[a.Grade]; !ok {
			return no("choose a grade: immediate, prompt, scheduled or resolved without deployment")
		}
		if a.Why == "" && len(a.Factors) == 0 {
			return no("a grade needs its reasons: name what was weighed")
		}
		if len(a.Factors) > maxFactors || slices.ContainsFunc(a.Factors, func(f string) bool { return f == "" || len(f) > maxName }) {
			return no(fmt.Sprintf("name at most %d factors, each in 1 to %d bytes", maxFactors, maxName))
		}
	case event.ChangeNoted:
		if a.Why == "" {
			return no("the note is empty")
		}
	case event.ChangeAssigned:
		if a.AssignedTo == "" || len(a.AssignedTo) > maxName {
			return no(fmt.Sprintf("name the unit or person, in at most %d bytes", maxName))
		}
	case event.ChangeClosed:
		switch a.Code {
		case event.ClosedTrue, event.ClosedFalse, event.ClosedDuplicate, event.ClosedTest:
		default:
			return no("choose a closing code: true, false, duplicate or test")
		}
		if in.Grade == event.Ungraded {
			return no("grade the incident before you close it")
		}
		if a.Why == "" {
			return no("say how it ended")
		}
	case event.ChangeReopened:
		if in.State != Closed {
			return no("it is not closed")
		}
		if a.Why == "" {
			return no("say why it is opened again")
		}
	default:
		return no(fmt.Sprintf("unknown action %q", a.Type))
	}
	return nil
}
