package city

import "time"

// tellUserError has somebody come home and fumble the code.
func (s *scene) tellUserError() {
	door, user := s.panel.find(entryDoor, 0), 1+s.r.IntN(4)
	s.raise(s.panel, wordBurglary, wordBurgOver, door)
	if z := s.panel.find(movement, 1); z > 0 && s.r.Float64() < 0.25 {
		s.wait(4*time.Second, 12*time.Second)
		s.raise(s.panel, wordBurglary, wordBurgOver, z)
	}
	s.wait(20*time.Second, 100*time.Second)
	s.say(s.panel, wordOpen, user)
	s.wait(2*time.Second, 10*time.Second)
	s.say(s.panel, wordCancel, user)
	s.restore()
}

// tellSpider has one detector trip for nothing. Alone it confirms nothing.
func (s *scene) tellSpider() {
	z := s.panel.find(movement, s.r.IntN(2))
	if z == 0 {
		z = s.panel.find(movement, 0)
	}
	s.tellPassing(wordBurglary, wordBurgOver, z, 2*time.Minute, 15*time.Minute)
	if s.r.Float64() < 0.3 {
		s.wait(20*time.Minute, 80*time.Minute)
		s.tellPassing(wordBurglary, wordBurgOver, z, 2*time.Minute, 15*time.Minute)
	}
}

// tellRestless has one detector signal the same over and over.
func (s *scene) tellRestless() {
	z := s.panel.find(movement, 0)
	for range 4 + s.r.IntN(6) {
		s.raise(s.panel, wordBurglary, wordBurgOver, z)
		s.wait(10*time.Second, 50*time.Second)
	}
	s.wait(5*time.Minute, 20*time.Minute)
	s.restore()
}

// street returns the panels of the scene's street whose premises are empty.
func (s *scene) street() []*panelPlan {
	var out []*panelPlan
	for _, x := range s.t.sites {
		p := x.panels[0]
		if x.street == s.site.street && !s.start.Before(s.h.engaged[x]) && s.t.isSet(x, s.start) && p.find(contact, 0) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// tellStorm has gusts rattle a street: one activation each at several premises
// within a quarter of an hour.
func (s *scene) tellStorm() {
	street := s.street()
	s.r.Shuffle(len(street), func(i, j int) { street[i], street[j] = street[j], street[i] })
	for _, p := range street[:min(len(street), 4+s.r.IntN(5))] {
		s.h.engaged[p.site] = s.start.Add(engagedFor)
		z := p.find(contact, 0)
		if outside := p.find(beam, 0); outside > 0 {
			z = outside
		}
		s.raise(p, wordBurglary, wordBurgOver, z)
		s.wait(20*time.Second, 150*time.Second)
	}
	s.wait(5*time.Minute, 20*time.Minute)
	s.restore()
}

// tellPowerCut has the mains fail along a street, and here and there a battery
// after them.
func (s *scene) tellPowerCut() {
	street := s.street()
	out := street[:min(len(street), 3+s.r.IntN(8))]
	for _, p := range out {
		s.raise(p, wordMains, wordMainsOver, 0)
		s.wait(200*time.Millisecond, 5*time.Second)
	}
	s.wait(12*time.Minute, 45*time.Minute)
	for _, p := range out {
		if s.r.Float64() < 0.2 {
			s.raise(p, wordBattery, wordBattOver, 0)
			s.wait(time.Second, 3*time.Minute)
		}
	}
	s.wait(5*time.Minute, 40*time.Minute)
	s.restore()
}

// tellFault has a detector or the line in trouble until somebody mends it.
func (s *scene) tellFault() {
	if s.r.Float64() < 0.35 {
		s.tellPassing(wordComms, wordCommsOver, 0, 2*time.Minute, 30*time.Minute)
		return
	}
	if s.r.Float64() < 0.3 {
		s.tellPassing(wordBattery, wordBattOver, 0, time.Hour, 6*time.Hour)
		return
	}
	s.tellPassing(wordFault, wordFaultOver, 1+s.r.IntN(len(s.panel.zones)), 10*time.Minute, 4*time.Hour)
}

// tellFire has smoke found, and now and then more of it.
func (s *scene) tellFire() {
	z := s.panel.find(smoke, 0)
	s.raise(s.panel, wordFire, wordFireOver, z)
	if s.r.Float64() < 0.3 {
		s.wait(time.Minute, 3*time.Minute)
		s.raise(s.panel, wordFire, wordFireOver, z)
	}
	s.wait(6*time.Minute, 40*time.Minute)
	s.restore()
}
