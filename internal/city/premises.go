package city

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Premises returns what a receiving centre would have on file about the town's
// guarded premises: some 350, a few with two panels, a few in one building.
// The caller may keep and change it.
func (t *Town) Premises() []registry.Premises {
	out := make([]registry.Premises, 0, len(t.sites))
	for _, s := range t.sites {
		p := registry.Premises{
			ID: s.id, Name: s.name, Address: s.address, Kind: strings.ReplaceAll(s.kind, "-", " "),
			Place: t.point(s.at), URN: s.urn,
		}
		for _, k := range s.keyholders {
			p.Keyholders = append(p.Keyholders, registry.Keyholder{Name: k.name, Phone: k.phone})
		}
		for _, panel := range s.panels {
			a := registry.Account{
				Number: panel.account, Class: panel.class, Key: slices.Clone(panel.key),
				Zones: make(map[string]registry.Zone, len(panel.zones)),
			}
			for i, z := range panel.zones {
				a.Zones[strconv.Itoa(i+1)] = registry.Zone{Name: z.name, Kind: z.kind}
			}
			p.Accounts = append(p.Accounts, a)
		}
		out = append(out, p)
	}
	return out
}
