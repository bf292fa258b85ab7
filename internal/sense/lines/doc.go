// Package lines takes in what network monitors write, a line for each thing that
// they saw, whichever monitor it is.
//
// What comes in: log files, followed through rotation ([Source]) or read once
// ([File]), and connections over which a monitor or its shipper sends the same
// lines ([Listener]). A [Dialect] says what one kind of monitor writes; its
// [Mapper] turns a line into an observation. What goes out: those observations;
// lines that cannot be read go to quarantine.
//
// A file is read exactly once, through restarts. A connection has no
// acknowledgement: what the sender's system took and we did not read yet is lost
// when either end stops. What was read is on disk before more is read, so that a
// slow disk slows the sender, and nothing is dropped in between.
//
// Start reading at [Dialect], then [Source.Run] and [Listener.Run].
package lines
