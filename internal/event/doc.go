// Package event is Bluelamp's vocabulary: the few kinds of fact that travel on
// the log, and how they are named.
//
// What comes in from a device is an [Observation]. Detectors turn observations
// into an [Alert], which explains itself. Alerts fuse into incidents, and all
// that happens to an incident is an [IncidentChange]. What cannot be understood
// is [Quarantined] with its bytes and the reason.
//
// Every fact has an [ID] made only from what caused it. The same cause yields
// the same id, so a stage that restarts and does its work again writes nothing
// twice. Facts are plain structs with a JSON form; that form is what the log
// holds, so a field once published keeps its name and meaning.
//
// Start reading at [Observation], then [Alert].
package event
