package city

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/app"
	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/detect"
	netattack "github.com/bluelamp/bluelamp/internal/detect/network"
	"github.com/bluelamp/bluelamp/internal/detect/warning"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/seal"
	"github.com/bluelamp/bluelamp/internal/sense"
	"github.com/bluelamp/bluelamp/internal/sense/home"
	"github.com/bluelamp/bluelamp/internal/sense/mqtt"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
	streetsense "github.com/bluelamp/bluelamp/internal/sense/street"
)

var discard = slog.New(slog.DiscardHandler)

// incidents is what each story is to lead to, and how often.
var incidents = map[Story]event.Kind{
	KitchenFire: event.KindFire, HomeBurglary: event.KindIntruderUnconfirmed, WaterLeak: event.KindAlarmOther, HubLost: event.KindDeviceSilent,
	Gunfire: event.KindGunfire, ClonedRadio: event.KindRadioReplay, StolenSecret: event.KindDeviceMisused,
	BatteryLow: "", Fireworks: "",
}

// listener is the platform without its log and ports: the real registry,
// dialects and detectors, at the town's own time.
type listener struct {
	t     *testing.T
	town  *Town
	set   func(time.Time)
	reg   *registry.Registry
	board *sense.Switchboard
	run   *detect.Run

	story  map[event.ID]string // of observations
	causes map[string]map[string]event.Kind
	heard  int
}

func newListener(t *testing.T, town *Town, from time.Time) *listener {
	t.Helper()
	log, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir(), Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	sealer, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	clk, set := clock.Held(from)
	l := &listener{t: t, town: town, set: set, story: map[event.ID]string{}, causes: map[string]map[string]event.Kind{}}
	if l.reg, err = registry.New(t.Context(), log, sealer, clk, discard); err != nil {
		t.Fatal(err)
	}
	settle(t, l.reg, town)
	plates, err := streetsense.NewPlates(make([]byte, 32), nil, streetsense.DefaultPlateScore)
	if err != nil {
		t.Fatal(err)
	}
	dialects := []sense.Dialect{streetsense.NewChirpStack(streetsense.NewCounters(), l.reg), streetsense.Gunshots{}, streetsense.Streets{}, plates}
	l.board = sense.NewSwitchboard(nil, append(dialects, home.New(nil).Dialects()...)...)
	l.run = detect.NewRun(app.Detectors(netattack.Config{}, warning.Config{})...)
	return l
}

func settle(t *testing.T, reg *registry.Registry, town *Town) {
	t.Helper()
	if err := reg.Put(t.Context(), "test", append(town.Premises(), town.Homes()...)...); err != nil {
		t.Fatal(err)
	}
	if err := reg.PutDevices(t.Context(), "test", town.Devices()...); err != nil {
		t.Fatal(err)
	}
}

// hear takes what a device says, through its dialect.
func (l *listener) hear(at time.Time, device, topic string, body []byte, story string) {
	d, err := l.reg.Device(device)
	if err != nil {
		l.t.Fatal(err)
	}
	os, _, err := l.board.Understand(&sense.Message{Device: d, Topic: topic, Payload: body, Received: at})
	if err != nil {
		l.t.Fatalf("%s %s %s: %v", device, topic, body, err)
	}
	for _, o := range os {
		l.observe(at, o, story)
	}
}

func (l *listener) observe(at time.Time, o *event.Observation, story string) {
	l.set(at)
	o.Received = at
	if o.Time.IsZero() {
		o.Time = at
	}
	if err := l.reg.Admit(o); err != nil {
		l.t.Fatalf("%s of %s is refused: %v", o.Kind, o.Device, err)
	}
	if story != "" {
		l.story[o.ID] = story
	}
	l.heard++
	for _, a := range l.run.Observe(o) {
		if a.Kind != event.KindRestored && a.Kind != event.KindDeviceReturned {
			l.raised(&a)
		}
	}
}

func (l *listener) raised(a *event.Alert) {
	story := ""
	for _, ref := range a.Observations {
		if s := l.story[ref.ID]; s != "" {
			story = s
		}
	}
	if story == "" {
		l.t.Errorf("%v: %s for nothing: %s", a.Raised, a.Kind, a.Reason)
		return
	}
	if l.causes[story] == nil {
		l.causes[story] = map[string]event.Kind{}
	}
	l.causes[story][a.Cause] = a.Kind
}

// act does what a message says, with what the gateway would say of it.
func (l *listener) act(m *Message) {
	presence := func(kind event.Kind) {
		l.observe(m.At, &event.Observation{
			ID: event.NewID("mqtt", m.Device, string(kind), m.At.String()), Kind: kind, Source: mqtt.Source, Device: m.Device, Via: m.Device,
		}, m.Story)
	}
	switch m.Act {
	case ActSay:
		l.hear(m.At, m.Device, m.Topic, m.Body, m.Story)
	case ActVanish:
		will, _ := l.town.will(m.Device)
		l.hear(m.At, m.Device, will.topic, will.body, m.Story)
		presence(event.KindGone)
	case ActReturn:
		presence(event.KindPresent)
		for _, r := range l.town.introduction(m.Device, m.At) {
			l.hear(m.At, m.Device, r.topic, r.body, m.Story)
		}
	case ActIntrude:
		if err := mqtt.Allowed(m.Device, mqtt.Publish, m.Topic); !errors.Is(err, mqtt.ErrNotAllowed) {
			l.t.Errorf("%s may publish to %s", m.Device, m.Topic)
		}
		l.observe(m.At, &event.Observation{
			ID: event.NewID("mqtt", m.Device, m.At.String()), Kind: event.KindMisuse, Source: mqtt.Source, Device: m.Device, Via: m.Device,
			Misuse: &event.Misuse{What: event.MisuseTopic, Count: 1},
		}, m.Story)
	}
}

// Over days, with the real dialects and detectors: every story leads to the one
// alert it should, and ordinary life to none. Nothing is unreadable, and nothing
// of a home is refused.
func TestStoriesLeadToWhatTheyShould(t *testing.T) {
	const days = 2
	for _, sc := range []Scenario{Everyday(), Busy()} {
		t.Run(sc.Name, func(t *testing.T) {
			from := midnight(monday)
			l := newListener(t, skarrow(), from)
			for _, device := range skarrow().publishers() {
				for _, r := range skarrow().introduction(device, from) {
					l.hear(from, device, r.topic, r.body, "")
				}
			}
			told := map[string]bool{}
			for m := range skarrow().Messages(from, sc) {
				if !m.At.Before(from.AddDate(0, 0, days)) {
					break
				}
				if m.Story != "" {
					told[m.Story] = true
				}
				l.act(&m)
			}
			for story := range told {
				kind, _, _ := strings.Cut(story, "/")
				want, known := incidents[Story(kind)]
				got := slices.Collect(maps.Values(l.causes[story]))
				if !known || want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0] != want) {
					t.Errorf("%s led to %v, want %q", story, got, want)
				}
			}
			t.Logf("%d observations, %d stories", l.heard, len(told))
		})
	}
}
