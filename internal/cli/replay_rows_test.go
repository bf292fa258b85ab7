package cli

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRowsAreRemembered: whatever a file holds and however it is read, a row that
// is near enough is given back as it is.
func TestRowsAreRemembered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,30}`), 1, 60).Draw(t, "rows")
		r := newRowSource("zeek", strings.NewReader(strings.Join(rows, "\n")))
		r.most = rapid.IntRange(64, 400).Draw(t, "remembered")
		if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, make([]byte, rapid.IntRange(1, 50).Draw(t, "read at once"))); err != nil {
			t.Fatal(err)
		}
		if len(r.buf) > 2*r.most {
			t.Fatalf("%d bytes are remembered of %d", len(r.buf), r.most)
		}
		behind := 0
		for n := len(rows); n >= 1; n-- {
			if behind += len(rows[n-1]) + 1; behind > r.most {
				break
			}
			if got := string(r.row(n)); got != rows[n-1] {
				t.Fatalf("row %d is %q, want %q", n, got, rows[n-1])
			}
		}
	})
}

func TestRowOfAnError(t *testing.T) {
	for _, tt := range []struct{ format, file, err, from, want string }{
		{"zeek", "a\nbad\nc\n", "f: line 2: broken", "f:2", "bad"},
		{"zeek", "a\r\nbad", "f: line 2: broken", "f:2", "bad"},
		{"dc09", "\r\n\r\na\r\n\nbad\rc", "f: frame 2: broken", "f:2", "bad"},
		{"cap", "<feed>\n<alert>\n</alert>\n", "f: the message at line 2: broken", "f:2", "<alert>\n</alert>"},
		{"cap", "none", "f: there is no CAP 1.2 message in it", "f", "none"},
		{"zeek", "a\n", "reading f: gone", "f", ""},
		{"zeek", "a\n", "f: line 9: broken", "f:9", ""},
	} {
		r := newRowSource(tt.format, strings.NewReader(tt.file))
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		u := r.unread("f", fmt.Errorf("%s", tt.err))
		if u.from != tt.from || string(u.bytes) != tt.want {
			t.Errorf("%s: %q from %s, want %q from %s", tt.err, u.bytes, u.from, tt.want, tt.from)
		}
	}
}
