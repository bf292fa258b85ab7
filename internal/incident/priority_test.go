package incident

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The queue's order, and what it says of itself.
func TestRank(t *testing.T) {
	kinds := []event.Kind{
		event.KindHoldUpConfirmed, event.KindFire, event.KindHoldUp, event.KindMedical, event.KindIntruderConfirmed, event.KindBruteForce,
		event.KindIntruderUnconfirmed, event.KindScanHorizontal, event.KindScanVertical, event.KindTamper, event.KindScanInbound,
		event.KindAlarmOther, event.KindDeviceSilent, "something.new",
	}
	var histories [][]event.Kind
	for _, k := range kinds {
		histories = append(histories, []event.Kind{k})
	}
	histories = append(histories,
		[]event.Kind{event.KindIntruderUnconfirmed, event.KindTamper},
		[]event.Kind{event.KindIntruderUnconfirmed, event.KindDeviceSilent},
		[]event.Kind{event.KindDeviceSilent, event.KindTamper, event.KindIntruderConfirmed},
		[]event.Kind{event.KindIntruderUnconfirmed, event.KindFire},
		[]event.Kind{event.KindIntruderConfirmed, event.KindRestored},
		[]event.Kind{event.KindAlarmOther, event.KindRestored},
	)
	var b strings.Builder
	for _, h := range histories {
		in := &Incident{}
		v := 0
		apply := func(c event.IncidentChange) {
			v++
			c.Version, c.Incident, c.Time, c.Number = v, "id", noon, 7
			if err := in.Apply(&c); err != nil {
				t.Fatal(err)
			}
		}
		for i, k := range h {
			a := event.Alert{Kind: k, Cause: fmt.Sprint("cause ", i), Subject: "Corner Shop", Start: noon, End: noon}
			if ends(k) {
				a.Cause, a.Revision = fmt.Sprint("cause ", i-1), 1
			}
			typ := event.ChangeAlertAdded
			if i == 0 {
				typ = event.ChangeOpened
			}
			apply(event.IncidentChange{Type: typ, Alert: &a})
		}
		fmt.Fprintf(&b, "%3d  %-15s %s\n     %s\n", in.Priority, in.Kind, in.Title, in.RankReason)
		if len(h) > 1 || h[0] != event.KindHoldUpConfirmed {
			continue
		}
		for _, g := range []event.Grade{event.Immediate, event.Prompt, event.Scheduled, event.ResolvedWithoutDeployment} {
			apply(event.IncidentChange{Type: event.ChangeGraded, Grade: g})
			fmt.Fprintf(&b, "%3d  %-15s %s\n     %s\n", in.Priority, in.Kind, in.Title, in.RankReason)
		}
	}
	golden(t, "rank", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestApplyRefusesAGap(t *testing.T) {
	in := &Incident{}
	if err := in.Apply(&event.IncidentChange{Incident: "id", Version: 2, Type: event.ChangeNoted}); err == nil || err.Error() != "incident id: change 2 does not follow 0" {
		t.Errorf("applied: %v", err)
	}
	if err := in.Apply(&event.IncidentChange{Incident: "id", Version: 1, Type: event.ChangeOpened, Number: 1, Time: noon}); err != nil || in.Ref != "BL-2026-000001" {
		t.Errorf("%s, %v", in.Ref, err)
	}
	if err := in.Apply(&event.IncidentChange{Incident: "id", Version: 1, Type: event.ChangeClosed}); err != nil || in.State != Open {
		t.Errorf("applied twice: %s, %v", in.State, err)
	}
}

// TestGraverCauseAsksForAnotherGrade: a grade stands above what is computed only
// for what it weighed.
func TestGraverCauseAsksForAnotherGrade(t *testing.T) {
	in := &Incident{}
	step := func(c event.IncidentChange) {
		t.Helper()
		c.Incident, c.Version, c.Time = "id", in.Version+1, noon
		if err := in.Apply(&c); err != nil {
			t.Fatal(err)
		}
	}
	alert := func(k event.Kind) *event.Alert {
		return &event.Alert{Kind: k, Cause: string(k), Subject: "Corner Shop", Start: noon, End: noon}
	}
	step(event.IncidentChange{Type: event.ChangeOpened, Alert: alert(event.KindIntruderUnconfirmed)})
	step(event.IncidentChange{Type: event.ChangeGraded, Grade: event.Scheduled})
	step(event.IncidentChange{Type: event.ChangeAlertAdded, Alert: alert(event.KindTamper)})
	if in.Priority != 30 {
		t.Errorf("after something lighter: priority %d (%s), want the grade's 30", in.Priority, in.RankReason)
	}
	step(event.IncidentChange{Type: event.ChangeAlertAdded, Alert: alert(event.KindHoldUpConfirmed)})
	if want := "Graded scheduled; since then a confirmed hold-up (95). Look at the grade again."; in.Priority != 95 || in.RankReason != want {
		t.Errorf("after something graver: priority %d (%s), want 95 (%s)", in.Priority, in.RankReason, want)
	}
	step(event.IncidentChange{Type: event.ChangeGraded, Grade: event.Immediate})
	if in.Priority != 100 || in.RankReason != "Graded immediate." {
		t.Errorf("graded again: priority %d (%s)", in.Priority, in.RankReason)
	}
}
