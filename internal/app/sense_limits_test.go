package app_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/incident"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/retention"
)

// endless is a body of so many bytes, none of them in memory.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return n, nil
}

func senseMisuse(t *testing.T, w *town) {
	misused := func(device, what string) {
		t.Helper()
		until(t, device+"'s "+what, func() bool {
			return len(w.heard(t, func(o *event.Observation) bool {
				return o.Kind == event.KindMisuse && o.Device == device && o.Misuse.What == what
			})) > 0
		})
		w.becomes(t, "an incident of "+device, func(in *incident.Incident, c incident.Cause) bool {
			return c.Kind == event.KindDeviceMisused && strings.Contains(in.Subject+c.Where, device)
		})
	}

	out, err := w.mosquitto(t, "thief", secretOf("thief"), "-V", "mqttv5", "-t", "hub-mill/zigbee2mqtt/front_door", "-m", `{"contact":true,"from":"thief"}`)
	if !strings.Contains(strings.ToLower(out), "not authorized") {
		t.Errorf("another's topic: %v: %q", err, out)
	}
	misused("thief", event.MisuseTopic)

	// Its limit is a message in 1,000 s. The first is taken, however bad.
	for range 3 {
		_, _ = w.mosquitto(t, "flood", secretOf("flood"), "-t", "flood/json/x", "-m", "{}")
	}
	misused("flood", event.MisuseFlood)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const much = 100 << 20
	if code := w.bigBody(t, &endless{much}); code != http.StatusRequestEntityTooLarge && code != 0 {
		t.Errorf("100 MB are answered %d", code)
	}
	file := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, much); err != nil {
		t.Fatal(err)
	}
	if out, err := w.mosquitto(t, "big", secretOf("big"), "-t", "big/json/x", "-f", file); err == nil {
		t.Errorf("100 MB by MQTT are taken: %s", out)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > much/2 {
		t.Errorf("%d MiB were allocated for what is refused", took>>20)
	}
	misused("big", event.MisuseSize)
	for _, device := range []string{"thief", "big"} {
		if os := w.heard(t, func(o *event.Observation) bool {
			return o.Via == device && o.Kind != event.KindMisuse && o.Kind != event.KindPresent && o.Kind != event.KindGone
		}); len(os) > 0 {
			t.Errorf("%s was heard: %+v", device, os)
		}
	}
	// Everybody else is served as ever.
	w.publish(t, "hub-mill", `zigbee2mqtt/back_door {"contact":true}`)
}

// bigBody posts as much as there is. 0: the connection was cut while it sent.
func (w *town) bigBody(t *testing.T, body io.Reader) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.IntakeURL()+"/in/big/json/x", body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("big", secretOf("big"))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func senseEnrolment(t *testing.T, w *town) {
	ctx := context.Background()
	token, err := w.Registry().Invite(ctx, "test", "hub-new", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	enrol := func() (code int, username, password string) {
		res, err := http.Post(w.IntakeURL()+"/enrol", "application/json", strings.NewReader(`{"token":"`+token+`"}`)) //nolint:gosec // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var a struct {
			Username string `json:"username"`
			Password string `json:"password"`
		}
		_ = json.NewDecoder(res.Body).Decode(&a)
		return res.StatusCode, a.Username, a.Password
	}
	code, username, password := enrol()
	if code != http.StatusOK || username != "hub-new" || password == "" {
		t.Fatalf("%d, user name %q", code, username)
	}
	if code, _, again := enrol(); code != http.StatusForbidden || again != "" {
		t.Errorf("the second time it is answered %d", code)
	}
	publish := func(word string) error {
		_, err := w.mosquitto(t, "hub-new", password, "-t", "hub-new/zigbee2mqtt/"+word, "-m", `{"contact":true}`)
		return err
	}
	if err := publish("first"); err != nil {
		t.Fatal(err)
	}
	// One that stays connected is cut off as well: mosquitto_pub connects again
	// then, and is refused.
	feed := w.streaming(t, password)
	say := func() {
		if _, err := io.WriteString(feed, "{\"contact\":true}\n"); err != nil {
			t.Fatal(err)
		}
	}
	heard := func() int {
		return len(w.heard(t, func(o *event.Observation) bool { return o.Device == "hub-new/stream" && o.Reading != nil }))
	}
	say()
	until(t, "the stream", func() bool { return heard() == 1 })
	if err := w.Registry().Revoke(ctx, "test", "hub-new"); err != nil {
		t.Fatal(err)
	}
	until(t, "the refusal of its next connection", func() bool {
		return len(w.heard(t, func(o *event.Observation) bool {
			return o.Kind == event.KindMisuse && strings.HasSuffix(o.Device, "hub-new") && o.Misuse.What == event.MisuseCredential
		})) > 0
	})
	say()
	if err := publish("second"); err == nil {
		t.Error("a revoked device may publish")
	}
	if os := w.heard(t, func(o *event.Observation) bool { return o.Device == "hub-new/second" }); len(os) > 0 || heard() != 1 {
		t.Errorf("kept of a revoked device: %+v and %d of its stream", os, heard())
	}
}

// streaming publishes lines as they are written, as mosquitto_pub -l does, until
// the test ends.
func (w *town) streaming(t *testing.T, password string) io.Writer {
	t.Helper()
	host, port, err := net.SplitHostPort(w.MQTTAddr())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program(t, "mosquitto_pub"), "-h", host, "-p", port, "-u", "hub-new", "-P", password, //nolint:gosec // the test's own words
		"-q", "1", "-l", "-t", "hub-new/zigbee2mqtt/stream")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	return in
}

func senseErasure(t *testing.T, w *town) {
	ctx := context.Background()
	w.publish(t, "hub-gone", `zigbee2mqtt/larder {"contact":false,"linkquality":77}`, `zigbee2mqtt/larder broken`)
	rows := func() (n int) {
		q := sense.NewQueries(w.db, w.log)
		twins, err := q.Twins(ctx, "hub-gone")
		if err != nil {
			t.Fatal(err)
		}
		return len(twins)
	}
	mine := func(o *event.Observation) bool { return o.Via == "hub-gone" }
	until(t, "its row in the read model", func() bool { return rows() > 0 })
	if n := len(w.heard(t, mine)); n == 0 {
		t.Fatal("nothing was heard")
	}

	// The owner withdraws: nothing more is kept.
	if err := w.Registry().Withdraw(ctx, "test", "hub-gone"); err != nil {
		t.Fatal(err)
	}
	n := len(w.heard(t, mine))
	_, _ = w.mosquitto(t, "hub-gone", secretOf("hub-gone"), "-V", "mqttv5", "-t", "hub-gone/zigbee2mqtt/larder", "-m", `{"contact":true}`)
	if now := len(w.heard(t, mine)); now != n {
		t.Errorf("%d observations after consent was withdrawn, %d before", now, n)
	}

	keeper := retention.NewKeeper(w.log, clock.Wall(), slog.New(slog.DiscardHandler))
	erased, err := keeper.Erase(ctx, retention.Subject{Device: "hub-gone"}, "consent withdrawn", "test")
	if err != nil || int(erased.Observations) != n || erased.Quarantined == 0 {
		t.Errorf("%+v of %d, %v", erased, n, err)
	}
	if os := w.heard(t, mine); len(os) > 0 {
		t.Errorf("still on the log: %+v", os)
	}
	for _, q := range w.quarantined() {
		if q.Device == "hub-gone" || strings.Contains(string(q.Bytes), "larder") {
			t.Errorf("still in quarantine: %+v", q)
		}
	}
	until(t, "the read model to forget", func() bool { return rows() == 0 })
}
