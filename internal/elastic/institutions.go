package elastic

import (
	"context"
	"encoding/json"

	"actionlog"
)

// Institutions lists the institutions that kept actions name, each with the newest
// name that it was given.
func (s *Store) Institutions(ctx context.Context) (all []actionlog.Institution, err error) {
	composite := obj{"size": 1000, "sources": list{obj{"value": obj{"terms": obj{"field": "institution"}}}}}
	newest := obj{"newest": obj{"top_hits": obj{"size": 1, "sort": sorted(actionlog.NewestFirst), "_source": []string{"institution_name"}}}}
	for {
		a, err := s.client.search(ctx, s.allDays(), lenient(), obj{"size": 0, "track_total_hits": false,
			"aggs": obj{"values": obj{"composite": composite, "aggs": newest}}})
		if err != nil {
			return nil, s.judge(ctx, err)
		}
		var answer struct {
			After   json.RawMessage `json:"after_key"`
			Buckets []struct {
				Key    struct{ Value string }
				Newest struct{ Hits struct{ Hits []hit } }
			}
		}
		if err := a.aggregation("values", &answer); err != nil {
			return nil, err
		}
		for _, b := range answer.Buckets {
			i := actionlog.Institution{ID: b.Key.Value}
			if len(b.Newest.Hits.Hits) > 0 {
				i.Name = member(b.Newest.Hits.Hits[0].Source, "institution_name")
			}
			all = append(all, i)
		}
		if len(answer.Buckets) < 1000 || answer.After == nil {
			return all, nil
		}
		composite["after"] = answer.After
	}
}
