// Package city is a fictional town in the North Sea whose devices speak the real
// protocols to a running Bluelamp: for demonstrations, exercises and tests
// without anybody's data.
//
// # What goes in, what comes out
//
// In goes a seed ([New]). Out come
//
//   - a map: coast, harbour, streets, buildings ([Town.GeoJSON]),
//   - what a receiving centre has on file of the guarded premises ([Town.Premises]),
//   - an endless script of what their alarm panels say ([Town.Script]), each
//     signal with the truth behind it, by which detectors can be scored,
//   - who else connects: homes' hubs, cameras, and what hears the town's own
//     sensors ([Town.Homes], [Town.Devices]),
//   - an endless list of what these say, with its truth ([Town.Messages]),
//   - an endless list of network connections, with attacks among them
//     ([Town.Traffic]).
//
// All of these are pure: the same seed, [Scenario] and beginning give the same
// town, signals, messages and connections, bit for bit on one architecture. A day
// follows from the seed and its date alone, so that scripts that begin at
// different times tell of the same days. Only a scenario's opening depends on
// when one begins to watch.
//
// [Town.Run] is the one impure part. It plays the script in step with a clock:
// panels call the receiver over TCP or UDP, encrypt where they have a key, wait
// for the acknowledgement, repeat, set their clock after a NAK; hubs and cameras
// publish by MQTT, leaving a last will; network servers post to the HTTP intake;
// and the monitor at the fibre exchange writes Zeek's conn.log, rotating it.
//
// # How the town is made
//
// ground.go shapes the island, streets.go lays main roads by hand and lets side
// streets grow along the grain that these give the ground, buildings.go lines
// them with rows of houses, landmarks.go first gives the minster and the bank
// their plots, sites.go says who has an alarm and of what kind. Lengths are in
// metres on a plane about the island's middle; point in town.go takes them to
// the Earth.
//
// # How a day is told
//
// script.go has the routine: openings, closings, tests. happenings.go draws how
// many stories of each kind a day has and finds premises for them; crimes.go and
// mishaps.go tell each one. words.go translates into the panels' two dialects.
//
// Hubs and sensors have the same in files of their own: households.go and
// fixtures.go say what there is, hubday.go and fixturewords.go what a day brings,
// devicestories.go and deviceplots.go what goes beyond that, hubwords.go how
// Zigbee2MQTT and Home Assistant put it; line.go and poster.go send it.
//
// How often what happens stands in one table, scenario.go.
//
// # Nothing here is real
//
// The island lies in open sea. Names are of birds, weather and ship's gear;
// telephone numbers are from the ranges that Ofcom keeps for drama, outside
// addresses from those that RFC 5737 and RFC 3849 keep for documentation. Number
// plates are longer than any of the United Kingdom, and radios' addresses are
// locally administered. Keys and secrets follow from the seed and protect nothing.
//
// Start reading at [Town], then [Signal], [Message] and [Scenario].
package city
