// Package dc09 reads and writes SIA DC-09, the protocol with which alarm
// panels report to a receiving centre over TCP or UDP. It is pure: bytes to
// structs and back, no sockets, no clock, no configuration, standard library
// only.
//
// # The protocol in one page
//
// A panel sends a frame and waits for a reply; without one it sends again.
// On the wire a frame is one line between LF and CR:
//
//		LF F4D2 0029 "SIA-DCS" 0001 RF3 L77 #1234 [#1234|NRR|Atest] CR
//		   crc  len  token     seq  rcv lin acct  data              (spaces added)
//
//	  - crc is CRC-16/ARC and len the count of characters, in hexadecimal, both
//	    over everything from the first quote up to, not including, CR.
//	  - token names the format of the data: [TokenSIA] for SIA event codes,
//	    [TokenCID] for Contact ID, [TokenNull] for a link test without data.
//	  - seq runs from 0001 to 9999 and starts again at 0001 (see [NextSequence]);
//	    a frame that is sent again keeps its number, so account, receiver, line
//	    and sequence together tell a repeat from a new event.
//	  - After the data come any number of extended blocks, one letter and a
//	    value: [X006E07.777] longitude, [Mxxxxxxxxxxxx] MAC address, [V...] a
//	    link to audio or video, and so on (see [ExtendedID]).
//	  - Last comes the time in UTC, _HH:MM:SS,MM-DD-YYYY: optional in a plain
//	    frame, required in an encrypted one, where it stops replays.
//
// In an encrypted frame the token starts with an asterisk and everything
// after the first bracket, time included, is AES-CBC with a zero vector,
// written as hexadecimal. Before the data stand 1 to 16 random bytes and a
// bar, which fill up the AES block and vary the ciphertext.
//
// The receiver answers ACK (taken over), NAK (with its own time, so that the
// panel can set its clock and try again), DUH (understood as a frame, not as
// an event), or nothing at all when the line damaged the frame. [ReplyFor]
// is the only place that knows which.
//
// # Where to start
//
// A receiver: [NewScanner] cuts a connection into frames ([Datagram] does the
// same for a UDP packet), [Parse] reads one, [Frame.Decrypt] opens it,
// [ReplyFor] decides the reply, [AppendReply] writes it, and
// [Frame.Signals] says what happened in neutral terms.
//
// A panel: [ParseSpec] or a [Frame] literal, [Encode], then [Parse] for the
// reply.
//
// # Strictness
//
// A frame is read by the letter of ANSI/SIA DC-09; nothing damaged is
// repaired, and the binary checksum of some early panels is not read. Three
// things are accepted because panels in the field send them: lower case
// hexadecimal, an encrypted block without the bar when there is no data, and
// data without its own account.
// Event content is the reverse: codes and texts differ by maker, so an
// unknown code is kept with the category "unknown" and is never an error.
package dc09
