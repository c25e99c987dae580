package elastic

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"

	"actionlog"
)

// Days implements actionlog.Keeper. A day without actions, made ahead, is none.
func (s *Store) Days(ctx context.Context) ([]actionlog.DayInfo, error) {
	indices, err := s.listDays(ctx)
	if err != nil {
		return nil, err
	}
	var infos []actionlog.DayInfo
	for _, i := range indices {
		d, ok := s.dayOf(i.Index)
		if !ok {
			continue
		}
		info := actionlog.DayInfo{Day: d}
		if why := damage(i); why != "" {
			info.Damage = "the index " + why
		} else {
			info.Actions, _ = strconv.ParseInt(i.Docs, 10, 64)
			info.Bytes, _ = strconv.ParseInt(i.Bytes, 10, 64)
			if info.Actions == 0 {
				continue
			}
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b actionlog.DayInfo) int { return a.Day.Compare(b.Day) })
	return infos, nil
}

// Held lists the days before a day that have actions or cannot be asked, oldest first.
func (s *Store) Held(ctx context.Context, before actionlog.Day) (days []actionlog.Day, err error) {
	all, err := s.Days(ctx)
	for _, d := range all {
		if d.Day.Before(before) {
			days = append(days, d.Day)
		}
	}
	return days, err
}

// Listed lists the days before a day that have an index, oldest first.
func (s *Store) Listed(ctx context.Context, before actionlog.Day) (days []actionlog.Day, err error) {
	all, err := s.listDays(ctx)
	for _, i := range all {
		if d, ok := s.dayOf(i.Index); ok && d.Before(before) {
			days = append(days, d)
		}
	}
	slices.SortFunc(days, actionlog.Day.Compare)
	return days, err
}

// indicesOf lists what is a day's index: none or one.
func (s *Store) indicesOf(ctx context.Context, d actionlog.Day) ([]indexInfo, error) {
	indices, err := s.listDays(ctx)
	return slices.DeleteFunc(indices, func(i indexInfo) bool {
		of, ok := s.dayOf(i.Index)
		return !ok || of != d
	}), err
}

// Drop implements actionlog.Keeper.
func (s *Store) Drop(ctx context.Context, d actionlog.Day) error {
	s.forgetKnown(d)
	there, err := s.indicesOf(ctx, d)
	for _, i := range there {
		err = s.client.call(ctx, http.MethodDelete, "/"+i.Index, nil, nil, nil)
		if hasStatus(err, http.StatusNotFound) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("drop %s: %w", d, unavailable(err))
	}
	if err := s.directory.forget(ctx, d, ""); err != nil {
		return fmt.Errorf("drop %s: directory: %w", d, err)
	}
	return nil
}

// Positions implements actionlog.Keeper.
func (s *Store) Positions(ctx context.Context, d actionlog.Day) iter.Seq2[actionlog.Placed, error] {
	return func(yield func(actionlog.Placed, error) bool) {
		there, err := s.indicesOf(ctx, d)
		if err != nil {
			yield(actionlog.Placed{}, err)
			return
		}
		if len(there) == 0 {
			return
		}
		body := obj{"query": obj{"match_all": obj{}}, "sort": list{"_doc"}, "size": scanPage, "_source": []string{"institution", "position"}}
		_, err = s.scanDay(ctx, scope{indices: s.dayIndex(d)}, body, func(d *stored) bool {
			return yield(actionlog.Placed{Institution: d.Institution, Position: actionlog.Position{Stream: d.Position.Stream, Sequence: d.Position.Sequence}}, nil)
		})
		if err != nil {
			yield(actionlog.Placed{}, err)
		}
	}
}
