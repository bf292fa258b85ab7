package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// state brings an incident to a state.
func (t *table) state(s State) event.ID {
	t.Helper()
	in := t.take(t.alert(event.KindIntruderUnconfirmed, "cause", 0))[0]
	switch s {
	case Acknowledged:
		t.do(Action{Incident: in.ID, Type: event.ChangeAcknowledged})
	case Attending:
		t.do(Action{Incident: in.ID, Type: event.ChangeAttending})
	case Closed:
		t.shut(in.ID)
	}
	return in.ID
}

func TestActions(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	graded := Action{Type: event.ChangeGraded, Grade: event.Immediate, Why: "w"}
	closing := Action{Type: event.ChangeClosed, Code: event.ClosedTrue, Why: "w"}
	cases := []struct {
		name  string
		in    State
		first []Action // before it
		a     Action
		state State
		says  string // the error, without its beginning; empty: it is done
	}{
		{"acknowledge", Open, nil, Action{Type: event.ChangeAcknowledged}, Acknowledged, ""},
		{"acknowledge again", Acknowledged, nil, Action{Type: event.ChangeAcknowledged}, Acknowledged, "it has been acknowledged already"},
		{"acknowledge while attending", Attending, nil, Action{Type: event.ChangeAcknowledged}, Attending, "it has been acknowledged already"},
		{"acknowledge when closed", Closed, nil, Action{Type: event.ChangeAcknowledged}, Closed, "the incident is closed: reopen it first"},
		{"attend", Acknowledged, nil, Action{Type: event.ChangeAttending}, Attending, ""},
		{"attend at once", Open, nil, Action{Type: event.ChangeAttending}, Attending, ""},
		{"attend again", Attending, nil, Action{Type: event.ChangeAttending}, Attending, "a unit is attending already"},
		{"grade", Open, nil, graded, Open, ""},
		{"grade by factors", Open, nil, Action{Type: event.ChangeGraded, Grade: event.Scheduled, Factors: []string{"no one is at risk"}}, Open, ""},
		{"grade anew", Open, []Action{graded}, Action{Type: event.ChangeGraded, Grade: event.ResolvedWithoutDeployment, Why: "called back"}, Open, ""},
		{"no such grade", Open, nil, Action{Type: event.ChangeGraded, Grade: "soon", Why: "w"}, Open, "choose a grade: immediate, prompt, scheduled or resolved without deployment"},
		{"grade taken away", Open, nil, Action{Type: event.ChangeGraded, Why: "w"}, Open, "choose a grade: immediate, prompt, scheduled or resolved without deployment"},
		{"grade without reasons", Open, nil, Action{Type: event.ChangeGraded, Grade: event.Prompt, Why: " "}, Open, "a grade needs its reasons: name what was weighed"},
		{"empty factor", Open, nil, Action{Type: event.ChangeGraded, Grade: event.Prompt, Factors: []string{""}}, Open, "name at most 20 factors, each in 1 to 200 bytes"},
		{"too many factors", Open, nil, Action{Type: event.ChangeGraded, Grade: event.Prompt, Factors: strings.Split(strings.Repeat("a ", 20)+"a", " ")}, Open, "name at most 20 factors, each in 1 to 200 bytes"},
		{"note", Open, nil, Action{Type: event.ChangeNoted, Why: "a neighbour called"}, Open, ""},
		{"note when closed", Closed, nil, Action{Type: event.ChangeNoted, Why: "a neighbour called"}, Closed, ""},
		{"empty note", Open, nil, Action{Type: event.ChangeNoted, Why: "\n\t "}, Open, "the note is empty"},
		{"long note", Open, nil, Action{Type: event.ChangeNoted, Why: long}, Open, "the text is longer than 4000 bytes"},
		{"assign", Open, nil, Action{Type: event.ChangeAssigned, AssignedTo: " Unit 12 "}, Open, ""},
		{"assign nobody", Open, nil, Action{Type: event.ChangeAssigned, AssignedTo: " "}, Open, "name the unit or person, in at most 200 bytes"},
		{"assign too many", Open, nil, Action{Type: event.ChangeAssigned, AssignedTo: long}, Open, "name the unit or person, in at most 200 bytes"},
		{"close", Open, []Action{graded}, closing, Closed, ""},
		{"close ungraded", Open, nil, closing, Open, "grade the incident before you close it"},
		{"close without code", Open, []Action{graded}, Action{Type: event.ChangeClosed, Why: "w"}, Open, "choose a closing code: true, false, duplicate or test"},
		{"close without words", Open, []Action{graded}, Action{Type: event.ChangeClosed, Code: event.ClosedTest}, Open, "say how it ended"},
		{"close again", Closed, nil, closing, Closed, "the incident is closed: reopen it first"},
		{"reopen", Closed, nil, Action{Type: event.ChangeReopened, Why: "he came back"}, Open, ""},
		{"reopen without words", Closed, nil, Action{Type: event.ChangeReopened}, Closed, "say why it is opened again"},
		{"reopen what is open", Open, nil, Action{Type: event.ChangeReopened, Why: "w"}, Open, "it is not closed"},
		{"an alert by hand", Open, nil, Action{Type: event.ChangeAlertAdded, Why: "w"}, Open, `unknown action "alert_added"`},
		{"nothing", Open, nil, Action{}, Open, `unknown action ""`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			desk := newTable(t)
			id := desk.state(c.in)
			for _, a := range c.first {
				a.Incident = id
				desk.do(a)
			}
			before, err := desk.Get(id)
			if err != nil {
				t.Fatal(err)
			}
			c.a.Incident, c.a.By = id, "op"
			checked := desk.Check(c.a)
			after, err := desk.Do(context.Background(), c.a)
			if fmt.Sprint(checked) != fmt.Sprint(err) {
				t.Errorf("Check says %v, Do %v", checked, err)
			}
			if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, ErrNotAllowed) || err.Error() != "not possible: "+c.says) {
				t.Fatalf("error %v, want %q", err, c.says)
			}
			got, err := desk.Get(id)
			if err != nil {
				t.Fatal(err)
			}
			want := before.Version
			if c.says == "" {
				want++
				if after.Version != want || after.Seq != got.Seq || after.Seq == before.Seq {
					t.Errorf("returned version %d at %d; the desk has %d at %d", after.Version, after.Seq, got.Version, got.Seq)
				}
			}
			if changes := changesOf(t, desk.log); got.Version != want || len(changes) != want || got.State != c.state {
				t.Errorf("version %d of %s, %d changes on the log; want version %d of %s", got.Version, got.State, len(changes), want, c.state)
			}
		})
	}
}

func TestActionsThatCannotBe(t *testing.T) {
	desk := newTable(t)
	id := desk.state(Open)
	for _, c := range []struct {
		a    Action
		want error
	}{
		{Action{Incident: "nothing", By: "op", Type: event.ChangeAcknowledged}, ErrNotFound},
		{Action{Incident: id, Type: event.ChangeAcknowledged}, ErrNotAllowed}, // nobody
		{Action{Incident: id, By: "op", Version: 2, Type: event.ChangeAcknowledged}, ErrChanged},
	} {
		if err := desk.Check(c.a); !errors.Is(err, c.want) {
			t.Errorf("%+v: Check says %v, want %v", c.a, err, c.want)
		}
		if _, err := desk.Do(context.Background(), c.a); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.a, err, c.want)
		}
	}
	if _, err := desk.Do(context.Background(), Action{Incident: id, By: "op", Version: 1, Type: event.ChangeAcknowledged}); err != nil {
		t.Error(err)
	}
	if _, err := desk.Get("nothing"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// What an action returns is on the log, whole; and what it returns is a copy.
func TestDoIsOnTheLogBeforeItReturns(t *testing.T) {
	desk := newTable(t)
	id := desk.state(Open)
	a := Action{Incident: id, By: "op-7", Type: event.ChangeGraded, Grade: event.Immediate, Why: "a person is inside", Factors: []string{"life", "crime in progress"}}
	in := desk.do(a)
	changes := changesOf(t, desk.log)
	c := changes[len(changes)-1]
	if c.By != "op-7" || c.Why != a.Why || c.Grade != a.Grade || len(c.Factors) != 2 || c.Incident != id || c.Version != 2 || !c.Time.Equal(noon) || c.Seq != in.Seq {
		t.Errorf("on the log: %+v", c)
	}
	in.Causes["other"] = Cause{}
	if now, err := desk.Get(id); err != nil || len(now.Causes) != 1 {
		t.Errorf("the desk shares its memory: %v, %v", now.Causes, err)
	}
}

// A person who goes away does not leave the desk behind its log.
func TestDoOfOneWhoHasGone(t *testing.T) {
	desk := newTable(t)
	id := desk.state(Open)
	for range 20 {
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := desk.Do(gone, Action{Incident: id, By: "op", Type: event.ChangeNoted, Why: "gone"})
		got, _ := desk.Get(id)
		if changes := changesOf(t, desk.log); len(changes) != got.Version {
			t.Fatalf("%d changes on the log, version %d at the desk, error %v", len(changes), got.Version, err)
		}
	}
}

// When the log did not say whether it has a change, the desk finds out before it
// decides anything else.
func TestUnsureChangeIsSettled(t *testing.T) {
	for _, written := range []bool{false, true} {
		for _, next := range []string{"action", "alert"} {
			desk := newTable(t)
			id := desk.state(Open)
			in := desk.book.incidents[id]
			c := &event.IncidentChange{Incident: id, Type: event.ChangeGraded, By: "op", Why: "w", Grade: event.Prompt}
			desk.complete(in, c)
			if written {
				appendTo(t, desk.log, bus.Incidents, encode(c))
			}
			desk.unsure = c
			if next == "action" {
				desk.do(Action{Incident: id, Type: event.ChangeNoted, Why: "next"})
			} else {
				desk.take(desk.alert(event.KindTamper, "next", 0))
			}
			got, err := desk.Get(id)
			if err != nil {
				t.Fatal(err)
			}
			want := sum(t, changesOf(t, desk.log))[id]
			if got.Grade != event.Prompt || got.Version != 3 || want.Version != 3 || want.Grade != event.Prompt || desk.unsure != nil {
				t.Errorf("written %v, then an %s: desk %+v, log %+v", written, next, got, want)
			}
		}
	}
}

// A desk whose stage ended in the middle of writing takes no actions: they would
// stand on the log before what they follow.
func TestStoppedDeskTakesNothing(t *testing.T) {
	desk := newTable(t)
	id := desk.state(Open)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	desk.log.Close()
	if err := desk.insist(gone, func() (dr draft) { _ = dr.add([]*event.IncidentChange{{}}); return }()); err == nil {
		t.Fatal("written to a closed log")
	}
	if err := desk.settle(context.Background()); !errors.Is(err, ErrStopped) {
		t.Errorf("settled: %v", err)
	}
	if _, err := desk.Do(context.Background(), Action{Incident: id, By: "op", Type: event.ChangeAcknowledged}); err == nil {
		t.Error("an action was taken")
	}
}
