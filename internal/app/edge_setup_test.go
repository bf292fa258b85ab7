package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

const (
	edgeChild   = "BLUELAMP_EDGE_CHILD"  // what TestEdgeProcess is to be, as JSON
	edgeRounds  = "BLUELAMP_EDGE_ROUNDS" // how often the link is cut; by default once
	edgePhase   = time.Second            // a third of a cut
	edgeDevices = 6
	edgeSecret  = "the cabinet's secret"
)

// edgePart is a process of the test: the centre, or the gateway.
type edgePart struct {
	Centre bool
	Dir    string
	Port   string // the centre's intake, the gateway's MQTT
	URL    string // where the gateway finds the centre
	Cert   string
	Key    string
}

// TestEdgeProcess is the process that is killed.
func TestEdgeProcess(t *testing.T) {
	text := os.Getenv(edgeChild)
	if text == "" {
		t.Skip("only for the tests of edge gateways")
	}
	var p edgePart
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	if p.Centre {
		c := p.centre(t, logger)
		defer c.Close()
		t.Fatal(c.Run(context.Background()))
	}
	g, err := app.NewGateway(context.Background(), p.gatewayConfig(), p.link(), clock.Wall(), logger)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	t.Fatal(g.Run(context.Background()))
}

func (p edgePart) gatewayConfig() app.Config {
	return app.Config{Data: p.Dir, Reserve: 1, Zone: "Europe/London", MQTT: p.Port, CAPPolicy: "prefer"}
}

func (p edgePart) link() app.Link {
	return app.Link{Centre: p.URL, Device: "cab", Secret: edgeSecret, CentreCA: p.Cert, Keep: time.Hour}
}

func (p edgePart) centreConfig() app.Config {
	cfg := testConfig(p.Dir, "127.0.0.1:0")
	cfg.Intake, cfg.DeviceCert, cfg.DeviceKey = p.Port, p.Cert, p.Key
	cfg.CAPPolicy, cfg.CAPSender, cfg.CAPName = "prefer", "test@bluelamp.example", "Test"
	return cfg
}

// centre opens the centre with a gateway and the devices behind it.
func (p edgePart) centre(t *testing.T, logger *slog.Logger) *app.App {
	t.Helper()
	c, err := app.New(context.Background(), p.centreConfig(), app.Options{Clock: clock.Wall(), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	if err := enrolEdge(c.Registry()); err != nil {
		t.Fatal(err)
	}
	return c
}

func enrolEdge(reg *registry.Registry) error {
	now := time.Now()
	at := place.Point{Lat: 54.9, Lon: 3.1}
	ds := []registry.Device{{
		ID: "cab", Name: "Cabinet", Kind: edge.KindGateway, Place: &at,
		Credentials: []registry.Credential{registry.NewCredential(edgeSecret, now, nil)},
	}}
	for i := range edgeDevices {
		ds = append(ds, registry.Device{
			ID: edgeDevice(i), Name: "Street sensor", Kind: "sensor", Place: &at, Gateway: "cab", Limits: registry.Limits{Messages: 5000, Burst: 5000},
			Credentials: []registry.Credential{registry.NewCredential(secretOf(edgeDevice(i)), now, nil)},
		})
	}
	return reg.PutDevices(context.Background(), "test", ds...)
}

func edgeDevice(i int) string { return fmt.Sprintf("street-%d", i) }

// startPart starts a process of the test.
func startPart(t *testing.T, p edgePart) (kill func()) {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestEdgeProcess$")
	cmd.Env = append(os.Environ(), edgeChild+"="+string(text))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr // what it dies of, if not of us
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	t.Cleanup(kill)
	return kill
}

// cable is a network between the gateway and the centre that can be cut.
type cable struct {
	ln    net.Listener
	to    string
	isCut atomic.Bool
	wg    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{ln: ln, to: to, conns: map[net.Conn]bool{}}
	c.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.carry(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		c.cut()
		c.wg.Wait()
	})
	return c
}

func (c *cable) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	c.mu.Lock()
	c.conns[near], c.conns[far] = true, true
	c.mu.Unlock()
	if c.isCut.Load() {
		return
	}
	c.wg.Go(func() {
		_, _ = io.Copy(far, near) // ends when either is closed
		_ = far.Close()
	})
	_, _ = io.Copy(near, far)
	c.mu.Lock()
	delete(c.conns, near)
	delete(c.conns, far)
	c.mu.Unlock()
}

// cut breaks what is under way, and what is tried until join.
func (c *cable) cut() {
	c.isCut.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
}

func (c *cable) join() { c.isCut.Store(false) }

// selfSigned writes a certificate for 127.0.0.1, and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "centre"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, priv.Public(), priv)
	if err != nil {
		t.Fatal(err)
	}
	pk, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pk}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// streetDevice publishes numbered messages, several at a time, each until it is
// acknowledged, and never one of the next lot before that. A device that sends one
// at a time alternates between messages of two retention classes.
type streetDevice struct {
	id, addr string
	window   int
	clock    func() time.Time

	sent  int // numbers given out
	acked atomic.Int64
	again atomic.Int64 // messages that were sent more than once
}

func (d *streetDevice) run(ctx context.Context) {
	var c *mqttclient.Client
	for ctx.Err() == nil {
		lot := make([]mqttclient.Message, d.window)
		for i := range lot {
			lot[i] = d.message()
		}
		for tries := 0; len(lot) > 0 && ctx.Err() == nil; tries++ {
			if tries > 0 {
				d.again.Add(int64(len(lot)))
				time.Sleep(20 * time.Millisecond)
			}
			var err error
			if c == nil {
				c, err = mqttclient.Dial(ctx, mqttclient.Options{Addr: d.addr, ID: d.id, User: d.id, Password: secretOf(d.id), Clean: true, Timeout: 2 * time.Second})
			}
			if err == nil {
				lot, err = d.publish(c, lot, tries > 0)
			}
			if err != nil && c != nil {
				_ = c.Drop()
				c = nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	if c != nil {
		_ = c.Drop()
	}
}

// publish returns the messages that were not acknowledged.
func (d *streetDevice) publish(c *mqttclient.Client, lot []mqttclient.Message, dup bool) ([]mqttclient.Message, error) {
	for i := range lot {
		lot[i].Dup = dup
		if err := c.Publish(&lot[i]); err != nil {
			return lot, err
		}
	}
	for len(lot) > 0 {
		p, err := c.Get()
		if err != nil {
			return lot, err
		}
		if p.Type != mqttclient.TypePuback || p.ID != lot[0].ID {
			return lot, fmt.Errorf("type %d, id %d instead of PUBACK %d", p.Type, p.ID, lot[0].ID)
		}
		d.acked.Add(1)
		lot = lot[1:]
	}
	return lot, nil
}

func (d *streetDevice) message() mqttclient.Message {
	n := d.sent
	d.sent++
	what, unit := "noise", "dB"
	if d.window == 1 && n%3 == 0 {
		what, unit = "vbat", "V" // health: kept for another time than a measurement
	}
	body := fmt.Sprintf(`[{"bt":%.3f,"n":%q,"u":%q,"v":%d}]`, float64(d.clock().UnixMilli())/1000, what, unit, n)
	return mqttclient.Message{Topic: d.id + "/street/noise/mic", Payload: []byte(body), QoS: 1, ID: uint16(n%65535 + 1)}
}

// hour makes seconds of a test look like the hour that a link is away: devices
// date what they say over the hour before the test, in proportion to the time
// that it takes. So the data spans an hour; the cut itself lasts seconds.
func hour(begin time.Time, lasts time.Duration) func() time.Time {
	var mu sync.Mutex
	var last time.Time
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		part := min(1, float64(time.Since(begin))/float64(lasts))
		at := begin.Add(-time.Hour + time.Duration(part*float64(time.Hour))).Truncate(time.Millisecond)
		if !at.After(last) {
			at = last.Add(time.Millisecond) // no two messages of a device say the same
		}
		last = at
		return at
	}
}

// reach reports whether somebody listens.
func reach(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// waitForEntries waits until a gateway lets its devices in.
func waitForEntries(t *testing.T, addr string) {
	t.Helper()
	waitFor(t, "the gateway to know its devices", func() bool {
		d := edgeDevice(0)
		c, err := mqttclient.Dial(t.Context(), mqttclient.Options{Addr: addr, ID: "first", User: d, Password: secretOf(d), Clean: true})
		if err != nil {
			time.Sleep(300 * time.Millisecond) // too many attempts close the door
			return false
		}
		return c.Close() == nil
	})
}

func ackedBy(ds []*streetDevice) (n int64) {
	for _, d := range ds {
		n += d.acked.Load()
	}
	return n
}
