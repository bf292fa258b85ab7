// Package zeek reads the logs of the Zeek network security monitor.
//
// What comes in is bytes: a log in Zeek's tab-separated form (with its #fields
// header, which may repeat when files are joined), or in its JSON-lines form, or
// a mixture; the form is found line by line. What goes out is a [Record] per
// line, whose fields are read by name without building a map, and, for the logs
// that matter most, typed rows: [Conn], [DNS], [HTTP], [SSL], [SSH], [Notice] and
// [Weird].
//
//	r := zeek.NewReader(f, zeek.Named("conn.log"))
//	for {
//		rec, err := r.Read()
//		if err == io.EOF {
//			break
//		}
//		var bad *zeek.LineError
//		if errors.As(err, &bad) {
//			quarantine(bad.Raw, bad.Line, bad.Err) // and go on
//			continue
//		}
//		...
//	}
//
// A line that cannot be understood is a [LineError], which holds its bytes, and
// reading goes on after it. Every line is bounded ([DefaultMaxLine]).
//
// A [Follower] reads a log that is still being written, through rotation and
// truncation, and says after each record where it is ([Position]), so that a
// program which stops can later go on from there. A [Decoder] is for lines that
// come in another way.
//
// Start reading at [Reader.Read], then [Record].
package zeek
