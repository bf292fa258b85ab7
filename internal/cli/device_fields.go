package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// deviceField is a column of a file of devices.
type deviceField struct {
	name     string
	personal bool // its values are not for screens
	get      func(*registry.Device) string
	set      func(*registry.Device, string) error
}

// textField is a field that is kept as it is written.
func textField(name string, at func(*registry.Device) *string) deviceField {
	return deviceField{
		name: name,
		get:  func(d *registry.Device) string { return *at(d) },
		set:  func(d *registry.Device, v string) error { *at(d) = v; return nil },
	}
}

// listField is a field of several texts, with a semicolon between.
func listField(name string, at func(*registry.Device) *[]string) deviceField {
	return deviceField{
		name: name,
		get:  func(d *registry.Device) string { return strings.Join(*at(d), ";") },
		set: func(d *registry.Device, v string) error {
			var out []string
			for part := range strings.SplitSeq(v, ";") {
				if part = strings.TrimSpace(part); part != "" {
					out = append(out, part)
				}
			}
			*at(d) = out
			return nil
		},
	}
}

// deviceFields lists the columns of a file of devices, in the order in which
// changes are told.
func deviceFields() []deviceField {
	owner := textField("owner", func(d *registry.Device) *string { return &d.Owner.Name })
	contact := textField("contact", func(d *registry.Device) *string { return &d.Owner.Contact })
	owner.personal, contact.personal = true, true
	return slices.Concat([]deviceField{
		textField("name", func(d *registry.Device) *string { return &d.Name }),
		textField("kind", func(d *registry.Device) *string { return &d.Kind }),
		textField("maker", func(d *registry.Device) *string { return &d.Maker }),
		textField("model", func(d *registry.Device) *string { return &d.Model }),
		textField("firmware", func(d *registry.Device) *string { return &d.Firmware }),
		textField("serial", func(d *registry.Device) *string { return &d.Serial }),
		textField("premises", func(d *registry.Device) *string { return &d.Premises }),
		degreesField("lat", func(p *place.Point) *float64 { return &p.Lat }),
		degreesField("lon", func(p *place.Point) *float64 { return &p.Lon }),
		listField("speaks", func(d *registry.Device) *[]string { return &d.Speaks }),
		listField("aliases", func(d *registry.Device) *[]string { return &d.Aliases }),
		textField("gateway", func(d *registry.Device) *string { return &d.Gateway }),
		textField("mud", func(d *registry.Device) *string { return &d.MUD }),
		owner, contact,
	}, lawfulFields(), limitFields())
}

// lawfulFields say why what a device senses may be kept, and how long.
func lawfulFields() []deviceField {
	return []deviceField{
		{
			name: "basis", get: func(d *registry.Device) string { return string(d.Basis) },
			set: func(d *registry.Device, v string) error { d.Basis = event.Basis(v); return nil },
		},
		textField("purpose", func(d *registry.Device) *string { return &d.Purpose }),
		consentField("consent_given", func(c *registry.Consent) time.Time { return c.Given }, func(c *registry.Consent, at time.Time) {
			if !c.Given.Equal(at) { // a new consent, whatever became of the old
				c.Given, c.Withdrawn = at, nil
			}
		}),
		consentField("consent_until", func(c *registry.Consent) time.Time {
			if c.Until == nil {
				return time.Time{}
			}
			return *c.Until
		}, func(c *registry.Consent, at time.Time) {
			if c.Until = nil; !at.IsZero() {
				c.Until = &at
			}
		}),
		{
			name: "consent_how",
			get: func(d *registry.Device) string {
				if d.Consent == nil {
					return ""
				}
				return d.Consent.How
			},
			set: func(d *registry.Device, v string) error {
				if v != "" || d.Consent != nil {
					consentOf(d).How = v
				}
				return nil
			},
		},
		{
			name: "retain", get: func(d *registry.Device) string { return string(d.Retain) },
			set: func(d *registry.Device, v string) error { d.Retain = event.Retention(v); return nil },
		},
	}
}

// limitFields say how often and how much a device sends.
func limitFields() []deviceField {
	return []deviceField{
		{
			name: "reporting",
			get: func(d *registry.Device) string {
				if d.Reporting == 0 {
					return ""
				}
				return d.Reporting.String()
			},
			set: func(d *registry.Device, v string) error {
				r, err := time.ParseDuration(cmp.Or(v, "0"))
				if d.Reporting = r; err != nil {
					return fmt.Errorf("%q is not a span of time: write it like 90s, 15m or 25h", v)
				}
				return nil
			},
		},
		numberField("messages_per_s", func(d *registry.Device) float64 { return d.Limits.Messages }, func(d *registry.Device, n float64) { d.Limits.Messages = n }),
		numberField("burst", func(d *registry.Device) float64 { return float64(d.Limits.Burst) }, func(d *registry.Device, n float64) { d.Limits.Burst = int(n) }),
		numberField("bytes", func(d *registry.Device) float64 { return float64(d.Limits.Bytes) }, func(d *registry.Device, n float64) { d.Limits.Bytes = int(n) }),
	}
}

// maxLimit bounds a limit that a file may set.
const maxLimit = 64 << 20

func numberField(name string, get func(*registry.Device) float64, set func(*registry.Device, float64)) deviceField {
	return deviceField{
		name: name,
		get: func(d *registry.Device) string {
			if get(d) == 0 {
				return ""
			}
			return strconv.FormatFloat(get(d), 'f', -1, 64)
		},
		set: func(d *registry.Device, v string) error {
			n, err := strconv.ParseFloat(cmp.Or(v, "0"), 64)
			if err != nil || !(n >= 0 && n <= maxLimit) {
				return fmt.Errorf("%q is not a number from 0 to %d", v, maxLimit)
			}
			set(d, n)
			return nil
		},
	}
}

func degreesField(name string, at func(*place.Point) *float64) deviceField {
	return deviceField{
		name: name,
		get: func(d *registry.Device) string {
			if d.Place == nil {
				return ""
			}
			return strconv.FormatFloat(*at(d.Place), 'f', -1, 64)
		},
		set: func(d *registry.Device, v string) error {
			if v == "" {
				d.Place = nil
				return nil
			}
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return fmt.Errorf("%q is not a number of degrees", v)
			}
			p := place.Point{}
			if d.Place != nil {
				p = *d.Place
			}
			*at(&p) = n
			d.Place = &p
			return nil
		},
	}
}

// consentOf returns a device's consent to change: the one that it shares with
// the registry must stay as it is.
func consentOf(d *registry.Device) *registry.Consent {
	c := registry.Consent{}
	if d.Consent != nil {
		c = *d.Consent
	}
	d.Consent = &c
	return d.Consent
}

func consentField(name string, get func(*registry.Consent) time.Time, set func(*registry.Consent, time.Time)) deviceField {
	return deviceField{
		name: name,
		get: func(d *registry.Device) string {
			if d.Consent == nil || get(d.Consent).IsZero() {
				return ""
			}
			return get(d.Consent).UTC().Format(time.RFC3339)
		},
		set: func(d *registry.Device, v string) error {
			if v == "" && d.Consent == nil {
				return nil
			}
			at, err := dateOf(v)
			if err != nil {
				return err
			}
			set(consentOf(d), at)
			return nil
		},
	}
}

// dateOf reads a day, or a time.
func dateOf(v string) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, v); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a day like 2026-05-31 nor a time like 2026-05-31T12:00:00Z", v)
}
