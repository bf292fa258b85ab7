package cap

import (
	"fmt"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Dialect takes one CAP message from each MQTT message or request.
type Dialect struct{ reader *Reader }

var _ sense.Dialect = (*Dialect)(nil)

// NewDialect returns the dialect that reads with r.
func NewDialect(r *Reader) *Dialect { return &Dialect{r} }

// Name implements sense.Dialect.
func (*Dialect) Name() string { return Source }

// Matches implements sense.Dialect.
func (*Dialect) Matches(topic string) bool { return topic == "cap" }

// Observe implements sense.Dialect. The device that sends is who brought the
// message; who warns is in the warning.
func (d *Dialect) Observe(m *sense.Message) ([]*event.Observation, error) {
	os, err := d.reader.Read(m.Payload, m.Device.ID, m.Received)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sense.ErrUnreadable, err)
	}
	return os, nil
}
