package mqtt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

func TestLastWillsOfMQTT5(t *testing.T) {
	st := start(t, setting{})
	o := st.options("hub-1", "w")
	o.Version, o.Clean, o.Expiry, o.WillDelay = 5, false, time.Minute, time.Second
	o.Will = &mqttclient.Message{Topic: "hub-1/state", Payload: []byte("offline"), QoS: 1}
	// Back before its delay has passed: it never went.
	if err := st.dial(o).Drop(); err != nil {
		t.Fatal(err)
	}
	c := st.dial(o)
	time.Sleep(1500 * time.Millisecond)
	if n := st.count("device.gone hub-1"); n != 0 {
		t.Errorf("gone %d times", n)
	}
	// With a goodbye there is no last will.
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	// A second connection of the device says that it is still there, but its
	// subscribers hear the first one's will.
	sub := st.dial(st.options("hub-1", "sub"))
	if _, err := sub.Subscribe(1, "hub-1/#", 0); err != nil {
		t.Fatal(err)
	}
	o.WillDelay = 0
	if err := st.dial(o).Drop(); err != nil {
		t.Fatal(err)
	}
	if p := get(t, sub, mqttclient.TypePublish, 0); p.Topic != "hub-1/state" || string(p.Payload) != "offline" {
		t.Errorf("%+v", p)
	}
	if n := st.count("device.gone hub-1"); n != 0 {
		t.Errorf("gone %d times", n)
	}
	// A delayed will of a session that ends with its connection does not wait.
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	o.Expiry, o.WillDelay = 0, time.Hour
	eventually(t, "the subscriber has left", func() bool { return st.metric("bluelamp_mqtt_connections") == 0 })
	if err := st.dial(o).Drop(); err != nil {
		t.Fatal(err)
	}
	st.await("device.gone hub-1")
	_ = st.dial(o)
	st.await("device.present hub-1")
}

// Ending the gateway is no device's death.
func TestShutdownLeavesLastWillsAlone(t *testing.T) {
	st := start(t, setting{})
	for version := range 2 {
		o := st.options("hub-1", fmt.Sprint(version))
		o.Version, o.Will = byte(4+version), &mqttclient.Message{Topic: "hub-1/state", Payload: []byte("offline"), QoS: 1}
		c := st.dial(o)
		defer func() {
			if version == 1 {
				get(t, c, mqttclient.TypeDisconnect, 0x8b)
			}
			closed(t, c)
		}()
	}
	st.halt()
	if os := st.observed(); len(os) != 0 {
		t.Errorf("%q", os)
	}
}

func TestRetainedMessagesAreBounded(t *testing.T) {
	d := device("hoarder")
	d.Limits = registry.Limits{Messages: 1e5, Burst: 1e5}
	cfg := mqtt.Config{Retained: 10, RetainedBytes: 2000}
	st := start(t, setting{cfg: cfg, devices: []registry.Device{d}})
	c := st.dial(st.options("hoarder", "a"))
	id := uint16(0)
	put := func(topic string, payload []byte) {
		t.Helper()
		id++
		if err := c.Publish(&mqttclient.Message{Topic: "hoarder/cmd/" + topic, Payload: payload, QoS: 1, ID: id, Retain: true}); err != nil {
			t.Fatal(err)
		}
		get(t, c, mqttclient.TypePuback, 0)
	}
	for i := range 30 { // through many topics, in few slots
		put(fmt.Sprint(i), []byte("x"))
		if i%2 == 0 {
			put(fmt.Sprint(i), nil)
		}
	}
	put("29", []byte(strings.Repeat("y", 3000))) // too large beside what is there
	for restart := range 2 {
		if restart == 1 {
			st = st.restart(setting{cfg: cfg})
		}
		sub := st.dial(st.options("hoarder", fmt.Sprint("sub", restart)))
		if _, err := sub.Subscribe(1, "hoarder/#", 0); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if p := get(t, sub, mqttclient.TypePublish, 0); !p.Retain || string(p.Payload) != "x" {
				t.Errorf("restart %d, message %d: %+v", restart, i, p)
			}
		}
		if err := sub.Ping(); err != nil {
			t.Fatal(err)
		}
		get(t, sub, mqttclient.TypePingresp, 0) // and no more of them
	}
	if n := st.metric("bluelamp_mqtt_retained"); n != 10 {
		t.Errorf("%v retained", n)
	}
}

// A subscriber of MQTT 5 that takes few messages at a time gets all of them,
// while its device publishes and it acknowledges, each as fast as it can.
func TestSubscriberWithAReceiveMaximum(t *testing.T) {
	d := device("busy")
	d.Limits = registry.Limits{Messages: 1e5, Burst: 1e5}
	st := start(t, setting{devices: []registry.Device{d}})
	o := st.options("busy", "sub")
	o.Version, o.ReceiveMaximum = 5, 5
	sub := st.dial(o)
	if _, err := sub.Subscribe(1, "busy/#", 1); err != nil {
		t.Fatal(err)
	}
	const all = 500
	done := make(chan error, 1)
	go func() {
		pub, err := mqttclient.Dial(t.Context(), st.options("busy", "pub"))
		for i := 0; i < all && err == nil; i++ {
			if err = pub.Publish(&mqttclient.Message{Topic: "busy/cmd/x", Payload: fmt.Append(nil, i), QoS: 1, ID: uint16(i + 1)}); err == nil {
				_, err = pub.Get()
			}
		}
		done <- err
	}()
	seen := map[string]bool{}
	for len(seen) < all {
		p := get(t, sub, mqttclient.TypePublish, 0)
		seen[string(p.Payload)] = true
		if err := sub.Ack(mqttclient.TypePuback, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	d := device("eager")
	d.Limits = registry.Limits{Messages: 1e5, Burst: 1e5}
	st := start(t, setting{devices: []registry.Device{d}})
	c := st.dial(st.options("eager", "a"))
	granted := 0
	for i := range 1030 {
		code, err := c.Subscribe(uint16(i+1), fmt.Sprintf("eager/cmd/%d", i), 0)
		if err != nil {
			t.Fatal(err)
		}
		if code < 0x80 {
			granted++
		}
	}
	if granted != 1024 {
		t.Errorf("%d subscriptions", granted)
	}
	if err := c.Publish(&mqttclient.Message{Topic: "eager/cmd/1000", Payload: []byte("on")}); err != nil {
		t.Fatal(err)
	}
	get(t, c, mqttclient.TypePublish, 0) // and what it has still works
}
