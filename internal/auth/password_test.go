package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCheckPassword(t *testing.T) {
	for password, ok := range map[string]bool{
		"three random words": true, "ααααααβββββγ": true, "short": false, "elevenchars": false,
		"aaaaaaaaaaaaa": false, "": false, "my name is VALE!": false, "sam sam sam sam": true, // too short a part to count
		strings.Repeat("ab", 129): false, "bad\xff\xfe utf-8 here": false,
	} {
		if err := CheckPassword(password, "sam.vale", "Sam Vale"); (err == nil) != ok {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestHashMatchesOnlyItsPassword(t *testing.T) {
	h, err := newHasher(HashCost{Memory: 16, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		phc, err := h.hash(context.Background(), a)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.matches(context.Background(), b, phc); err != nil || ok != (a == b) {
			t.Fatalf("%q matches %q: %v, %v", b, a, ok, err)
		}
	})
	if ok, err := h.matches(context.Background(), "nobody has this password", ""); ok || err != nil {
		t.Errorf("nobody's password matches: %v, %v", ok, err)
	}
}

func TestFloodOfHashesIsBounded(t *testing.T) {
	h, err := newHasher(HashCost{Memory: 16, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range hashersAtOnce { // all places are taken
		done, err := h.turn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer done()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range hashersWaiting {
		wg.Go(func() {
			if _, err := h.hash(ctx, "x"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for h.waiting.Load() < hashersWaiting {
		time.Sleep(time.Millisecond)
	}
	if _, err := h.hash(ctx, "x"); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	wg.Wait()
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$a2V5a2V5a2V5a2V5a2V5a2V5")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Fuzz(func(t *testing.T, s string) {
		cost, salt, key, err := parsePHC(s)
		if err == nil && (cost.Memory > maxHashMemory || cost.Time > maxHashTime || cost.Threads < 1 || len(salt) < 8 || len(key) < 16) {
			t.Fatalf("%q is accepted with %+v", s, cost)
		}
	})
}

func TestLimitsNeverAllowMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &buckets{burst: 3, refill: time.Minute, of: map[string]bucket{}}
		now := time.Unix(1e9, 0)
		start, allowed := now, 0
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "pause")) * time.Second)
			if b.take(now, "x") == nil {
				allowed++
			}
		}
		if most := 3 + now.Sub(start).Minutes() + 0.001; float64(allowed) > most {
			t.Fatalf("%d attempts in %v", allowed, now.Sub(start))
		}
	})
}

func TestBucketsAreBounded(t *testing.T) {
	b := &buckets{burst: 3, refill: time.Hour, of: map[string]bucket{}}
	now := time.Unix(1e9, 0)
	for i := range maxTracked + 100 {
		_ = b.take(now, strings.Repeat("k", i%7)+time.Duration(i).String())
	}
	if len(b.of) > maxTracked {
		t.Errorf("%d keys are remembered", len(b.of))
	}
}
