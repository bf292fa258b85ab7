package mqtt_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
)

// A QoS 2 message whose answers are lost with the connection is observed once,
// however often it is sent again.
func TestQoS2IsHandedOverOnce(t *testing.T) {
	st := start(t, setting{})
	for _, version := range []byte{4, 5} {
		o := st.options("hub-1", fmt.Sprint("q", version))
		o.Version, o.Clean, o.Expiry = version, false, time.Hour
		word := fmt.Sprint("once-", version)
		m := mqttclient.Message{Topic: "hub-1/door", Payload: []byte(word), QoS: 2, ID: 9}
		for try := range 4 {
			c := st.dial(o)
			if want := try > 0; c.Session != want {
				t.Errorf("version %d, try %d: session present %v", version, try, c.Session)
			}
			m.Dup = try > 0
			if err := c.Publish(&m); err != nil {
				t.Fatal(err)
			}
			if try == 2 { // twice on one connection
				if err := c.Publish(&m); err != nil {
					t.Fatal(err)
				}
				get(t, c, mqttclient.TypePubrec, 0)
			}
			if try > 0 { // the first time we do not even wait for PUBREC
				get(t, c, mqttclient.TypePubrec, 0)
			}
			if try == 3 {
				if err := c.Ack(mqttclient.TypePubrel, 9); err != nil {
					t.Fatal(err)
				}
				get(t, c, mqttclient.TypePubcomp, 0)
				if n := st.count("sensor.state hub-1 door " + word); n != 1 {
					t.Errorf("observed %d times", n)
				}
				// A PUBREL again is answered again; with the id free, it is another message.
				if err := c.Ack(mqttclient.TypePubrel, 9); err != nil {
					t.Fatal(err)
				}
				code := byte(0)
				if version == 5 {
					code = 0x92
				}
				get(t, c, mqttclient.TypePubcomp, code)
				m.Dup = false
				if err := c.Publish(&m); err != nil {
					t.Fatal(err)
				}
				get(t, c, mqttclient.TypePubrec, 0)
			}
			if err := c.Drop(); err != nil {
				t.Fatal(err)
			}
		}
		if n := st.count("sensor.state hub-1 door " + word); n != 2 {
			t.Errorf("observed %d times, want twice", n)
		}
	}
}

func TestReceiveMaximum(t *testing.T) {
	st := start(t, setting{})
	o := st.options("hub-1", "greedy")
	o.Version = 5
	c := st.dial(o)
	for id := uint16(1); id <= 200; id++ { // never released
		if err := c.Publish(&mqttclient.Message{Topic: "hub-1/door", Payload: []byte("x"), QoS: 2, ID: id}); err != nil {
			break
		}
	}
	for {
		p, err := c.Get()
		if err != nil {
			t.Fatal(err)
		}
		if p.Type == mqttclient.TypeDisconnect {
			if p.Code != 0x93 {
				t.Errorf("code 0x%02x", p.Code)
			}
			return
		}
	}
}

// TestGatewayProcess is the process that TestKill kills.
func TestGatewayProcess(t *testing.T) {
	dir := os.Getenv("GATEWAY_DIR")
	if dir == "" {
		t.Skip("only for TestKill")
	}
	st := start(t, setting{dir: dir})
	fmt.Println("LISTEN", st.gw.Addr())
	select {}
}

// spawn starts a gateway in a process of its own.
func spawn(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestGatewayProcess$", "-test.v")
	cmd.Env = append(os.Environ(), "GATEWAY_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		if a, ok := strings.CutPrefix(s.Text(), "LISTEN "); ok {
			addr = a
			break
		}
	}
	if addr == "" {
		t.Fatal("the gateway did not start")
	}
	return addr, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// A gateway that was killed after PUBREC knows the message when it is sent again,
// and takes another message with the same packet id for another.
func TestQoS2OutlivesAKill(t *testing.T) {
	dir := t.TempDir()
	o := mqttclient.Options{ID: "q", User: "hub-1", Password: secretOf("hub-1")}
	m := mqttclient.Message{Topic: "hub-1/k", Payload: []byte("one"), QoS: 2, ID: 5}
	for round := range 4 {
		addr, kill := spawn(t, dir)
		o.Addr = addr
		c, err := mqttclient.Dial(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		switch round {
		case 1, 2:
			m.Dup = true
		case 3:
			m.Dup, m.Payload = false, []byte("two")
		}
		if err := c.Publish(&m); err != nil {
			t.Fatal(err)
		}
		get(t, c, mqttclient.TypePubrec, 0)
		if round == 2 {
			if err := c.Ack(mqttclient.TypePubrel, 5); err != nil {
				t.Fatal(err)
			}
			get(t, c, mqttclient.TypePubcomp, 0)
		}
		kill()
	}
	st := start(t, setting{dir: dir})
	for _, word := range []string{"one", "two"} {
		if n := st.count("sensor.state hub-1 k " + word); n != 1 {
			t.Errorf("%s observed %d times", word, n)
		}
	}
}

// Whatever was acknowledged before a kill is on the log after it.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]bool{}
	for round := range 3 {
		addr, kill := spawn(t, dir)
		for _, qos := range []byte{1, 2} {
			c, err := mqttclient.Dial(context.Background(), mqttclient.Options{
				Addr: addr, ID: "k", User: "hub-1", Password: secretOf("hub-1"), Clean: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 60 {
				m := mqttclient.Message{Topic: "hub-1/k", Payload: fmt.Appendf(nil, "%d-%d-%d", round, qos, i), QoS: qos, ID: uint16(i + 1)}
				if err := c.Publish(&m); err != nil {
					t.Fatal(err)
				}
			}
			for range 40 { // the others are under way when it dies
				p, err := c.Get()
				if err != nil {
					t.Fatal(err)
				}
				acked[strings.Join([]string{strconv.Itoa(round), strconv.Itoa(int(qos)), strconv.Itoa(int(p.ID) - 1)}, "-")] = true
			}
		}
		kill()
	}
	st := start(t, setting{dir: dir})
	seen := map[string]int{}
	for _, line := range st.observed() {
		if word, ok := strings.CutPrefix(line, "sensor.state hub-1 k "); ok {
			seen[word]++
		}
	}
	for word := range acked {
		if seen[word] != 1 {
			t.Errorf("%s was acknowledged, and observed %d times", word, seen[word])
		}
	}
	if len(acked) != 240 {
		t.Errorf("%d acknowledged", len(acked))
	}
}
