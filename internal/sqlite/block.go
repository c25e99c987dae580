package sqlite

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"zombiezen.com/go/sqlite"
)

// blockDocuments is how many documents of one write are compressed together:
// larger blocks are smaller on disk, and a list reads more than it shows.
const blockDocuments = 32

// codec compresses blocks. It may be used by many goroutines.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newCodec() (*codec, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(64<<20))
	return &codec{e, d}, err
}

// pack writes the number of documents, their lengths, and the documents.
func (c *codec) pack(documents [][]byte) []byte {
	plain := binary.AppendUvarint(nil, uint64(len(documents)))
	for _, d := range documents {
		plain = binary.AppendUvarint(plain, uint64(len(d)))
	}
	for _, d := range documents {
		plain = append(plain, d...)
	}
	return c.encoder.EncodeAll(plain, nil)
}

// unpack reverses pack; the documents share one buffer.
func (c *codec) unpack(data []byte) (documents [][]byte, err error) {
	plain, err := c.decoder.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBlock, err)
	}
	next := func() int {
		v, n := binary.Uvarint(plain)
		if n <= 0 {
			err = errBlock
			return 0
		}
		plain = plain[n:]
		return int(v)
	}
	lengths := make([]int, min(next(), 1<<16))
	for i := range lengths {
		lengths[i] = next()
	}
	for _, n := range lengths {
		if err != nil || n > len(plain) {
			return nil, errBlock
		}
		documents = append(documents, plain[:n:n])
		plain = plain[n:]
	}
	return documents, err
}

// errBlock is damage that SQLite cannot see.
var errBlock = fmt.Errorf("a block of documents is malformed")

// A reader keeps the blocks that it read last, up to so many and so many bytes:
// rows in the order of time go to and fro between the blocks of the writes that
// brought them.
const keptBlocks, keptBytes = 64, 8 << 20

// blocks reads documents of one day.
type blocks struct {
	codec *codec
	conn  *sqlite.Conn
	kept  map[int64]block
	order []int64
	size  int
}

type block struct {
	documents [][]byte
	size      int
}

func (b *blocks) document(no int64, slot int) ([]byte, error) {
	k, ok := b.kept[no]
	if !ok {
		documents, err := b.read(no)
		if err != nil {
			return nil, err
		}
		k = b.keep(no, documents)
	}
	if slot >= len(k.documents) {
		return nil, errBlock
	}
	return k.documents[slot], nil
}

func (b *blocks) keep(no int64, documents [][]byte) block {
	k := block{documents: documents}
	for _, d := range documents {
		k.size += len(d)
	}
	for len(b.order) > 0 && (len(b.order) >= keptBlocks || b.size+k.size > keptBytes) {
		b.size -= b.kept[b.order[0]].size
		delete(b.kept, b.order[0])
		b.order = b.order[1:]
	}
	b.kept[no], b.order, b.size = k, append(b.order, no), b.size+k.size
	return k
}

func (b *blocks) read(no int64) ([][]byte, error) {
	stmt, err := prepare(b.conn, "SELECT data FROM block WHERE no = ?", no)
	if err != nil {
		return nil, err
	}
	defer stmt.Reset()
	if found, err := stmt.Step(); err != nil || !found {
		if err == nil {
			err = errBlock
		}
		return nil, err
	}
	data := make([]byte, stmt.ColumnLen(0))
	stmt.ColumnBytes(0, data)
	return b.codec.unpack(data)
}
