// Package cap takes in the public warnings of other authorities: messages of the
// Common Alerting Protocol 1.2.
//
// What comes in: messages that an enrolled device sends under the topic "cap"
// ([Dialect]), Atom and RSS feeds that are asked again and again ([Poller]), and
// files ([File]). What goes out: observations of the kind warning, one for each
// part of a message in the language of the force. Signatures are verified against
// the certificates that the force trusts; [Policy] says what becomes of a message
// without a good one. What cannot be read goes to quarantine.
//
// The warnings that the force itself issues are in package issue, below this one.
//
// Start reading at [Reader], then [Poller].
package cap
