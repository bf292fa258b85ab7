// Package tail reads the lines of a log: of one that has ended, and of one that
// is still being written.
//
// What comes in are bytes. What goes out are lines, each with its number and the
// bytes that it takes up, bounded in length: of a longer one the beginning is
// handed out with [ErrLineTooLong], and reading goes on after it.
//
// A [Scanner] cuts a stream into lines. A [Follower] reads a file through
// rotation (it is renamed and made anew, and perhaps compressed), truncation, and
// copy-and-truncate, and says after each line where it is ([Position]), so that a
// program which stops can later go on from there:
//
//	f := tail.Follow("/var/log/monitor.json", saved, tail.Options{})
//	defer f.Close()
//	for {
//		line, err := f.Next(ctx)
//		...
//		saved = f.Position()
//	}
//
// What a line means is the caller's business. A line numbered 1 begins a text of
// its own: whatever was learnt from the lines before it, such as a header, no
// longer holds.
//
// Start reading at [Follower.Next], then [Scanner.Next].
package tail
