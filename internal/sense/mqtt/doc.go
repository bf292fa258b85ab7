// Package mqtt is the gateway for devices that speak MQTT 3.1.1 and 5.
//
// What comes in: connections of enrolled devices, over TCP and TLS. What goes
// out: each message to a [sense.Switchboard], and from there to the log; and to
// the same device's own subscribers, as any broker would.
//
// # Who may do what
//
// A device's user name is its id, its password its secret. It publishes and
// subscribes below its own id as first level of the topic, and nowhere else:
// [Allowed] is the whole rule. Client ids are the device's own business: its
// sessions are kept apart from every other device's, so no device can take over
// another's.
//
// # Acknowledged means on disk
//
// A publish of QoS 1 is acknowledged (PUBACK), and one of QoS 2 received
// (PUBREC), when the log has committed what it says, and not before. Where the
// log cannot take it there is no acknowledgement: the connection is closed and
// the client keeps its message. Acknowledgements go out in the order of the
// publishes.
//
// # A publish's way
//
// The broker library keeps connections, sessions and subscriptions, and sends
// what subscribers are due. It would acknowledge a publish by itself, before
// anything is on disk, so it never sees one: [hook.OnPacketRead] takes every
// PUBLISH and PUBREL out of the stream and gives them to publish.go. That judges
// the message (acl.go, limits in account.go), hands it to the switchboard without
// waiting, and goes on reading while at most [Config.InFlight] of the connection
// wait for their commit. As commits are done, deliver.go writes the
// acknowledgements of as many as are ready with one write, and only then gives
// the messages to the device's subscribers.
//
// Start reading at [Gateway.Run], then publish.go.
package mqtt
