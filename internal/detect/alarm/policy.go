package alarm

import "time"

// Policy is the table by which signals are judged. A force replaces figures in
// it where its own agreement differs.
type Policy struct {
	Version string

	// ConfirmWithin is how long after a first intruder alarm a second,
	// independent detector of the same system confirms it. BS 8243 lets an
	// installer programme 30 to 60 minutes.
	ConfirmWithin time.Duration
	// HoldUpApart is how far apart two hold-up devices of one system must be
	// operated for the second to confirm the first: nearer, they may be one
	// press seen twice. Vendor notes on BS 8243 hold-up confirmation.
	HoldUpApart time.Duration
	// HoldUpWithin is how long after the first the second device confirms.
	// The trade recalls 8 to 20 hours.
	HoldUpWithin time.Duration
	// QuietAfter ends a condition that was never restored: the next signal of
	// it is a new one.
	QuietAfter time.Duration
	// Settle is how long a tamper, a fire, a medical or an environmental alarm
	// must have been restored for its next signal to be a new one; sooner, it is
	// a contact that flutters.
	Settle time.Duration
}

// Default is the policy that is used unless a force sets its own.
func Default() Policy {
	return Policy{
		Version:       "2024-12",
		ConfirmWithin: 60 * time.Minute,
		HoldUpApart:   2 * time.Minute,
		HoldUpWithin:  8 * time.Hour,
		QuietAfter:    24 * time.Hour,
		Settle:        10 * time.Minute,
	}
}

// The clauses that decisions name.
const (
	clauseFirst     = "BS 8243 sequential confirmation: one detector alone is unconfirmed"
	clauseConfirmed = "BS 8243 sequential confirmation: two independent detectors within the window"
	clauseVerified  = "Confirmed by the panel itself (SIA BV or HV, Contact ID 139 or 129)"
	clauseExternal  = "BS 8243:2021: external detectors do not contribute to confirmation"
	clauseSame      = "BS 8243: the same detector again is not independent"
	clauseNoZone    = "BS 8243: independence cannot be shown without zone numbers"
	clauseWindow    = "BS 8243: no second detector within the window, so the next alarm is a first alarm"
	clauseHoldUp    = "NSI: a hold-up device asks for help by itself"
	clauseHoldUp2   = "BS 8243 hold-up confirmation: two devices, operated apart, within the window"
	clauseTamper    = "BS 8243: a tamper signals as tamper and confirms nothing"
	clauseDirect    = "Passed on as the panel reports it"
	clauseUnset     = "Switched off with a code during the alarm"
	clauseSilent    = "EN 50136 reporting time of the account's class"
)
