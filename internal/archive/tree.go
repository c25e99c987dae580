package archive

import (
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Trees are those of RFC 6962, section 2.1.
var (
	hasher = rfc6962.DefaultHasher
	ranges = &compact.RangeFactory{Hash: hasher.HashChildren}
)

// tree computes the root over leaves that come one by one.
type tree struct{ *compact.Range }

func newTree() tree { return tree{ranges.NewEmptyRange(0)} }

// resumeTree goes on behind size leaves, of which the complete trees have these roots.
func resumeTree(size uint64, roots [][]byte) (tree, error) {
	r, err := ranges.NewRange(0, size, roots)
	if err != nil {
		return tree{}, fmt.Errorf("archive: tree of %d leaves: %w", size, err)
	}
	return tree{r}, nil
}

// add adds the hash of a leaf.
func (t tree) add(leaf []byte) {
	if err := t.Append(leaf, nil); err != nil {
		panic("archive: " + err.Error()) // cannot be: it begins at 0 and has no end
	}
}

// root is the root over all leaves so far.
func (t tree) root() []byte {
	root, err := t.GetRootHash(nil)
	if err != nil || root == nil {
		return hasher.EmptyRoot()
	}
	return root
}

// inclusion is the proof that the leaf at index is one of leaves.
func inclusion(leaves [][]byte, index uint64) ([][]byte, error) {
	nodes, err := proof.Inclusion(index, uint64(len(leaves)))
	if err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, id := range nodes.IDs {
		start := id.Index << id.Level
		end := min(start+1<<id.Level, uint64(len(leaves)))
		part := newTree()
		for _, leaf := range leaves[start:end] {
			part.add(leaf)
		}
		hashes = append(hashes, part.root())
	}
	return nodes.Rehash(hashes, hasher.HashChildren)
}

// included checks such a proof.
func included(index, size uint64, leaf []byte, path [][]byte, root []byte) error {
	return proof.VerifyInclusion(hasher, index, size, leaf, path, root)
}
