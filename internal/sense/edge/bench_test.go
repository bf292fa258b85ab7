package edge_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/clock"
	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense/edge"
)

// BenchmarkForward carries what a gateway has kept while the link was away, from
// its log to the centre's, both on disk, for 40 devices. One operation is one
// observation. The retention class of each device changes seldom, or with each
// record, which costs the centre a commit for every 40.
func BenchmarkForward(b *testing.B) {
	b.Run("seldom", func(b *testing.B) { forward(b, func(n int) bool { return n/2000%5 == 0 }) })
	b.Run("each", func(b *testing.B) { forward(b, func(n int) bool { return n/40%2 == 0 }) })
}

// forward gives those records another class that other says.
func forward(b *testing.B, other func(n int) bool) {
	clk := clock.Wall()
	centre, cab := newSite(b, clk), newSite(b, clk)
	centre.enrol(gateway(clk.Now()))
	for n := range 40 {
		centre.enrol(hub(n))
	}
	l := newLink(b)
	centre.serve(l)
	value := 21.5
	for n := 0; n < b.N; {
		os := make([]*event.Observation, 0, bus.MaxBatch)
		for ; n < b.N && len(os) < bus.MaxBatch; n++ {
			dev := fmt.Sprintf("hub%d", n%40)
			o := &event.Observation{
				ID: event.NewID("bench", dev, fmt.Sprint(n)), Kind: event.KindMeasure, Source: "street", Device: dev + "/mic", Via: dev,
				Reading: &event.Reading{Property: event.NoiseLevel, Value: &value, Unit: "dB[A]"}, Raw: []byte(`[{"n":"noise","u":"dB","v":21.5}]`),
			}
			if other(n) {
				o.Kind, o.Reading, o.Health = event.KindHealth, nil, &event.Health{Battery: &value}
			}
			os = append(os, o)
		}
		if err := cab.in.ObserveAll(b.Context(), os...); err != nil {
			b.Fatal(err)
		}
	}
	want, err := cab.log.Last(b.Context(), bus.Observations)
	if err != nil {
		b.Fatal(err)
	}
	c, err := edge.NewCentre(l.srv.URL, "cab", secret, clk, nil)
	if err != nil {
		b.Fatal(err)
	}
	f := edge.NewForwarder(cab.log, clk, c, time.Hour, discard, nil)
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { done <- f.Run(ctx) }()
	for f.Confirmed(bus.Observations) < want {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "observations/s")
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
