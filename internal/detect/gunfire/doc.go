// Package gunfire joins reports of gunshot sensors into bursts.
//
// What comes in: observations of the kind acoustic.gunshot. One burst is often
// reported several times: shot by shot, and by the sensors of neighbouring zones.
// What goes out: alerts of the kind gunfire, one cause for each burst, which grow
// by revisions while reports come in.
//
// On nights when a whole city lets off fireworks, sensors take them for gunfire by
// the hundred. The detector then says so, scores low, and raises one cause for
// each square of the city instead of one for each burst, so that a control room
// is not buried.
//
// Every figure is in the [Policy], with the data that it was chosen by.
//
// Start reading at [Policy], then [Detector.Observe].
package gunfire
