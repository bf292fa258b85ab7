// Package alarm decides what an alarm panel's signals mean, by the policy that
// UK forces and alarm receiving centres follow.
//
// What comes in: observations of alarm panels and of their supervision. What
// goes out: an alert for each decision, with its reason, its advice and the
// clause that decided: an intruder alarm unconfirmed or confirmed, a hold-up, a
// tamper, a fire, a panel that fell silent, and the end of each.
//
// Published sources conflict in places, so every figure is in the versioned
// [Policy], with where it comes from.
//
// Start reading at [Policy], then [Detector].
package alarm
