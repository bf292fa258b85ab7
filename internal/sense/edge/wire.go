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
	headerLog  = "X-Bluelamp-Log"  // names the gateway's log
	headerSent = "X-Bluelamp-Sent" // when the gateway sent it, by its clock (RFC 3339)
)

// Bounds of the link.
const (
	maxLines     = bus.MaxBatch
	maxBody      = 32 << 20 // bytes of one post, unpacked
	maxLogName   = 64
	maxListBytes = 64 << 20 // bytes of a registry list, unpacked
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

// travels reports whether a record of the gateway's log is for the centre.
func travels(record []byte) bool {
	var o struct {
		Kind event.Kind `json:"kind"`
	}
	return json.Unmarshal(record, &o) == nil && o.Kind != event.KindClockTick
}
