// Package home finds in the readings of homes' own sensors what somebody should
// be told at once: smoke, carbon monoxide, gas, a call for help, broken glass,
// tampering, water; and a hub that is lost while its alarm is set.
//
// What comes in: readings (event.Reading), the signals of homes' alarm panels,
// and who is gone or there. What goes out: alerts that begin, come back and are
// restored, each cause once. An opened door or movement alone is no alert: the
// panel, which knows whether it is set, decides that (see detect/alarm).
//
// A sensor that repeats its state changes nothing; the repetitions are counted.
// One that flutters is told when it begins, when it comes back the first, second,
// fourth, eighth time and so on, and when it stays.
//
// Start reading at [Detector.Observe], then judge.go.
package home
