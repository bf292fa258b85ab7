package dc09_test

import (
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
)

func TestFileGivesEveryFrameANameOfItsOwn(t *testing.T) {
	text := good + "\n" + strings.Trim(good, "\n\r") + "\n\n" + stamped + caret + encrypted + "rubbish\n" + repaired(noAccount)
	var obs []event.Observation
	for _, name := range []string{"a", "b"} {
		bad := 0
		for o, err := range dc09.File(name, strings.NewReader(text)) {
			if err != nil {
				if bad++; !strings.HasPrefix(err.Error(), name+": frame ") {
					t.Errorf("%v does not say where", err)
				}
				continue
			}
			obs = append(obs, *o)
		}
		if bad != 3 { // damaged, encrypted, rubbish
			t.Errorf("%d frames of %s refused, want 3", bad, name)
		}
	}
	if len(obs) != 8 || obs[0].Device != "1234" || obs[0].Alarm == nil || obs[0].Received.IsZero() {
		t.Errorf("%d observations, want 8", len(obs))
	}
	distinct(t, obs)
}
