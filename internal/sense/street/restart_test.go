package street

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

var discard = slog.New(slog.DiscardHandler)

func openLog(t *testing.T) *bus.Log {
	t.Helper()
	l, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir(), Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// take hands a message to a switchboard and waits until it is on disk.
func take(t *testing.T, s *sense.Switchboard, m *sense.Message) error {
	t.Helper()
	done := make(chan error, 1)
	if err := s.Take(t.Context(), m, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	return <-done
}

// A replay is refused after a restart just as before: whether the memory was
// saved, and whether the frame came after it was.
func TestReplayAcrossRestart(t *testing.T) {
	for _, saved := range []bool{false, true} {
		t.Run(fmt.Sprintf("saved=%v", saved), func(t *testing.T) {
			log := openLog(t)
			in := sense.NewIntake(log, clock.Fixed(noon), nil, discard, nil)
			frame := func(n int, session string) *sense.Message {
				at := noon.Add(time.Duration(n) * time.Hour).Format(time.RFC3339)
				return message(ttsTopic+"up", strings.ReplaceAll(ttsUp(n, at, `{"temperature":1}`, ""), "AY+2Hj==", session))
			}
			c := NewCounters()
			s := sense.NewSwitchboard(in, NewTTS(c, nil))
			for n := 10; n < 20; n++ {
				if err := take(t, s, frame(n, "old")); err != nil {
					t.Fatal(err)
				}
				if n == 15 && saved {
					if err := c.save(t.Context(), log); err != nil {
						t.Fatal(err)
					}
				}
			}
			join := `{"end_device_ids":{"dev_eui":"A840411F2182B3C4","dev_addr":"260B1C2D"},"received_at":"2026-05-03T00:00:00Z","join_accept":{"session_key_id":"new"}}`
			if err := take(t, s, message(ttsTopic+"join", join)); err != nil {
				t.Fatal(err)
			}
			if err := take(t, s, frame(1, "new")); err != nil {
				t.Fatal(err)
			}

			again := NewCounters()
			if err := again.Recover(t.Context(), log, discard); err != nil {
				t.Fatal(err)
			}
			s = sense.NewSwitchboard(in, NewTTS(again, nil))
			for _, m := range []*sense.Message{frame(13, "old"), frame(20, "old")} {
				os, _, err := s.Understand(m)
				if err != nil || len(os) != 1 || os[0].Kind != event.KindMisuse {
					t.Errorf("played again: %v\n%s", err, readings(os))
				}
			}
			for n, want := range map[int]int{1: 2, 2: 2} { // the newest again, for want of an answer, and the next
				if os, _, err := s.Understand(frame(n, "new")); err != nil || len(os) != want || os[len(os)-1].Kind != event.KindUplink {
					t.Errorf("frame %d: %v\n%s", n, err, readings(os))
				}
			}
		})
	}
}

// What began anew without a join stays believed after a restart.
func TestResetAcrossRestart(t *testing.T) {
	log := openLog(t)
	in := sense.NewIntake(log, clock.Fixed(noon), nil, discard, nil)
	c := NewCounters()
	s := sense.NewSwitchboard(in, NewChirpStack(c, nil))
	frame := func(n int, at time.Duration) *sense.Message {
		up := chirpUp(n, fmt.Sprint("d", n, at), `{"temperature":1}`)
		return message(chirpTopic+"up", strings.Replace(up, "2026-05-01T11:59:59.5+00:00", noon.Add(at).Format(time.RFC3339), 1))
	}
	for i, n := range []int{900, 0, 1, 2} {
		if err := take(t, s, frame(n, time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	again := NewCounters()
	if err := again.Recover(t.Context(), log, discard); err != nil {
		t.Fatal(err)
	}
	os, err := NewChirpStack(again, nil).Observe(frame(3, 4*time.Minute))
	if err != nil || len(os) != 2 {
		t.Errorf("%v\n%s", err, readings(os))
	}
}

// Run saves at its end.
func TestRunSaves(t *testing.T) {
	log := openLog(t)
	c := NewCounters()
	c.judge(sighting{key: radioKey{"lns", eui}, session: "a", counter: 5, at: noon, id: "x"})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, log, slog.New(slog.NewTextHandler(t.Output(), nil))) }()
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	again := NewCounters()
	if err := again.Recover(t.Context(), log, slog.New(slog.NewTextHandler(t.Output(), nil))); err != nil || again.Len() != 1 {
		t.Errorf("%d devices, %v", again.Len(), err)
	}
}

// A state that cannot be read is left out, and the log read instead.
func TestDamagedState(t *testing.T) {
	log := openLog(t)
	if err := log.Put(t.Context(), bus.Snapshots, countersKey, []byte("not a state")); err != nil {
		t.Fatal(err)
	}
	c := NewCounters()
	if err := c.Recover(t.Context(), log, discard); err != nil || c.Len() != 0 {
		t.Errorf("%d devices, %v", c.Len(), err)
	}
}
