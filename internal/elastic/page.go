package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

// searchWithin is how long the engine may take for a search, in its own words.
const searchWithin = "50s"

// answer is what a search answers, but for its hits, which are read one by one.
type answer struct {
	Scroll   string `json:"_scroll_id"`
	TimedOut bool   `json:"timed_out"`
	Shards   shards `json:"_shards"`
	Hits     struct {
		Total struct {
			Value    int64
			Relation string
		}
		Hits []hit
	}
	Aggregations map[string]json.RawMessage
}

type hit struct {
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
	SeqNo  int64           `json:"_seq_no"`
	Term   int64           `json:"_primary_term"`
}

// whole are the parameters of a search that is answered by all shards or not at
// all.
func whole(query url.Values) url.Values {
	q := url.Values{"allow_partial_search_results": {"false"}, "timeout": {searchWithin}}
	maps.Copy(q, query)
	return q
}

// search asks for an answer that is whole or an error.
func (c *client) search(ctx context.Context, indices string, query url.Values, body obj) (*answer, error) {
	var a answer
	err := patiently(ctx, func() error {
		a = answer{}
		if err := c.call(ctx, http.MethodPost, "/"+indices+"/_search", whole(query), body, &a); err != nil {
			return err
		}
		return a.Shards.whole()
	})
	if err != nil {
		return nil, err
	}
	return &a, a.err()
}

// patiently asks again what an engine has no shard or no room for just now: the
// shards of an index that was made this moment are not there yet, and those of one whose
// place another took are gone between the two steps of a search.
func patiently(ctx context.Context, ask func() error) error {
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err := ask()
		if pause > time.Second || !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func passing(err error) bool {
	var answer *answerError
	return hasStatus(err, http.StatusServiceUnavailable) || hasStatus(err, http.StatusTooManyRequests) ||
		errors.Is(err, errIncomplete) || errors.As(err, &answer) && answer.Type == "search_context_missing_exception"
}

func (a *answer) err() error {
	if a.TimedOut {
		return fmt.Errorf("engine: the search took longer than %s: %w", searchWithin, actionlog.ErrUnavailable)
	}
	return a.Shards.err()
}

// aggregation decodes an aggregation's answer. Where no index is there, there is no
// answer, which is that of an empty index.
func (a *answer) aggregation(name string, into any) error {
	raw := a.Aggregations[name]
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return unreadable(err)
	}
	return nil
}

// sorted is the order of lists: by time, and among equal times by id, which within
// an institution and a day is unique.
func sorted(order actionlog.Order) list {
	by := "desc"
	if order == actionlog.OldestFirst {
		by = "asc"
	}
	return list{obj{"occurred_at": by}, obj{"id": by}}
}

// place is where a record stands in the order.
type place struct {
	ms int64
	id string
}

func placeOf(r *actionlog.Record) place { return place{r.OccurredAt.UnixMilli(), r.ID} }

func (p place) mark() actionlog.Mark {
	return actionlog.Mark("e" + strconv.FormatInt(p.ms, 36) + "." + p.id)
}

func (p place) after() list { return list{p.ms, p.id} }

func parseMark(m actionlog.Mark) (p place, err error) {
	rest, ok := strings.CutPrefix(string(m), "e")
	ms, id, cut := strings.Cut(rest, ".")
	p.id = id
	if p.ms, err = strconv.ParseInt(ms, 36, 64); err != nil || !ok || !cut || !actionlog.IsActionID(id) {
		return p, actionlog.Invalidf("cursor", "is not a mark of this store")
	}
	return p, nil
}

// Page implements actionlog.Searcher.
func (s *Store) Page(ctx context.Context, q actionlog.Query, order actionlog.Order, after actionlog.Mark, limit int) (actionlog.Page, error) {
	if limit < 1 || limit > 1000 {
		return actionlog.Page{}, actionlog.Invalidf("limit", "is not 1 to 1000")
	}
	query, sc, err := s.plan(&q)
	if err != nil {
		return actionlog.Page{}, err
	}
	body := obj{"query": query, "sort": sorted(order), "size": limit + 1, "track_total_hits": false}
	if after != "" {
		from, err := parseMark(after)
		if err != nil {
			return actionlog.Page{}, err
		}
		body["search_after"] = from.after()
	}
	page := actionlog.Page{MissingDays: sc.missing}
	found, err := s.client.searchHits(ctx, sc.indices, sc.query, body)
	if err != nil {
		return actionlog.Page{}, s.judge(ctx, err)
	}
	defer found.close()
	for d := range found.hits {
		if len(page.Records) == limit { // one more than asked for
			page.Next = placeOf(&page.Records[limit-1]).mark()
			continue
		}
		page.Records = append(page.Records, d.record())
	}
	if err := found.err(); err != nil {
		return actionlog.Page{}, s.judge(ctx, err)
	}
	return page, nil
}

// judge looks at the days' state after a failure: the next answer names what is
// missing.
func (s *Store) judge(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e := s.readState(ctx); e != nil {
		return fmt.Errorf("%w (%w)", unavailable(err), e)
	}
	return unavailable(err)
}

// Get implements actionlog.Searcher.
func (s *Store) Get(ctx context.Context, institution, id string, day actionlog.Day) ([]actionlog.Record, error) {
	q := actionlog.Query{Institution: institution, Clauses: []actionlog.Clause{{Field: actionlog.FieldID, Values: []actionlog.Value{{Text: id}}}}, MissingDays: true}
	if !day.IsZero() {
		q.From, q.To, q.MissingDays = day.Start(), day.End(), false
	}
	page, err := s.Page(ctx, q, actionlog.NewestFirst, "", 1000)
	switch {
	case err != nil:
		return nil, err
	case len(page.Records) > 0:
		return page.Records, nil
	case len(page.MissingDays) > 0:
		return nil, fmt.Errorf("day %s cannot be asked: %w", page.MissingDays[0], actionlog.ErrUnavailable)
	}
	return nil, fmt.Errorf("action %s: %w", id, actionlog.ErrNotFound)
}
