// Package bus is the log: everything that happens is appended once to a
// JetStream stream and never changed, until it expires or is erased. Every stage
// reads a stream and writes a stream.
//
// What comes in: records to append ([Log.Append], [Log.AppendAsync]). What goes
// out: the same records in order, from any position ([Log.Read]). All streams
// are declared in streams.go.
//
// Acknowledged means on disk. Records that arrive while a commit is under way
// share the next one: the writer gathers them into a frame, one message of JSON
// lines, which the server writes and syncs as a whole (group commit, writer.go).
// A call's records stay together. A record's position is its frame's position
// and its place within the frame, in one number that only grows (frame.go).
//
// A [Stage] is a reader with a memory: it saves its state together with its
// position, and after a crash it picks both up again and repeats only what came
// after, writing nothing twice (stage.go).
//
// What expires is appended with its retention class ([Stream.Kept]), in frames that
// are sealed with a key of their class and time (keys.go, commit.go). [Log.Expire]
// and [Log.Erase] take records away and write the ledger (erase.go, ledger.go);
// what is left of a frame lies in a patch (patch.go). Readers bear the gaps.
//
// By default the server runs inside the process and opens no port; [Config.URL]
// points the same code at a cluster. A second process on the same machine (the
// command line, while the server runs) reaches the embedded server through a
// socket in the data directory that only its owner can open (socket.go).
//
// Start reading at [Open], then writer.go.
package bus
