package cli

import (
	"net"
	"testing"
)

// A port that is taken is left to whom it belongs, unless somebody chose it: then
// the server is to say so.
func TestElsewhere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := ln.Addr().String()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := free.Addr().String()
	free.Close()
	defer ln.Close()
	for _, c := range []struct {
		addr      string
		chosen    bool
		want, was string
	}{
		{taken, false, "127.0.0.1:0", taken},
		{taken, true, taken, ""},
		{open, false, open, ""},
		{"", false, "", ""},
	} {
		addr := c.addr
		if was := elsewhere(&addr, c.chosen); addr != c.want || was != c.was {
			t.Errorf("%q, chosen %t: listens at %q for %q, want %q for %q", c.addr, c.chosen, addr, was, c.want, c.was)
		}
	}
}
