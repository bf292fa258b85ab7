// Package enrol lets devices enrol over HTTP, and draws the codes by which they
// are invited.
//
// What comes in: POST /enrol with an invitation's token (registry.Invite). What
// goes out, once: the device's user name and password, and where it may send.
// Whoever has the token is the device, so nothing else is asked; tokens are 256
// random bits, are used up by the first who comes and are never logged. A [Link]
// carries one behind a #, which no browser sends and no proxy notes.
//
// Start reading at [New].
package enrol
