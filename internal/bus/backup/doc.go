// Package backup copies the log to a directory, from which an empty log can be
// filled again with every record at its position.
//
// What comes in: a log, which may be in use. What goes out: segments, files of
// JSON lines (line.go), compressed, each of one stream, one retention class and
// one day or hour; and an index (index.go) that names them with their checksums.
// [Create] adds what came since the last time.
//
// A backup must forget what the log forgets. [Dir.Apply] follows the log's ledger
// of erasures: segments whose time has come are removed, those that hold erased
// records are written anew without them, and the index keeps a tombstone.
// [Restore] leaves out what the ledger in the backup says was erased, too.
//
// The keys of the data directory (secret.key and that of the audit log) are not
// in a backup. Without secret.key the registry and the people of a restored log
// cannot be read: keep it elsewhere, apart from the backup.
//
// Start reading at [Create].
package backup
