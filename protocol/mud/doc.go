// Package mud reads Manufacturer Usage Descriptions (RFC 8520): what a maker of
// connected devices says that they talk to. Whatever else a device does is worth
// a look, without anything having to be learnt.
//
// What comes in is a MUD file: JSON with an ietf-mud:mud and the access lists that
// it names (RFC 8519), with DNS names and MUD's own abstractions. What goes out is
// a [Profile], which says of a conversation whether it is within, and why
// ([Profile.Allows]). A [Library] holds the profiles of a directory by their URL.
//
// A conversation is judged by how it began, as monitors tell of connections; the
// answers within it are not judged again. What is not permitted is outside; DNS
// and NTP within the local network are permitted (RFC 8520).
//
// Not done here: fetching files, and checking their signatures (detached CMS, RFC
// 8520 section 13). Who gives files to this package vouches for them.
//
// Start reading at [Parse], then [Profile.Allows].
package mud
