package event

import "time"

// Basis is the lawful basis on which personal data is kept: UK GDPR Article 6(1),
// or DPA 2018 Part 3 for law enforcement.
type Basis string

// Lawful bases.
const (
	BasisNone       Basis = ""
	Consent         Basis = "consent"              // Art 6(1)(a)
	Contract        Basis = "contract"             // Art 6(1)(b), such as with an alarm receiving centre
	LegalObligation Basis = "legal_obligation"     // Art 6(1)(c)
	VitalInterests  Basis = "vital_interests"      // Art 6(1)(d)
	PublicTask      Basis = "public_task"          // Art 6(1)(e)
	LegitInterests  Basis = "legitimate_interests" // Art 6(1)(f)
	LawEnforcement  Basis = "law_enforcement"      // DPA 2018 s.35
)

// Bases lists the lawful bases.
func Bases() []Basis {
	return []Basis{Consent, Contract, LegalObligation, VitalInterests, PublicTask, LegitInterests, LawEnforcement}
}

// Valid reports whether b is a lawful basis.
func (b Basis) Valid() bool {
	for _, known := range Bases() {
		if b == known {
			return true
		}
	}
	return false
}

// Retention is a class of how long something is kept. There are few of them,
// since the log keeps each apart, so that what has expired goes at once.
type Retention string

// Retention classes. The empty class is kept until a person reviews it.
const (
	RetainUntilReview Retention = ""
	RetainHour        Retention = "1h"
	RetainDay         Retention = "24h"
	RetainWeek        Retention = "7d"
	RetainMonth       Retention = "31d"
	RetainYear        Retention = "366d"
)

const day = 24 * time.Hour

var retentions = map[Retention]time.Duration{
	RetainHour: time.Hour, RetainDay: day, RetainWeek: 7 * day, RetainMonth: 31 * day, RetainYear: 366 * day,
}

// Retentions lists the classes that expire, the shortest first.
func Retentions() []Retention {
	return []Retention{RetainHour, RetainDay, RetainWeek, RetainMonth, RetainYear}
}

// Valid reports whether r is a retention class.
func (r Retention) Valid() bool {
	_, ok := retentions[r]
	return ok || r == RetainUntilReview
}

// Duration returns how long the class is kept; 0 means until review.
func (r Retention) Duration() time.Duration { return retentions[r] }
