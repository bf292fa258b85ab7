package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluelamp/bluelamp/internal/clock"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestScaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.Scaled(noon.In(time.FixedZone("CET", 3600)), 60)
		time.Sleep(90 * time.Second)
		if got, want := c.Now(), noon.Add(90*time.Minute); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%v, want %v", got, want)
		}
		if c.Speed() != 60 || c.Real(time.Hour) != time.Minute {
			t.Errorf("speed %v, an hour lasts %v", c.Speed(), c.Real(time.Hour))
		}
	})
}

func TestScaledSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.Scaled(noon, 0.5)
		time.Sleep(10 * time.Second)
		if got := c.Now().Sub(noon); got != 5*time.Second {
			t.Errorf("%v passed", got)
		}
		if c.Real(time.Second) != 2*time.Second {
			t.Errorf("a second lasts %v", c.Real(time.Second))
		}
	})
}

func TestWall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.Wall()
		time.Sleep(time.Hour)
		if now := c.Now(); !now.Equal(time.Now()) || now.Location() != time.UTC || now != now.Round(0) {
			t.Errorf("%v", now)
		}
	})
}

func TestHeldAndFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held, set := clock.Held(noon)
		fixed := clock.Fixed(noon)
		time.Sleep(time.Hour)
		if !held.Now().Equal(noon) || !fixed.Now().Equal(noon) {
			t.Errorf("held %v, fixed %v", held.Now(), fixed.Now())
		}
		set(noon.Add(time.Second))
		if !held.Now().Equal(noon.Add(time.Second)) {
			t.Errorf("held %v", held.Now())
		}
	})
}
