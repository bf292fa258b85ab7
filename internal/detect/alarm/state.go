package alarm

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxState bounds the saved state when it is unpacked, in bytes.
const maxState = 256 << 20

// errState: the saved conditions contradict themselves.
var errState = errors.New("the saved state is damaged")

type state struct {
	Conditions []*condition `json:"conditions"`
}

// MarshalBinary implements detect.Detector: compressed JSON.
func (d *Detector) MarshalBinary() ([]byte, error) {
	s := state{Conditions: slices.SortedFunc(slices.Values(d.due), func(a, b *condition) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Family, b.Family))
	})}
	var body bytes.Buffer
	zip, err := flate.NewWriter(&body, flate.BestSpeed)
	if err == nil {
		err = errors.Join(json.NewEncoder(zip).Encode(s), zip.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("saving the alarm conditions: %w", err)
	}
	return body.Bytes(), nil
}

// UnmarshalBinary implements detect.Detector. It changes nothing when it fails.
func (d *Detector) UnmarshalBinary(data []byte) error {
	var s state
	in := io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxState)
	if err := json.NewDecoder(in).Decode(&s); err != nil {
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
