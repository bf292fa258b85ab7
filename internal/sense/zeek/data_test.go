package zeek_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/zeek"
)

// Every row of the recorded logs that are taken in becomes an observation; those
// of software.log and sip.log are left.
func TestRecordedLogs(t *testing.T) {
	dir := os.Getenv("BLUELAMP_DATA")
	if dir == "" {
		t.Skip("BLUELAMP_DATA is not set: the recorded logs are not read")
	}
	files, err := filepath.Glob(filepath.Join(dir, "network/zeek/*/*.log*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no logs in %s: %v", dir, err)
	}
	got := map[event.Kind]int{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for o, err := range zeek.File(name, f) {
			if err != nil {
				t.Error(err)
				continue
			}
			if o.Time.IsZero() || o.Received.Before(o.Time) || o.Device != name || o.Source != "zeek" || o.Ref().Name == "" && o.Notice == nil {
				t.Fatalf("%+v", o)
			}
			got[o.Kind]++
		}
		f.Close()
	}
	want := map[event.Kind]int{
		event.KindFlow: 992 + 4504 + 5663 + 5347, event.KindLogin: 8528, event.KindNetNotice: 345 + 16 + 2,
		event.KindDNS: 8, event.KindHTTP: 342 + 5, event.KindTLS: 545 + 1039, event.KindAnomaly: 56 + 298,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
