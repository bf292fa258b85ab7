package network

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// LabelledConn is a connection with what those who recorded it say it was.
type LabelledConn struct {
	Conn
	Label  string // the particular one, e.g. "External-Attack-to-Device"
	Attack bool   // it is part of an attack
}

// Score is the table of one data set.
type Score struct {
	Name     string
	Hours    float64 // between the first and the last connection
	Labels   []LabelScore
	Rows     []RuleScore // the detector, then the trivial rules
	Findings []Finding   // the newest revision of each
}

// LabelScore is how much of one label is covered by findings.
type LabelScore struct {
	Label          string
	Attack         bool
	Flows, Covered int
}

// RuleScore compares a rule with the labels. A flow is covered when a finding
// lists it among its observations.
type RuleScore struct {
	Rule                    string
	Flagged, Right, Attacks int // flows covered; of those, attacks; attacks in all
	Alerts, FalseAlerts     int // findings; of those, with more than half benign flows
	FalseAnHour             float64
}

// Recall is the share of attack flows that are covered.
func (r RuleScore) Recall() float64 { return ratio(r.Right, r.Attacks) }

// Precision is the share of covered flows that are attack flows.
func (r RuleScore) Precision() float64 { return ratio(r.Right, r.Flagged) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Evaluate compares findings with labels. It is a pure function: findings must
// list all their observations (Config.MaxRefs as large as the data), and only the
// newest revision of each cause counts. Trivial rules that flag nothing are left out.
func Evaluate(name string, flows []LabelledConn, found []Finding) Score {
	s := Score{Name: name, Findings: newest(found), Hours: hours(flows)}
	covered := make(map[event.ID]bool)
	attack := make(map[event.ID]bool)
	for i := range flows {
		attack[flows[i].Ref.ID] = flows[i].Attack
	}
	ours := RuleScore{Rule: "Bluelamp, listed observations", Alerts: len(s.Findings)}
	for i := range s.Findings {
		wrong := 0
		for _, r := range s.Findings[i].Refs {
			covered[r.ID] = true
			if !attack[r.ID] {
				wrong++
			}
		}
		if 2*wrong > len(s.Findings[i].Refs) {
			ours.FalseAlerts++
		}
	}
	s.Labels = labels(flows, covered)
	s.Rows = append(s.Rows, s.fill(ours, flows, func(c *Conn) bool { return covered[c.Ref.ID] }))
	member := RuleScore{Rule: "Bluelamp, by subject, target and time", Alerts: ours.Alerts, FalseAlerts: ours.FalseAlerts}
	s.Rows = append(s.Rows, s.fill(member, flows, s.covers))
	for _, t := range trivial() {
		if r := s.each(t.name, flows, t.rule); r.Flagged > 0 {
			s.Rows = append(s.Rows, r)
		}
	}
	return s
}

func (s *Score) covers(c *Conn) bool {
	return slices.ContainsFunc(s.Findings, func(f Finding) bool { return f.Covers(c) })
}

func hours(flows []LabelledConn) float64 {
	var first, last time.Time
	for i := range flows {
		t := flows[i].Time
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	return last.Sub(first).Hours()
}

// newest keeps the last revision of each cause, in the order of first telling.
func newest(found []Finding) []Finding {
	at := make(map[string]int)
	var out []Finding
	for _, f := range found {
		if i, ok := at[f.Cause]; ok {
			out[i] = f
			continue
		}
		at[f.Cause] = len(out)
		out = append(out, f)
	}
	return out
}

func labels(flows []LabelledConn, covered map[event.ID]bool) []LabelScore {
	at := make(map[string]*LabelScore)
	for i := range flows {
		f := &flows[i]
		l := at[f.Label]
		if l == nil {
			l = &LabelScore{Label: f.Label, Attack: f.Attack}
			at[f.Label] = l
		}
		l.Flows++
		if covered[f.Ref.ID] {
			l.Covered++
		}
	}
	var out []LabelScore
	for _, l := range at {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b LabelScore) int { return strings.Compare(a.Label, b.Label) })
	return out
}

// trivial rules: what anyone would try first. Each flagged connection is an
// alert of its own.
func trivial() []struct {
	name string
	rule func(*Conn) bool
} {
	failed := func(c *Conn) bool { return c.State == "S0" || c.State == "REJ" }
	return []struct {
		name string
		rule func(*Conn) bool
	}{
		{"every S0 or REJ connection", failed},
		{"every connection from outside", func(c *Conn) bool { return c.LocalResp && !c.LocalOrig }},
		{"every refused log-in", func(c *Conn) bool { return c.Login && c.Known && !c.Accepted }},
		{"every connection", func(*Conn) bool { return true }},
	}
}

func (s *Score) fill(r RuleScore, flows []LabelledConn, flagged func(*Conn) bool) RuleScore {
	for i := range flows {
		f := &flows[i]
		if f.Attack {
			r.Attacks++
		}
		if !flagged(&f.Conn) {
			continue
		}
		r.Flagged++
		if f.Attack {
			r.Right++
		}
	}
	if s.Hours > 0 {
		r.FalseAnHour = float64(r.FalseAlerts) / s.Hours
	}
	return r
}

func (s *Score) each(name string, flows []LabelledConn, rule func(*Conn) bool) RuleScore {
	r := RuleScore{Rule: name}
	for i := range flows {
		if rule(&flows[i].Conn) {
			r.Alerts++
			if !flows[i].Attack {
				r.FalseAlerts++
			}
		}
	}
	return s.fill(r, flows, rule)
}

// Markdown renders scores as tables: rules, then labels, then findings.
func Markdown(scores []Score) string {
	var b strings.Builder
	b.WriteString("| data | rule | recall | precision | flows flagged | alerts | false alerts | false alerts an hour |\n|---|---|---:|---:|---:|---:|---:|---:|\n")
	for _, s := range scores {
		for _, r := range s.Rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %d | %d | %.2f |\n", s.Name, r.Rule,
				percent(r.Right, r.Attacks), percent(r.Right, r.Flagged), r.Flagged, r.Alerts, r.FalseAlerts, r.FalseAnHour)
		}
	}
	b.WriteString("\n| data | label | attack | flows | covered | share |\n|---|---|---|---:|---:|---:|\n")
	for _, s := range scores {
		for _, l := range s.Labels {
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %s |\n", s.Name, l.Label,
				map[bool]string{true: "yes", false: "no"}[l.Attack], l.Flows, l.Covered, percent(l.Covered, l.Flows))
		}
	}
	b.WriteString("\n| data | kind | alerts |\n|---|---|---:|\n")
	for _, s := range scores {
		kinds := make(map[event.Kind]int)
		for _, f := range s.Findings {
			kinds[f.Kind]++
		}
		for _, k := range []event.Kind{event.KindScanHorizontal, event.KindScanVertical, event.KindBruteForce, event.KindScanInbound} {
			fmt.Fprintf(&b, "| %s | %s | %d |\n", s.Name, k, kinds[k])
		}
	}
	return b.String()
}

func percent(a, b int) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*ratio(a, b))
}
