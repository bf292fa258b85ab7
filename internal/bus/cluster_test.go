package bus_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/nats-io/nats-server/v2/server"
)

// startServer runs a NATS server as a force would, with a port on this machine.
func startServer(tb testing.TB, opts *server.Options) *server.Server {
	tb.Helper()
	opts.Host, opts.NoSigs, opts.NoLog, opts.JetStream = "127.0.0.1", true, true, true
	opts.MaxPayload = bus.MaxMessage + 1<<20
	srv, err := server.NewServer(opts)
	if err != nil {
		tb.Fatal(err)
	}
	go srv.Start()
	tb.Cleanup(func() { stopServer(srv) })
	return srv
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func openURL(tb testing.TB, url string, replicas int) *bus.Log {
	tb.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		var l *bus.Log
		l, err = bus.Open(ctx, bus.Config{URL: url, Replicas: replicas})
		cancel()
		if err == nil {
			tb.Cleanup(l.Close)
			return l
		}
	}
	tb.Fatalf("opening the log at %s: %v", url, err)
	return nil
}

func TestExternalServer(t *testing.T) {
	srv := startServer(t, &server.Options{Port: server.RANDOM_PORT, StoreDir: t.TempDir()})
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server did not start")
	}
	a, b := openURL(t, srv.ClientURL(), 1), openURL(t, srv.ClientURL(), 1)
	appendAll(t, a, bus.Alerts, line(1), line(2))
	appendAll(t, b, bus.Alerts, line(3))
	for _, l := range []*bus.Log{a, b} {
		if got := readAll(t, l, bus.Alerts, 0); len(got) != 3 || l.Embedded() {
			t.Errorf("%d records, want 3", len(got))
		}
	}
	stopServer(srv)
	waitFor(t, "Ready to say that the server is gone", func() bool { return a.Ready() != nil })
	if _, err := bus.Open(t.Context(), bus.Config{URL: srv.ClientURL()}); err == nil {
		t.Error("opened a log that is not there")
	}
}

// TestClusterLosesItsLeader stops the node that leads a stream while records are
// being appended. What was acknowledged is there once, and nothing is twice.
func TestClusterLosesItsLeader(t *testing.T) {
	nodes := startCluster(t, 3)
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.ClientURL())
	}
	l := openURL(t, strings.Join(urls, ","), 3)
	var mu sync.Mutex
	acked, next, failed := map[int]bool{}, 0, 0
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				_, err := l.Append(context.Background(), bus.Observations, line(n))
				mu.Lock()
				if err == nil {
					acked[n] = true
				} else {
					failed++
					t.Logf("record %d: %v", n, err)
				}
				mu.Unlock()
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acked) }
	waitFor(t, "records before the leader stops", func() bool { return count() > 200 })
	stopServer(leader(t, nodes))
	before := count()
	waitFor(t, "records from the new leader", func() bool { return count() > before+200 })
	close(stop)
	wg.Wait()
	on := map[int]int{}
	for _, r := range readAll(t, l, bus.Observations, 0) {
		var n int
		if _, err := fmt.Sscanf(string(r.Data), `{"n":%d}`, &n); err != nil {
			t.Fatalf("record %d is %q", r.Seq, r.Data)
		}
		on[n]++
	}
	for n := range next {
		if acked[n] && on[n] != 1 || on[n] > 1 {
			t.Errorf("record %d (acknowledged: %v) is there %d times", n, acked[n], on[n])
		}
	}
	t.Logf("%d acknowledged, %d failed", len(acked), failed)
}

func startCluster(t *testing.T, size int) []*server.Server {
	t.Helper()
	var routes []*url.URL
	var ports []int
	for range size {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		_ = ln.Close()
		ports = append(ports, port)
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	var nodes []*server.Server
	for i := range size {
		nodes = append(nodes, startServer(t, &server.Options{
			ServerName: fmt.Sprintf("node%d", i), Port: server.RANDOM_PORT, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "force", Host: "127.0.0.1", Port: ports[i]},
		}))
	}
	for _, n := range nodes {
		if !n.ReadyForConnections(15 * time.Second) {
			t.Fatal("a node did not start")
		}
	}
	waitFor(t, "the cluster's leader", func() bool {
		for _, n := range nodes {
			if n.JetStreamIsLeader() {
				return true
			}
		}
		return false
	})
	return nodes
}

// leader finds the node that leads the stream of observations.
func leader(t *testing.T, nodes []*server.Server) *server.Server {
	t.Helper()
	for _, n := range nodes {
		if n.JetStreamIsStreamLeader("$G", bus.Observations.Name) {
			return n
		}
	}
	t.Fatal("no node leads the stream")
	return nil
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
