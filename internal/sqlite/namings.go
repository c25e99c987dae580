package sqlite

import (
	"actionlog"
	"actionlog/internal/people"
)

// naming is a fact: an item names somebody or something so.
type naming struct {
	people.Naming
	entryKey
	day actionlog.Day
	at  int64 // Unix milliseconds
}

// namings yields whom and what an item names.
func namings(item *actionlog.Item, yield func(*naming) error) error {
	n := naming{day: item.Day(), at: item.OccurredAt.UnixMilli()}
	return people.Namings(&item.Action, func(p *people.Naming) error {
		n.Naming, n.entryKey = *p, entryKey{item.Institution, p.Kind, p.Key}
		return yield(&n)
	})
}
