package bus_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// In the environment of the test's child: the log, and the step of the erasure at
// which it kills itself.
const eraseDir, eraseStep = "BLUELAMP_TEST_ERASE", "BLUELAMP_TEST_STEP"

var (
	killNoon   = time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
	killMarker = []byte(`{"x":"a-marker-to-erase"}`)
)

// TestKilledWhileErasing kills a process with SIGKILL at every step of an erasure
// and of an expiry: the next start, and the next expiry, finish them.
func TestKilledWhileErasing(t *testing.T) {
	if dir := os.Getenv(eraseDir); dir != "" {
		eraseUntilKilled(t, dir)
		return
	}
	for step := 1; ; step++ {
		dir := t.TempDir()
		l := open(t, dir)
		appendAll(t, l, bus.Alerts, line(1), killMarker)
		appendAll(t, l, bus.Alerts, killMarker)
		l.Close()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileErasing$")
		cmd.Env = append(os.Environ(), eraseDir+"="+dir, eraseStep+"="+strconv.Itoa(step))
		out, err := cmd.CombinedOutput()
		killed := err != nil && strings.Contains(err.Error(), "killed")
		if err != nil && !killed {
			t.Fatalf("the child failed: %v\n%s", err, out)
		}
		l, err = bus.Open(t.Context(), bus.Config{Dir: dir, Now: func() time.Time { return killNoon }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Expire(t.Context(), bus.Observations.Kept("24h"), killNoon.Add(48*time.Hour), "", ""); err != nil {
			t.Fatal(err)
		}
		// The child killed itself before it began, or what it began is finished.
		if began := readAll(t, l, bus.Erasures, 0); len(began) > 0 {
			if got := readAll(t, l, bus.Alerts, 0); len(got) != 1 || holds(t, dir, killMarker) {
				t.Errorf("killed at step %d: %d alerts left, or the marker on disk", step, len(got))
			}
		}
		if got := readAll(t, l, bus.Observations, 0); len(got) != 0 || len(rawKeys(t, dir)) > 0 {
			t.Errorf("killed at step %d: %d observations or a key left", step, len(got))
		}
		l.Close()
		if !killed {
			if step < 5 {
				t.Errorf("only %d steps were met", step-1)
			}
			return
		}
	}
}

func eraseUntilKilled(t *testing.T, dir string) {
	left, err := strconv.Atoi(os.Getenv(eraseStep))
	if err != nil {
		t.Fatal(err)
	}
	cfg := bus.Config{Dir: dir, Now: func() time.Time { return killNoon }}.WithStep(func(string) {
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	l, err := bus.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	appendAll(t, l, bus.Observations.Kept("24h"), line(1))
	if _, err := l.Erase(context.Background(), bus.Alerts, bus.Erasure{}, func(r bus.Record) bool { return bytes.Equal(r.Data, killMarker) }); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Expire(context.Background(), bus.Observations.Kept("24h"), killNoon.Add(48*time.Hour), "", ""); err != nil {
		t.Fatal(err)
	}
}
