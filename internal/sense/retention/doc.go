// Package retention lets nothing be kept for longer than it may.
//
// What comes in: the time, and requests to erase a device or premises. What goes
// out: records of the stream Erasures, which say what went and why, and a log,
// read models and backups that do not hold it any more.
//
// A [Keeper] expires each retention class of every stream once a minute
// ([Keeper.Run]), and erases on request ([Keeper.Erase]). The log does the work
// and writes the ledger (internal/bus/erase.go). The read models follow the
// ledger: [Ledger] is a projection of it, which deletes the rows that belong to
// what was erased, so that whatever is killed when, the rows go too.
//
// Start reading at [Keeper.Once]. docs/design/retention.md says why it is so.
package retention
