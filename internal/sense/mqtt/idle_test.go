package mqtt_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
)

const idleConnections = 10_000

// BenchmarkIdleConnections reports the memory of the process that holds 10,000
// connections; their other ends are in a process of their own.
func BenchmarkIdleConnections(b *testing.B) {
	ds, _ := benchDevices(1000)
	st := start(b, setting{devices: ds, cfg: mqtt.Config{MaxConnsPerIP: idleConnections}})
	without := resident(b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestIdleClients$")
	cmd.Env = append(os.Environ(), "IDLE_ADDR="+st.gw.Addr())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); st.metric("bluelamp_mqtt_connections") < idleConnections; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Skipf("only %v connections: is the limit of open files too low?", st.metric("bluelamp_mqtt_connections"))
		}
	}
	b.ReportMetric(resident(b), "MB-at-once")
	for b.Loop() {
		debug.FreeOSMemory() // what stays when the garbage of connecting is gone
	}
	b.ReportMetric(without, "MB-without")
	b.ReportMetric(resident(b), "MB")
	cancel()
	_ = cmd.Wait()
}

// TestIdleClients is the other end of the benchmark.
func TestIdleClients(t *testing.T) {
	addr := os.Getenv("IDLE_ADDR")
	if addr == "" {
		t.Skip("only for BenchmarkIdleConnections")
	}
	_, logins := benchDevices(1000)
	if err := mqttclient.Hold(context.Background(), mqttclient.BenchConfig{Addr: addr, Clients: idleConnections, Devices: logins}, func() {}); err != nil {
		t.Fatal(err)
	}
}

// resident returns the process's resident memory, in MB.
func resident(tb testing.TB) float64 {
	tb.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		tb.Skip("no /proc here")
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kB float64
		if n, _ := fmt.Sscanf(strings.TrimPrefix(s.Text(), "VmRSS:"), "%f kB", &kB); n == 1 && strings.HasPrefix(s.Text(), "VmRSS:") {
			return kB / 1000
		}
	}
	tb.Fatal("VmRSS is not there")
	return 0
}
