package sqlite

import (
	"context"

	"actionlog"
	"actionlog/internal/segment"
)

// Institutions lists the institutions that kept actions name; ErrUnavailable while a day cannot be read: there may be others.
func (s *Store) Institutions(ctx context.Context) (list []actionlog.Institution, err error) {
	if _, missing, err := s.within(&actionlog.Query{}); err != nil {
		return nil, damageError(missing[0])
	}
	names := map[string]segment.Label{}
	for _, d := range s.allDays() {
		err := s.read(ctx, d, func(v *view) error {
			for _, h := range v.segments {
				r := v.reader(h)
				for i := range r.All() {
					names[i.ID] = segment.Later(names[i.ID], i.Label)
				}
				if err := r.Err(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for id, name := range names {
		list = append(list, actionlog.Institution{ID: id, Name: name.Text})
	}
	return list, nil
}
