package gunfire

import "time"

// Policy is the table by which reports are joined. The figures were chosen by
// the reports of 2006 to 2013 that Washington DC has published, whose times are
// to the minute and whose positions are to about 100 m; TestPublishedPairs counts
// what is said here.
type Policy struct {
	// Quiet ends a burst. On ordinary days of that data a second report of one zone
	// within 200 m is, ten minutes after the first, still ten times as frequent as
	// half an hour after.
	Quiet time.Duration
	// Reach is how far, in metres, a report may be from one of a burst to belong
	// to it. Two zones that hear one shot place it within 200 m of each other in
	// most cases, and beyond 300 m their reports are few.
	Reach float64
	// Spread is how far, in metres, a report may be from a burst's first: bursts
	// do not creep along a road of fireworks.
	Spread float64

	// FloodBursts within FloodWithin, all over the city, are a celebration. The
	// most of an ordinary day is 11 in half an hour (TestPublishedWithoutCelebrations).
	FloodBursts int
	FloodWithin time.Duration
	// FloodSquare is the side, in metres, of the squares of which each has one
	// cause during a celebration.
	FloodSquare float64
	// FloodScore is the most that an alert scores then.
	FloodScore float64
}

// Default is the policy that is used unless a force sets its own.
func Default() Policy {
	return Policy{
		Quiet: 10 * time.Minute, Reach: 250, Spread: 500,
		FloodBursts: 12, FloodWithin: 30 * time.Minute, FloodSquare: 2000, FloodScore: 0.3,
	}
}

// The clauses that decisions name.
const (
	clauseBurst = "Reports near in time and place are one burst"
	clauseFlood = "Reports all over the city at once are a celebration: one alert for each square"
)
