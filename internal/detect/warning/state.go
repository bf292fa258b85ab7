package warning

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// state is what is saved.
type state struct {
	Chains []*chain `json:"chains"`
}

// MarshalBinary implements detect.Detector.
func (d *Detector) MarshalBinary() ([]byte, error) {
	s := state{}
	for _, c := range d.chains {
		s.Chains = append(s.Chains, c)
	}
	slices.SortFunc(s.Chains, func(a, b *chain) int { return strings.Compare(a.Cause, b.Cause) })
	return json.Marshal(s)
}

// UnmarshalBinary implements detect.Detector. A state that cannot be read is taken
// up not at all.
func (d *Detector) UnmarshalBinary(data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the warnings that stand: %w", err)
	}
	if len(s.Chains) > maxChains || slices.Contains(s.Chains, nil) {
		return fmt.Errorf("reading the warnings that stand: %d is not what was saved", len(s.Chains))
	}
	fresh := New(d.cfg)
	for _, c := range s.Chains {
		fresh.chains[c.Cause] = c
		for _, k := range c.Members {
			fresh.by[k] = c.Cause
		}
		fresh.soon(c.Until)
	}
	*d = *fresh
	return nil
}
