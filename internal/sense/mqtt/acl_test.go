package mqtt

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		do    Action
		topic string
		why   string // "" is allowed
	}{
		{Publish, "hub-7/zigbee2mqtt/front_door", ""},
		{Publish, "hub-7/x", ""},
		{Publish, "hub-7/$share/x", ""},
		{Publish, "hub-7//x", ""},
		{Publish, "hub-7", "something must follow"},
		{Publish, "hub-7/", "something must follow"},
		{Publish, "", "empty"},
		{Publish, "hub-70/x", "begin with hub-7/"},
		{Publish, "Hub-7/x", "begin with hub-7/"},
		{Publish, "/hub-7/x", "begin with hub-7/"},
		{Publish, "$SYS/broker/uptime", "broker's own"},
		{Publish, "hub-7/+/x", "no wildcards"},
		{Publish, "+/x", "reaches other devices"},
		{Publish, "hub-7/\x00", "not text"},
		{Publish, "hub-7/\xff", "not text"},
		{Publish, "hub-7/" + strings.Repeat("x", maxTopic), "bytes"},
		{Publish, "hub-7/" + strings.Repeat("x/", maxLevels), "levels"},
		{Subscribe, "hub-7/#", ""},
		{Subscribe, "hub-7/+/state", ""},
		{Subscribe, "hub-7/a/+/#", ""},
		{Subscribe, "#", "reaches other devices"},
		{Subscribe, "+/#", "reaches other devices"},
		{Subscribe, "hub-+/x", "reaches other devices"},
		{Subscribe, "hub-7", "something must follow"},
		{Subscribe, "hub-7/#/x", "last level"},
		{Subscribe, "hub-7/a#", "whole level"},
		{Subscribe, "hub-7/+a", "whole level"},
		{Subscribe, "$share/g/hub-7/#", "broker's own"},
		{Subscribe, "$SYS/#", "broker's own"},
		{"delete", "hub-7/x", "unknown action"},
	} {
		err := Allowed("hub-7", tt.do, tt.topic)
		if tt.why == "" && err != nil || tt.why != "" && (!errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), tt.why)) {
			t.Errorf("%s %.60q: %v, want %q", tt.do, tt.topic, err, tt.why)
		}
	}
	if Allowed("", Publish, "/x") == nil {
		t.Error("nobody may publish")
	}
}

// matches is MQTT's matching of topics and filters, in the plainest words.
func matches(filter, topic []string) bool {
	switch {
	case len(filter) == 0:
		return len(topic) == 0
	case filter[0] == "#":
		return true
	case len(topic) == 0:
		return false
	default:
		return (filter[0] == "+" || filter[0] == topic[0]) && matches(filter[1:], topic[1:])
	}
}

// Whatever a device may subscribe to, no topic of another device matches it; and
// what it may publish is nobody else's.
func TestNothingCrossesDevices(t *testing.T) {
	level := rapid.SampledFrom([]string{"hub-1", "hub-2", "hub-", "+", "#", "", "a", "$SYS", "$share", "hub-1#", "hub-+"})
	rapid.Check(t, func(t *rapid.T) {
		one := strings.Join(rapid.SliceOfN(level, 1, 4).Draw(t, "filter"), "/")
		two := strings.Join(rapid.SliceOfN(level, 1, 4).Draw(t, "topic"), "/")
		if Allowed("hub-2", Publish, two) != nil {
			return
		}
		if Allowed("hub-1", Publish, two) == nil {
			t.Fatalf("both may publish to %q", two)
		}
		if Allowed("hub-1", Subscribe, one) == nil && matches(strings.Split(one, "/"), strings.Split(two, "/")) {
			t.Fatalf("hub-1 hears hub-2's %q by %q", two, one)
		}
	})
}

func FuzzAllowed(f *testing.F) {
	f.Add("hub-7", "hub-7/x", true)
	f.Add("hub-7", "+/#", false)
	f.Fuzz(func(t *testing.T, device, topic string, publish bool) {
		do := Subscribe
		if publish {
			do = Publish
		}
		if Allowed(device, do, topic) == nil {
			if !strings.HasPrefix(topic, device+"/") || topicBelow(device, topic) == "" {
				t.Errorf("%q may %s %q", device, do, topic)
			}
		}
	})
}
