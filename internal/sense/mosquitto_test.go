package sense_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// broker runs a real mosquitto on a free port of this machine.
func broker(t *testing.T) (port string, stop func()) {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		if os.Getenv("BLUELAMP_REQUIRE_ALL") != "" {
			t.Fatal("no mosquitto, and BLUELAMP_REQUIRE_ALL is set")
		}
		t.Skip("no mosquitto on this machine")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return port, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func publish(t *testing.T, port string, args ...string) {
	t.Helper()
	if out, err := exec.Command("mosquitto_pub", append([]string{"-p", port, "-q", "1"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub %v: %v: %s", args, err, out)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 400 {
		if ok() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("it did not happen within 10 s")
}
