// Package detect finds crime in what was sensed. A [Detector] takes observations
// and gives alerts that explain themselves; the [Pipeline] is the stage of the
// log that feeds all detectors and writes what they find, once.
//
// What comes in: observations, in the order of the log. What goes out: alerts on
// the log, and their read model for the control room ([Projection]).
//
// Detectors live on event time. They learn what time it is from the
// observations alone, clock ticks among them, so a detector is a function of
// what it was given: the same observations yield the same alerts with the same
// ids, live, after a crash, or replayed from a file.
//
// Start reading at [Detector], then [Pipeline]. The detectors themselves are in
// the sub-packages.
package detect
