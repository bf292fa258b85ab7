package dc09client

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

func TestHistogramIsWithinItsPrecision(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var a, b histogram
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
		all = append(all, d)
		if i%2 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	a.merge(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := a.quantile(q); got < want || got > want+want/30+time.Microsecond {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if a.max != all[len(all)-1] || a.total != int64(len(all)) {
		t.Errorf("max %v, total %d", a.max, a.total)
	}
	var none histogram
	if none.quantile(0.5) != 0 {
		t.Error("an empty histogram has a quantile")
	}
	for _, d := range []time.Duration{-1, 0, 1<<63 - 1} { // never out of range
		none.add(d)
	}
	if none.quantile(1) != 1<<63-1 {
		t.Errorf("max %v", none.quantile(1))
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	last := -1
	for us := range 1 << 16 {
		b := bucket(time.Duration(us) * time.Microsecond)
		if b != last && b != last+1 {
			t.Fatalf("%d µs falls into bucket %d after %d", us, b, last)
		}
		if c := ceiling(b); c < time.Duration(us)*time.Microsecond || ceiling(b-1) >= time.Duration(us)*time.Microsecond && b > 0 {
			t.Fatalf("%d µs falls into bucket %d up to %v", us, b, c)
		}
		last = b
	}
}

func TestBenchFramesAreAllDifferent(t *testing.T) {
	b := &bench{cfg: BenchConfig{Clients: 2, Accounts: []string{"1", "2", "3"}}}
	seen := map[string]bool{}
	for i := range 2 {
		l := newLoad(b, i)
		for range 30_000 {
			l.next(time.Unix(0, 0))
			wire, err := codec.Encode(nil, &l.frame, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.frame.Signals(); err != nil {
				t.Fatal(err)
			}
			if seen[string(wire)] {
				t.Fatalf("%q comes twice", wire)
			}
			seen[string(wire)] = true
		}
	}
}

func TestAnswers(t *testing.T) {
	f := codec.Frame{Token: codec.TokenSIA, Sequence: 7, Line: "0", Account: "1234"}
	for _, tt := range []struct {
		reply codec.Frame
		want  bool
	}{
		{f.Answer(codec.ReplyACK, time.Time{}), true},
		{f.Answer(codec.ReplyDUH, time.Time{}), true},
		{f.Answer(codec.ReplyNAK, time.Unix(0, 0)), true},
		{codec.Frame{Token: codec.TokenDUH, Receiver: "0", Line: "0"}, true},
		{codec.Frame{Token: codec.TokenACK, Sequence: 6, Line: "0", Account: "1234"}, false},
		{codec.Frame{Token: codec.TokenACK, Sequence: 7, Line: "1", Account: "1234"}, false},
		{codec.Frame{Token: codec.TokenSIA, Sequence: 7, Line: "0", Account: "1234"}, false},
	} {
		if got := answers(&tt.reply, &f); got != tt.want {
			t.Errorf("%+v: %v", tt.reply, got)
		}
	}
}
