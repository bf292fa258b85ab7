package city

import (
	"math/rand/v2"
	"time"
)

// scene is one story at one place while it is told.
type scene struct {
	t     *Town
	r     *rand.Rand
	h     *happenings
	story string
	start time.Time
	site  *site
	panel *panelPlan

	now    time.Duration // since start
	raised []raised
}

// raised is a condition that has to be restored.
type raised struct {
	panel *panelPlan
	over  word
	zone  int
}

// wait lets between low and high pass.
func (s *scene) wait(low, high time.Duration) {
	s.now += low + time.Duration(s.r.Int64N(int64(high-low)+1)).Truncate(100*time.Millisecond)
}

// say emits a word of a panel now.
func (s *scene) say(p *panelPlan, w word, number int) {
	x := p.say(w, number)
	x.At, x.Story = s.start.Add(s.now), s.story
	s.h.signals = append(s.h.signals, x)
}

// raise emits an alarm now and remembers that it has to end.
func (s *scene) raise(p *panelPlan, w, over word, zone int) {
	s.say(p, w, zone)
	s.raised = append(s.raised, raised{p, over, zone})
}

// restore ends everything that was raised, a few seconds apart.
func (s *scene) restore() {
	done := map[raised]bool{}
	for _, x := range s.raised {
		if !done[x] {
			done[x] = true
			s.say(x.panel, x.over, x.zone)
			s.wait(time.Second, 6*time.Second)
		}
	}
	s.raised = nil
}

// attend has a keyholder come, unset, put things right, and set again.
func (s *scene) attend(low, high time.Duration) {
	s.wait(low, high)
	user := 1 + s.r.IntN(4)
	s.say(s.panel, wordOpen, user)
	s.wait(20*time.Second, 90*time.Second)
	s.restore()
	s.wait(6*time.Minute, 25*time.Minute)
	s.say(s.panel, wordClose, user)
}

// other is the second panel that feels what happens here: of the premises, or of
// the neighbour in the same building.
func (s *scene) other() *panelPlan {
	for _, p := range s.site.panels {
		if p != s.panel {
			return p
		}
	}
	if s.site.neighbour >= 0 {
		return s.t.sites[s.site.neighbour].panels[0]
	}
	return nil
}

// fits reports whether the story can happen to the scene's panel now.
func (s *scene) fits(story Story) bool {
	p, first := s.panel, s.panel == s.site.panels[0]
	set := func() bool { return s.t.isSet(s.site, s.start) && s.t.isSet(s.site, s.start.Add(20*time.Minute)) }
	occupied := func() bool { return !s.t.isSet(s.site, s.start) || s.site.kind == "home" }
	switch story {
	case UserError:
		return first && p.find(entryDoor, 0) > 0 && set()
	case Spider, RestlessSignal:
		return p.find(movement, 0) > 0 && set()
	case Storm:
		return p.find(contact, 0) > 0 && len(s.street()) >= 4
	case PowerCut:
		return len(s.street()) >= 3
	case Burglary, Attempt:
		return p.find(contact, 0) > 0 && p.find(movement, 0) > 0 && s.otherFree() && set()
	case LineCut:
		return first && (p.class == "SP4" || p.class == "SP5") && set()
	case OneCauseTwice:
		q := s.other()
		return first && q != nil && s.otherFree() && q.find(movement, 0) > 0 && set() && s.t.isSet(q.site, s.start)
	case HoldUp:
		return p.find(button, 0) > 0 && occupied()
	case HoldUpTwice:
		return p.find(button, 1) > 0 && occupied()
	case FireStory:
		return p.find(smoke, 0) > 0
	case Flood:
		return p.find(leak, 0) > 0
	case MedicalStory:
		return p.find(pendant, 0) > 0
	default:
		return first
	}
}

// otherFree reports whether nothing else goes on at the neighbour's.
func (s *scene) otherFree() bool {
	q := s.other()
	return q == nil || q.site == s.site || !s.start.Before(s.h.engaged[q.site])
}

// tell tells the story.
func (s *scene) tell(story Story) {
	switch story {
	case UserError:
		s.tellUserError()
	case Spider:
		s.tellSpider()
	case Storm:
		s.tellStorm()
	case Fault:
		s.tellFault()
	case PowerCut:
		s.tellPowerCut()
	case TamperStory:
		s.tellPassing(wordTamper, wordTampOver, 1+s.r.IntN(len(s.panel.zones)), 3*time.Minute, 25*time.Minute)
	case Burglary:
		s.tellBurglary()
	case Attempt:
		s.raise(s.panel, wordBurglary, wordBurgOver, s.panel.find(contact, 0))
		s.attend(14*time.Minute, 40*time.Minute)
	case LineCut:
		s.tellLineCut()
	case HoldUp, HoldUpTwice:
		s.tellHoldUp(story == HoldUpTwice)
	case FireStory:
		s.tellFire()
	case Flood:
		s.tellPassing(wordWater, wordWaterOver, s.panel.find(leak, 0), 20*time.Minute, 70*time.Minute)
	case MedicalStory:
		s.tellPassing(wordMedical, wordMedOver, s.panel.find(pendant, 0), 4*time.Minute, 20*time.Minute)
	case OneCauseTwice:
		s.tellOneCauseTwice()
	case RestlessSignal:
		s.tellRestless()
	}
}

// tellPassing raises one condition and ends it.
func (s *scene) tellPassing(w, over word, zone int, low, high time.Duration) {
	s.raise(s.panel, w, over, zone)
	s.wait(low, high)
	s.restore()
}
