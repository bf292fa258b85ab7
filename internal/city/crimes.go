package city

import "time"

// tellBurglary has burglars come through a door or window and walk about: two
// detectors within minutes, which is what confirms an alarm in sequence.
func (s *scene) tellBurglary() {
	way := s.panel.find(contact, s.r.IntN(2))
	if way == 0 {
		way = s.panel.find(contact, 0)
	}
	s.raise(s.panel, wordBurglary, wordBurgOver, way)
	s.wait(35*time.Second, 150*time.Second)
	s.walkAbout()
	s.attend(18*time.Minute, 45*time.Minute)
}

// walkAbout trips what is inside.
func (s *scene) walkAbout() {
	first := s.panel.find(movement, 0)
	s.raise(s.panel, wordBurglary, wordBurgOver, first)
	if s.panel.verifies {
		s.wait(time.Second, 4*time.Second)
		s.raise(s.panel, wordVerified, wordVerOver, first)
	}
	for i := 1; i < 3; i++ {
		if z := s.panel.find(movement, i); z > 0 && s.r.Float64() < 0.6 {
			s.wait(12*time.Second, 70*time.Second)
			s.raise(s.panel, wordBurglary, wordBurgOver, z)
		}
	}
}

// tellLineCut has the line cut first. The panel's second path needs some
// minutes to come up; by then they are inside.
func (s *scene) tellLineCut() {
	from := s.start
	s.wait(5*time.Minute, 8*time.Minute)
	s.h.silent = append(s.h.silent, silence{s.panel.account, stretch{from, s.start.Add(s.now)}})
	s.say(s.panel, wordComms, 0)
	s.wait(5*time.Second, 40*time.Second)
	s.raise(s.panel, wordBurglary, wordBurgOver, s.panel.find(contact, 0))
	s.wait(30*time.Second, 90*time.Second)
	s.walkAbout()
	s.raised = append(s.raised, raised{s.panel, wordCommsOver, 0})
	s.attend(20*time.Minute, 50*time.Minute)
}

// tellHoldUp has somebody press a button, and somebody else another a few
// minutes later: two devices of one panel confirm a hold-up.
func (s *scene) tellHoldUp(twice bool) {
	w, over := wordHoldUp, wordHoldOver
	if s.site.kind == "home" || s.r.Float64() < 0.3 {
		w, over = wordPanic, wordPanicOver
	}
	s.raise(s.panel, w, over, s.panel.find(button, 0))
	if twice {
		s.wait(130*time.Second, 320*time.Second)
		second := s.panel.find(button, 1)
		s.raise(s.panel, w, over, second)
		if s.panel.verifies {
			s.wait(time.Second, 4*time.Second)
			s.say(s.panel, wordHoldTwice, second)
		}
	}
	s.wait(8*time.Minute, 30*time.Minute)
	s.restore()
}

// tellOneCauseTwice has one burglar felt by two panels of one building, which
// both repeat themselves.
func (s *scene) tellOneCauseTwice() {
	q := s.other()
	s.h.engaged[q.site] = s.start.Add(engagedFor)
	mine, theirs := s.panel.find(contact, 0), q.find(contact, 0)
	s.raise(s.panel, wordBurglary, wordBurgOver, mine)
	s.wait(8*time.Second, 30*time.Second)
	s.raise(q, wordBurglary, wordBurgOver, theirs)
	for range 2 + s.r.IntN(3) {
		s.wait(25*time.Second, 80*time.Second)
		s.raise(s.panel, wordBurglary, wordBurgOver, s.panel.find(movement, 0))
		s.wait(3*time.Second, 15*time.Second)
		s.raise(q, wordBurglary, wordBurgOver, q.find(movement, 0))
	}
	s.attend(18*time.Minute, 40*time.Minute)
}
