package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mapping"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

func openLog(t *testing.T) *bus.Log {
	t.Helper()
	l, err := bus.Open(context.Background(), bus.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(l.Close)
	return l
}

func open(t *testing.T, l *bus.Log) *mapping.Catalogue {
	t.Helper()
	c, err := mapping.Open(t.Context(), l, clock.Fixed(arrival), slog.New(slog.DiscardHandler))
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const gone, present = `{"kind": "device.gone"}`, `{"kind": "device.present"}`

// says has a device send something to the mapping "door", and returns the kind
// that was observed.
func says(c *mapping.Catalogue) string {
	os, err := mapping.NewDialect(c).Observe(&sense.Message{
		Device: &registry.Device{ID: "hub-7"}, Topic: "json/door/front", Payload: []byte(`{}`), Received: arrival,
	})
	if err != nil {
		return err.Error()
	}
	return string(os[0].Kind)
}

func TestAMappingGoesLiveAndBack(t *testing.T) {
	l := openLog(t)
	c, other := open(t, l), open(t, l)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Follow(ctx) }()

	v, err := c.Draft(t.Context(), "door", gone, "ada", "first")
	must(t, err)
	if v.Number != 1 || !strings.Contains(says(c), `no mapping "door" is live`) {
		t.Errorf("a draft is at work: %+v %s", v, says(c))
	}
	must(t, c.Live(t.Context(), "door", 1, "ada", ""))
	if got := says(c); got != "device.gone" {
		t.Error(got)
	}
	_, err = c.Draft(t.Context(), "door", present, "bob", "better")
	must(t, err)
	if got := says(c); got != "device.gone" {
		t.Errorf("a new draft is at work: %s", got)
	}
	must(t, c.Live(t.Context(), "door", 2, "bob", ""))
	for end := time.Now().Add(10 * time.Second); says(other) != "device.present"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("another process has %s", says(other))
		}
	}
	must(t, c.Live(t.Context(), "door", 1, "ada", "it was worse"))
	if got := says(c); got != "device.gone" {
		t.Errorf("after going back: %s", got)
	}
	must(t, c.Live(t.Context(), "door", 0, "ada", "no such device any more"))
	if got := says(c); !strings.Contains(got, "no mapping") {
		t.Errorf("after stopping: %s", got)
	}
	stop()
	must(t, <-ended)
	if m, err := open(t, l).Mapping("door"); err != nil || m.Live != 0 || len(m.Versions) != 2 || m.Newest().By != "bob" {
		t.Errorf("read again: %+v %v", m, err)
	}
}

func TestWhatMayNotBeSaved(t *testing.T) {
	c := open(t, openLog(t))
	for _, name := range []string{"", "Door", "a/b", "-x", "a b", strings.Repeat("x", 65)} {
		if _, err := c.Draft(t.Context(), name, gone, "ada", ""); !errors.Is(err, mapping.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	var wrong *mapping.Error
	if _, err := c.Draft(t.Context(), "door", `{"kind": bdy}`, "ada", ""); !errors.As(err, &wrong) || wrong.Line != 1 || wrong.Column != 10 {
		t.Errorf("a broken program: %v", err)
	}
	if err := c.Live(t.Context(), "door", 1, "ada", ""); !errors.Is(err, mapping.ErrUnknown) {
		t.Errorf("a mapping that is not: %v", err)
	}
	_, err := c.Draft(t.Context(), "door", gone, "ada", "")
	must(t, err)
	if err := c.Live(t.Context(), "door", 2, "ada", ""); !errors.Is(err, mapping.ErrUnknown) {
		t.Errorf("a version that is not: %v", err)
	}
}

func TestThoseWhoDraftAtOnceGetTheirOwnVersions(t *testing.T) {
	l := openLog(t)
	var wg sync.WaitGroup
	got := make([]mapping.Version, 8)
	for i := range got {
		c := open(t, l)
		wg.Go(func() {
			v, err := c.Draft(context.Background(), "door", fmt.Sprintf(`{"kind": "device.gone", "sensor": "s%d"}`, i), fmt.Sprint(i), "")
			if err != nil {
				t.Error(err)
			}
			got[i] = v
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	for i, v := range got {
		if v.By != fmt.Sprint(i) || seen[v.Number] || v.Number < 1 || v.Number > len(got) {
			t.Errorf("draft %d became %+v", i, v)
		}
		seen[v.Number] = true
	}
}
