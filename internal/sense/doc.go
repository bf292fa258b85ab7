// Package sense takes signals in. Its sub-packages speak the devices'
// protocols; this package is what they share: the [Intake], by which
// observations become durable before anyone is told "acknowledged", the
// [Supervisor], which notices who has fallen silent, and the read model of
// devices and of the quarantine.
//
// What comes in: frames, files and requests, through the sub-packages. What
// goes out: observations on the log, and quarantine entries for what could not
// be understood.
//
// Start reading at [Intake].
package sense
