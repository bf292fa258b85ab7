package street_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/street"
)

// All rows of the published data are either observed or complained of.
func TestWholeGunshotFile(t *testing.T) {
	dir := os.Getenv("BLUELAMP_DATA")
	if dir == "" {
		t.Skip("BLUELAMP_DATA does not say where the real data is")
	}
	name := filepath.Join(dir, "sensors", "dc-gunshot-2006-2013.csv.gz")
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var received time.Time
	ids, bad := map[event.ID]bool{}, []string{}
	zones := map[string]int{}
	for o, err := range street.GunshotFile("dc.csv.gz", f) {
		if err != nil {
			bad = append(bad, err.Error())
			continue
		}
		if ids[o.ID] {
			t.Errorf("%s of %s twice", o.Gunshot.Number, o.Device)
		}
		ids[o.ID] = true
		zones[o.Device]++
		if o.Received.Before(received) {
			t.Fatalf("Received goes back at %s", o.Gunshot.Number)
		}
		received = o.Received
	}
	if len(ids) != 39_065 || len(bad) != 1 || len(zones) != 6 {
		t.Errorf("%d observations and %d errors of 39066 rows, %d zones: %q", len(ids), len(bad), len(zones), bad)
	}
	if want := "line 39067: impossible position: the position 0.00100, -0.00200 is where latitude and longitude are nought"; len(bad) > 0 && !strings.Contains(bad[0], want) {
		t.Errorf("%q", bad[0])
	}
}
