package city

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// consented is when the households agreed: before any day that is told.
var consented = time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC)

// Homes returns what the registry has on file of the homes with hubs, which no
// receiving centre watches. The caller may keep and change it.
func (t *Town) Homes() []registry.Premises {
	out := make([]registry.Premises, 0, len(t.households))
	for _, h := range t.households {
		out = append(out, t.premisesOf(h))
	}
	return out
}

// Devices returns the entries of all that connects by MQTT and HTTP, and of the
// sensors behind it that have a place of their own. [Town.Premises] and
// [Town.Homes] must be in the registry before them.
func (t *Town) Devices() []registry.Device {
	var out []registry.Device
	for _, h := range t.households {
		out = append(out, t.hubDevice(h))
	}
	for _, c := range t.fix.shops {
		d := t.enrolled(c.device, "camera", "Cameras at "+c.site.name, "frigate")
		d.Maker, d.Model, d.Premises = "Frigate", "NVR", c.site.id
		d.Basis, d.Purpose = event.LegitInterests, "protecting the shop and its staff"
		out = append(out, d)
	}
	out = append(out,
		t.townDevice(loraServer, "network server", "The town's LoRaWAN network", "chirpstack", 30*time.Minute),
		t.townDevice(counterBox, "gateway", "People and traffic counters", "street", 30*time.Minute),
		t.townDevice(plateBox, "camera", "Number plate cameras", "anpr", 0),
		t.townDevice(gunshotNet, "gateway", "Gunshot sensors", "gunshot", 0))
	for _, x := range t.fix.radios {
		out = append(out, t.sensorAt(x.id, x.kind, x.title, x.eui, x.at, max(time.Hour, 4*x.every)))
	}
	for _, c := range t.fix.counters {
		out = append(out, t.sensorAt("count-"+c.name, "counter", c.title, counterBox+"/"+c.name, c.at, time.Hour))
	}
	for _, c := range t.fix.cameras {
		out = append(out, t.sensorAt("anpr-"+c.name, "camera", "Plate camera, "+c.title, plateBox+"/"+c.name, c.at, 0))
	}
	return out
}

// hubDevice is the entry of a household's hub.
func (t *Town) hubDevice(h *household) registry.Device {
	d := t.enrolled(h.hub, "hub", "Hub at "+h.site.name, "homeassistant")
	d.Maker, d.Model = "Home Assistant", "Green"
	if h.zigbee {
		d.Speaks, d.Maker, d.Model = []string{"zigbee2mqtt"}, "Zigbee2MQTT", "2.1"
	}
	d.Premises, d.Owner = h.site.id, registry.Owner{Name: h.site.keyholders[0].name, Contact: h.site.keyholders[0].phone}
	d.Basis, d.Purpose = event.Consent, "sending help when the home's sensors call for it"
	d.Consent = &registry.Consent{Given: consented, How: "form signed on the doorstep"}
	d.Reporting = 2 * time.Hour
	return d
}

// townDevice is the entry of what hears the town's own sensors.
func (t *Town) townDevice(id, kind, name, dialect string, reporting time.Duration) registry.Device {
	d := t.enrolled(id, kind, name, dialect)
	d.Owner = registry.Owner{Name: TownName + " Town Council"}
	d.Basis, d.Purpose, d.Reporting = event.PublicTask, "keeping the town's streets safe and in order", reporting
	if at := t.point(t.kerbside("High Street", 0.6)); d.Place == nil {
		d.Place = &at
	}
	return d
}

// sensorAt is the entry of a sensor that has a place and no credential.
func (t *Town) sensorAt(id, kind, name, alias string, at vec, reporting time.Duration) registry.Device {
	p := t.point(at)
	return registry.Device{
		ID: id, Name: name, Kind: kind, Aliases: []string{alias}, Place: &p, Reporting: reporting,
		Owner: registry.Owner{Name: TownName + " Town Council"}, Basis: event.PublicTask, Purpose: "keeping the town's streets safe and in order",
	}
}

func (t *Town) enrolled(id, kind, name, dialect string) registry.Device {
	return registry.Device{
		ID: id, Name: name, Kind: kind, Speaks: []string{dialect},
		Credentials: []registry.Credential{registry.NewCredential(t.secret(id), consented, nil)},
	}
}

// secret derives a device's secret. As with the panels' keys, anyone with the
// seed can.
func (t *Town) secret(device string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "skarrow secret %d %s", t.seed, device))
	return hex.EncodeToString(sum[:16])
}
