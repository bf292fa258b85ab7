package dc09_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/place"
	"github.com/bluelamp/bluelamp/internal/sense/dc09"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

func TestAQuarantinedFrameComesInByTheRulesOfTheDoor(t *testing.T) {
	st := start(t, setting{})
	came := time.Now().UTC().Add(-24 * time.Hour).Truncate(time.Second)
	frame := func(account string, key *codec.Key) []byte {
		f := codec.Frame{Token: codec.TokenSIA, Sequence: 7, Line: "0", Account: account, Data: "#" + account + "|Nri1/BA003", Encrypted: key != nil, Time: came}
		b, err := codec.Encode(nil, &f, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	entry := event.Quarantined{ID: "e1", Source: dc09.Source, From: "192.0.2.1:5", Received: came}
	if err := st.rcv.Replay(t.Context(), entry, frame("7777", nil)); err == nil || !strings.Contains(err.Error(), "not in the registry") {
		t.Errorf("of an unknown account: %v", err)
	}
	if err := st.reg.Put(t.Context(), "test", registry.Premises{ID: "new", Name: "New", Place: place.Point{Lat: 54, Lon: 2}, Accounts: []registry.Account{{Number: "7777", Class: "none"}}}); err != nil {
		t.Fatal(err)
	}
	if err := st.rcv.Replay(t.Context(), entry, frame("7777", nil)); err != nil {
		t.Errorf("of an account that is known now: %v", err)
	}
	if err := st.rcv.Replay(t.Context(), entry, frame("7777", nil)); err == nil || !strings.Contains(err.Error(), "sent it again since") {
		t.Errorf("a second time: %v", err)
	}
	if err := st.rcv.Replay(t.Context(), entry, frame("5678", nil)); !errors.Is(err, codec.ErrUnable) {
		t.Errorf("plain, of an account with a key: %v", err)
	}
	if err := st.rcv.Replay(t.Context(), entry, frame("5678", testKey(t))); err != nil {
		t.Errorf("encrypted: %v", err)
	}
	os := st.observations()
	if len(os) != 2 || os[0].Device != "7777" || !os[0].Time.Equal(came) || os[0].Premises != "new" || !os[1].Alarm.Encrypted {
		t.Errorf("observed %+v", os)
	}
	if reasons, _ := st.quarantine(); len(reasons) != 0 {
		t.Errorf("replays left %v in quarantine", reasons)
	}
}
