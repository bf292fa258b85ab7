package home

import (
	"fmt"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// condition is what one sensor says of one thing: while it lasts, and for a while
// after.
type condition struct {
	due
	Key      string       `json:"key"`
	Family   family       `json:"family"`
	First    time.Time    `json:"first"` // event time at which it began: with Key it names the cause
	Premises string       `json:"premises,omitempty"`
	Place    *place.Point `json:"place,omitempty"`
	Subject  string       `json:"subject"` // the premises, as the control room says it
	Sensor   string       `json:"sensor"`  // as its owner calls it

	Start   time.Time   `json:"start"`
	End     time.Time   `json:"end"`
	Changed time.Time   `json:"changed"` // event time of the newest change
	Active  bool        `json:"active"`  // as the sensor said last
	Told    bool        `json:"told"`    // the newest alert says that it is there
	Back    int         `json:"back,omitempty"`
	Said    int         `json:"said"`
	Total   int         `json:"total"`
	Refs    []event.Ref `json:"refs"` // at most maxRefs, the first that began it
	Away    []string    `json:"away,omitempty"`
}

func (c *condition) key() string { return c.Key }

func (c *condition) has(id event.ID) bool {
	return slices.ContainsFunc(c.Refs, func(r event.Ref) bool { return r.ID == id })
}

// take counts an observation. The first stays listed; of the rest the oldest
// gives way.
func (c *condition) take(o *event.Observation) {
	c.Total++
	if o.Time.Before(c.Start) {
		c.Start = o.Time
	}
	if o.Time.After(c.End) {
		c.End = o.Time
	}
	c.Refs = append(c.Refs, o.Ref())
	if len(c.Refs) > maxRefs {
		c.Refs = slices.Delete(c.Refs, 1, 2)
	}
}

// cause names what the alerts of the condition share.
func (c *condition) cause() string {
	return "home/" + c.Key + "/" + c.First.UTC().Format(time.RFC3339Nano)
}

// tell makes the next alert of the condition.
func (c *condition) tell(kind event.Kind, reason string) event.Alert {
	j := judgements[c.Family]
	c.Told = kind == j.kind
	score, advice := j.score, j.advice
	if !c.Told {
		score, advice = 0.1, ""
	}
	rule := "home-" + string(c.Family)
	a := event.Alert{
		ID: event.NewAlertID(rule, c.cause(), c.Said), Rule: rule, Kind: kind, Cause: c.cause(), Revision: c.Said,
		Start: c.Start, End: c.End, Subject: c.Subject, Score: score, Reason: reason, Advice: advice, Clause: j.clause,
		Observations: slices.Clone(c.Refs), Total: c.Total, Premises: c.Premises,
	}
	if c.Place != nil {
		at := *c.Place
		a.Place = &at
	}
	c.Said++
	return a
}

// begun tells that the condition begins.
func (c *condition) begun(o *event.Observation) event.Alert {
	j := judgements[c.Family]
	return c.tell(j.kind, fmt.Sprintf("%s at %s: %s.%s", j.what, c.Subject, c.Sensor, detect.Late(o, "It")))
}

// restored tells that it is over.
func (c *condition) restored() event.Alert {
	j := judgements[c.Family]
	return c.tell(j.over, fmt.Sprintf("%s at %s: %s, %s after it began.", j.ended, c.Subject, c.Sensor, detect.Span(c.End.Sub(c.Start))))
}

// back tells that it is there again; more is what else there is to say.
func (c *condition) back(more string) event.Alert {
	j := judgements[c.Family]
	return c.tell(j.kind, fmt.Sprintf("%s at %s: %s, %d times since %s%s.", j.again, c.Subject, c.Sensor, c.Back+1, detect.When(c.Start, c.End), more))
}
