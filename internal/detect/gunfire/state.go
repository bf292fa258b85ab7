package gunfire

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// errState: the saved bursts contradict themselves.
var errState = errors.New("the saved state is damaged")

type state struct {
	Bursts []*burst    `json:"bursts"`
	Causes []*cause    `json:"causes"`
	Starts []time.Time `json:"starts"`
	Flood  bool        `json:"flood,omitempty"`
	Newest time.Time   `json:"newest"`
}

// MarshalBinary implements detect.Detector.
func (d *Detector) MarshalBinary() ([]byte, error) {
	s := state{Bursts: d.bursts, Starts: d.starts, Flood: d.flood, Newest: d.newest}
	for _, c := range d.causes {
		s.Causes = append(s.Causes, c)
	}
	slices.SortFunc(s.Causes, compare)
	return json.Marshal(s)
}

// UnmarshalBinary implements detect.Detector. It changes nothing when it fails.
func (d *Detector) UnmarshalBinary(data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the bursts of gunfire: %w", err)
	}
	fresh := New(d.policy)
	if len(s.Causes) > maxCauses || len(s.Bursts) > maxBursts || len(s.Starts) > maxStarts || !slices.IsSortedFunc(s.Starts, time.Time.Compare) {
		return fmt.Errorf("reading the bursts of gunfire: %w", errState)
	}
	for _, c := range s.Causes {
		if c == nil || fresh.causes[c.Name] != nil || len(c.Refs) > maxRefs || len(c.Zones) > maxZones {
			return fmt.Errorf("reading the bursts of gunfire: %w", errState)
		}
		fresh.causes[c.Name] = c
		for _, r := range c.Refs {
			fresh.refs[r.ID] = true
		}
	}
	for _, b := range s.Bursts {
		if b == nil || len(b.Places) == 0 || len(b.Places) > maxPlaces || fresh.causes[b.Cause] == nil {
			return fmt.Errorf("reading the bursts of gunfire: %w", errState)
		}
	}
	fresh.bursts, fresh.starts, fresh.flood, fresh.newest = s.Bursts, s.Starts, s.Flood, s.Newest
	*d = *fresh
	return nil
}
