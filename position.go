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
	if !ok || stream == "" || err != nil {
		return Position{}, fmt.Errorf("%q is not a position", s)
	}
	return Position{Stream: stream, Sequence: n}, nil
}
