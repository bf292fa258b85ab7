package network

import (
	"time"

	"github.com/bluelamp/bluelamp/internal/event"
)

// guess counts a source's attempts to log in at one door.
type guess struct {
	Service  string
	Sessions tally // short sessions seen as connections: Shut counts each
	Failed   int   // told by the service's own log: refused
	Unclear  int   // ... outcome not known
	Entered  int   // ... accepted
	After    int   // accepted after refusals
	Tries    []try
	Finding  *growing
}

const (
	maxGuessDoors = 256 // doors of one source at which attempts are counted
	enteredAfter  = 5   // refusals before an acceptance is called a guessed password
)

func (s *Scan) guessAt(o *source, d door, service string) *guess {
	g := o.Guesses[d]
	if g == nil && len(o.Guesses) < maxGuessDoors {
		if o.Guesses == nil {
			o.Guesses = make(map[door]*guess)
		}
		g = &guess{Service: service}
		o.Guesses[d] = g
	}
	return g
}

// session counts a connection of the size of a failed log-in. Without the
// service's own log, only many in a short time are called guessing: scheduled
// jobs also make short sessions, but not so many.
func (s *Scan) session(o *source, c *Conn, what outcome, d door) {
	if what != served || !short(c) {
		return
	}
	service := loginService(c.Proto, c.RespPort)
	if service == "" && c.Service == "ssh" {
		service = "SSH"
	}
	if service == "" {
		return
	}
	g := s.guessAt(o, d, service)
	if g == nil {
		return
	}
	g.Sessions.shutAt(c.Time, s.cfg.Guesses)
	n := len(g.Sessions.Recent)
	quick := n == s.cfg.Guesses && g.Sessions.Recent[n-1].Sub(g.Sessions.Recent[0]) <= s.cfg.Window
	s.guessed(o, c, d, g, quick)
}

// login counts what a service's own log says of attempts to log in.
func (s *Scan) login(c *Conn) {
	d := door{Addr: c.Resp, Port: port{Proto: "tcp", Number: c.RespPort}}
	if !c.Orig.IsValid() || !c.Resp.IsValid() || !c.Known && c.Attempts == 0 && !c.Spoke {
		return // a look at the banner, as availability monitors take
	}
	o := s.source(c.Orig, c.Time)
	g := s.guessAt(o, d, c.Service)
	if g == nil {
		return
	}
	switch {
	case !c.Known:
		g.Unclear++
	case c.Accepted:
		g.Entered++
		if g.Failed+g.Unclear >= enteredAfter {
			g.After++
		}
		g.Failed += max(0, c.Attempts-1)
	default:
		g.Failed += max(1, c.Attempts)
	}
	// A user who mostly gets in is a user, however often one mistypes.
	many := g.Failed+g.Unclear >= s.cfg.Guesses && float64(g.Failed+g.Unclear) >= s.cfg.Shut*float64(g.Failed+g.Unclear+g.Entered)
	s.guessed(o, c, d, g, many)
}

func (s *Scan) guessed(o *source, c *Conn, d door, g *guess, enough bool) {
	t := try{Ref: c.Ref, Time: c.Time, Door: d, From: c.Orig}
	switch {
	case g.Finding != nil:
		s.take(g.Finding, &t)
	case enough:
		g.Finding = begin(event.KindBruteForce, o.Addr.String()+" "+d.Addr.String()+" "+d.Port.String(), firstTime(g.Tries, c.Time))
		g.Finding.Raised = c.Received
		for i := range g.Tries {
			s.held--
			s.take(g.Finding, &g.Tries[i])
		}
		g.Tries = nil
		s.take(g.Finding, &t)
	default:
		if len(g.Tries) < s.cfg.MaxRefs && s.held < s.cfg.MaxHeld {
			g.Tries = append(g.Tries, t)
			s.held++
		}
		return
	}
	// That a guess succeeded must be told at once.
	got := c.Login && c.Accepted && g.After == 1
	s.tell(g.Finding, got, func() Finding { return s.describeGuess(o, d) })
}

func firstTime(tries []try, or time.Time) time.Time {
	if len(tries) > 0 {
		return tries[0].Time
	}
	return or
}
