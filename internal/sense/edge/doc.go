// Package edge joins a gateway in a street cabinet, or at a site with a poor
// link, to the centre. The gateway takes in locally and keeps on its own log
// what devices say; this package carries it to the centre: in order for each
// device, and once.
//
// At the gateway, a [Forwarder] reads its log and posts what follows the
// position that the centre has confirmed, and a [Follower] keeps a copy of the
// registry entries that the gateway serves. At the centre, a [Receiver] answers
// both. What comes in: records of the gateway's OBSERVATIONS and QUARANTINE
// streams, each with its position there. What goes out: the same observations on
// the centre's log, each with an event.Edge that says whence, and quarantine
// entries.
//
// The centre takes nothing on trust but the gateway's own clock and positions: an
// observation of a device that does not come through this gateway is refused.
//
// Start reading at [Receiver], then [Forwarder].
package edge
