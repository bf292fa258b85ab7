package home_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/detect/alarm"
	detecthome "github.com/bluelamp/bluelamp/internal/detect/home"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/home"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// platform is a gateway for homes with all that it stands on.
type platform struct {
	log  *bus.Log
	addr string
	halt func()
}

const secret = "the-secret-from-enrolment"

// start brings the platform up on what dir has, at an address.
func start(t *testing.T, dir, addr string) *platform {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("VERBOSE") != "" {
		logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	log, err := bus.Open(ctx, bus.Config{Dir: dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.New(ctx, log, sealer, clock.Wall(), logger)
	if err != nil {
		t.Fatal(err)
	}
	if len(reg.Devices()) == 0 {
		mill := registry.Premises{ID: "mill-house", Name: "Mill House", Kind: "home", Place: place.Point{Lat: 55.599, Lon: 3.21}, Basis: event.Contract}
		if err := reg.Put(ctx, "test", mill); err != nil {
			t.Fatal(err)
		}
		hub := registry.Device{ID: "hub-7", Name: "Hub", Kind: "hub", Premises: "mill-house", Credentials: []registry.Credential{registry.NewCredential(secret, time.Time{}, nil)}}
		if err := reg.PutDevices(ctx, "test", hub); err != nil {
			t.Fatal(err)
		}
	}
	in := sense.NewIntake(log, clock.Wall(), reg, logger, nil)
	f := home.New(nil)
	gw, err := mqtt.New(mqtt.Config{TCP: addr, Dialects: f.Rememberers()}, reg, sense.NewSwitchboard(in, f.Dialects()...), in, log, logger, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- gw.Run(ctx) }()
	p := &platform{log: log, addr: gw.Addr(), halt: sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		log.Close()
	})}
	t.Cleanup(p.halt)
	return p
}

// observed returns what is on the log.
func (p *platform) observed(t *testing.T) []*event.Observation {
	t.Helper()
	var out []*event.Observation
	err := p.log.Each(context.Background(), bus.Observations, 0, func(r bus.Record) error {
		var o event.Observation
		if err := json.Unmarshal(r.Data, &o); err != nil {
			return err
		}
		out = append(out, &o)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// heard reports whether the platform has observed an alarm's state so often.
func heard(os []*event.Observation, code string, s event.AlarmState) int {
	n := 0
	for _, o := range os {
		if o.Alarm != nil && o.Alarm.Code == code && o.Alarm.State == s {
			n++
		}
	}
	return n
}

// bridgeFromGuide returns the guide's bridge, made to reach this test's platform.
func bridgeFromGuide(t *testing.T, addr string) string {
	t.Helper()
	guide, err := os.ReadFile("../../../docs/guide/homes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(guide), "```\n")
	block, _, end := strings.Cut(rest, "```")
	if !ok || !end || !strings.Contains(block, secret) {
		t.Fatal("the guide shows no bridge")
	}
	block = regexp.MustCompile(`(?m)^address .*$`).ReplaceAllString(block, "address "+addr)
	return regexp.MustCompile(`(?m)^bridge_cafile .*$\n`).ReplaceAllString(block, "")
}

// A home's own mosquitto, with the bridge that the guide shows, brings what the
// home says onto the log, with its basis; the alarm that goes off is an alert. The
// platform is restarted, the bridge sends again what is retained, and the same
// alarm raises no second one.
func TestBridgeOfTheGuide(t *testing.T) {
	broker, pub := program(t, "mosquitto"), program(t, "mosquitto_pub")
	dir := t.TempDir()
	p := start(t, dir, "127.0.0.1:0")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n%s\nrestart_timeout 1\n", port, bridgeFromGuide(t, p.addr))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b := exec.Command(broker, "-c", conf)
	if os.Getenv("VERBOSE") != "" {
		b.Stderr = t.Output()
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Process.Kill(); _ = b.Wait() }()
	publish := func(topic, payload string, more ...string) {
		args := append([]string{"-p", port, "-q", "1", "-t", topic, "-m", payload}, more...)
		until(t, func() bool { return exec.Command(pub, args...).Run() == nil })
	}
	publish("house/alarm", "armed_away", "-r") // before its discovery, as brokers may have it
	publish("homeassistant/alarm_control_panel/house/config", `{"name":"House","state_topic":"house/alarm"}`, "-r")
	publish("zigbee2mqtt/landing", `{"smoke":true,"battery":12}`)
	publish("house/alarm", "triggered", "-r")
	until(t, func() bool { return heard(p.observed(t), "triggered", event.AlarmNew) == 1 })

	addr := p.addr
	p.halt()
	p = start(t, dir, addr)
	// The bridge comes back and sends what is retained.
	until(t, func() bool { return heard(p.observed(t), "triggered", event.AlarmStatus) >= 1 })
	publish("house/alarm", "disarmed", "-r")
	until(t, func() bool { return heard(p.observed(t), "disarmed", event.AlarmNew) == 1 })

	os := p.observed(t)
	run := detect.NewRun(alarm.New(alarm.Default()), detecthome.New())
	var got []string
	for _, o := range os {
		if o.Kind == event.KindMisuse || o.Via == "hub-7" && (o.Basis != event.Contract || o.PremisesName != "Mill House") {
			t.Errorf("%+v", o)
		}
		for _, a := range run.Observe(o) {
			got = append(got, string(a.Kind)+" "+a.Subject)
		}
	}
	want := []string{"fire Mill House", "intruder.unconfirmed Mill House", "alarm.restored Mill House"}
	if got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "device.") }); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if n := heard(os, "triggered", event.AlarmNew); n != 1 {
		t.Errorf("the alarm began %d times", n)
	}
}
