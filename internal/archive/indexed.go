package archive

import (
	"context"

	"actionlog"
)

// indexed tells which positions of an institution's day the store holds, without asking it for each: of a window of the stream
// at a time, in which it remembers all. Who asks in the order of the archive needs few windows.
type indexed struct {
	keeper      actionlog.Keeper
	day         actionlog.Day
	institution string

	stream string
	from   uint64
	bits   []uint64 // of indexedWindow sequences; nil: of none
}

// indexedWindow is how many sequences are remembered at a time: 8 MiB.
const indexedWindow = 1 << 26

// has tells whether the store holds a position.
func (x *indexed) has(ctx context.Context, p actionlog.Position) (bool, error) {
	if x.bits == nil || p.Stream != x.stream || p.Sequence/indexedWindow != x.from/indexedWindow {
		if err := x.read(ctx, p); err != nil {
			return false, err
		}
	}
	at := p.Sequence - x.from
	return x.bits[at/64]&(1<<(at%64)) != 0, nil
}

// read remembers the window of a position.
func (x *indexed) read(ctx context.Context, p actionlog.Position) error {
	x.stream, x.from = p.Stream, p.Sequence/indexedWindow*indexedWindow
	if x.bits == nil {
		x.bits = make([]uint64, indexedWindow/64)
	}
	clear(x.bits)
	for there, err := range x.keeper.Positions(ctx, x.day) {
		if err != nil {
			x.bits = nil
			return err
		}
		if q := there.Position; there.Institution == x.institution && q.Stream == x.stream && q.Sequence >= x.from && q.Sequence-x.from < indexedWindow {
			x.bits[(q.Sequence-x.from)/64] |= 1 << ((q.Sequence - x.from) % 64)
		}
	}
	return nil
}
