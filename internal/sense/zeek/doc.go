// Package zeek takes in what Zeek network monitors write: connections, log-ins,
// names looked up, web requests, encrypted sessions, notices and oddities.
//
// What comes in are the lines of Zeek's logs, in either form, from files or over a
// connection; package lines brings them. What goes out are observations of the
// kinds net.flow, net.login, net.dns, net.http, net.tls, net.notice and
// net.anomaly. Rows of other logs are left; lines that cannot be read go to
// quarantine.
//
// Start reading at [Dialect], then observe.go.
package zeek
