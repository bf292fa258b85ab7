// Package street takes in what a city's own sensors say: LoRaWAN devices behind
// ChirpStack or The Things Stack, gunshot sensors, counters, noise and air, lamps,
// bins and doors, and cameras that read number plates.
//
// What comes in: messages, through the dialects [ChirpStack], [TTS], [Gunshots],
// [Streets] and [Plates], each the same by MQTT topic and by webhook path; and
// recorded files ([ChirpStackFile], [TTSFile], [GunshotFile]). What goes out:
// observations of the kinds radio, sensor, acoustic, plate and device.
//
// Two things are remembered between messages: every radio device's frame
// counter, so that a clone or a recording played again is refused ([Counters]),
// and the plates that the force has a stated reason to look for ([Hotlist]). A
// plate that is on no list is never kept, only a hash of it under a key that
// changes every day.
//
// Start reading at [ChirpStack.Observe], then uplink.go and [Counters.judge].
package street
