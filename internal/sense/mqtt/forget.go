package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bluelamp/bluelamp/internal/bus"
)

// Forget takes what a device had retained off the log, and returns how many
// messages that were. A gateway that runs serves them to the device's own
// subscribers until it is restarted.
func Forget(ctx context.Context, log *bus.Log, device string) (int, error) {
	n := 0
	err := log.EachValue(ctx, bus.Retained, func(key string, value []byte) error {
		var v shelved
		if !strings.HasPrefix(key, deviceKey(device)+".") || json.Unmarshal(value, &v) != nil || v.Topic == "" {
			return nil
		}
		empty, err := json.Marshal(shelved{Device: v.Device, Slot: v.Slot, Time: v.Time})
		if err == nil {
			err = log.Put(ctx, bus.Retained, key, empty)
		}
		n++
		return err
	})
	if err != nil {
		return n, fmt.Errorf("forgetting what device %s had retained: %w", device, err)
	}
	return n, nil
}
