package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"
	"actionlog/internal/enginetest"
	"actionlog/internal/storetest"
)

// profiling has every search profiled by the engine, and counts the days whose documents were looked at.
type profiling struct {
	days, of int
}

func (p *profiling) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/_search") || req.Body == nil {
		return http.DefaultTransport.RoundTrip(req)
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, err
	}
	body["profile"] = json.RawMessage("true")
	if raw, err = json.Marshal(body); err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close(), p.count(answer)); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	return resp, nil
}

func (p *profiling) count(answer []byte) error {
	var said struct {
		Shards  struct{ Total int } `json:"_shards"`
		Profile struct {
			Shards []struct {
				Searches []struct {
					Query []struct {
						Breakdown map[string]json.Number
					}
				}
			}
		}
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return err
	}
	p.days, p.of = 0, said.Shards.Total
	for _, shard := range said.Profile.Shards {
		looked := false
		for _, search := range shard.Searches {
			for _, q := range search.Query {
				next, _ := q.Breakdown["next_doc_count"].Int64()
				score, _ := q.Breakdown["score_count"].Int64()
				looked = looked || next+score > 0
			}
		}
		if looked {
			p.days++
		}
	}
	return nil
}

// BenchmarkTouchedDays: of how many of 90 days the engine looks at documents for a page of 50 of all of them, as its own
// profile says: of an institution, and of one of its people.
func BenchmarkTouchedDays(b *testing.B) {
	p := &profiling{}
	s := openTest(b, enginetest.URL(b, enginetest.OpenSearch3), Options{transport: p})
	storetest.Load(b, s, demo.New(1, storetest.BenchActions(b, 50_000)).Actions(time.Now()))
	for name, clauses := range map[string][]actionlog.Clause{
		"institution": nil,
		"outcome":     {{Field: actionlog.FieldOutcome, Values: []actionlog.Value{{Text: "success"}}}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				page, err := s.Page(b.Context(), actionlog.Query{Institution: demo.Institution(), Clauses: clauses}, actionlog.NewestFirst, "", 50)
				if err != nil || len(page.Records) != 50 {
					b.Fatal(err, len(page.Records))
				}
			}
			b.ReportMetric(float64(p.days), "days_looked_at")
			b.ReportMetric(float64(p.of), "days")
		})
	}
}

// BenchmarkIndexSize: how many bytes an action takes in an index of Elasticsearch, and each field of it, as _disk_usage says,
// beside its stored source.
func BenchmarkIndexSize(b *testing.B) {
	address := enginetest.URL(b, enginetest.Elasticsearch8)
	s := openTest(b, address, Options{transport: http.DefaultTransport})
	n := storetest.Load(b, s, demo.New(1, storetest.BenchActions(b, 100_000)).Actions(time.Now()))
	usage := s.diskUsage(b, s.allDays())
	if len(usage) == 0 {
		b.Fatal("no index")
	}
	total, fields := 0, map[string]int{}
	for _, index := range usage {
		total += index.Size
		for name, f := range index.Fields {
			fields[name] += f.Total
		}
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int { return fields[y] - fields[x] })
	for _, name := range names {
		if of := float64(fields[name]) / float64(n); of >= 0.5 {
			b.Logf("%-24s %6.1f B/action", name, of)
		}
	}
	for b.Loop() {
		b.ReportMetric(float64(total)/float64(n), "B/action")
		b.ReportMetric(float64(fields["_source"])/float64(n), "source_B/action")
		b.ReportMetric(float64(total)/float64(fields["_source"]), "x_source")
	}
	b.ReportMetric(0, "ns/op")
}

// indexUsage is what _disk_usage says of an index:
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-disk-usage
type indexUsage struct {
	Size   int `json:"store_size_in_bytes"`
	Fields map[string]struct {
		Total int `json:"total_in_bytes"`
	}
}

// diskUsage merges indices to a segment each, as a day is once it is over, and asks what takes the room.
func (s *Store) diskUsage(b *testing.B, pattern string) map[string]indexUsage {
	b.Helper()
	if err := s.client.call(b.Context(), http.MethodPost, "/"+pattern+"/_forcemerge?max_num_segments=1&flush=true", nil, nil, nil); err != nil {
		b.Fatal(err)
	}
	said := map[string]json.RawMessage{}
	if err := s.client.call(b.Context(), http.MethodPost, "/"+pattern+"/_disk_usage?run_expensive_tasks=true", nil, nil, &said); err != nil {
		b.Fatal(err)
	}
	delete(said, "_shards")
	usage := map[string]indexUsage{}
	for name, raw := range said {
		var u indexUsage
		if err := json.Unmarshal(raw, &u); err != nil {
			b.Fatal(err)
		}
		usage[name] = u
	}
	return usage
}
