// Package incident runs incidents from the first alert to the closing code.
//
// What comes in: alerts from the log, and what people do ([Desk.Do]). What goes
// out: changes on the log, each with who and why; an [Incident] is the sum of
// its changes ([Incident.Apply]), in the desk's memory and in the read model
// alike.
//
// Alerts of one cause make one incident, however often they repeat: the desk
// joins an alert to an open incident by cause, by premises, or by place and
// time (fuse.go says how). The queue's order is a number with its reason in
// words (priority.go). Software proposes; people grade, dispatch and close.
//
// Start reading at [Incident], then [Desk].
package incident
