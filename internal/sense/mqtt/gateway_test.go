package mqtt_test

import (
	"fmt"
	"testing"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
)

func TestPublishIsObservedBeforeItIsAcknowledged(t *testing.T) {
	st := start(t, setting{})
	for _, version := range []byte{4, 5} {
		for _, qos := range []byte{1, 2} {
			o := st.options("hub-1", "a")
			o.Version = version
			c := st.dial(o)
			word := fmt.Sprintf("v%d-q%d", version, qos)
			if err := c.Publish(&mqttclient.Message{Topic: "hub-1/door", Payload: []byte(word), QoS: qos, ID: 7}); err != nil {
				t.Fatal(err)
			}
			first := mqttclient.TypePuback
			if qos == 2 {
				first = mqttclient.TypePubrec
			}
			if p := get(t, c, first, 0); p.ID != 7 {
				t.Errorf("acknowledged %d", p.ID)
			}
			if n := st.count("sensor.state hub-1 door " + word); n != 1 {
				t.Errorf("%s: observed %d times when acknowledged", word, n)
			}
			if qos == 2 {
				if err := c.Ack(mqttclient.TypePubrel, 7); err != nil {
					t.Fatal(err)
				}
				get(t, c, mqttclient.TypePubcomp, 0)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestReasonsOfMQTT5(t *testing.T) {
	st := start(t, setting{})
	for _, version := range []byte{4, 5} {
		o := st.options("hub-1", "a")
		o.Version = version
		c := st.dial(o)
		for i, tt := range []struct {
			topic, payload string
			code           byte
		}{
			{"hub-1/nowhere/x", "x", 0x90},
			{"hub-1/door", "bad", 0x99},
			{"hub-1/cmd/lamp", "on", 0},
		} {
			id := uint16(i + 1)
			if err := c.Publish(&mqttclient.Message{Topic: tt.topic, Payload: []byte(tt.payload), QoS: 1, ID: id}); err != nil {
				t.Fatal(err)
			}
			if version < 5 {
				tt.code = 0
			}
			if p := get(t, c, mqttclient.TypePuback, tt.code); p.ID != id {
				t.Errorf("%s: acknowledged %d, want %d", tt.topic, p.ID, id)
			}
		}
	}
}

func TestSubscribersOfTheDevice(t *testing.T) {
	st := start(t, setting{})
	sub := st.dial(st.options("hub-1", "sub"))
	if code, err := sub.Subscribe(3, "hub-1/#", 1); err != nil || code != 1 {
		t.Fatal(code, err)
	}
	other := st.dial(st.options("hub-2", "sub")) // the same client id: another's session
	if code, err := other.Subscribe(3, "hub-2/#", 1); err != nil || code != 1 {
		t.Fatal(code, err)
	}
	pub := st.dial(st.options("hub-1", "pub"))
	for i := range 20 {
		if err := pub.Publish(&mqttclient.Message{Topic: "hub-1/cmd/lamp", Payload: fmt.Append(nil, i), QoS: 1, ID: uint16(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		p := get(t, sub, mqttclient.TypePublish, 0)
		if p.Topic != "hub-1/cmd/lamp" || string(p.Payload) != fmt.Sprint(i) || p.QoS != 1 {
			t.Errorf("message %d: %+v", i, p)
		}
		if err := sub.Ack(mqttclient.TypePuback, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Ping(); err != nil {
		t.Fatal(err)
	}
	get(t, other, mqttclient.TypePingresp, 0) // and nothing before it
	// Ids of messages to the client do not stand in the way of its own.
	for id := uint16(1); id < 20; id++ {
		if code, err := sub.Subscribe(id, fmt.Sprintf("hub-1/a/%d", id), 1); err != nil || code != 1 {
			t.Fatal(id, code, err)
		}
	}
}
