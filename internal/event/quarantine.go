package event

import (
	"strconv"
	"time"
)

// MaxQuarantineBytes bounds the bytes that a quarantine entry keeps.
const MaxQuarantineBytes = 16 << 10

// Quarantined is something that arrived and could not be accepted: its bytes,
// where it came from and why.
type Quarantined struct {
	ID       ID        `json:"id"`
	Source   string    `json:"source"`           // protocol
	From     string    `json:"from"`             // remote address or file and line
	Device   string    `json:"device,omitempty"` // enrolled device that sent it
	Topic    string    `json:"topic,omitempty"`  // under which it was sent
	Received time.Time `json:"received"`
	Reason   string    `json:"reason"`          // a short class that groups: "crc", "unknown account"
	Detail   string    `json:"detail"`          // what exactly, and what to do
	Bytes    []byte    `json:"bytes,omitempty"` // at most MaxQuarantineBytes
	Cut      int       `json:"cut,omitempty"`   // bytes left out beyond that
}

// NewQuarantined makes an entry, cutting what to the bound. n tells apart equal
// arrivals from one place in one instant.
func NewQuarantined(source, from, reason, detail string, what []byte, received time.Time, n uint64) Quarantined {
	q := Quarantined{
		Source: source, From: from, Reason: reason, Detail: detail,
		Received: received, Bytes: what,
	}
	if len(what) > MaxQuarantineBytes {
		q.Bytes, q.Cut = what[:MaxQuarantineBytes], len(what)-MaxQuarantineBytes
	}
	q.ID = NewID("quarantine", source, from, received.Format(time.RFC3339Nano), strconv.FormatUint(n, 10), string(q.Bytes))
	return q
}
