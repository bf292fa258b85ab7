package city

import (
	"math"
	"slices"
)

// join ties the ends of side streets to what they nearly reach, and cuts off
// stubs that lead nowhere.
func (n *network) join() {
	for i := range n.streets {
		s := &n.streets[i]
		if s.kind != sideStreet || closed(s.line) {
			continue
		}
		s.line = n.joinedEnd(i, s.line)
		slices.Reverse(s.line)
		s.line = n.joinedEnd(i, s.line)
	}
	kept := n.streets[:0]
	for _, s := range n.streets {
		if s.kind != sideStreet || s.line.length() >= shortest {
			kept = append(kept, s)
		}
	}
	n.streets = kept
	for i := range n.streets {
		n.streets[i].line = n.streets[i].line.simplified(0.6)
	}
}

func closed(p path) bool { return p[0].distance(p[len(p)-1]) < 1 }

// joinedEnd returns the line with its last end on another street, cut back to
// its last crossing, or left as a cul-de-sac, whichever fits.
func (n *network) joinedEnd(self int, line path) path {
	end := line[len(line)-1]
	ahead := end.minus(line[max(0, len(line)-3)]).unit()
	if d := n.hit(self, end, end.plus(ahead.times(reachOut))); d <= 1 {
		p := end.plus(ahead.times(reachOut * d))
		if n.g.bank.at(p) > 6 {
			return append(line, p)
		}
	}
	// Walk back to the last crossing.
	tail := 0.0
	for i := len(line) - 1; i > 0; i-- {
		length := line[i].distance(line[i-1])
		if d := n.hit(self, line[i], line[i-1]); d <= 1 {
			tail += length * d
			if tail < 38 || (tail > 90 && !n.builtUp(end)) {
				return append(line[:i:i], line[i].plus(line[i-1].minus(line[i]).times(d)))
			}
			return line
		}
		tail += length
	}
	return line[:1] // touches nothing: dropped for its length
}

// hit returns how far along ab the first other street is crossed, above 1 for none.
func (n *network) hit(self int, a, b vec) float64 {
	first := math.Inf(1)
	for j := range n.streets {
		if j == self || n.streets[j].kind == footpath {
			continue
		}
		line := n.streets[j].line
		for k := 1; k < len(line); k++ {
			if math.Abs(line[k].x-a.x) > reachOut+longestStep && math.Abs(line[k].y-a.y) > reachOut+longestStep {
				continue
			}
			if d, ok := meet(a, b, line[k-1], line[k]); ok && d < first {
				first = d
			}
		}
	}
	return first
}

// longestStep bounds the segments of lines before they are simplified.
const longestStep = 60

// layPaths lays what only walkers use: the promenade, ways through the parks,
// the coast path.
func (n *network) layPaths() {
	n.streets = append(n.streets, street{"The Promenade", footpath, n.g.shoreline(-640, -10, 15)})
	for _, k := range n.g.parks {
		step := len(k.outline) / 3
		for i := range 3 {
			a, b := k.outline[i*step], k.outline[(i*step+step+step/3)%len(k.outline)]
			bend := k.middle.plus(a.plus(b).times(0.5).minus(k.middle).times(0.35))
			n.streets = append(n.streets, street{"", footpath, curve(path{a, bend, b}, 9)})
		}
	}
	var round path
	for i, p := range n.g.coast {
		if i%3 == 0 {
			q := p.plus(n.g.shore.slope(p).times(30))
			if n.g.shore.at(q) > 18 {
				round = append(round, q)
			}
		}
	}
	if part := n.outsideTown(round); len(part) > 2 {
		n.streets = append(n.streets, street{"Coast Path", footpath, curve(part, 14).simplified(1)})
	}
}

// outsideTown returns the longest run of the outline that keeps clear of the
// town and of the river.
func (n *network) outsideTown(outline path) path {
	var best, run path
	for i := range 2 * len(outline) {
		p := outline[i%len(outline)]
		if n.builtUp(p) || n.g.bank.at(p) < 12 || len(run) == len(outline) {
			run = nil
			continue
		}
		if run = append(run, p); len(run) > len(best) {
			best = run
		}
	}
	return best
}
