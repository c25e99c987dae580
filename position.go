package actionlog

import (
	"fmt"
	"strconv"
	"strings"
)

// String gives "incarnation.sequence", and "" for the zero Position.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return p.Stream + "." + strconv.FormatUint(p.Sequence, 10)
}

// ParsePosition reads what String wrote.
func ParsePosition(s string) (Position, error) {
	stream, seq, ok := strings.Cut(s, ".")
	n, err := strconv.ParseUint(seq, 10, 64)
	if !ok || !isStreamName(stream) || err != nil || n == 0 {
		return Position{}, fmt.Errorf("%q is not a position", s)
	}
	return Position{Stream: stream, Sequence: n}, nil
}

// isStreamName tells whether an incarnation's name is one: up to 32 lower-case
// letters and digits, none of which NATS reads as more than itself.
func isStreamName(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
