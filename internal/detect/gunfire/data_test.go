package gunfire

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// What the rule for celebrations spares a control room, and that it leaves ordinary
// days alone: those with at most 60 reports, away from New Year and 4 July.
func TestPublishedWithoutCelebrations(t *testing.T) {
	os, local := published(t)
	reports := map[string]int{}
	for _, o := range os {
		reports[o.Time.In(local).Format(time.DateOnly)]++
	}
	p := Default()
	p.FloodBursts = math.MaxInt
	run := detect.NewRun(New(p))
	begun, causes := map[string]int{}, map[string]bool{}
	var ordinary []time.Time
	for _, o := range os {
		for _, a := range run.Observe(o) {
			if !causes[a.Cause] {
				causes[a.Cause] = true
				begun[a.Start.In(local).Format("2006-01-02 15")]++
				day := a.Start.In(local).Format(time.DateOnly)
				if of := day[5:]; reports[day] <= 60 && (of < "06-30" || of > "07-06") && of > "01-01" && of < "12-30" {
					ordinary = append(ordinary, a.Start)
				}
			}
		}
	}
	slices.SortFunc(ordinary, time.Time.Compare)
	crowd, first := 0, 0
	for i, at := range ordinary {
		for at.Sub(ordinary[first]) > p.FloodWithin {
			first++
		}
		crowd = max(crowd, i-first+1)
	}
	if crowd >= Default().FloodBursts {
		t.Errorf("%d bursts began within %v on an ordinary day", crowd, p.FloodWithin)
	}
	most, when := 0, ""
	for hour, n := range begun {
		if n > most {
			most, when = n, hour
		}
	}
	t.Logf("%d causes; most begun in an hour: %d (%s); most within %v on ordinary days: %d", len(causes), most, when, p.FloodWithin, crowd)
}

// The neighbourhood of reports, by which Policy was chosen: how many pairs are so
// many minutes and so far apart, on days with at most 60 reports.
func TestPublishedPairs(t *testing.T) {
	os, local := published(t)
	day := func(o *event.Observation) string { return o.Time.In(local).Format(time.DateOnly) }
	days := map[string]int{}
	for _, o := range os {
		days[day(o)]++
	}
	slices.SortStableFunc(os, func(a, b *event.Observation) int { return a.Time.Compare(b.Time) })
	const rings, metres = 5, 100.0
	var pairs [2][30][rings]int // of one zone, of two; by minutes; by hundreds of metres
	for i, a := range os {
		for _, b := range os[i+1:] {
			minutes := int(b.Time.Sub(a.Time).Minutes())
			if minutes >= 30 {
				break
			}
			if days[day(a)] > 60 {
				continue
			}
			zones := 0
			if a.Device != b.Device {
				zones = 1
			}
			if ring := int(place.Distance(*a.Place, *b.Place) / metres); ring < rings {
				pairs[zones][minutes][ring]++
			}
		}
	}
	for zones, what := range []string{"one zone", "two zones"} {
		for _, minutes := range []int{0, 1, 2, 5, 10, 20, 29} {
			t.Logf("%s, %2d min: %v pairs by hundreds of metres", what, minutes, pairs[zones][minutes])
		}
	}
	soon, late := pairs[0][10][0]+pairs[0][10][1], pairs[0][29][0]+pairs[0][29][1]
	if soon < 8*late {
		t.Errorf("within 200 m, %d pairs ten minutes apart and %d half an hour: Quiet was chosen by another relation", soon, late)
	}
}
