package gunfire

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the data is in local time

	"github.com/bluelamp/bluelamp/internal/detect"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// published reads the reports that Washington DC has published, in the order of
// the file. The row without a position is left out, as the reader of such files
// does that the platform uses.
func published(tb testing.TB) (out []*event.Observation, local *time.Location) {
	tb.Helper()
	dir := os.Getenv("BLUELAMP_DATA")
	if dir == "" {
		tb.Skip("BLUELAMP_DATA does not say where the real data is")
	}
	f, err := os.Open(filepath.Join(dir, "sensors", "dc-gunshot-2006-2013.csv.gz"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zip, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	rows, err := csv.NewReader(zip).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	if local, err = time.LoadLocation("America/New_York"); err != nil {
		tb.Fatal(err)
	}
	var received time.Time
	for _, row := range rows[1:] {
		at, err := time.ParseInLocation("1/2/06 15:04", row[2], local)
		if err != nil {
			tb.Fatal(err)
		}
		lon, lonErr := strconv.ParseFloat(row[4], 64)
		lat, latErr := strconv.ParseFloat(row[5], 64)
		if lonErr != nil || latErr != nil {
			tb.Fatal(row)
		}
		if lat < 1 {
			continue
		}
		if end := at.Add(time.Minute).UTC(); end.After(received) {
			received = end
		}
		rounds := "single"
		if strings.HasPrefix(row[3], "Multiple") {
			rounds = "multiple"
		}
		out = append(out, &event.Observation{
			ID: event.NewID("gunshot", row[0], row[1]), Kind: event.KindGunshot, Source: "gunshot", Device: row[0],
			Time: at.UTC(), Received: received, Place: &place.Point{Lat: lat, Lon: lon},
			Gunshot: &event.Gunshot{Zone: row[0], Number: row[1], Rounds: rounds, Accuracy: 100},
		})
	}
	return out, local
}

// The figures that docs/design/street.md gives.
func TestPublishedReports(t *testing.T) {
	os, local := published(t)
	as := play(os...)
	newest, floods, inFloods, shared := map[string]event.Alert{}, 0, 0, 0
	begun, nights := map[string]int{}, map[string]bool{}
	for _, a := range as {
		newest[a.Cause] = a
	}
	total := 0
	for _, a := range newest {
		total += a.Total
		begun[a.Start.In(local).Format("2006-01-02 15")]++
		switch {
		case a.Clause == clauseFlood:
			floods++
			inFloods += a.Total
			nights[a.Start.In(local).Add(-12*time.Hour).Format(time.DateOnly)] = true
		case a.Total > 1:
			shared++
		}
	}
	most, when := 0, ""
	for hour, n := range begun {
		if n > most {
			most, when = n, hour
		}
	}
	t.Logf("%d reports, %d alerts, %d causes; %d of several reports; %d squares of celebrations on %d nights with %d reports; most causes begun in an hour: %d (%s)",
		len(os), len(as), len(newest), shared, floods, len(nights), inFloods, most, when)
	if total != len(os) || len(os) != 39_065 {
		t.Errorf("%d reports, alerts tell of %d", len(os), total)
	}
	if most > 50 {
		t.Errorf("%d causes were begun in the hour %s", most, when)
	}
	for night := range nights {
		switch night[5:7] {
		case "07", "06", "12", "01":
		default:
			if night != "2008-11-04" { // the evening of an election
				t.Errorf("%s was no celebration that we know of", night)
			}
		}
	}
	for _, night := range []string{"2008-07-04", "2009-07-04", "2011-07-04", "2012-07-04", "2010-12-31", "2011-12-31", "2012-12-31"} {
		if !nights[night] {
			t.Errorf("%s was not taken for a celebration", night)
		}
	}
}

func BenchmarkPublishedReports(b *testing.B) {
	os, _ := published(b)
	b.ReportAllocs()
	for b.Loop() {
		run := detect.NewRun(New(Default()))
		for _, o := range os {
			run.Observe(o)
		}
		run.Finish()
	}
	b.ReportMetric(float64(b.N*len(os))/b.Elapsed().Seconds(), "reports/s")
}
