package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"actionlog"
)

// formatVersion of manifests and segments.
const formatVersion = 1

// Head is the first line of a manifest: what is proven of a segment, and nothing of
// whose actions it holds.
type Head struct {
	Version  int    `json:"version"` // 1
	Archive  string `json:"archive"` // the archive's ID
	Number   uint64 `json:"number"`  // from 1, without gaps
	Previous string `json:"previous,omitempty"`
	Stream   string `json:"stream"` // incarnation
	First    uint64 `json:"first"`  // position: the one after the manifest before, of the same incarnation
	Last     uint64 `json:"last"`
	Count    uint64 `json:"count"` // of lines
	// Gaps are positions between First and Last that the stream did not hold any more
	// when the archive asked for them.
	Gaps          []Gap     `json:"gaps,omitempty"`
	Segment       Segment   `json:"segment"`
	Root          []byte    `json:"root"` // RFC 6962, over the lines in the order of the stream
	SealedAt      time.Time `json:"sealed_at"`
	DetailsSHA256 string    `json:"details_sha256"` // of the second line
}

// Gap is a range of positions, both included.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// Segment is the file of a manifest.
type Segment struct {
	Name     string `json:"name"` // "segments/…"
	Bytes    int64  `json:"bytes"`
	RawBytes int64  `json:"raw_bytes"` // without compression
	SHA256   string `json:"sha256"`
}

// Details is the second line of a manifest.
type Details struct {
	ReceivedFrom time.Time `json:"received_from"`
	ReceivedTo   time.Time `json:"received_to"`
	Frames       []Frame   `json:"frames"`
	Institutions []Tally   `json:"institutions"` // in ascending order of their IDs
	// Ends are the last archived positions of all incarnations so far.
	Ends map[string]uint64 `json:"ends"`
	// Log are the roots of the complete trees over the manifests before this one, the
	// largest first: what is needed to go on (a compact range).
	Log [][]byte `json:"log,omitempty"`
}

// Frame is a part of a segment that can be decompressed alone.
type Frame struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	Count  int    `json:"count"`
	From   string `json:"from"` // institution of its first line
	To     string `json:"to"`   // and of its last
}

// Tally is what a segment holds of an institution.
type Tally struct {
	ID    string `json:"id"` // "" where that is not known
	Count uint64 `json:"count"`
	Dead  uint64 `json:"dead,omitempty"` // lines that are no action
	Root  []byte `json:"root"`           // RFC 6962, over its lines without their positions
	Days  []Day  `json:"days,omitempty"` // ascending
}

// Day is what a segment holds of an institution's day.
type Day struct {
	Day       string `json:"day"`
	Count     uint64 `json:"count"`
	Positions string `json:"positions"` // PositionSum, in hex
	// Bytes of its lines without compression. 0: the manifest is of an earlier version of
	// this program, which did not count them.
	Bytes int64 `json:"bytes,omitempty"`
}

// PositionSum identifies a set of positions, each at most once in it: the exclusive or
// of the first 16 bytes of the SHA-256 of each as Position.String writes it.
type PositionSum [16]byte

// Add adds a position, or takes it out again.
func (s *PositionSum) Add(p actionlog.Position) {
	var b [64]byte
	sum := sha256.Sum256(strconv.AppendUint(append(append(b[:0], p.Stream...), '.'), p.Sequence, 10))
	for i := range s {
		s[i] ^= sum[i]
	}
}

// Join adds the positions of another set.
func (s *PositionSum) Join(o PositionSum) {
	for i := range s {
		s[i] ^= o[i]
	}
}

func (s PositionSum) String() string { return hex.EncodeToString(s[:]) }

// ParsePositionSum reads what String writes.
func ParsePositionSum(text string) (s PositionSum, err error) {
	if n, err := hex.Decode(s[:], []byte(text)); err != nil || n != len(s) || len(text) != 2*len(s) {
		return s, fmt.Errorf("%q is not a sum of positions", text)
	}
	return s, nil
}

// manifest is one as it was read.
type manifest struct {
	Head
	Details
	head []byte // its first line, without the break
}

// hash is what the next manifest calls Previous.
func (m *manifest) hash() string { return hexSHA256(m.head) }

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// encodeManifest makes the file of a manifest.
func encodeManifest(h *Head, d *Details) ([]byte, error) {
	details, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	h.DetailsSHA256 = hexSHA256(details)
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return append(append(append(head, '\n'), details...), '\n'), nil
}

var errManifest = errors.New("is not a manifest")

// decodeManifest reads the file of a manifest. Every byte of it is accounted for: the
// first line by the tree over the manifests, the second by its hash, the breaks here.
func decodeManifest(file []byte) (*manifest, error) {
	head, rest, ok := bytes.Cut(file, []byte("\n"))
	details, end, closed := bytes.Cut(rest, []byte("\n"))
	if !ok || !closed || len(end) > 0 {
		return nil, fmt.Errorf("%w: it is not two lines", errManifest)
	}
	m := &manifest{head: head}
	if err := json.Unmarshal(head, &m.Head); err != nil {
		return nil, fmt.Errorf("%w: %w", errManifest, err)
	}
	if m.Version > formatVersion {
		return m, fmt.Errorf("%w that this program can read: version %d, of a newer version of it, which knows %d", errManifest, m.Version, formatVersion)
	}
	if m.Version != formatVersion {
		return m, fmt.Errorf("%w that this program can read: version %d", errManifest, m.Version)
	}
	if m.Segment.Name != segmentName(&m.Head) || !isStream(m.Stream) || m.First == 0 || m.First > m.Last {
		return m, fmt.Errorf("%w: its segment is called %q", errManifest, m.Segment.Name)
	}
	if got := hexSHA256(details); got != m.DetailsSHA256 {
		return m, fmt.Errorf("%w: its second line hashes to %s, not to %s", errManifest, got, m.DetailsSHA256)
	}
	if err := json.Unmarshal(details, &m.Details); err != nil {
		return m, fmt.Errorf("%w: %w", errManifest, err)
	}
	return m, nil
}

// isStream tells whether s may be the name of an incarnation: it stands in file names.
func isStream(s string) bool {
	_, err := actionlog.ParsePosition(s + ".1")
	return err == nil
}

func manifestName(number uint64) string { return fmt.Sprintf("manifests/%012d.ndjson", number) }

// segmentName names a segment by its manifest, its positions and what it holds: tries to
// seal that were interrupted never meet.
func segmentName(h *Head) string {
	return fmt.Sprintf("%s%s-%020d-%020d-%.8s.ndjson.zst", segmentPrefix(h.Number), h.Stream, h.First, h.Last, h.Segment.SHA256)
}

func segmentPrefix(number uint64) string { return fmt.Sprintf("segments/%012d-", number) }

const (
	checkpointName = "checkpoint"
	keyName        = "key.pub"
	openName       = "open.ndjson"
)
