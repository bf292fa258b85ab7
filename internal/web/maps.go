package web

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"

	"github.com/bluelamp/bluelamp/internal/sense"
)

// maps keeps the maps' data ready to be sent.
type maps struct {
	mu       sync.Mutex
	base     *geoJSON
	premises *geoJSON
	version  uint64 // of the registry that premises shows
}

// geoJSON is an answer with its compressed form.
type geoJSON struct {
	plain, packed []byte
	tag           string
}

var emptyMap = []byte(`{"type":"FeatureCollection","features":[]}`)

func newGeoJSON(data []byte) (*geoJSON, error) {
	packed, err := pack(data)
	if err != nil {
		return nil, fmt.Errorf("compressing a map: %w", err)
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	return &geoJSON{plain: data, packed: packed, tag: fmt.Sprintf(`"%x"`, h.Sum64())}, nil
}

// send answers with the map, or says that the browser has it already.
func (g *geoJSON) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/geo+json")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", g.tag)
	if r.Header.Get("If-None-Match") == g.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	sendPacked(w, r, g.plain, g.packed)
}

func (s *Site) baseMap(w http.ResponseWriter, r *http.Request) {
	s.maps.mu.Lock()
	g := s.maps.base
	var err error
	if g == nil {
		data := emptyMap
		if s.BaseMap != nil {
			if b := s.BaseMap(); len(b) > 0 {
				data = b
			}
		}
		g, err = newGeoJSON(data)
		s.maps.base = g
	}
	s.maps.mu.Unlock()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	g.send(w, r)
}

// feature is a point of the premises' layer.
type feature struct {
	Type       string            `json:"type"`
	Properties map[string]string `json:"properties"`
	Geometry   struct {
		Type        string     `json:"type"`
		Coordinates [2]float64 `json:"coordinates"`
	} `json:"geometry"`
}

func (s *Site) premisesMap(w http.ResponseWriter, r *http.Request) {
	g, err := s.premisesLayer(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	g.send(w, r)
}

// premisesLayer makes the layer anew when the registry or the state of any
// device has changed.
func (s *Site) premisesLayer(r *http.Request) (*geoJSON, error) {
	states := map[string]sense.DeviceState{}
	sources, err := s.Sense.Sources(r.Context())
	if err != nil {
		return nil, err
	}
	version := s.Registry.Version()
	for _, src := range sources {
		// Those that need attention come first, so a bound is no loss.
		devices, err := s.Sense.Devices(r.Context(), src.Source, src.Silent+src.Unknown)
		if err != nil {
			return nil, err
		}
		for _, d := range devices {
			if d.Premises != "" && d.State != sense.Heard && states[d.Premises] != sense.Silent {
				states[d.Premises] = d.State
			}
		}
	}
	s.maps.mu.Lock()
	defer s.maps.mu.Unlock()
	if s.maps.premises != nil && s.maps.version == version && len(states) == 0 {
		return s.maps.premises, nil
	}
	list := struct {
		Type     string    `json:"type"`
		Features []feature `json:"features"`
	}{Type: "FeatureCollection", Features: []feature{}}
	for _, p := range s.Registry.All() {
		state := states[p.ID]
		if state == "" {
			state = sense.Heard
		}
		f := feature{Type: "Feature", Properties: map[string]string{
			"id": p.ID, "name": p.Name, "kind": p.Kind, "state": string(state),
		}}
		f.Geometry.Type, f.Geometry.Coordinates = "Point", [2]float64{p.Place.Lon, p.Place.Lat}
		list.Features = append(list.Features, f)
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encoding the premises' map: %w", err)
	}
	g, err := newGeoJSON(data)
	if err != nil {
		return nil, err
	}
	s.maps.premises, s.maps.version = g, version
	if len(states) > 0 {
		s.maps.premises = nil // states change without the registry's knowing
	}
	return g, nil
}
