package elastic

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"actionlog"
)

const (
	// scanPage is how many actions one request of an export asks for.
	scanPage = 1000
	// scrollFor is how long the engine keeps the view of a day between two requests.
	scrollFor = "5m"
	// fewAtOnce are so few that they are asked for at once, without a view of each day.
	fewAtOnce = 1000
)

// Scan implements actionlog.Scanner. It walks the days one by one, so that no more
// than one day's view (a scroll) is open, and closes it in any case (ADR 13).
func (s *Store) Scan(ctx context.Context, q actionlog.Query, order actionlog.Order) iter.Seq2[actionlog.Record, error] {
	return func(yield func(actionlog.Record, error) bool) {
		stopped := false
		err := s.scan(ctx, &q, order, func(d *stored) bool {
			stopped = ctx.Err() != nil || !yield(d.record(), nil)
			return !stopped
		})
		if stopped {
			err = ctx.Err()
		}
		if err != nil {
			yield(actionlog.Record{}, err)
		}
	}
}

func (s *Store) scan(ctx context.Context, q *actionlog.Query, order actionlog.Order, yield func(*stored) bool) error {
	query, sc, err := s.plan(q)
	if err != nil {
		return err
	}
	n, err := s.count(ctx, sc, query, fewAtOnce)
	if err != nil || n == 0 {
		return err
	}
	body := func() obj {
		return obj{"query": query, "sort": sorted(order), "size": scanPage}
	}
	if n < fewAtOnce {
		return s.scanFew(ctx, sc, body(), yield)
	}
	days, err := s.daysOf(ctx, q, sc.missing)
	if err != nil {
		return err
	}
	if order == actionlog.NewestFirst {
		slices.Reverse(days)
	}
	for _, d := range days {
		more, err := s.scanDay(ctx, scope{indices: s.dayIndex(d), query: sc.query}, body(), yield)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// scanFew hands on what one request finds. Should more have come meanwhile than
// one answer holds, the rest is asked for behind the last.
func (s *Store) scanFew(ctx context.Context, sc scope, body obj, yield func(*stored) bool) error {
	for {
		h, err := s.client.searchHits(ctx, sc.indices, sc.query, body)
		if err != nil {
			return s.judge(ctx, err)
		}
		var last place
		for d := range h.hits {
			last = place{d.OccurredAt.UnixMilli(), d.ID}
			if !yield(d) {
				h.close()
				return nil
			}
		}
		h.close()
		if err := h.err(); err != nil {
			return s.judge(ctx, err)
		}
		if h.n < scanPage {
			return nil
		}
		body["search_after"] = last.after()
	}
}

// daysOf lists the days that a query covers and that are there, oldest first.
func (s *Store) daysOf(ctx context.Context, q *actionlog.Query, but []actionlog.Day) (days []actionlog.Day, err error) {
	indices, err := s.listDays(ctx)
	if err != nil {
		return nil, err
	}
	for _, i := range indices {
		if d, ok := s.dayOf(i.Index); ok && covers(q, d) && !slices.Contains(but, d) {
			if i.Status == "close" { // since the state was read; a search would pass over it
				return nil, fmt.Errorf("day %s: its index is closed: %w", d, actionlog.ErrUnavailable)
			}
			days = append(days, d)
		}
	}
	slices.SortFunc(days, actionlog.Day.Compare)
	return days, nil
}

// scanDay hands on what a day has, from one view of it. While an answer is read the
// next is on its way.
func (s *Store) scanDay(ctx context.Context, sc scope, body obj, yield func(*stored) bool) (more bool, err error) {
	query := whole(sc.query)
	query.Set("scroll", scrollFor)
	body["track_total_hits"] = true
	h, err := s.client.openHits(ctx, "/"+sc.indices+"/_search", query, body)
	if err != nil {
		return false, s.judge(ctx, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var next chan opened
	total, n := h.total, 0
	defer func() {
		cancel()
		h.close()
		if next != nil {
			if o := <-next; o.hits != nil {
				o.hits.close()
			}
		}
		s.closeScroll(h.about.Scroll)
	}()
	for {
		next = s.nextOf(ctx, h.about.Scroll)
		for d := range h.hits {
			if !yield(d) {
				return false, nil
			}
		}
		if err := h.err(); err != nil {
			return false, s.judge(ctx, err)
		}
		if n += h.n; h.n == 0 {
			if total == nil || total.Relation != "eq" || total.Value != n {
				return false, fmt.Errorf("engine: a view of %s gave %d actions, and not all: %w", sc.indices, n, actionlog.ErrUnavailable)
			}
			return true, nil
		}
		o := <-next
		next = nil
		if o.err != nil {
			return false, s.judge(ctx, o.err)
		}
		h.close()
		if o.hits.about.Scroll == "" {
			o.hits.about.Scroll = h.about.Scroll
		}
		h = o.hits
	}
}

// opened is an answer that has begun.
type opened struct {
	hits *hits
	err  error
}

func (s *Store) nextOf(ctx context.Context, scroll string) chan opened {
	next := make(chan opened, 1)
	go func() {
		h, err := s.client.openOnce(ctx, scrollPath, nil, obj{"scroll": scrollFor, "scroll_id": scroll})
		if err != nil {
			h = nil
		}
		next <- opened{h, err}
	}()
	return next
}

// closeScroll gives the engine's view of a day back, also when who asked has left.
func (s *Store) closeScroll(id string) {
	if err := s.client.closeScroll(id); err != nil {
		s.log.Warn("a scroll was not closed; it ends by itself", "after", scrollFor, "error", err)
	}
}
