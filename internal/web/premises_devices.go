package web

import (
	"context"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// enrolledAt returns the registry's devices at premises with their state.
func (s *Site) enrolledAt(ctx context.Context, premises string) ([]deviceRow, error) {
	var out []deviceRow
	for _, d := range s.Registry.Devices() {
		if d.Premises != premises {
			continue
		}
		v, err := s.Sense.VitalsOf(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, deviceRow{D: d, V: v, Needs: sense.Needs(d, v), State: deviceStateWords(d, v)})
		if len(out) == deviceListRows {
			break
		}
	}
	return out, nil
}

// basisOptions are the lawful bases to choose from.
func basisOptions() []option {
	return []option{
		{"", "None stated", ""},
		{string(event.Consent), "Consent of who lives there", ""},
		{string(event.Contract), "Contract, such as with an alarm receiving centre", ""},
		{string(event.LegalObligation), "Legal obligation", ""},
		{string(event.VitalInterests), "Vital interests", ""},
		{string(event.PublicTask), "Public task", ""},
		{string(event.LegitInterests), "Legitimate interests", ""},
		{string(event.LawEnforcement), "Law enforcement (DPA 2018, part 3)", ""},
	}
}

// premisesBasis says whether what is sensed at premises may be kept, and why.
func premisesBasis(p *registry.Premises) (state [2]string, why string) {
	switch {
	case p.Basis != event.BasisNone:
		why = inWords(string(p.Basis))
		if p.Purpose != "" {
			why += ", for " + p.Purpose
		}
		return [2]string{"ok", "May be kept"}, why + "."
	case p.Home() && len(p.Accounts) > 0:
		return [2]string{"ok", "Alarms may be kept"}, "By the contract of the alarm account its signals are kept, for " + registry.ForAlarms + ". Of other devices only what their own entries allow is kept."
	case p.Home():
		return [2]string{"warn", "Is refused"}, "This is a home without a stated lawful basis: only what a device’s own entry allows is kept."
	}
	return [2]string{"ok", "May be kept"}, "Nobody lives here, so no basis is asked for."
}
