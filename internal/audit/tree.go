package audit

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the growing edge of a Merkle tree: the roots of the largest complete
// subtrees from left to right, one for each bit of the size.
type tree struct {
	Size int64       `json:"size"`
	Edge []tlog.Hash `json:"edge"`
}

// add appends a leaf. visit, if not nil, is called with each complete subtree
// that the leaf ends: the n-th of 2^level leaves.
func (t *tree) add(leaf tlog.Hash, visit func(level int, n int64, h tlog.Hash)) {
	h := leaf
	for level := 0; ; level++ {
		if visit != nil {
			visit(level, t.Size>>level, h)
		}
		if t.Size>>level&1 == 0 {
			break
		}
		last := len(t.Edge) - 1
		h = tlog.NodeHash(t.Edge[last], h)
		t.Edge = t.Edge[:last]
	}
	t.Edge = append(t.Edge, h)
	t.Size++
}

// root returns the hash of the whole tree.
func (t *tree) root() tlog.Hash {
	if len(t.Edge) == 0 {
		return sha256.Sum256(nil)
	}
	h := t.Edge[len(t.Edge)-1]
	for i := len(t.Edge) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.Edge[i], h)
	}
	return h
}

// whole reports whether the edge has as many subtrees as the size needs.
func (t *tree) whole() bool {
	return t.Size >= 0 && len(t.Edge) == bits.OnesCount64(uint64(t.Size))
}
