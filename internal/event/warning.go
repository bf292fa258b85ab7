package event

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/place"
)

// Warning is a public warning (OASIS Common Alerting Protocol 1.2), in the
// language of the force.
type Warning struct {
	Identifier  string          `json:"identifier"`
	Sender      string          `json:"sender"`
	Sent        time.Time       `json:"sent"`
	Status      string          `json:"status"`               // "Actual", "Exercise", "System", "Test", "Draft"
	MsgType     string          `json:"msg_type"`             // "Alert", "Update", "Cancel", "Ack", "Error"
	References  []string        `json:"references,omitempty"` // earlier messages, each "sender,identifier,sent"
	Event       string          `json:"event,omitempty"`
	Categories  []string        `json:"categories,omitempty"`
	Urgency     string          `json:"urgency,omitempty"`
	Severity    string          `json:"severity,omitempty"`
	Certainty   string          `json:"certainty,omitempty"`
	Headline    string          `json:"headline,omitempty"`
	Description string          `json:"description,omitempty"`
	Instruction string          `json:"instruction,omitempty"`
	Onset       *time.Time      `json:"onset,omitempty"`
	Expires     *time.Time      `json:"expires,omitempty"`
	Area        string          `json:"area,omitempty"` // in words
	Polygons    [][]place.Point `json:"polygons,omitempty"`
	Signed      string          `json:"signed,omitempty"` // by whom, where a signature was found good
}
