package registry

import "time"

// classes are the reporting classes of EN 50136-1 with their reporting times,
// and "none" for a panel that promises nothing. The figures are as recalled in
// the trade, so a force checks them against its copy of the standard.
var classes = []struct {
	name string
	time time.Duration
}{
	{"SP2", 25 * time.Hour},
	{"SP3", 30 * time.Minute},
	{"SP4", 3 * time.Minute},
	{"SP5", 90 * time.Second},
	{"SP6", 20 * time.Second},
	{"none", 0},
}

// Class returns the reporting time of a class: how long a panel may be silent.
// 0 means that it may be silent for ever.
func Class(name string) (time.Duration, bool) {
	for _, c := range classes {
		if c.name == name {
			return c.time, true
		}
	}
	return 0, false
}

// Classes lists the names of the reporting classes.
func Classes() []string {
	out := make([]string, len(classes))
	for i, c := range classes {
		out[i] = c.name
	}
	return out
}
