// Package zeek takes in what Zeek network monitors write: connections, log-ins
// and notices.
//
// What comes in: log files, followed through rotation ([Source]), or read once
// ([File]). What goes out: observations of the kinds net.flow, net.login and
// net.notice. Rows of other logs are counted and left; lines that cannot be
// read go to quarantine.
//
// Start reading at [Source.Run], then observe.go.
package zeek
