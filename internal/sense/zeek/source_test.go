package zeek_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/zeek"
)

func line(n int) string {
	return fmt.Sprintf(`{"ts":%d.5,"uid":"C%06d","id.orig_h":"192.0.2.1","id.orig_p":4000,"id.resp_h":"10.0.0.%d","id.resp_p":23,"proto":"tcp","conn_state":"S0"}`+"\n", 1700000000+n, n, n%250)
}

func write(t *testing.T, name string, from, to int) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for n := from; n < to; n++ {
		if _, err := f.WriteString(line(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// run follows dir until the log holds want observations, and then ends.
func run(t *testing.T, log *bus.Log, dir string, want int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	logger := slog.New(slog.DiscardHandler)
	in := sense.NewIntake(log, clock.Wall(), nil, logger, nil)
	done := make(chan error, 1)
	go func() { done <- zeek.NewSource(dir, log, in, logger).Run(ctx) }()
	deadline := time.Now().Add(20 * time.Second)
	for len(uids(t, log)) < want && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func uids(t *testing.T, log *bus.Log) map[string]int {
	t.Helper()
	seen := map[string]int{}
	err := log.Each(context.Background(), bus.Observations, 0, func(rec bus.Record) error {
		var o event.Observation
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			return err
		}
		seen[o.Flow.UID]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestEachLineIsObservedOnce follows a directory that does not exist at first,
// through a restart, a rotation while nobody follows, and a bad line.
func TestEachLineIsObservedOnce(t *testing.T) {
	log, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir(), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	dir := filepath.Join(t.TempDir(), "monitor")
	conn := filepath.Join(dir, "conn.log")
	time.AfterFunc(300*time.Millisecond, func() {
		_ = os.Mkdir(dir, 0o700)
		_ = os.WriteFile(conn, []byte(line(0)+"{broken\n"), 0o600)
	})
	run(t, log, dir, 1)
	write(t, conn, 1, 700)
	run(t, log, dir, 700)
	write(t, conn, 700, 800)
	if err := os.Rename(conn, conn+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, conn, 800, 900)
	run(t, log, dir, 900)
	seen := uids(t, log)
	for n := range 900 {
		if got := seen[fmt.Sprintf("C%06d", n)]; got != 1 {
			t.Fatalf("line %d was observed %d times", n, got)
		}
	}
	var quarantined []event.Quarantined
	err = log.Each(t.Context(), bus.Quarantine, 0, func(rec bus.Record) error {
		var q event.Quarantined
		err := json.Unmarshal(rec.Data, &q)
		quarantined = append(quarantined, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(quarantined) != 1 || string(quarantined[0].Bytes) != "{broken" || !strings.HasSuffix(quarantined[0].From, ":2") {
		t.Errorf("quarantine = %+v, want the one bad line", quarantined)
	}
}
