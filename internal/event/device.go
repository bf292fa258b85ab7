package event

import "time"

// Radio is how a LoRaWAN device's frame came in (LoRaWAN 1.0.4, 4.3).
type Radio struct {
	DevEUI   string            `json:"dev_eui"` // 16 hexadecimal digits, lower case
	DevAddr  string            `json:"dev_addr,omitempty"`
	Counter  *uint32           `json:"counter,omitempty"` // FCntUp
	Port     int               `json:"port,omitempty"`
	DataRate string            `json:"data_rate,omitempty"` // "SF7BW125"
	MHz      float64           `json:"mhz,omitempty"`
	RSSI     float64           `json:"rssi_dbm,omitempty"` // of the best gateway
	SNR      float64           `json:"snr_db,omitempty"`   // of the same
	Gateways []string          `json:"gateways,omitempty"`
	Bytes    int               `json:"bytes,omitempty"`
	Missed   uint32            `json:"missed,omitempty"` // frames between the last and this, by the counter
	Labels   map[string]string `json:"labels,omitempty"`
}

// Health is what a device says of its own condition. What it does not say is nil.
type Health struct {
	Battery     *float64       `json:"battery_pct,omitempty"` // 0 to 100
	LowBattery  *bool          `json:"low_battery,omitempty"`
	Voltage     *float64       `json:"voltage_v,omitempty"`
	LinkQuality *float64       `json:"link_quality_pct,omitempty"` // 0 to 100
	RSSI        *float64       `json:"rssi_dbm,omitempty"`
	Uptime      *time.Duration `json:"uptime_ns,omitempty"`
	Firmware    string         `json:"firmware,omitempty"`
	Address     string         `json:"address,omitempty"` // on its own network
	Problem     string         `json:"problem,omitempty"` // in words
}

// Misuse is what a device did and may not, or did too much of. A device that
// does it again is told of by a further observation with the new Count.
type Misuse struct {
	What   string `json:"what"`   // MisuseTopic ...
	Detail string `json:"detail"` // in words
	Count  int    `json:"count"`  // how often since it began
	From   string `json:"from,omitempty"`
}

// What devices do that they may not.
const (
	MisuseTopic      = "topic"      // published or subscribed outside its own topics
	MisuseCredential = "credential" // came with a wrong or revoked credential
	MisuseFlood      = "flood"      // sent faster than its limit
	MisuseSize       = "size"       // sent more at once than the limit
	MisuseReplay     = "replay"     // a radio frame counter went back: a clone, or a recording played again
)

// Edge says which gateway forwarded an observation, and its position there.
type Edge struct {
	Gateway  string    `json:"gateway"`
	Position uint64    `json:"position"`
	Received time.Time `json:"received"` // when the gateway heard it
	Log      string    `json:"log"`      // names the gateway's log: one that lost its disk begins another
}
