package sense_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// echo is a dialect of topics below "echo/" that says what it got.
type echo struct{}

func (echo) Name() string              { return "echo" }
func (echo) Matches(topic string) bool { return strings.HasPrefix(topic, "echo/") }

func (echo) Observe(m *sense.Message) ([]*event.Observation, error) {
	if strings.HasSuffix(m.Topic, "/image") {
		return nil, nil
	}
	if string(m.Payload) == "bad" {
		return nil, fmt.Errorf("%w: it is bad", sense.ErrUnreadable)
	}
	return []*event.Observation{{Kind: event.KindState, Reading: &event.Reading{
		Property: event.Condition, State: fmt.Sprintf("%s %q %v", m.Topic, m.Payload, m.Retained),
	}}}, nil
}

// recorded reads a recording and writes down what came.
func recorded(t *testing.T, text string) []string {
	t.Helper()
	var out []string
	var last time.Time
	for o, err := range sense.Recorded(echo{}, "dir/home.json", strings.NewReader(text)) {
		if err != nil {
			out = append(out, "error "+err.Error())
			continue
		}
		if o.Received.Before(last) || o.ID == "" || o.Source != "echo" || o.Via == "" || o.Time.IsZero() {
			t.Errorf("incomplete, or back in time: %+v", o)
		}
		last = o.Received
		out = append(out, o.Received.Format("15:04:05.000000 ")+o.Device+" "+o.Reading.State)
	}
	return out
}

func TestRecorded(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{
			"its own broker", `{"tst":"2026-11-23T15:02:44.711762Z+0000","topic":"echo/b","qos":0,"retain":0,"payloadlen":25,"payload":"{\"x\":1.50,\"y\":\"é\\u0041\"}"}`,
			`15:02:44.711762 home echo/b "{\"x\":1.50,\"y\":\"é\\u0041\"}" false`,
		},
		{
			"ours", `{"tst":"2026-11-23T16:02:44.711762Z+0100","topic":"hub-7/echo/b","retain":1,"payload":"x"}`,
			`15:02:44.711762 hub-7 echo/b "x" true`,
		},
		{
			"%J", `{"tst":"2026-11-23T15:02:44Z+0000","topic":"echo/b","payloadlen":25,"payload":{"x":1.5}}`,
			`15:02:44.000000 home echo/b "{\"x\":1.5}" false`,
		},
		{
			"%J of a string", `{"tst":"2026-11-23T15:02:44Z+0000","topic":"echo/b","payloadlen":4,"payload":"on"}`,
			`15:02:44.000000 home echo/b "on" false`,
		},
		{
			"empty", `{"tst":"2026-11-23T15:02:44Z+0000","topic":"echo/b","payloadlen":0,"payload":null}`,
			`15:02:44.000000 home echo/b "" false`,
		},
		{"mosquitto 1.6", `{"tst":1795446164,"topic":"echo/b","payload":"x"}`, `15:02:44.000000 home echo/b "x" false`},
		{"another's", `{"tst":1795446164,"topic":"other/b/c","payload":"x"}`, ``},
		{"binary that is passed over", `{"tst":1795446164,"topic":"echo/image","payloadlen":9,"payload":"x"}`, ``},
		{
			"binary", `{"tst":1795446164,"topic":"echo/b","payloadlen":9,"payload":"x"}`,
			`error dir/home.json: line 1: not a recorded message: record with mosquitto_sub -F '%j': topic "echo/b": the recording holds 1 of the payload's 9 bytes: mosquitto_sub writes no binary data as JSON`,
		},
		{
			"unreadable", `{"tst":1795446164,"topic":"echo/b","payload":"bad"}`,
			`error dir/home.json: line 1: topic "echo/b": the message cannot be read: it is bad`,
		},
	} {
		if got := strings.Join(recorded(t, c.in), "\n"); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// A bad line costs that line alone, however long it is, and time never goes back.
func TestRecordedGoesOn(t *testing.T) {
	good := `{"tst":"2026-11-23T15:02:44Z+0000","topic":"echo/b","payload":"x"}`
	early := strings.Replace(good, "15:02", "14:02", 1)
	in := strings.Join([]string{
		good, "plain text", "", `{"topic":"echo/b"}`, `{"tst":"yesterday","topic":"echo/b"}`, `{"tst":1}`,
		`{"x":"` + strings.Repeat("y", 2<<20) + `"}`, early,
	}, "\n")
	got := recorded(t, in)
	if len(got) != 7 || got[0] != got[6] {
		t.Errorf("%d: %.300q", len(got), got)
	}
	for i, line := range []int{2, 4, 5, 6, 7} {
		if !strings.HasPrefix(got[1+i], fmt.Sprintf("error dir/home.json: line %d: not a recorded", line)) {
			t.Errorf("%.200s", got[1+i])
		}
	}
	for _, err := range sense.Recorded(echo{}, "-", strings.NewReader("x")) {
		if !errors.Is(err, sense.ErrRecording) {
			t.Error(err)
		}
	}
}

// What the real mosquitto_sub writes can be read.
func TestRecordedByMosquitto(t *testing.T) {
	sub, err := exec.LookPath("mosquitto_sub")
	if err != nil {
		if os.Getenv("BLUELAMP_REQUIRE_ALL") != "" {
			t.Fatal("no mosquitto_sub, and BLUELAMP_REQUIRE_ALL is set")
		}
		t.Skip("no mosquitto_sub on this machine")
	}
	port, stop := broker(t)
	defer stop()
	publish(t, port, "-t", "echo/kept", "-r", "-m", `retained "text"`)
	file := filepath.Join(t.TempDir(), "home.json")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sub, "-p", port, "-t", "#", "-F", "%j", "-C", "4", "-W", "20")
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { s, err := os.Stat(file); return err == nil && s.Size() > 0 })
	publish(t, port, "-t", "hub-7/echo/json", "-m", `{"a":"é\u0041","n":1.50}`)
	publish(t, port, "-t", "echo/empty", "-n")
	publish(t, port, "-t", "echo/v5", "-V", "5", "-D", "publish", "user-property", "k", "v", "-m", "x\ty")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	want := []string{`echo/kept "retained \"text\"" true`, `echo/json "{\"a\":\"é\\u0041\",\"n\":1.50}" false`, `echo/empty "" false`, `echo/v5 "x\ty" false`}
	i := 0
	for o, err := range sense.Recorded(echo{}, file, f) {
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(want) || o.Reading.State != want[i] || time.Since(o.Received) > time.Hour {
			t.Errorf("%d: %s at %s", i, o.Reading.State, o.Received)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d of %d messages", i, len(want))
	}
}

func FuzzRecorded(f *testing.F) {
	f.Add([]byte(`{"tst":"2026-11-23T15:02:44.711762Z+0000","topic":"hub-7/echo/b","qos":0,"retain":0,"payloadlen":1,"payload":"x"}`))
	f.Add([]byte("{\"tst\":1,\"topic\":\"echo/b\",\"payload\":{\"a\":[1]}}\n\n{}\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for o, err := range sense.Recorded(echo{}, "f", strings.NewReader(string(data))) {
			if (o == nil) == (err == nil) {
				t.Fatal("neither an observation nor an error, or both")
			}
		}
	})
}
