// Package mapping turns the JSON of devices that nobody has written a dialect
// for into observations, by short programs in CEL (the Common Expression
// Language, https://cel.dev) that people write and try out while the platform
// runs.
//
// What comes in: messages under json/<mapping>/..., by MQTT or HTTP, and
// mappings, put by a person ([Catalogue.Draft], [Catalogue.Live]). What goes out:
// observations. A mapping sees the message's body, topic, device and time of
// arrival, and yields a map, or a list of maps, with the keys that
// docs/design/mapping.md lists. It sees nothing else, has no clock and keeps
// nothing, so the same message always gives the same.
//
// Programs are checked when they are saved, and their work and memory are bounded
// when they run. What a mapping cannot make sense of goes to quarantine with the
// reason.
//
// Start reading at [Compile] and [Program.Observe].
package mapping
