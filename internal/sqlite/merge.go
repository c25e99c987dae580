package sqlite

import "errors"

// The full-text table names grows by segments, each of which every look-up asks.
// SQLite merges some while it writes; mergeNames makes them one when many
// spellings have come, in small steps between which others write. See "merge" in
// https://sqlite.org/fts5.html.

const (
	// unknownMerge is directory.unmerged of a file that was just opened.
	unknownMerge = 1 << 30
	// mergeStep is how many pages are written in one step.
	mergeStep = 250
	// mergeShare is which part of all spellings must be new.
	mergeShare, mergeLeast = 8, 2000
)

// mergeNames merges the table names if that is worth it, until stop is closed.
func (d *directory) mergeNames(stop <-chan struct{}) error {
	begin := -mergeStep // all segments are to become one
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		more, err := d.mergeOnce(begin)
		if err != nil || !more {
			return err
		}
		begin = mergeStep
	}
}

func (d *directory) mergeOnce(pages int) (more bool, err error) {
	if err := d.begin(); err != nil {
		return false, err
	}
	defer d.write.Unlock()
	if pages < 0 {
		all, err := number(d.conn, "SELECT coalesce(max(no), 0) FROM spelling")
		if err != nil || d.unmerged < max(mergeLeast, int(all)/mergeShare) {
			return false, err
		}
	}
	before, err := number(d.conn, "SELECT total_changes()")
	if err != nil {
		return false, err
	}
	err = run(d.conn, "INSERT INTO names(names, rank) VALUES ('merge', ?)", pages)
	after, e := number(d.conn, "SELECT total_changes()")
	if err = errors.Join(err, e); err != nil {
		return false, err
	}
	if more = after-before >= 2; !more { // as the documentation tells: nothing was left to do
		d.unmerged = 0
	}
	return more, nil
}
