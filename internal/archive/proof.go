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

// Prove makes the proof of an institution's action, by its ID and the position at which
// the store has it. It is ErrNotFound where the archive has none there, and wraps
// ErrNotSealed and actionlog.ErrConflict where it is too early. Where the stream went back,
// what was indexed before anybody knew is archived under the incarnation that followed, at
// the same sequence: it is looked for there, too.
func (p *Prover) Prove(ctx context.Context, institution, id string, at actionlog.Position) (*Proof, error) {
	if _, err := os.Stat(p.KeyFile); err != nil {
		return nil, fmt.Errorf("archive: signing key: %w: %w", actionlog.ErrNotFound, err)
	}
	archive, signer, _, err := signingKey(p.KeyFile)
	if err != nil {
		return nil, err
	}
	r := &Reader{p.Storage}
	segments, err := r.find(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, m := range segments {
		proof, c, err := r.prove(ctx, m, institution, id, at.Sequence)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.origin = origin(archive) + c.origin
		text, err := c.sign(signer)
		proof.Checkpoint = string(text)
		return proof, err
	}
	return nil, p.absent(ctx, at)
}

// prove makes the proof of an action that stands in a segment, and what is to be signed,
// whose origin lacks the archive's; ErrNotFound where it does not stand there.
func (r *Reader) prove(ctx context.Context, m *manifest, institution, id string, sequence uint64) (*Proof, *checkpoint, error) {
	var leaves [][]byte
	index, first := -1, ""
	proof := &Proof{Version: 1}
	for line, err := range r.lines(ctx, m, institution) {
		if err != nil {
			return nil, nil, err
		}
		h, err := readHeader(line)
		if err != nil {
			return nil, nil, err
		}
		if len(leaves) == 0 {
			first = h.receivedAt
		}
		body := line[:len(line)-1]
		if h.sequence == sequence && h.dead == "" && isAction(line, id) {
			index, proof.Statement = len(leaves), "{"+string(body[h.statement:])
		}
		hash := statementHash(body)
		leaves = append(leaves, hash[:])
	}
	if index < 0 {
		return nil, nil, fmt.Errorf("archive: %s in %s: %w", id, m.Segment.Name, actionlog.ErrNotFound)
	}
	t := newTree()
	for _, leaf := range leaves {
		t.add(leaf)
	}
	i := slices.IndexFunc(m.Institutions, func(t Tally) bool { return t.ID == institution })
	if i < 0 || !bytes.Equal(t.root(), m.Institutions[i].Root) {
		return nil, nil, fmt.Errorf("archive: %s: %w", m.Segment.Name, ErrDamaged)
	}
	proof.Index, proof.Size = uint64(index), uint64(len(leaves))
	var err error
	proof.Path, err = inclusion(leaves, proof.Index)
	return proof, &checkpoint{"/" + institution + "/" + first, proof.Size, t.root()}, err
}

// isAction tells whether a line is the action with an ID.
func isAction(line []byte, id string) bool {
	l, err := parseLine(line)
	if err != nil {
		return false
	}
	item, err := actionlog.Parse(l.Document, nil)
	return err == nil && item.ID == id
}

// absent says why there is nothing at a position: there never will be, or it is too early.
func (p *Prover) absent(ctx context.Context, at actionlog.Position) error {
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
	return fmt.Errorf("archive: position %s: %w", at, actionlog.ErrNotFound)
}

// find returns the manifests of a position: those of its incarnation, then those of others
// that have its sequence. The names of segments say where it is.
func (r *Reader) find(ctx context.Context, p actionlog.Position) (own []*manifest, err error) {
	var others []*manifest
	for f, err := range r.Storage.List(ctx, "segments/") {
		if err != nil {
			return nil, err
		}
		parts := strings.Split(strings.TrimPrefix(f.Name, "segments/"), "-")
		if len(parts) < 4 {
			continue
		}
		number, err := strconv.ParseUint(parts[0], 10, 64)
		first, err2 := strconv.ParseUint(parts[2], 10, 64)
		last, err3 := strconv.ParseUint(parts[3], 10, 64)
		if err != nil || err2 != nil || err3 != nil || p.Sequence < first || p.Sequence > last {
			continue
		}
		m, err := readManifest(ctx, r.Storage, number)
		switch {
		case errors.Is(err, actionlog.ErrNotFound) || err == nil && m.Segment.Name != f.Name: // its sealing was interrupted
		case err != nil:
			return nil, err
		case m.Stream == p.Stream:
			own = append(own, m)
		default:
			others = append(others, m)
		}
	}
	return append(own, others...), nil
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
