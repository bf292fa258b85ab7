package bus_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// In the environment of the test's child: the log to write, and the first number.
const childDir, childFirst = "BLUELAMP_TEST_CHILD", "BLUELAMP_TEST_FIRST"

// TestKilled kills a process that is appending, with SIGKILL, at random moments:
// each record that it had been told is on disk must be there, once.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		appendUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	acked := map[int]bool{}
	first := 0
	for round := range 4 {
		first = killOne(t, dir, first, acked)
		l := open(t, dir)
		on := map[int]int{}
		for _, r := range readAll(t, l, bus.Observations, 0) {
			var n int
			if _, err := fmt.Sscanf(string(r.Data), `{"n":%d}`, &n); err != nil {
				t.Fatalf("record %d is %q", r.Seq, r.Data)
			}
			on[n]++
		}
		for n := range acked {
			if on[n] != 1 {
				t.Errorf("round %d: record %d was acknowledged and is there %d times", round, n, on[n])
			}
		}
		for n, times := range on {
			if times != 1 {
				t.Errorf("round %d: record %d is there %d times", round, n, times)
			}
		}
		l.Close()
	}
	t.Logf("%d records acknowledged", len(acked))
	if len(acked) == 0 {
		t.Error("nothing was acknowledged")
	}
}

// killOne runs a child and kills it; it returns the first number not yet used.
func killOne(t *testing.T, dir string, first int, acked map[int]bool) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childFirst+"="+strconv.Itoa(first))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	next := first
	for lines := bufio.NewScanner(out); lines.Scan(); {
		once.Do(func() { // it is up and writing
			time.AfterFunc(time.Duration(20+rand.IntN(300))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		})
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			acked[n] = true
			next = max(next, n+1)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended before it was killed")
	}
	return next + 1_000_000 // beyond what was sent and not acknowledged
}

func appendUntilKilled(t *testing.T, dir string) {
	first, err := strconv.Atoi(os.Getenv(childFirst))
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	numbers := make(chan int)
	for range 64 {
		go func() {
			for n := range numbers {
				if _, err := l.Append(context.Background(), bus.Observations, line(n)); err == nil {
					fmt.Println(n) // one write: whole or not at all
				}
			}
		}()
	}
	for n := first; ; n++ {
		numbers <- n
	}
}

// TestFullDisk fills a small file system: appends must fail clearly, lose
// nothing, and work again when there is space.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	l, err := bus.Open(t.Context(), bus.Config{Dir: dir, Reserve: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ballast := dir + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 24<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	padding := make([]byte, 30_000)
	for i := range padding {
		padding[i] = 'x'
	}
	acked := 0
	for err == nil {
		_, err = l.Append(t.Context(), bus.Alerts, fmt.Appendf(nil, `{"n":%d,"x":"%s"}`, acked, padding))
		if err == nil {
			acked++
		}
	}
	if !errors.Is(err, bus.ErrFull) {
		t.Fatalf("on a full disk Append = %v, want ErrFull", err)
	}
	if err := l.Ready(); !errors.Is(err, bus.ErrFull) {
		t.Errorf("Ready = %v, want ErrFull", err)
	}
	if err := l.Put(t.Context(), bus.Snapshots, "x", []byte("x")); !errors.Is(err, bus.ErrFull) {
		t.Errorf("Put = %v, want ErrFull", err)
	}
	if got := len(readAll(t, l, bus.Alerts, 0)); got != acked {
		t.Errorf("%d records on the full disk, %d acknowledged", got, acked)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for wait := time.Now(); l.Ready() != nil && time.Since(wait) < 5*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
	appendAll(t, l, bus.Alerts, line(acked))
	l.Close()
	if l, err = bus.Open(t.Context(), bus.Config{Dir: dir, Reserve: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if got := len(readAll(t, l, bus.Alerts, 0)); got != acked+1 {
		t.Errorf("%d records after reopening, want %d", got, acked+1)
	}
}
