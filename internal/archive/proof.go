package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"actionlog"

	"golang.org/x/mod/sumdb/note"
)

// Proof shows that an action is in the archive, to whoever has the public key. It says
// nothing of other institutions, not even how much they did.
type Proof struct {
	Version int `json:"version"` // 1
	// Statement is the action's line of the segment without its position.
	Statement string `json:"statement"`
	// Index is where it stands among the institution's lines of the segment, of which
	// there are Size, and Path the RFC 6962 inclusion proof.
	Index uint64   `json:"index"`
	Size  uint64   `json:"size"`
	Path  [][]byte `json:"path"`
	// Checkpoint is a signed note over Size and the root. Its origin is that of the
	// archive, the institution, and when the stream took the first of these lines.
	Checkpoint string `json:"checkpoint"`
}

// ErrNotSealed: the action is archived, but its segment is not sealed yet.
var ErrNotSealed = errors.New("is not sealed yet")

// Prover makes proofs of what is sealed.
type Prover struct {
	Storage Storage
	KeyFile string // as of the Options of the archive's writer, who makes it
}

// PublicKey is the verifier key of the archive, or ErrNotFound where there is none yet.
func (p *Prover) PublicKey(ctx context.Context) (string, error) {
	text, err := p.Storage.Read(ctx, keyName)
	return string(text), err
}

// Prove makes the proof of an institution's action at a position. It is ErrNotFound
// where the archive has none there, and wraps ErrNotSealed and actionlog.ErrConflict
// where it is too early.
func (p *Prover) Prove(ctx context.Context, institution string, at actionlog.Position) (*Proof, error) {
	if _, err := os.Stat(p.KeyFile); err != nil {
		return nil, fmt.Errorf("archive: signing key: %w: %w", actionlog.ErrNotFound, err)
	}
	id, signer, _, err := signingKey(p.KeyFile)
	if err != nil {
		return nil, err
	}
	r := &Reader{p.Storage}
	m, err := r.find(ctx, at)
	if errors.Is(err, actionlog.ErrNotFound) {
		return nil, p.absent(ctx, at, err)
	}
	if err != nil {
		return nil, err
	}
	var leaves [][]byte
	index, first := -1, ""
	proof := &Proof{Version: 1}
	for line, err := range r.lines(ctx, m, institution) {
		if err != nil {
			return nil, err
		}
		h, err := readHeader(line)
		if err != nil {
			return nil, err
		}
		if len(leaves) == 0 {
			first = h.receivedAt
		}
		body := line[:len(line)-1]
		if h.sequence == at.Sequence && h.dead == "" {
			index, proof.Statement = len(leaves), "{"+string(body[h.statement:])
		}
		hash := statementHash(body)
		leaves = append(leaves, hash[:])
	}
	if index < 0 {
		return nil, fmt.Errorf("archive: position %s: %w", at, actionlog.ErrNotFound)
	}
	t := newTree()
	for _, leaf := range leaves {
		t.add(leaf)
	}
	i := slices.IndexFunc(m.Institutions, func(t Tally) bool { return t.ID == institution })
	if i < 0 || !bytes.Equal(t.root(), m.Institutions[i].Root) {
		return nil, fmt.Errorf("archive: %s: %w", m.Segment.Name, ErrDamaged)
	}
	proof.Index, proof.Size = uint64(index), uint64(len(leaves))
	if proof.Path, err = inclusion(leaves, proof.Index); err != nil {
		return nil, err
	}
	text, err := (&checkpoint{origin(id) + "/" + institution + "/" + first, proof.Size, t.root()}).sign(signer)
	proof.Checkpoint = string(text)
	return proof, err
}

// absent says why there is no segment of a position: err, or that it is too early.
func (p *Prover) absent(ctx context.Context, at actionlog.Position, err error) error {
	number, e := newest(ctx, p.Storage)
	if e != nil {
		return e
	}
	end := uint64(0)
	if number > 0 {
		m, e := readManifest(ctx, p.Storage, number)
		if e != nil {
			return e
		}
		end = m.Ends[at.Stream]
	}
	if at.Sequence > end {
		return fmt.Errorf("archive: position %s %w: %w", at, ErrNotSealed, actionlog.ErrConflict)
	}
	return err
}

// find returns the manifest of a position. The names of segments say where it is.
func (r *Reader) find(ctx context.Context, p actionlog.Position) (*manifest, error) {
	for f, err := range r.Storage.List(ctx, "segments/") {
		if err != nil {
			return nil, err
		}
		parts := strings.Split(strings.TrimPrefix(f.Name, "segments/"), "-")
		if len(parts) < 4 || parts[1] != p.Stream {
			continue
		}
		number, err := strconv.ParseUint(parts[0], 10, 64)
		first, err2 := strconv.ParseUint(parts[2], 10, 64)
		last, err3 := strconv.ParseUint(parts[3], 10, 64)
		if err != nil || err2 != nil || err3 != nil || p.Sequence < first || p.Sequence > last {
			continue
		}
		m, err := readManifest(ctx, r.Storage, number)
		if err == nil && m.Segment.Name == f.Name || err != nil && !errors.Is(err, actionlog.ErrNotFound) {
			return m, err
		}
	}
	return nil, fmt.Errorf("archive: position %s: %w", p, actionlog.ErrNotFound)
}

// OpenProof checks a proof and returns the institution and the document that it proves.
func OpenProof(text []byte, key string) (institution string, document []byte, err error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return "", nil, actionlog.Invalidf("key", "is not a verifier key: %v", err)
	}
	var p Proof
	if err := json.Unmarshal(text, &p); err != nil {
		return "", nil, fmt.Errorf("proof: %w", err)
	}
	if p.Version != 1 {
		return "", nil, fmt.Errorf("proof: version %d is not known", p.Version)
	}
	c, err := openCheckpoint([]byte(p.Checkpoint), verifier)
	if err != nil {
		return "", nil, fmt.Errorf("proof: %w", err)
	}
	// The statement is read as a line is, behind a position that it does not tell.
	rest, ok := strings.CutPrefix(p.Statement, "{")
	line := append([]byte(`{"position":{"stream":"proof","sequence":1},`), rest...)
	l, err := parseLine(append(line, '\n'))
	if err != nil || !ok {
		return "", nil, fmt.Errorf("proof: its statement %w", errLine)
	}
	if name, institution, _ := strings.Cut(strings.TrimPrefix(c.origin, verifier.Name()), "/"); name != "" || !strings.HasPrefix(institution, l.Institution+"/") {
		return "", nil, fmt.Errorf("proof: the checkpoint of %s does not speak of the institution %q", c.origin, l.Institution)
	}
	leaf := leafHash([]byte(p.Statement))
	if c.size != p.Size {
		return "", nil, fmt.Errorf("proof: the checkpoint signs %d lines, not %d", c.size, p.Size)
	}
	if err := included(p.Index, p.Size, leaf[:], p.Path, c.root); err != nil {
		return "", nil, fmt.Errorf("proof: the action is not what was archived: %w", err)
	}
	return l.Institution, l.Document, nil
}
