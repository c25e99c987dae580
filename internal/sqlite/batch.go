package sqlite

import "actionlog"

// batchBytes is how much a batch of documents may hold.
const batchBytes = 8 << 20

// batch gathers actions and hands them on when they are most, or their documents batchBytes. Who takes them may not keep them.
type batch struct {
	most  int
	take  func(items []actionlog.Item) error
	items []actionlog.Item
	bytes int
}

func (b *batch) add(item actionlog.Item) error {
	b.items, b.bytes = append(b.items, item), b.bytes+len(item.Document)
	if len(b.items) < b.most && b.bytes < batchBytes {
		return nil
	}
	return b.flush()
}

// flush hands on what is left.
func (b *batch) flush() error {
	err := b.take(b.items)
	clear(b.items)
	b.items, b.bytes = b.items[:0], 0
	return err
}
