package archive

import "actionlog"

// tellGap says which positions nobody can archive any more, once.
func (a *Archiver) tellGap(stream string, first, last uint64) {
	to := actionlog.Position{Stream: stream, Sequence: last}
	if to == a.gap {
		return
	}
	a.gap = to
	if first == 1 {
		a.Log.Warn("archive: what the stream held earlier is archived under another incarnation, or is not", "stream", stream, "from", last+1)
		return
	}
	a.Log.Error("archive: the stream does not hold these positions any more; the archive has a gap", "stream", stream, "first", first, "last", last)
}

// behindGap is the position that comes next, behind a gap at which the archive ends: nothing
// more is waited for before it.
func (a *Archiver) behindGap(stream string, next uint64) uint64 {
	if a.gap.Stream == stream {
		return max(next, a.gap.Sequence+1)
	}
	return next
}
