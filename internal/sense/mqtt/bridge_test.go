package mqtt_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
)

// A mosquitto that a home has already forwards what it hears.
func TestMosquittoBridge(t *testing.T) {
	st := start(t, setting{})
	path := program(t, "mosquitto")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	local := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(local)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	// As the guide shows it, but for TLS.
	text := fmt.Sprintf(`listener %s 127.0.0.1
allow_anonymous true
connection bluelamp
address %s
remote_username hub-1
remote_password %s
notifications_local_only true
restart_timeout 1
topic zigbee2mqtt/# out 1 "" hub-1/
`, port, st.gw.Addr(), secretOf("hub-1"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	eventually(t, "the bridge stands", func() bool { return st.metric("bluelamp_mqtt_connects_total", "result", "accepted") > 0 })
	c := st.dial(mqttclient.Options{Addr: local, ID: "z2m", Clean: true})
	if err := c.Publish(&mqttclient.Message{Topic: "zigbee2mqtt/door", Payload: []byte("open"), QoS: 1, ID: 1}); err != nil {
		t.Fatal(err)
	}
	st.await("sensor.state hub-1 zigbee2mqtt/door open")
	for _, line := range st.observed() {
		if line != "sensor.state hub-1 zigbee2mqtt/door open" {
			t.Errorf("observed %s", line)
		}
	}
}
