package segment

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Codec compresses. It may be used by many goroutines.
type Codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewCodec makes a codec, which holds some MiB.
func NewCodec() (*Codec, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(64<<20))
	return &Codec{e, d}, err
}

// How a small text is written: as it is, or as a zstd frame, whichever is shorter.
const (
	plain      = 0
	compressed = 1
)

// pack appends a text with one byte before it that says how it is written.
func (c *Codec) pack(dst, text []byte) []byte {
	start := len(dst)
	dst = append(dst, compressed)
	if len(text) > 64 {
		dst = c.encoder.EncodeAll(text, dst)
		if len(dst)-start <= len(text) {
			return dst
		}
	}
	dst = append(dst[:start], plain)
	return append(dst, text...)
}

// unpack reverses pack; what it returns may be a part of data or of buf.
func (c *Codec) unpack(data, buf []byte) ([]byte, error) {
	switch {
	case len(data) == 0:
		return nil, errMalformed
	case data[0] == plain:
		return data[1:], nil
	case data[0] != compressed:
		return nil, errMalformed
	}
	text, err := c.decoder.DecodeAll(data[1:], buf[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return text, nil
}
