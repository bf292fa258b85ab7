// Package eve reads the events of the Suricata intrusion detection system, as its
// EVE output writes them: one JSON object a line.
//
// What comes in are bytes. What goes out is an [Event] per line, with what all
// events have (when, who with whom) and the part of its own kind: [Flow] and
// [TCP], [Alert], [DNS], [HTTP], [TLS], [Anomaly]. Parts of other kinds are
// checked to be JSON and passed over, and so are fields that are not named here.
//
//	r := eve.NewReader(f, "eve.json")
//	var e eve.Event
//	for {
//		err := r.Read(&e)
//		if err == io.EOF {
//			break
//		}
//		var bad *eve.LineError
//		if errors.As(err, &bad) {
//			quarantine(bad.Raw, bad.Line, bad.Err) // and go on
//			continue
//		}
//		...
//	}
//
// The names and meanings of fields are those of the chapter "EVE JSON format" of
// the Suricata user guide; DNS events are understood in all three
// of their versions. A [Parser] builds no map and decodes no value that it does not
// keep: an event costs a few allocations, for the texts that are its own.
//
// Start reading at [Parser.Parse], then [Event].
package eve
