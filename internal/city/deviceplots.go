package city

import "time"

// tellFelt has a thing feel what it watches for, say so each minute, and at last
// feel it no longer.
func (s *deviceScene) tellFelt(th *thing, low, high time.Duration) {
	until := low + time.Duration(s.r.Int64N(int64(high-low)))
	for s.now < until {
		s.say(s.t.says(s.home, th, s.at(), true))
		s.wait(50*time.Second, 70*time.Second)
	}
	s.say(s.t.says(s.home, th, s.at(), false))
	s.mute(s.home.hub, s.home.topicOf(th))
}

// tellHomeBurglary has burglars come through the back door of a home whose own
// alarm is set.
func (s *deviceScene) tellHomeBurglary() {
	h := s.home
	door, before := h.find(contact, 1), s.t.panelAt(h, s.start)
	s.say(s.t.says(h, door, s.at(), true))
	s.wait(2*time.Second, 6*time.Second)
	s.say(h.saysPanel(s.at(), "triggered", door.title))
	for range 2 + s.r.IntN(3) {
		s.wait(15*time.Second, 60*time.Second)
		room := pick(s.r, h.rooms())
		s.say(s.t.says(h, room, s.at(), true))
		s.wait(60*time.Second, 100*time.Second)
		s.say(s.t.says(h, room, s.at(), false))
	}
	s.wait(12*time.Minute, 30*time.Minute)
	s.say(h.saysPanel(s.at(), panelUnset, ""))
	s.wait(30*time.Second, 3*time.Minute)
	s.say(s.t.says(h, door, s.at(), false))
	s.wait(11*time.Minute, 18*time.Minute)
	s.say(h.saysPanel(s.at(), before, ""))
	s.mute(h.hub, h.topicOf(door))
}

// tellBatteryLow has a battery tire, and be changed after a while.
func (s *deviceScene) tellBatteryLow() {
	th := s.home.find(leak, 0)
	for _, percent := range []int{13, 11, 9} {
		s.say(s.t.saysBattery(s.home, th, s.at(), percent))
		s.wait(35*time.Minute, 45*time.Minute)
	}
	s.say(s.t.saysBattery(s.home, th, s.at(), 100))
	s.mute(s.home.hub, s.home.topicOf(th))
}

// tellHubLost has a hub lose its power or its line while its alarm is set.
func (s *deviceScene) tellHubLost() {
	s.say(utterance{at: s.at(), device: s.home.hub, act: ActVanish})
	s.wait(9*time.Minute, 20*time.Minute)
	s.say(utterance{at: s.at(), device: s.home.hub, act: ActReturn})
	s.mute(s.home.hub, "")
}

// somewhere is a place in a street.
func (s *deviceScene) somewhere() vec {
	line := pick(s.r, s.t.streets).line
	p, _ := line.at(line.length() * between(s.r, 0.2, 0.8))
	return p
}

// tellGunfire has two sensors hear one burst, and place it a little apart.
func (s *deviceScene) tellGunfire() {
	where, rounds := s.somewhere(), 2+s.r.IntN(6)
	s.say(s.t.shot(s.at(), "north", "multiple", rounds, where, 0.9))
	s.wait(500*time.Millisecond, 4*time.Second)
	s.say(s.t.shot(s.at(), "harbour", "multiple", rounds, where.plus(vec{between(s.r, -35, 35), between(s.r, -35, 35)}), 0.8))
}

// tellFireworks has the sensors hear what they can tell from gunfire.
func (s *deviceScene) tellFireworks() {
	where := s.somewhere()
	for range 4 + s.r.IntN(6) {
		s.say(s.t.shot(s.at(), "harbour", "fireworks", 0, where.plus(vec{between(s.r, -60, 60), between(s.r, -60, 60)}), 0.9))
		s.wait(20*time.Second, 3*time.Minute)
	}
}

// tellCloned has somebody send one recorded frame of a radio again and again.
func (s *deviceScene) tellCloned() {
	count := s.radio.frame(s.start) - uint32(15+s.r.IntN(30))
	for range 3 + s.r.IntN(4) {
		s.say(s.t.uplink(s.radio, s.at(), count, s.at().Format(" 15:04:05.0")))
		s.wait(90*time.Second, 5*time.Minute)
	}
}

// tellStolen has somebody who took a hub's secret try another home's topics.
func (s *deviceScene) tellStolen() {
	victim := pick(s.r, s.t.households)
	for victim == s.home {
		victim = pick(s.r, s.t.households)
	}
	for _, topic := range []string{victim.topicOf(victim.find(contact, 0)), victim.topicOf(victim.find(smoke, 0)), "home/alarm"} {
		s.say(utterance{at: s.at(), device: s.home.hub, act: ActIntrude, topic: victim.hub + "/" + topic, body: func(time.Time) []byte {
			return []byte(`{"state":"OFF"}`)
		}})
		s.wait(20*time.Second, 70*time.Second)
	}
}
