package incident

import (
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/event"
)

// weight is what a kind of alert means for an incident.
type weight struct {
	family string
	base   int
	words  string
}

// weights orders the queue before anyone has graded. Harm to people stands above
// harm to property, what is confirmed above what is not.
var weights = map[event.Kind]weight{
	event.KindHoldUpConfirmed:     {"hold_up", 95, "confirmed hold-up"},
	event.KindGunfire:             {"gunfire", 92, "gunfire"},
	event.KindFire:                {"fire", 90, "fire alarm"},
	event.KindHoldUp:              {"hold_up", 88, "hold-up"},
	event.KindMedical:             {"medical", 86, "medical alarm"},
	event.KindIntruderConfirmed:   {"intruder", 80, "confirmed intruder alarm"},
	event.KindWarningReceived:     {"warning", 55, "warning of another authority"},
	event.KindBruteForce:          {"network_attack", 50, "password guessing"},
	event.KindIntrusionDetected:   {"network_attack", 48, "intrusion detected on a network"},
	event.KindRadioReplay:         {"network_attack", 46, "cloned or replayed radio device"},
	event.KindDeviceMisused:       {"network_attack", 42, "misused device"},
	event.KindIntruderUnconfirmed: {"intruder", 45, "unconfirmed intruder alarm"},
	event.KindScanHorizontal:      {"network_attack", 40, "scan across a network"},
	event.KindScanVertical:        {"network_attack", 40, "scan of one machine"},
	event.KindTamper:              {"tamper", 35, "tamper"},
	event.KindScanInbound:         {"network_attack", 30, "probes from many sources"},
	event.KindAlarmOther:          {"other", 25, "other alarm"},
	event.KindDeviceSilent:        {"fault", 25, "silent panel"},
	event.KindRestored:            {"", 0, "restored"},
	event.KindDeviceReturned:      {"", 0, "heard again"},
}

func weightOf(k event.Kind) weight {
	if w, ok := weights[k]; ok {
		return w
	}
	return weight{"other", 20, string(k)}
}

// ends reports whether an alert says that its cause is over.
func ends(k event.Kind) bool { return k == event.KindRestored || k == event.KindDeviceReturned }

// Places of graded incidents in the queue.
var gradeRank = map[event.Grade]int{
	event.Immediate:                 100,
	event.Prompt:                    70,
	event.Scheduled:                 30,
	event.ResolvedWithoutDeployment: 5,
}

var gradeWords = map[event.Grade]string{
	event.Immediate:                 "Graded immediate",
	event.Prompt:                    "Graded prompt",
	event.Scheduled:                 "Graded scheduled",
	event.ResolvedWithoutDeployment: "Graded resolved without deployment",
}

// rank returns the incident's place in the queue, 0 to 100, and why in words.
// A person's grade outweighs every computed part, until something graver than
// they weighed has come.
func (in *Incident) rank() (int, string) {
	lead := weightOf(in.leading())
	if r, ok := gradeRank[in.Grade]; ok {
		if lead.base > weightOf(in.GradedAs).base && lead.base > r {
			return lead.base, fmt.Sprintf("%s; since then a %s (%d). Look at the grade again.", gradeWords[in.Grade], lead.words, lead.base)
		}
		return r, gradeWords[in.Grade] + "."
	}
	n := lead.base
	why := []string{fmt.Sprintf("%s (%d)", upperFirst(lead.words), lead.base)}
	if silent := in.has(event.KindDeviceSilent); silent && lead.family == "intruder" {
		n += 10
		why = append(why, "its panel's line was lost (+10)")
	}
	if in.has(event.KindTamper) && lead.family == "intruder" {
		n += 5
		why = append(why, "tamper as well (+5)")
	}
	if sure := in.sureness(event.KindGunfire); lead.family == "gunfire" && sure < doubtful {
		n -= 50
		why = append(why, "probably fireworks (-50)")
	}
	if in.allOver() {
		n -= 15
		why = append(why, "restored (-15)")
	}
	n = min(max(n, 0), 99)
	return n, strings.Join(why, ", ") + "; not graded yet."
}

func (in *Incident) has(k event.Kind) bool {
	for _, c := range in.Causes {
		if c.Kind == k {
			return true
		}
	}
	return false
}

// doubtful is the score below which gunfire is more likely something else.
const doubtful = 0.5

// sureness is the highest score of the causes of a kind.
func (in *Incident) sureness(k event.Kind) (most float64) {
	for _, c := range in.Causes {
		if c.Kind == k {
			most = max(most, c.Score)
		}
	}
	return most
}

func (in *Incident) allOver() bool {
	for _, c := range in.Causes {
		if !c.Over {
			return false
		}
	}
	return len(in.Causes) > 0
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
