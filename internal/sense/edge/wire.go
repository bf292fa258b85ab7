package edge

import (
	"encoding/json"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Paths below which the centre answers gateways.
const (
	Prefix           = "/edge/"
	pathObservations = Prefix + "observations"
	pathQuarantine   = Prefix + "quarantine"
	pathRegistry     = Prefix + "registry"
)

// Headers of the link, besides basic authentication.
const (
	headerLog    = "X-Bluelamp-Log"    // names the gateway's log
	headerSent   = "X-Bluelamp-Sent"   // when the gateway sent it, by its clock (RFC 3339)
	headerAfter  = "X-Bluelamp-After"  // of a post: the position that it follows, confirmed before
	headerHealth = "X-Bluelamp-Health" // how the gateway is, see health
)

// Bounds of the link.
const (
	maxLines     = bus.MaxBatch
	maxBody      = 32 << 20 // bytes of one post, unpacked
	maxRecord    = 4 << 20  // bytes of one record; a larger one goes to quarantine
	maxLogName   = 64
	maxLogs      = 16       // names of logs of one gateway, between two starts of the centre
	maxListBytes = 64 << 20 // bytes of a registry list, unpacked
	maxHealth    = 1 << 10  // bytes of the header
)

// line is one record as it travels.
type line struct {
	Position uint64          `json:"position"` // on the gateway's log
	Record   json.RawMessage `json:"record"`
}

// confirmed is the centre's answer: everything up to Position is on its disk.
type confirmed struct {
	Position uint64    `json:"position"`
	Time     time.Time `json:"time"` // of the centre
}

// health is what a gateway says of itself with each request.
type health struct {
	Uptime  time.Duration `json:"uptime_ns"`
	Waiting uint64        `json:"waiting,omitempty"`   // commits that the centre has not confirmed
	Behind  time.Duration `json:"behind_ns,omitempty"` // age of the oldest of them
	Problem string        `json:"problem,omitempty"`   // in words: its disk is full
}

// list is what of the registry a gateway serves.
type list struct {
	Premises []premises `json:"premises"`
	Devices  []device   `json:"devices"`
}

// premises is what a gateway needs of premises: no address and no keyholders.
type premises struct {
	registry.Premises
}

// device is a device with the hashes of its credentials, by which the gateway
// knows it when the link is down.
type device struct {
	registry.Device
	Credentials []registry.Credential `json:"credentials,omitempty"`
}

// streamOf is the stream whose records a path takes.
func streamOf(path string) (bus.Stream, bool) {
	switch path {
	case pathObservations:
		return bus.Observations, true
	case pathQuarantine:
		return bus.Quarantine, true
	default:
		return bus.Stream{}, false
	}
}

// head is what the link reads of a record.
type head struct {
	ID   event.ID   `json:"id"`
	Kind event.Kind `json:"kind"`
}

// travels reports whether a record of the gateway's log is for the centre, and
// its id.
func travels(record []byte) (event.ID, bool) {
	var h head
	ok := json.Unmarshal(record, &h) == nil && !local(h.Kind)
	return h.ID, ok
}

// local reports whether only the platform that keeps watch itself says such
// things: a gateway may not say them for the centre.
func local(k event.Kind) bool {
	switch k {
	case event.KindClockTick, event.KindSilent, event.KindReturned, event.KindUnknown:
		return true
	}
	return false
}
