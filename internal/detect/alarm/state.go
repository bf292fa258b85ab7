package alarm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// errState: the saved conditions contradict themselves.
var errState = errors.New("the saved state is damaged")

type state struct {
	Conditions []*condition `json:"conditions"`
}

// MarshalBinary implements detect.Detector.
func (d *Detector) MarshalBinary() ([]byte, error) {
	s := state{Conditions: slices.SortedFunc(slices.Values(d.due), func(a, b *condition) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Family, b.Family))
	})}
	return json.Marshal(s)
}

// UnmarshalBinary implements detect.Detector. It changes nothing when it fails.
func (d *Detector) UnmarshalBinary(data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the alarm conditions: %w", err)
	}
	fresh := New(d.policy)
	for _, c := range s.Conditions {
		if c == nil || c.Decisive < 0 || c.Decisive > len(c.Refs) || len(c.Refs) > maxRefs ||
			len(c.Zones) > maxZones || len(c.Past) > maxPast {
			return fmt.Errorf("reading the alarm conditions: %w", errState)
		}
		k := key{c.Key, c.Family}
		if fresh.known[k] != nil {
			return fmt.Errorf("reading the alarm conditions: %w: two of %s", errState, c.Key)
		}
		fresh.known[k] = c
		fresh.kept += c.size()
		fresh.due.push(c)
	}
	*d = *fresh
	return nil
}
