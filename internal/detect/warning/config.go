package warning

import (
	"fmt"
	"slices"
	"time"

	"github.com/bluelamp/bluelamp/internal/place"
	codec "github.com/bluelamp/bluelamp/protocol/cap"
)

// Config says which warnings count.
type Config struct {
	// Severities that count; empty: Extreme and Severe.
	Severities []string
	// Area of the force, a closed line; empty: everywhere.
	Area []place.Point
	// Lasts is how long a warning stands that says no end of its own; 0: DefaultLasts.
	Lasts time.Duration
}

// DefaultLasts is our own rule: the standard leaves it to the recipient.
const DefaultLasts = 24 * time.Hour

// Check reports what is wrong with the configuration.
func (c Config) Check() error {
	for _, s := range c.Severities {
		if !slices.Contains(codec.Severities(), codec.Severity(s)) {
			return fmt.Errorf("unknown severity of warnings %q: use some of %v", s, codec.Severities())
		}
	}
	if c.Lasts < 0 {
		return fmt.Errorf("warnings cannot last %v", c.Lasts)
	}
	return nil
}

// ParseArea reads the area of a force: latitude,longitude pairs apart by spaces,
// the last the same as the first, as CAP writes a polygon. An empty text is
// everywhere.
func ParseArea(s string) ([]place.Point, error) {
	if s == "" {
		return nil, nil
	}
	p, err := codec.ParsePolygon(s)
	if err != nil {
		return nil, fmt.Errorf("the area of the force: %w", err)
	}
	out := make([]place.Point, len(p))
	for i, pt := range p {
		out[i] = place.Point{Lat: pt.Lat, Lon: pt.Lon}
	}
	return out, nil
}

func (c Config) withDefaults() Config {
	if len(c.Severities) == 0 {
		c.Severities = []string{string(codec.Extreme), string(codec.Severe)}
	}
	if c.Lasts == 0 {
		c.Lasts = DefaultLasts
	}
	return c
}
