package audit

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// SaveCheckpoint is for the tests outside the package.
var SaveCheckpoint = saveCheckpoint

// The edge must give the roots that the whole tree gives.
func TestTreeEqualsTheFullTree(t *testing.T) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	var edge tree
	for n := range int64(300) {
		record := fmt.Appendf(nil, "record %d", n)
		hashes, err := tlog.StoredHashes(n, record, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		edge.add(tlog.RecordHash(record), func(level int, n int64, h tlog.Hash) {
			if want := stored[tlog.StoredHashIndex(level, n)]; h != want {
				t.Fatalf("subtree %d of level %d is %v, want %v", n, level, h, want)
			}
		})
		want, err := tlog.TreeHash(n+1, reader)
		if err != nil || edge.root() != want || !edge.whole() {
			t.Fatalf("root of %d is %v, want %v, %v", n+1, edge.root(), want, err)
		}
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	private, public, err := note.GenerateKey(rand.Reader, "bluelamp/audit/test")
	if err != nil {
		f.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		f.Fatal(err)
	}
	c, err := sign(s, 5, tlog.RecordHash(nil), time.Unix(0, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(c.Text))
	f.Add([]byte("a\n1\nb\n\n\u2014 a b\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ParseCheckpoint(text, public)
		if err == nil && (got.Size != c.Size || got.Root != c.Root) {
			t.Fatalf("a checkpoint that was never signed: %q", text)
		}
		texts, rest := SplitCheckpoints(text)
		n := len(rest)
		for _, x := range texts {
			n += len(x) + 1
		}
		if n != len(text) {
			t.Fatalf("%d bytes became %d", len(text), n)
		}
	})
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		most := rapid.IntRange(3, 30).Draw(t, "most")
		got := cut(s, most)
		if len(got) > max(most, 3*len(s)) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
