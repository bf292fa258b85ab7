// Package audit records who did what to what, and why, so that nobody can change
// the record unseen: the logs that section 62 of the Data Protection Act 2018
// asks of whoever processes personal data for law enforcement.
//
// What comes in: an [Entry], before the thing is done or shown ([Recorder.Record]
// returns when it is on disk). What goes out: pages of entries to read
// ([Search]), a verdict on the whole record ([Verify]), and proofs that one entry
// belongs to it ([Log.Prove]).
//
// The entries are the records of the AUDIT stream, in its order. They are the
// leaves of a Merkle tree (RFC 6962, section 2.1). Every few minutes and every few
// hundred entries the tree's size and root are signed: a checkpoint, in the C2SP
// tlog-checkpoint format. Checkpoints are kept on the log and in the file
// audit.checkpoints of the data directory. An entry that is altered, removed,
// moved or put in between then contradicts every later checkpoint, and without
// the key in audit.key nobody can sign others.
//
// What this cannot show: a change made by someone who holds the key, or the
// removal of the newest entries together with all checkpoints over them. Against
// both, keep copies of checkpoints elsewhere, and give them to Verify.
//
// Start reading at [Entry], then log.go, then verify.go.
package audit
