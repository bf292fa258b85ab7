package incident

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// saved is the desk's state.
type saved struct {
	Number    int         `json:"number"`
	Incidents []*Incident `json:"incidents"`
}

// recover takes a change that is on the log but may not be in the saved state: an
// alert's, or a person's who acted while the state was saved.
func (d *Desk) recover(rec bus.Record) error {
	var c event.IncidentChange
	if err := json.Unmarshal(rec.Data, &c); err != nil {
		return fmt.Errorf("reading a change of an incident at position %d: %w", rec.Seq, err)
	}
	c.Seq = rec.Seq
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.book.incidents[c.Incident]
	if in == nil {
		in = &Incident{}
	}
	d.take(in, &c)
	return nil
}

func (d *Desk) save() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.book.forget(d.clock.Now())
	clear(d.book.alerts) // the saved position is past them
	s := saved{Number: d.number}
	for _, in := range d.book.incidents {
		s.Incidents = append(s.Incidents, in)
	}
	slices.SortFunc(s.Incidents, func(a, b *Incident) int { return cmp.Compare(a.Number, b.Number) })
	return json.Marshal(s)
}

func (d *Desk) load(state []byte) error {
	var s saved
	if err := json.Unmarshal(state, &s); err != nil {
		return fmt.Errorf("reading the saved incidents: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.number = s.Number
	for _, in := range s.Incidents {
		d.book.load(in)
	}
	return nil
}
