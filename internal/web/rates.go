package web

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	rateEvery   = 10 * time.Second // real time between two counts
	rateSamples = 7                // so a rate is that of the last minute
)

// rates measures how much each source says, by counting every few seconds.
type rates struct {
	mu      sync.Mutex
	samples []rateSample // oldest first
}

type rateSample struct {
	at     time.Time
	counts map[string]int64
}

// watchRates counts until the context ends.
func (s *Site) watchRates(ctx context.Context) {
	tick := time.NewTicker(rateEvery)
	defer tick.Stop()
	for {
		list, err := s.Sense.Sources(ctx)
		if err == nil {
			c := rateSample{at: time.Now(), counts: map[string]int64{}}
			for _, src := range list {
				c.counts[src.Source] = src.Observations
			}
			s.rates.add(c)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *rates) add(c rateSample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, c)
	if len(r.samples) > rateSamples {
		r.samples = r.samples[1:]
	}
}

// words tells a source's rate: "12.5 a second", "3 a minute".
func (r *rates) words(source string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.samples) < 2 {
		return "being measured"
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	took := last.at.Sub(first.at)
	n := last.counts[source] - first.counts[source]
	if took <= 0 || n < 0 { // the tables were rebuilt meanwhile
		return "being measured"
	}
	second := float64(n) / took.Seconds()
	switch {
	case n == 0:
		return "quiet this minute"
	case second >= 10:
		return fmt.Sprintf("%.0f a second", second)
	case second >= 1:
		return fmt.Sprintf("%.1f a second", second)
	default:
		return fmt.Sprintf("%.0f a minute", max(1, second*60))
	}
}
