// Package dc09 is the receiver for alarm panels that report by SIA DC-09 over
// TCP and UDP.
//
// What comes in: frames. What goes out: an observation for each signal of each
// frame, and a reply to the panel. A frame is acknowledged only when all that
// it says is on disk.
//
// # A frame's way
//
// A connection's goroutine (tcp.go), or one of the workers on the UDP socket
// (udp.go), cuts frames from what arrives and hands them to its [round]. The
// round judges each (judge.go: account, key, rules), asks the memory whether it
// is a repeat (memory.go), and puts the observations of a new one on the log
// (observe.go) without waiting. When everything that has arrived is taken up,
// the round waits for the commits, all under way at once, and writes the
// replies in the order of the frames. So a connection needs one goroutine, its
// replies share a write, and what a panel sends meanwhile waits in the kernel.
//
// # Replies
//
// The codec's ReplyFor says which reply the rules ask for. The receiver adds:
//
//	account not in the registry                 DUH    quarantined first
//	plain frame of an account that has a key    DUH    quarantined first: a downgrade
//	encrypted frame of an account without key   NAK    quarantined
//	key does not fit                            NAK    quarantined
//	clock outside the window                    NAK    the panel sets its clock and tries
//	                                                   again; a second time: quarantined
//	time stamp that is none                     NAK    quarantined
//	not intact (checksum, length, no frame)     none   quarantined
//	the log cannot take it (disk full)          none   see below
//
// When the log fails there is no reply at all. NAK would make the panel set its
// clock, DUH would make it give the event up; silence is what a broken line
// sounds like, so the panel keeps the event, tries again, and turns to its other
// path.
//
// # Repeats
//
// A panel that missed the ACK sends the frame again. A frame with the account,
// receiver, line, sequence and content (token, data and extended blocks; not the
// time stamp) of one that was taken up within [DefaultDedupWindow] is
// acknowledged again and makes no second observation; while the first is still
// being committed, the repeat waits for it. The same sequence with other content
// is another event. Sequence 0000 is not a number, and a link test says "I am
// here now" each time, so neither is ever a repeat. After a restart the memory
// is read back from the log.
//
// The account in the header decides whom a signal is from, since its key opened
// the frame; another account in the data is told in the signal's text.
//
// Start reading at [Receiver.Run], then round.go.
package dc09
