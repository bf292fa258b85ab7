package home

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// errState: the saved state contradicts itself.
var errState = errors.New("the saved state is damaged")

type state struct {
	Conditions []*condition `json:"conditions"`
	Hubs       []*hub       `json:"hubs"`
}

// MarshalBinary implements detect.Detector.
func (d *Detector) MarshalBinary() ([]byte, error) {
	s := state{Conditions: append([]*condition{}, d.queue.items...), Hubs: append([]*hub{}, d.set.items...)}
	slices.SortFunc(s.Conditions, func(a, b *condition) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(s.Hubs, func(a, b *hub) int { return cmp.Compare(a.ID, b.ID) })
	return json.Marshal(s)
}

// UnmarshalBinary implements detect.Detector. It changes nothing when it fails.
func (d *Detector) UnmarshalBinary(data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the state of homes: %w", err)
	}
	if len(s.Conditions) > maxConditions || len(s.Hubs) > maxHubs {
		return fmt.Errorf("reading the state of homes: %w: %d conditions, %d hubs", errState, len(s.Conditions), len(s.Hubs))
	}
	fresh := New()
	for _, c := range s.Conditions {
		if c == nil || len(c.Refs) == 0 || len(c.Refs) > maxRefs || len(c.Away) > maxAway || judgements[c.Family].kind == "" || fresh.known[c.Key] != nil {
			return fmt.Errorf("reading the state of homes: %w", errState)
		}
		fresh.known[c.Key] = c
		fresh.queue.push(c)
	}
	for _, h := range s.Hubs {
		if h == nil || len(h.Panels) == 0 || len(h.Panels) > maxPanels || fresh.hubs[h.ID] != nil {
			return fmt.Errorf("reading the state of homes: %w", errState)
		}
		fresh.hubs[h.ID] = h
		fresh.set.push(h)
	}
	*d = *fresh
	return nil
}
