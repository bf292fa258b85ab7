// Package suricata takes in what Suricata intrusion detection systems write: the
// rules that matched, and the flows, names looked up, web requests, encrypted
// sessions and anomalies that they saw.
//
// What comes in are the lines of its EVE output, from files or over a connection;
// package lines brings them. What goes out are observations of the kinds
// net.notice (for alerts), net.flow, net.dns, net.http, net.tls and net.anomaly.
// Other events (stats, drop, fileinfo, ssh ...) are left; lines that cannot be read
// go to quarantine.
//
// Flows are told in the words of Zeek's conn.log, so that one detector serves
// both: state.go says how.
//
// Start reading at [Dialect], then observe.go.
package suricata
