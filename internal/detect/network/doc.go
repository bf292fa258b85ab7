// Package network finds attacks on connected devices in what a network monitor
// saw: scans of ports and hosts, password guessing, and the probing of a
// protected host from the internet.
//
// What comes in are [event.Observation] of connections, log-ins and the alerts of
// intrusion detection systems, or, for those who stand outside the platform, plain
// [Conn] values. What goes out are [Finding] values, each with its reason in
// words, or the [event.Alert] made of them. Time is the events' own: the detector never looks at a clock.
//
// How it decides. An attempt is a connection that came to nothing (see
// [classify]). A host that tries many doors and finds most of them shut is
// scanning; a host that visits many places and is mostly let in is busy. So each
// rule counts distinct doors that stayed shut, within a short window or, higher,
// over a long one, and asks for what share of all doors these are. A door that
// has ever answered is no evidence when it does not, for servers have outages.
// An inbound connection is unsolicited when the protected host did not call that
// address before.
//
// Order. Connections are reported when they end, so they arrive out of order.
// [Scan] holds each for [Config.Lateness] and takes them in order of time, so
// any order within that bound gives the same findings. What comes later still
// counts, as it comes.
//
// What an intrusion detection system found is not judged again: alerts of one rule
// between two hosts are one finding that grows (matches.go); minor ones are counted.
//
// Bounds. Sources, targets, doors and observations are all bounded by [Config];
// at a bound the one longest silent is given up (an open finding is closed
// first), and [Stats] counts it.
//
// Start reading at [Scan.Add], then source.go (who scans) and target.go (who is
// probed).
package network
