// Package app wires the platform together: it makes each part with what it
// needs, starts them in order, and stops them so that nothing acknowledged is
// lost.
//
// Start reading at [New] for how the parts are joined, then [App.Run] for the
// order of starting and stopping.
package app
