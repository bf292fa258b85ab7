package city

import (
	"math"
	"strconv"
)

// GeoJSON returns the town's map as a FeatureCollection (RFC 7946, WGS 84,
// coordinates to about 0.1 m). Each feature has a property "class":
//
//	polygons  land, beach, park, water, pier, building, building-public
//	lines     coast, road-major, road-minor, path
//
// and, where it has one, a "name"; streets also have a "kind": main, minor,
// lane or path. Features come in the order in which they are painted. Colours
// are the reader's; sea is what no feature covers.
func (t *Town) GeoJSON() []byte {
	w := &mapWriter{t: t}
	w.out = append(w.out, `{"type":"FeatureCollection","attribution":"`...)
	w.out = append(w.out, TownName+", a town that does not exist"...)
	w.out = append(w.out, `","bbox":`...)
	w.box()
	w.out = append(w.out, `,"features":[`...)
	w.land()
	w.roads()
	for i := range t.buildings {
		b := &t.buildings[i]
		class := "building"
		if b.public {
			class = "building-public"
		}
		w.area(class, b.name, "", b.outline)
	}
	w.out = append(w.out, "]}\n"...)
	return w.out
}

// mapWriter writes features one after another.
type mapWriter struct {
	t     *Town
	out   []byte
	count int
}

func (w *mapWriter) land() {
	g := w.t.g
	w.area("land", "", "", g.coast)
	if len(g.beach) > 0 {
		w.area("beach", "South Sands", "", g.beach)
	}
	for _, k := range g.parks {
		w.area("park", k.name, "", k.outline)
	}
	w.area("water", "River Skar", "", g.river.ribbon(g.riverWidth))
	w.area("water", "Skar Water", "", g.lake)
	w.area("water", "Old Dock", "", g.dock)
	w.line("coast", "", "", g.coast.ring())
	for _, p := range g.piers {
		w.area("pier", p.name, "", p.outline)
	}
}

// roads paints paths first and main streets last.
func (w *mapWriter) roads() {
	for _, k := range []struct {
		kind        streetKind
		class, name string
	}{{footpath, "path", "path"}, {lane, "road-minor", "lane"}, {sideStreet, "road-minor", "minor"}, {mainStreet, "road-major", "main"}} {
		for _, s := range w.t.streets {
			if s.kind == k.kind {
				w.line(k.class, s.name, k.name, s.line.simplified(0.5))
			}
		}
	}
}

func (w *mapWriter) area(class, name, kind string, outline path) {
	w.begin(class, name, kind)
	w.out = append(w.out, `"Polygon","coordinates":[[`...)
	// RFC 7946 wants outer rings against the clock.
	var twice float64
	for i, p := range outline {
		twice += p.cross(outline[(i+1)%len(outline)])
	}
	for i := range len(outline) + 1 {
		k := i % len(outline)
		if twice < 0 {
			k = (len(outline) - k) % len(outline)
		}
		w.position(i, outline[k])
	}
	w.out = append(w.out, "]]}}"...)
}

func (w *mapWriter) line(class, name, kind string, line path) {
	w.begin(class, name, kind)
	w.out = append(w.out, `"LineString","coordinates":[`...)
	for i, p := range line {
		w.position(i, p)
	}
	w.out = append(w.out, "]}}"...)
}

func (w *mapWriter) begin(class, name, kind string) {
	if w.count > 0 {
		w.out = append(w.out, ',')
	}
	w.count++
	w.out = append(w.out, "\n"+`{"type":"Feature","properties":{"class":"`+class+`"`...)
	if name != "" {
		w.out = append(w.out, `,"name":`...)
		w.out = strconv.AppendQuote(w.out, name)
	}
	if kind != "" {
		w.out = append(w.out, `,"kind":"`+kind+`"`...)
	}
	w.out = append(w.out, `},"geometry":{"type":`...)
}

func (w *mapWriter) position(i int, v vec) {
	if i > 0 {
		w.out = append(w.out, ',')
	}
	p := w.t.point(v)
	w.out = append(w.out, '[')
	w.out = appendDegrees(w.out, p.Lon)
	w.out = append(w.out, ',')
	w.out = appendDegrees(w.out, p.Lat)
	w.out = append(w.out, ']')
}

// box frames the town and its harbour rather than the whole island: that is
// what a control room wants to see first.
func (w *mapWriter) box() {
	west, south, east, north := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := range w.t.buildings {
		b := &w.t.buildings[i]
		if w.t.streets[b.street].kind == lane {
			continue
		}
		p := w.t.point(b.middle)
		west, east = min(west, p.Lon), max(east, p.Lon)
		south, north = min(south, p.Lat), max(north, p.Lat)
	}
	w.out = append(w.out, '[')
	for i, v := range []float64{west, south, east, north} {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = appendDegrees(w.out, v)
	}
	w.out = append(w.out, ']')
}

func appendDegrees(dst []byte, v float64) []byte {
	return strconv.AppendFloat(dst, math.Round(v*1e6)/1e6, 'f', -1, 64)
}
