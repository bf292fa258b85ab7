package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// testEnv is what a command runs in that is called without its flags.
func testEnv(t *testing.T, dir string) (*env, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	flagless, err := kong.New(&struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	return &env{kong: flagless, IO: IO{In: strings.NewReader(""), Out: &out, Err: &bytes.Buffer{}}, ctx: context.Background(), root: &root{Config: app.Config{Data: dir}}, version: "test"}, &out
}

func TestMQTTACLCheck(t *testing.T) {
	dir := t.TempDir()
	e, out := testEnv(t, dir)
	log, err := bus.Open(e.ctx, bus.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := openRegistry(e, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.PutDevices(e.ctx, "test", registry.Device{ID: "hub-7", Name: "Hub"}, registry.Device{ID: "old", Name: "Old", Revoked: true}); err != nil {
		t.Fatal(err)
	}
	log.Close()
	for _, tt := range []struct {
		cmd  mqttACLCheckCmd
		want string
	}{
		{mqttACLCheckCmd{Device: "hub-7", Topic: "hub-7/zigbee2mqtt/door"}, "allowed: publish to hub-7/zigbee2mqtt/door: the topic lies below the device's own id hub-7\n"},
		{mqttACLCheckCmd{Device: "hub-7", Topic: "hub-7/#", Subscribe: true}, "allowed: subscribe to hub-7/#: the topic lies below the device's own id hub-7\n"},
		{mqttACLCheckCmd{Device: "hub-7", Topic: "hub-8/door"}, "refused: publish to hub-8/door: not allowed: topics of device hub-7 begin with hub-7/\n"},
		{mqttACLCheckCmd{Device: "hub-7", Topic: "#", Subscribe: true}, "refused: subscribe to #: not allowed: the wildcard \"#\" reaches other devices' topics: begin with hub-7/\n"},
		{mqttACLCheckCmd{Device: "old", Topic: "old/x"}, "refused: publish to old/x: the device's enrolment has been revoked\n"},
	} {
		out.Reset()
		err := tt.cmd.Run(e)
		if out.String() != tt.want || errors.Is(err, errTopicRefused) == strings.HasPrefix(tt.want, "allowed") {
			t.Errorf("%+v: %q, %v", tt.cmd, out.String(), err)
		}
	}
	out.Reset()
	_ = mqttACLCheckCmd{Device: "hub-7", Topic: "hub-7", JSON: true}.Run(e)
	var a aclAnswer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.Allowed || a.Why == "" || a.Action != "publish" {
		t.Errorf("%v: %s", err, out)
	}
	if err := (mqttACLCheckCmd{Device: "nobody", Topic: "x/y"}).Run(e); !errors.Is(err, registry.ErrUnknown) {
		t.Errorf("unknown device: %v", err)
	}
}

func TestBenchMQTT(t *testing.T) {
	cmd := benchMQTT{Clients: 5, Window: 2, Seconds: 1, QoS: 1, Size: 64, Dir: t.TempDir(), JSON: true}
	for _, peer := range []string{"", "mosquitto"} {
		if _, err := exec.LookPath("mosquitto"); peer != "" && err != nil {
			t.Log("mosquitto is not installed: not measured")
			continue
		}
		cmd.Peer = peer
		e, out := testEnv(t, t.TempDir())
		if err := cmd.Run(e); err != nil {
			t.Fatal(err)
		}
		if peer != "" { // after ours, in the same run
			_, _ = out.ReadBytes('\n')
		}
		var r mqttResult
		if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Acked == 0 || r.Errors+r.Refused+r.Unanswered > 0 || r.Peer != peer {
			t.Errorf("%v: %s", err, out)
		}
	}
	for _, bad := range []benchMQTT{{}, {Clients: 1, Window: 1, Seconds: 1, QoS: 1, Size: 64, Peer: "other"}, {Clients: 1, Window: 1, Seconds: 1, QoS: 1, Size: 64, To: "localhost:1"}} {
		e, _ := testEnv(t, t.TempDir())
		var wrong usageError
		if err := bad.Run(e); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
