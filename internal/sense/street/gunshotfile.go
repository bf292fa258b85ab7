package street

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the file is in local time, and not every machine knows the zones

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
)

// area is a city whose published gunshot data has no time zone and no bounds of
// its own.
type area struct {
	prefix   string // of the column "Coverage Area"
	zone     string
	min, max place.Point // no report can come from outside
}

// areas are the cities whose data is understood. The bounds are the city's own
// with about 2 km to spare, as far as sound carries.
var areas = []area{
	{"WashingtonDC", "America/New_York", place.Point{Lat: 38.77, Lon: -77.15}, place.Point{Lat: 39.02, Lon: -76.88}},
}

// The columns of the file.
var gunshotColumns = []string{"Coverage Area", "Incident ID", "Date Time", "Type", "Longitude-100meter", "Latitude-100meter"}

// gunshotAccuracy is what the file's positions, rounded to a thousandth of a
// degree, are true to, in metres.
const gunshotAccuracy = 100

// GunshotFile reads gunshot events that a city has published as CSV, plain or
// compressed with gzip. Times are the city's local time to the minute: one that
// the clocks skipped in spring counts as told by a clock that had not been put
// forward, one that they showed twice in autumn as the first. An event is
// received at the end of its minute, or with the one before it.
//
// A row that cannot be used gives an error that names its line and what is wrong,
// and the next can be read.
func GunshotFile(name string, src io.Reader) iter.Seq2[*event.Observation, error] {
	return func(yield func(*event.Observation, error) bool) {
		in, err := unzipped(src)
		if err != nil {
			yield(nil, fmt.Errorf("reading %s: %w", name, err))
			return
		}
		r := gunshotReader{csv: csv.NewReader(in), zones: map[string]*time.Location{}}
		r.csv.FieldsPerRecord, r.csv.ReuseRecord = -1, true
		if err := r.header(); err != nil {
			yield(nil, fmt.Errorf("%s: %w", name, err))
			return
		}
		for {
			row, err := r.csv.Read()
			var bad *csv.ParseError
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil && !errors.As(err, &bad):
				yield(nil, fmt.Errorf("reading %s: %w", name, err))
				return
			}
			var line int
			var o *event.Observation
			if bad != nil {
				line = bad.StartLine
			} else {
				line, _ = r.csv.FieldPos(0)
				o, err = r.observation(row)
			}
			if err != nil {
				o, err = nil, fmt.Errorf("%s: line %d: %w", name, line, err)
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// unzipped returns the plain text of what may be compressed.
func unzipped(src io.Reader) (io.Reader, error) {
	b := bufio.NewReader(src)
	if head, err := b.Peek(2); err != nil || head[0] != 0x1f || head[1] != 0x8b {
		return b, nil
	}
	return gzip.NewReader(b)
}

type gunshotReader struct {
	csv      *csv.Reader
	zones    map[string]*time.Location
	received time.Time
}

func (r *gunshotReader) header() error {
	head, err := r.csv.Read()
	if err != nil {
		return fmt.Errorf("reading the header: %w", err)
	}
	for i, want := range gunshotColumns {
		if len(head) <= i || strings.TrimSpace(strings.TrimPrefix(head[i], "\ufeff")) != want {
			return fmt.Errorf("the header is not that of gunshot data: want the columns %s", strings.Join(gunshotColumns, ", "))
		}
	}
	return nil
}

func (r *gunshotReader) observation(row []string) (*event.Observation, error) {
	if len(row) != len(gunshotColumns) {
		return nil, fmt.Errorf("%d columns, want %d", len(row), len(gunshotColumns))
	}
	zone, number := strings.Clone(row[0]), strings.Clone(row[1])
	if number == "" || len(number) > maxName || zone == "" || len(zone) > maxName {
		return nil, fmt.Errorf("the coverage area and the incident's id must have 1 to %d bytes", maxName)
	}
	city, loc, err := r.area(zone)
	if err != nil {
		return nil, err
	}
	when, err := localMinute(row[2], loc)
	if err != nil {
		return nil, err
	}
	rounds, ok := gunshotTypes[row[3]]
	if !ok {
		return nil, fmt.Errorf("the type is %.40q, want Single Gunshot or Multiple Gunshots", row[3])
	}
	at, err := city.position(row[5], row[4])
	if err != nil {
		return nil, err
	}
	if end := when.Add(time.Minute); end.After(r.received) {
		r.received = end
	}
	return &event.Observation{
		ID: event.NewID("gunshot", zone, number), Kind: event.KindGunshot, Source: "gunshot", Device: zone,
		Time: when, DeviceTime: &when, Received: r.received, Place: &at,
		Gunshot: &event.Gunshot{Zone: zone, Number: number, Rounds: rounds, Accuracy: gunshotAccuracy},
	}, nil
}

var gunshotTypes = map[string]string{
	"Single Gunshot": "single", "Multiple Gunshots": "multiple", "Gunshot or Firecracker": "unknown",
}

// area finds the city of a coverage area.
func (r *gunshotReader) area(zone string) (*area, *time.Location, error) {
	for i := range areas {
		a := &areas[i]
		if !strings.HasPrefix(zone, a.prefix) {
			continue
		}
		loc := r.zones[a.zone]
		if loc == nil {
			var err error
			if loc, err = time.LoadLocation(a.zone); err != nil {
				return nil, nil, fmt.Errorf("the time zone of %s: %w", a.prefix, err)
			}
			r.zones[a.zone] = loc
		}
		return a, loc, nil
	}
	return nil, nil, fmt.Errorf("the coverage area %.40q is of no city whose time zone and bounds are known", zone)
}

// position reads a position, and complains when nothing can have been heard there.
func (a *area) position(lat, lon string) (place.Point, error) {
	var p place.Point
	var err error
	if p.Lat, err = strconv.ParseFloat(strings.TrimSpace(lat), 64); err != nil {
		return p, fmt.Errorf("the latitude %.40q is not a number of degrees", lat)
	}
	if p.Lon, err = strconv.ParseFloat(strings.TrimSpace(lon), 64); err != nil {
		return p, fmt.Errorf("the longitude %.40q is not a number of degrees", lon)
	}
	if a.holds(place.Point{Lat: p.Lon, Lon: p.Lat}) {
		return p, fmt.Errorf("impossible position: latitude %s and longitude %s are swapped", lat, lon)
	}
	if err := onEarth(p); err != nil {
		return p, fmt.Errorf("impossible position: %w", err)
	}
	if !a.holds(p) {
		return p, fmt.Errorf("impossible position: %v lies outside %s (%v to %v)", p, a.prefix, a.min, a.max)
	}
	return p, nil
}

func (a *area) holds(p place.Point) bool {
	return p.Lat >= a.min.Lat && p.Lat <= a.max.Lat && p.Lon >= a.min.Lon && p.Lon <= a.max.Lon
}

// localMinute reads a local time.
func localMinute(s string, loc *time.Location) (time.Time, error) {
	wall, err := time.Parse("1/2/06 15:04", s)
	if err != nil {
		return time.Time{}, fmt.Errorf("the time %.40q is not month/day/year hour:minute", s)
	}
	// The offsets of the days before and after are the two that can hold; where
	// both do, the earlier is the one before.
	_, before := wall.Add(-24 * time.Hour).In(loc).Zone()
	_, after := wall.Add(24 * time.Hour).In(loc).Zone()
	for _, offset := range []int{before, after} {
		t := wall.Add(-time.Duration(offset) * time.Second)
		if _, is := t.In(loc).Zone(); is == offset {
			return t, nil
		}
	}
	return wall.Add(-time.Duration(before) * time.Second), nil
}
