package bus

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// Whatever was queued when the log was closed is answered, however close it was:
// a caller that waits for its commit would wait for ever. The order in which the
// three come to the queue, that which leaves the least time, is forced by having
// them wait in line for its lock.
func TestEveryCallIsAnsweredWhenTheLogCloses(t *testing.T) {
	l := &Log{logger: slog.New(slog.DiscardHandler), met: newMetrics(nil), cfg: Config{Now: time.Now}}
	// A disk that cannot be looked at: every commit fails, without a server.
	l.disk = &diskGuard{dir: "\x00", met: l.met, logger: l.logger}
	w := newWriter(l, Observations)
	put := func(done func()) error {
		return w.enqueue(context.Background(), &pending{records: [][]byte{{'x'}}, done: func(uint64, error) { done() }})
	}
	committing, goOn := make(chan bool), make(chan bool)
	if err := put(func() { close(committing); <-goOn }); err != nil {
		t.Fatal(err)
	}
	<-committing
	w.mu.Lock()
	inLine := func() { time.Sleep(20 * time.Millisecond) }
	close(goOn) // the writer comes first, and finds nothing
	inLine()
	answered, refused := make(chan bool, 1), make(chan error, 1)
	go func() { refused <- put(func() { answered <- true }) }()
	inLine()
	closed := make(chan bool)
	go func() { defer close(closed); w.close() }()
	inLine()
	w.mu.Unlock()
	w.mu.Lock() // a lock that its first waiter misses is handed out in turn
	inLine()
	w.mu.Unlock()
	<-closed
	if err := <-refused; err != nil {
		return // it came too late this time, and was told
	}
	select {
	case <-answered:
	case <-time.After(5 * time.Second):
		t.Error("a call that was queued was never answered")
	}
}
