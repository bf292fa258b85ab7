package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Action is what a device wants to do with a topic.
type Action string

// Actions.
const (
	Publish   Action = "publish"
	Subscribe Action = "subscribe"
)

// Bounds of topics. MQTT allows 65,535 bytes.
const (
	maxTopic  = 1024 // bytes
	maxLevels = 32
)

// ErrNotAllowed: a device may not use a topic. What wraps it says why.
var ErrNotAllowed = errors.New("not allowed")

// Allowed says whether a device may publish to a topic, or subscribe to a topic
// filter: only below its own id as first level.
//
// Errors: ErrNotAllowed.
func Allowed(device string, do Action, topic string) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrNotAllowed, fmt.Sprintf(format, args...))
	}
	first, rest, below := strings.Cut(topic, "/")
	switch {
	case device == "":
		return refuse("no device")
	case do != Publish && do != Subscribe:
		return refuse("unknown action %q: publish or subscribe", do)
	case topic == "":
		return refuse("the topic is empty")
	case len(topic) > maxTopic:
		return refuse("the topic has %d bytes, at most %d", len(topic), maxTopic)
	case !utf8.ValidString(topic) || strings.ContainsRune(topic, 0):
		return refuse("the topic is not text")
	case first != device && strings.HasPrefix(first, "$"):
		return refuse("topics that begin with $ are the broker's own")
	case first != device && strings.ContainsAny(first, "+#"):
		return refuse("the wildcard %q reaches other devices' topics: begin with %s/", first, device)
	case first != device:
		return refuse("topics of device %s begin with %s/", device, device)
	case !below || rest == "":
		return refuse("the topic ends with the device's id: something must follow, as in %s/state", device)
	case strings.Count(topic, "/") >= maxLevels:
		return refuse("the topic has more than %d levels", maxLevels)
	case do == Publish && strings.ContainsAny(rest, "+#"):
		return refuse("a message has one topic: no wildcards")
	case do == Subscribe:
		if err := filterLevels(rest); err != "" {
			return refuse("%s", err)
		}
	}
	return nil
}

// filterLevels says what is wrong with the wildcards of a filter (MQTT 5, 4.7.1).
func filterLevels(filter string) string {
	for more := true; more; {
		var level string
		level, filter, more = strings.Cut(filter, "/")
		switch {
		case level == "#" && more:
			return "# must be the last level"
		case level != "#" && level != "+" && strings.ContainsAny(level, "+#"):
			return "a wildcard must be a whole level"
		}
	}
	return ""
}

// topicBelow is a topic without the device's own first level.
func topicBelow(device, topic string) string { return topic[len(device)+1:] }
