package mqtt

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bluelamp/bluelamp/internal/bus"
)

func TestForgetTakesOnlyTheDevicesOwn(t *testing.T) {
	log, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir(), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, v := range []shelved{
		{Device: "hub-1", Slot: 0, Topic: "hub-1/a", Payload: []byte("secret")},
		{Device: "hub-1", Slot: 1, Topic: "hub-1/b", Payload: []byte("secret")},
		{Device: "hub-2", Slot: 0, Topic: "hub-2/a", Payload: []byte("other")},
	} {
		data, err := json.Marshal(v)
		if err == nil {
			err = log.Put(t.Context(), bus.Retained, slotKey(v.Device, v.Slot), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Forget(t.Context(), log, "hub-1"); n != 2 || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
	if n, err := Forget(t.Context(), log, "hub-1"); n != 0 || err != nil {
		t.Errorf("%d forgotten again, %v", n, err)
	}
	var left []string
	if err := log.EachValue(t.Context(), bus.Retained, func(_ string, value []byte) error {
		var v shelved
		err := json.Unmarshal(value, &v)
		if v.Topic != "" {
			left = append(left, v.Topic)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(left, " ") != "hub-2/a" {
		t.Errorf("left %q", left)
	}
}
