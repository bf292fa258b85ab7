package street

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// Through the real registry and intake: a sensor that the registry knows by its
// DevEUI gets its place, and plates are kept for hours.
func TestWhatIsKept(t *testing.T) {
	log := openLog(t)
	sealer, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.Fixed(noon)
	reg, err := registry.New(t.Context(), log, sealer, clk, discard)
	if err != nil {
		t.Fatal(err)
	}
	at := place.Point{Lat: 54.5, Lon: 2.5}
	if err := reg.PutDevices(t.Context(), "test",
		registry.Device{ID: "city-lns", Name: "Network server", Kind: "network server"},
		registry.Device{ID: "bin-12", Name: "Bin", Kind: "bin", Place: &at, Aliases: []string{eui}},
		registry.Device{ID: "gate-cams", Name: "Cameras", Kind: "camera", Basis: event.LawEnforcement},
	); err != nil {
		t.Fatal(err)
	}
	h := newHotlist(t, log, atNoon)
	if err := h.Put(t.Context(), "test", Wanted{Plate: "QX73ZZK", List: "stolen", Reason: "r", Authoriser: "a", Expires: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s := sense.NewSwitchboard(sense.NewIntake(log, clk, reg, discard, nil), NewChirpStack(NewCounters(), reg), newPlates(t, h))
	for _, m := range []*sense.Message{
		message(chirpTopic+"up", chirpUp(1, "d", `{"fill":71,"battery":3.1}`)), read(`{"plate":"QX73ZZK"}`), read(`{"plate":"AB12CDE"}`),
	} {
		if err := take(t, s, m); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	if err := log.Each(t.Context(), bus.Observations, 0, func(r bus.Record) error {
		var o event.Observation
		if err := json.Unmarshal(r.Data, &o); err != nil {
			return err
		}
		got[fmt.Sprint(o.Kind, " ", o.Device, " ", o.Retain, " ", o.Place != nil, " ", o.Plate != nil && o.Plate.Plate != "")]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"sensor.measure " + eui + " 31d true false", "device.health " + eui + " 31d true false", "radio.uplink " + eui + " 31d true false",
		"plate.read gate-cams/north 31d false true", "plate.read gate-cams/north 24h false false",
	} {
		if got[want] != 1 {
			t.Errorf("no %q in %v", want, got)
		}
	}
}
