// Package cap reads and writes public warnings in the Common Alerting Protocol
// 1.2 (OASIS Standard CAP-v1.2, 1 July 2010), and the Atom and RSS feeds that
// carry them.
//
// [Decode] takes one message from bytes that nobody vouches for. It is strict:
// what the standard calls invalid is a [Problem] that names the element and its
// line. Some problems leave no doubt about the meaning, such as a time that ends
// in "Z" instead of "-00:00" or "+00:00"; these are flaws: they are listed in
// [Alert.Flaws] and the message can be used, since a warning to the public should
// not be lost for a formality. [Strict] takes flaws for errors. All others are an
// [Error].
//
// [Encode] writes a message in the order of the schema, with times in UTC as
// "+00:00", and refuses to write what Decode would find a problem in.
//
// Nothing is read beyond the bounds of this package ([MaxMessage] and its
// neighbours); a document type declaration, and with it every entity of one's
// own, is refused.
//
// Signatures are only counted: to verify them takes more than the standard library.
//
// Start reading at [Alert], then [Decode].
package cap
