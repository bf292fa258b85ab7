package sense_test

import (
	"testing"

	"github.com/bluelamp/bluelamp/internal/event"
)

// TestARecordingIsNoSignOfLife: a silent panel stays silent, whatever is kept of
// what it said before.
func TestARecordingIsNoSignOfLife(t *testing.T) {
	w := newWatch(t)
	w.run(false)
	w.hear("fast")
	w.pass(30)
	w.pass(3600)
	w.want("silent fast", "unknown mid")
	w.put(event.Observation{Kind: event.KindAlarm, Source: "dc09", Device: "fast", Recorded: true, Time: w.now.AddDate(-1, 0, 0), Alarm: &event.Alarm{Account: "fast"}})
	w.hear("mid") // by which the recording has been passed
	w.want("silent fast", "unknown mid", "returned mid")
	w.end()
}
