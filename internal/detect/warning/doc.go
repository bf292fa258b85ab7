// Package warning raises an alert when another authority warns the public here.
//
// What comes in: observations of the kind warning. What goes out: an alert of the
// kind warning.received for each warning that counts, further revisions of it as
// the sender updates the warning, and alarm.restored when it is cancelled, lowered
// or has expired. All messages of one warning share one cause, named after the
// first of them.
//
// A warning counts when it is Actual, severe enough ([Config].Severities), has not
// expired, and its area touches that of the force. Exercises, tests and drafts
// never do. Only who warned can update or cancel: the same sender, and where the
// warning was signed, the same signer.
//
// Start reading at [Detector.Observe], then [Detector.Advance].
package warning
