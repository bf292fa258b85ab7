package dc09client

import (
	"testing"
	"time"

	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

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
