package mqtt_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt/mqttclient"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// secretive is words of which those below plates/ must not be kept.
type secretive struct{ words }

func (*secretive) Secret(m *sense.Message) bool { return strings.HasPrefix(m.Topic, "plates/") }

// What must not be kept is not retained either: not what is refused since the
// consent was withdrawn, whether it was understood or not, and no plate.
func TestWhatMayNotBeKeptIsNotRetained(t *testing.T) {
	home := device("home")
	given := time.Now().Add(-time.Hour)
	home.Basis, home.Consent = event.Consent, &registry.Consent{Given: given, Withdrawn: &given}
	st := start(t, setting{devices: []registry.Device{home}, dialect: &secretive{}})
	id := uint16(0)
	put := func(device, topic, payload string) {
		t.Helper()
		o := st.options(device, topic[:1])
		o.Version = 4 // which has no code for what is refused
		c := st.dial(o)
		id++
		if err := c.Publish(&mqttclient.Message{Topic: device + "/" + topic, Payload: []byte(payload), QoS: 1, ID: id, Retain: true}); err != nil {
			t.Fatal(err)
		}
		get(t, c, mqttclient.TypePuback, 0)
	}
	put("home", "door", "hush-refused")
	put("home", "sill", "bad") // nobody can read it
	put("home", "nowhere/x", "hush-unknown")
	put("hub-1", "plates/1", "hush-plate")
	put("hub-1", "door", "said-aloud")
	var kept []string
	for _, s := range []bus.Stream{bus.Retained, bus.Quarantine} {
		if err := st.log.Each(context.Background(), s, 0, func(r bus.Record) error {
			kept = append(kept, string(r.Data))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	all := strings.Join(kept, "\n")
	for _, hushed := range []string{"aHVzaC", "YmFk", "hush"} { // payloads are base64
		if strings.Contains(all, hushed) {
			t.Errorf("%q was kept:\n%s", hushed, all)
		}
	}
	if !strings.Contains(all, "c2FpZC1hbG91ZA") {
		t.Errorf("what may be kept was not retained:\n%s", all)
	}
}
