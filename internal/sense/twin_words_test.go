package sense_test

import (
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/sense"
)

func TestWordsOfTwins(t *testing.T) {
	for want, state := range map[string]string{"unset": "open_close new", "set": "open_close restored", "hold up new": "hold_up new"} {
		if got := (&sense.Value{Property: sense.PropertyAlarm, State: state}).Words(); got != want {
			t.Errorf("%q reads %q, want %q", state, got, want)
		}
	}
	for want, d := range map[string]time.Duration{
		"running for 59 s": 59 * time.Second, "running for 6 min": 6*time.Minute + time.Second,
		"running for 47 h": 48*time.Hour - 1, "running for 2 days": 48 * time.Hour,
	} {
		if got := (&sense.Twin{Uptime: &d}).HealthWords(); got != want {
			t.Errorf("%v reads %q, want %q", d, got, want)
		}
	}
}
