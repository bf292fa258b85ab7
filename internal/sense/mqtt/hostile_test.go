package mqtt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Without room on the disk nothing is acknowledged: the connection ends, and the
// client has its message still.
func TestNoAcknowledgementWithoutCommit(t *testing.T) {
	st := start(t, setting{}).restart(setting{reserve: 1 << 50})
	for _, version := range []byte{4, 5} {
		for _, qos := range []byte{1, 2} {
			o := st.options("hub-1", "a")
			o.Version = version
			c := st.dial(o)
			for id := range uint16(3) {
				if err := c.Publish(&mqttclient.Message{Topic: "hub-1/door", Payload: []byte("lost?"), QoS: qos, ID: id + 1}); err != nil {
					break // closed already
				}
			}
			if version == 5 {
				get(t, c, mqttclient.TypeDisconnect, 0x89)
			}
			closed(t, c)
		}
	}
	if os := st.observed(); len(os) != 0 {
		t.Errorf("%q", os)
	}
	// Best effort stays connected.
	c := st.dial(st.options("hub-1", "b"))
	if err := c.Publish(&mqttclient.Message{Topic: "hub-1/door", Payload: []byte("lost")}); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(); err != nil {
		t.Fatal(err)
	}
	get(t, c, mqttclient.TypePingresp, 0)
	eventually(t, "counted", func() bool { return st.metric("bluelamp_mqtt_dropped_total", "reason", "log") > 0 })
}

func TestOthersTopicsAreRefused(t *testing.T) {
	st := start(t, setting{})
	o := st.options("hub-1", "a")
	o.Version = 5
	c := st.dial(o)
	for i, topic := range []string{"hub-2/door", "hub-10/door", "hub-1", "hub-1/", "/hub-1/door", "$SYS/x", "$share/hub-1/x"} {
		for qos, kind := range []byte{0, mqttclient.TypePuback, mqttclient.TypePubrec} {
			if err := c.Publish(&mqttclient.Message{Topic: topic, Payload: []byte("x"), QoS: byte(qos), ID: uint16(10*i+qos+1) * uint16(min(qos, 1))}); err != nil {
				t.Fatal(err)
			}
			if qos > 0 {
				get(t, c, kind, 0x87)
			}
		}
	}
	for i, filter := range []string{"#", "+/door", "hub-2/#", "$SYS/#", "+/+", "hub-1", "hub-+/x"} {
		if code, err := c.Subscribe(uint16(i+1), filter, 1); err != nil || code < 0x80 {
			t.Errorf("%s: code 0x%02x, %v", filter, code, err)
		}
	}
	// 3.1.1 has no way to say it.
	for _, qos := range []byte{1, 2} {
		old := st.dial(st.options("hub-1", "b"))
		if err := old.Publish(&mqttclient.Message{Topic: "hub-2/door", Payload: []byte("x"), QoS: qos, ID: 1}); err != nil {
			t.Fatal(err)
		}
		closed(t, old)
	}
	// A last will is a publish.
	for version, code := range map[byte]string{4: "0x05", 5: "0x87"} {
		o := st.options("hub-1", "c")
		o.Version, o.Will = version, &mqttclient.Message{Topic: "hub-2/bridge/state", Payload: []byte("offline")}
		if _, err := mqttclient.Dial(context.Background(), o); !errors.Is(err, mqttclient.ErrRefused) || !bytes.Contains([]byte(err.Error()), []byte(code)) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	st.await("device.misuse hub-1 topic")
	if n := st.count("device.misuse hub-1 topic"); n != 1 {
		t.Errorf("%d observations of misuse in the first minute, want 1", n)
	}
	if n := st.metric("bluelamp_mqtt_misuse_total", "what", "topic"); n < 30 {
		t.Errorf("counted %v", n)
	}
	for _, line := range st.observed() {
		if line != "device.misuse hub-1 topic" {
			t.Errorf("observed %s", line)
		}
	}
}

// The same client id with another device is another session, and a device's own
// second connection takes the first one's place.
func TestTakeover(t *testing.T) {
	st := start(t, setting{})
	first := st.dial(st.options("hub-1", "same"))
	other := st.dial(st.options("hub-2", "same"))
	for _, c := range []*mqttclient.Client{first, other} {
		if err := c.Ping(); err != nil {
			t.Fatal(err)
		}
		get(t, c, mqttclient.TypePingresp, 0)
	}
	// Nobody gets in under a client id that looks like another's session.
	sly := st.dial(st.options("hub-2", "hub-1/same"))
	if err := first.Ping(); err != nil {
		t.Fatal(err)
	}
	get(t, first, mqttclient.TypePingresp, 0)
	second := st.dial(st.options("hub-1", "same"))
	closed(t, first)
	for _, c := range []*mqttclient.Client{other, sly, second} {
		if err := c.Ping(); err != nil {
			t.Fatal(err)
		}
		get(t, c, mqttclient.TypePingresp, 0)
	}
}

func TestWrongSecrets(t *testing.T) {
	st := start(t, setting{})
	try := func(user, secret string) error {
		o := st.options(user, "x")
		o.Password = secret
		c, err := mqttclient.Dial(context.Background(), o)
		if err == nil {
			_ = c.Drop()
		}
		return err
	}
	for range 30 {
		for _, user := range []string{"hub-1", "stranger", ""} {
			if err := try(user, "wrong"); !errors.Is(err, mqttclient.ErrRefused) {
				t.Fatalf("%q: %v", user, err)
			}
		}
	}
	st.await("device.misuse hub-1 credential")
	st.await("device.misuse mqtt credential") // strangers
	if n := st.metric("bluelamp_mqtt_connects_total", "result", "too many failures"); n < 40 {
		t.Errorf("%v were not looked at, want most", n)
	}
	if err := try("hub-2", secretOf("hub-2")); err != nil {
		t.Errorf("another device from the same address: %v", err)
	}
}

func TestRevocation(t *testing.T) {
	st := start(t, setting{})
	c1, c2 := st.dial(st.options("hub-1", "a")), st.dial(st.options("hub-2", "a"))
	d := device("hub-1")
	d.Revoked = true
	if err := st.reg.PutDevices(context.Background(), "test", d); err != nil {
		t.Fatal(err)
	}
	closed(t, c1)
	if _, err := mqttclient.Dial(context.Background(), st.options("hub-1", "a")); !errors.Is(err, mqttclient.ErrRefused) {
		t.Errorf("revoked: %v", err)
	}
	st.await("device.misuse mqtt/hub-1 credential")
	rotated := device("hub-2")
	rotated.Credentials = device("other").Credentials
	if err := st.reg.PutDevices(context.Background(), "test", rotated); err != nil {
		t.Fatal(err)
	}
	closed(t, c2)
	o := st.options("hub-2", "a")
	o.Password = secretOf("other")
	_ = st.dial(o)
}

func TestFlood(t *testing.T) {
	d := device("loud")
	d.Limits = registry.Limits{Messages: 20, Burst: 5}
	st := start(t, setting{devices: []registry.Device{d}, cfg: mqtt.Config{Patience: 300 * time.Millisecond}})
	o := st.options("loud", "a")
	o.Version = 5
	c := st.dial(o)
	began := time.Now()
	for {
		if err := c.Publish(&mqttclient.Message{Topic: "loud/door", Payload: []byte("again")}); err != nil {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("still not cut off")
		}
	}
	st.await("device.misuse loud flood")
	if n := st.count("sensor.state loud door again"); n > 20 {
		t.Errorf("%d messages got through", n)
	}
	// Who keeps to its rate is welcome again.
	c = st.dial(st.options("loud", "b"))
	for i := range 8 {
		time.Sleep(60 * time.Millisecond)
		if err := c.Publish(&mqttclient.Message{Topic: "loud/door", Payload: fmt.Append(nil, "ok", i), QoS: 1, ID: uint16(i + 1)}); err != nil {
			t.Fatal(err)
		}
		get(t, c, mqttclient.TypePuback, 0)
	}
}

func TestHugeMessageIsNeverKept(t *testing.T) {
	st := start(t, setting{})
	for _, version := range []byte{4, 5} {
		o := st.options("hub-1", "a")
		o.Version = version
		c := st.dial(o)
		const size = 100 << 20
		if err := c.Send([]byte{0x32, 0x80 | size&0x7f, 0x80 | size>>7&0x7f, 0x80 | size>>14&0x7f, size >> 21, 0, 10}); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		sent, chunk := 0, make([]byte, 1<<20)
		for sent < size {
			n, err := c.Conn.Write(chunk)
			if sent += n; err != nil {
				break
			}
		}
		runtime.ReadMemStats(&after)
		if sent > 32<<20 {
			t.Errorf("%d bytes were read", sent)
		}
		if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 16<<20 {
			t.Errorf("%d bytes were allocated", grown)
		}
	}
	st.await("device.misuse hub-1 size")
	// It is told so, where it listens.
	o := st.options("hub-1", "a")
	o.Version = 5
	c := st.dial(o)
	if err := c.Publish(&mqttclient.Message{Topic: "hub-1/x", Payload: make([]byte, registry.DefaultBytes+1), QoS: 1, ID: 1}); err != nil {
		t.Fatal(err)
	}
	get(t, c, mqttclient.TypeDisconnect, 0x95)
	closed(t, c)
}

// Connections that bring nothing, or bring it slowly, do not stay.
func TestSlowConnects(t *testing.T) {
	st := start(t, setting{cfg: mqtt.Config{ConnectTimeout: 300 * time.Millisecond}})
	var conns []net.Conn
	for i := range 50 {
		c, err := net.Dial("tcp", st.gw.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		switch i % 4 {
		case 1:
			_, _ = c.Write([]byte{0x10, 0xff, 0xff, 0x7f}) // a CONNECT of 2 MB
		case 2:
			_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		case 3:
			_, _ = c.Write([]byte{0x10, 60, 0, 4})
		}
		conns = append(conns, c)
	}
	for i, c := range conns { // a byte at a time does not help
		if i%4 == 3 {
			go func() {
				for range 100 {
					if _, err := c.Write([]byte{'M'}); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
		}
	}
	eventually(t, "all gone", func() bool { return st.metric("bluelamp_mqtt_connections") == 0 })
}

func TestTooManyClientsAndConnections(t *testing.T) {
	st := start(t, setting{cfg: mqtt.Config{Clients: 2, MaxConns: 3}})
	a := st.dial(st.options("hub-1", "a"))
	_ = st.dial(st.options("hub-1", "b"))
	if _, err := mqttclient.Dial(context.Background(), st.options("hub-1", "c")); !errors.Is(err, mqttclient.ErrRefused) {
		t.Errorf("a third client: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its place is free", func() bool {
		c, err := mqttclient.Dial(context.Background(), st.options("hub-1", "c"))
		if err == nil {
			t.Cleanup(func() { _ = c.Drop() })
		}
		return err == nil
	})
	_ = st.dial(st.options("hub-2", "a"))
	if c, err := mqttclient.Dial(context.Background(), st.options("hub-2", "b")); err == nil {
		_ = c.Drop()
		t.Error("a fourth connection stands")
	}
}

// A subscriber that does not read is given up, and holds its device's other
// clients up no longer than that takes.
func TestSubscriberThatDoesNotRead(t *testing.T) {
	d := device("busy")
	d.Limits = registry.Limits{Messages: 1e5, Burst: 1e5}
	st := start(t, setting{devices: []registry.Device{d}, cfg: mqtt.Config{WriteTimeout: 300 * time.Millisecond}})
	deaf := st.dial(st.options("busy", "deaf"))
	if _, err := deaf.Subscribe(1, "busy/cmd/#", 1); err != nil {
		t.Fatal(err)
	}
	pub := st.dial(st.options("busy", "pub"))
	payload := bytes.Repeat([]byte("x"), 60_000)
	for i := range 300 { // more than the kernel keeps for it
		if err := pub.Publish(&mqttclient.Message{Topic: "busy/cmd/x", Payload: payload, QoS: 1, ID: uint16(i + 1)}); err != nil {
			t.Fatal(err)
		}
		get(t, pub, mqttclient.TypePuback, 0)
	}
	eventually(t, "it is gone", func() bool { return st.metric("bluelamp_mqtt_connections") == 1 })
}
