// Package home understands what homes say: Home Assistant, Zigbee2MQTT, Frigate,
// ESPHome and Tasmota, each a [sense.Dialect] of the messages that a home's hub
// publishes below its own topics.
//
// What comes in: MQTT messages of enrolled hubs, and recordings of such messages.
// What goes out: observations in one vocabulary (see vocabulary.go), so that a
// detector need not know which ecosystem a smoke alarm lives in. A sensor behind
// a hub is "hub/child", where the child is named as the ecosystem names it.
//
// Messages that repeat an unchanged state are observations too: they show that
// the sensor lives. Detectors act on changes. Where a message carries a time of
// its own, what it says has an id made from that time, so that the same message
// delivered again is observed once; otherwise a broker's retained message counts
// as said when it was delivered.
//
// Start reading at [Family], then vocabulary.go, then the dialect of interest.
package home
