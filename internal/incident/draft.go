package incident

import (
	"encoding/json"
	"fmt"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// draft is changes that wait to be written together.
type draft struct {
	changes []*event.IncidentChange
	records [][]byte
	size    int // bytes
}

func (dr *draft) add(changes []*event.IncidentChange) error {
	for _, c := range changes {
		data, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("encoding a change of incident %s: %w", c.Incident, err)
		}
		dr.changes, dr.records, dr.size = append(dr.changes, c), append(dr.records, data), dr.size+len(data)
	}
	return nil
}

// full reports whether the draft has outgrown one commit.
func (dr *draft) full() bool { return len(dr.records) > bus.MaxBatch || dr.size > bus.MaxBatchBytes }

// cut takes the first n changes out.
func (dr *draft) cut(n int) draft {
	head := draft{changes: dr.changes[:n:n], records: dr.records[:n:n]}
	for _, r := range head.records {
		head.size += len(r)
	}
	*dr = draft{changes: dr.changes[n:], records: dr.records[n:], size: dr.size - head.size}
	return head
}
