package elastic

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"actionlog"
)

// Count implements actionlog.Searcher.
func (s *Store) Count(ctx context.Context, q actionlog.Query, max int64) (n int64, exact bool, err error) {
	query, sc, err := s.plan(&q)
	if err != nil {
		return 0, false, err
	}
	if max <= 0 || max >= math.MaxInt32 {
		n, err = s.count(ctx, sc, query, 0)
		return n, true, err
	}
	if n, err = s.count(ctx, sc, query, max+1); n > max {
		return max, false, err
	}
	return n, true, err
}

// count counts what a query finds; with a limit it may stop there.
func (s *Store) count(ctx context.Context, sc scope, query obj, limit int64) (int64, error) {
	body := obj{"query": query, "size": 0, "track_total_hits": true}
	if limit > 0 {
		body["track_total_hits"] = limit
	}
	a, err := s.client.search(ctx, sc.indices, sc.query, body)
	if err != nil {
		return 0, s.judge(ctx, err)
	}
	return a.Hits.Total.Value, nil
}

var splittableBy = map[actionlog.Field]string{actionlog.FieldCategory: "category", actionlog.FieldOutcome: "outcome",
	actionlog.FieldActorKind: "actor.kind", actionlog.FieldChannel: "origin.channel"}

// maxSplit is how many values of a field one request counts in an interval. Where
// there are more they are counted interval by interval.
const maxSplit = 100

// Histogram implements actionlog.Searcher.
func (s *Store) Histogram(ctx context.Context, q actionlog.Query, edges []time.Time, by actionlog.Field) ([]actionlog.Bucket, error) {
	if len(edges) < 2 || !slices.IsSortedFunc(edges, time.Time.Compare) {
		return nil, actionlog.Invalidf("edges", "are not two or more ascending times")
	}
	if by != "" && splittableBy[by] == "" {
		return nil, actionlog.Invalidf("by", "%q is not a field that a histogram can be split by", by)
	}
	query, sc, err := s.plan(&q)
	if err != nil {
		return nil, err
	}
	buckets := make([]actionlog.Bucket, len(edges)-1)
	for i := range buckets {
		buckets[i] = actionlog.Bucket{From: edges[i], To: edges[i+1]}
		if by != "" {
			buckets[i].By = map[string]int64{}
		}
	}
	// A request has as many intervals as the engine allows values.
	for part := range slices.Chunk(buckets, 400) {
		if err := s.histogram(ctx, sc, &q, query, part, by); err != nil {
			return nil, err
		}
	}
	return buckets, nil
}

// interval is a bucket of the engine's answer.
type interval struct {
	Key   string
	Count int64 `json:"doc_count"`
	By    struct {
		Error   int64 `json:"doc_count_error_upper_bound"`
		Other   int64 `json:"sum_other_doc_count"`
		Buckets []struct {
			Key   string
			Count int64 `json:"doc_count"`
		}
	}
}

func (s *Store) histogram(ctx context.Context, sc scope, q *actionlog.Query, query obj, buckets []actionlog.Bucket, by actionlog.Field) error {
	filters := obj{}
	for i, b := range buckets {
		filters["i"+strconv.Itoa(i)] = obj{"range": obj{"occurred_at": timeRange(b.From, b.To)}}
	}
	intervals := obj{"filters": obj{"filters": filters}}
	if by != "" {
		intervals["aggs"] = obj{"by": obj{"terms": obj{"field": splittableBy[by], "size": maxSplit, "shard_size": maxSplit}}}
	}
	a, err := s.client.search(ctx, sc.indices, sc.query, obj{"query": query, "size": 0, "track_total_hits": false, "aggs": obj{"intervals": intervals}})
	if err != nil {
		return s.judge(ctx, err)
	}
	var answer struct{ Buckets map[string]interval }
	if err := a.aggregation("intervals", &answer); err != nil {
		return err
	}
	for i := range buckets {
		b, found := &buckets[i], answer.Buckets["i"+strconv.Itoa(i)]
		b.Count = found.Count
		if by == "" {
			continue
		}
		if found.By.Error != 0 || found.By.Other != 0 {
			if err := s.splitExactly(ctx, q, b, by); err != nil {
				return err
			}
			continue
		}
		rest := found.Count
		for _, v := range found.By.Buckets {
			b.By[v.Key] = v.Count
			rest -= v.Count
		}
		if rest > 0 {
			b.By[""] = rest
		}
	}
	return s.originals(ctx, sc, query, buckets, by)
}

// splitExactly counts all values of a field in one interval, however many.
func (s *Store) splitExactly(ctx context.Context, q *actionlog.Query, b *actionlog.Bucket, by actionlog.Field) error {
	part := *q
	if part.From.Before(b.From) {
		part.From = b.From
	}
	if part.To.IsZero() || part.To.After(b.To) {
		part.To = b.To
	}
	b.Count, b.By = 0, map[string]int64{}
	return s.eachValue(ctx, &part, splittableBy[by], func(value string, n int64) {
		b.By[value] += n
		b.Count += n
	})
}

// originals puts the values themselves in the place of hashes.
func (s *Store) originals(ctx context.Context, sc scope, query obj, buckets []actionlog.Bucket, by actionlog.Field) error {
	for i := range buckets {
		for value, n := range buckets[i].By {
			if !isHash(value) {
				continue
			}
			action, err := s.example(ctx, sc, query, splittableBy[by], value)
			if err != nil {
				return err
			}
			delete(buckets[i].By, value)
			buckets[i].By[plainValue(action, by)] += n
		}
	}
	return nil
}
