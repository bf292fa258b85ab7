package event

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/place"
)

// Kinds of alert.
const (
	KindIntruderUnconfirmed Kind = "intruder.unconfirmed"
	KindIntruderConfirmed   Kind = "intruder.confirmed"
	KindHoldUp              Kind = "hold_up"
	KindHoldUpConfirmed     Kind = "hold_up.confirmed"
	KindTamper              Kind = "tamper"
	KindFire                Kind = "fire"
	KindMedical             Kind = "medical"
	KindAlarmOther          Kind = "alarm.other"
	KindRestored            Kind = "alarm.restored" // an earlier alert's condition ended
	KindDeviceSilent        Kind = "device.silent"
	KindDeviceReturned      Kind = "device.returned"
	KindScanHorizontal      Kind = "scan.horizontal"
	KindScanVertical        Kind = "scan.vertical"
	KindScanInbound         Kind = "scan.inbound" // many sources probing one host
	KindBruteForce          Kind = "brute_force"
	KindIntrusionDetected   Kind = "ids.alert"        // an intrusion detection system's own finding
	KindGunfire             Kind = "gunfire"          // one burst, however many sensors heard it
	KindRadioReplay         Kind = "radio.replay"     // a radio device cloned, or its frames played again
	KindDeviceMisused       Kind = "device.misused"   // a device's credential does what it may not
	KindWarningReceived     Kind = "warning.received" // another authority warns the public here
)

// MaxAlertRefs bounds the observations that an alert lists; Total counts all.
const MaxAlertRefs = 1000

// Alert is a detector's finding. It names its rule, its inputs and its reason
// in words.
//
// A finding that grows (a scan that goes on) is told by further alerts of the
// same Cause with a higher Revision; each stands alone and the newest is whole.
type Alert struct {
	ID       ID     `json:"id"` // NewAlertID(Rule, Cause, Revision)
	Rule     string `json:"rule"`
	Kind     Kind   `json:"kind"`
	Cause    string `json:"cause"` // what one real cause shares, e.g. premises and first signal
	Revision int    `json:"revision,omitempty"`

	Start  time.Time `json:"start"`  // event time of the first observation
	End    time.Time `json:"end"`    // event time of the last observation
	Raised time.Time `json:"raised"` // platform time of the observation that decided it

	Subject string  `json:"subject"`          // premises name, attacker's address ...
	Target  string  `json:"target,omitempty"` // who or what it was done to, when that is one: a host's address
	Score   float64 `json:"score"`            // 0 to 1: how sure the rule is
	Reason  string  `json:"reason"`           // a sentence that an operator would say
	Advice  string  `json:"advice,omitempty"`
	Clause  string  `json:"clause,omitempty"` // the policy clause that decided

	Observations []Ref `json:"observations"` // at most MaxAlertRefs, the decisive first
	Total        int   `json:"total"`        // observations in all

	Premises string       `json:"premises,omitempty"`
	Place    *place.Point `json:"place,omitempty"`

	Seq uint64 `json:"-"` // log position, set by whoever read it from the log
}

// NewAlertID returns the id of the alert that rule raises for the given cause
// and revision.
func NewAlertID(rule, cause string, revision int) ID {
	return NewID("alert", rule, cause, itoa(revision))
}

// Ref returns the alert's id and log position.
func (a *Alert) Ref() Ref { return Ref{ID: a.ID, Seq: a.Seq} }
