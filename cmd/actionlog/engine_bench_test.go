package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/enginetest"
	"actionlog/internal/storetest"

	"golang.org/x/sync/errgroup"
)

// recorder is a proxy before an engine that keeps what was sent through it.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	bulks    [][]byte
	searches []recorded
}

type recorded struct {
	uri  string
	body []byte
}

func newRecorder(b *testing.B, engine string) *recorder {
	target, err := url.Parse(engine)
	if err != nil {
		b.Fatal(err)
	}
	r, proxy := &recorder{}, httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			b.Error(err)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		r.mu.Lock()
		switch {
		case strings.HasSuffix(req.URL.Path, "/_bulk") && bytes.HasPrefix(body, []byte(`{"create"`)):
			r.bulks = append(r.bulks, body)
		case strings.HasSuffix(req.URL.Path, "/_search"):
			r.searches = append(r.searches, recorded{req.URL.RequestURI(), body})
		}
		r.mu.Unlock()
		proxy.ServeHTTP(w, req)
	}))
	b.Cleanup(r.Close)
	return r
}

// BenchmarkOnOpenSearch compares the service with the engine itself, on one warm
// server: indexing with _bulk, a page with _search, an export with a scroll.
func BenchmarkOnOpenSearch(b *testing.B) {
	engine := enginetest.URL(b, enginetest.OpenSearch3)
	n := storetest.BenchActions(b, 100_000)
	r := newRecorder(b, engine)
	through := startService(b, "--engine", r.URL, "--engine-prefix", "bench0-")
	for i := range 3 { // warm: three times as many documents
		publishAll(b, through.publisher, renamed(benchItems(n, 85*24*time.Hour), i))
		through.settle(b)
		r.bulks = nil
	}
	b.Run("live", BenchmarkLive)
	b.Run("bulk", func(b *testing.B) { compareBulk(b, engine, r, n) })
	b.Run("page", func(b *testing.B) { through.comparePage(b, engine, r) })
	b.Run("export", func(b *testing.B) { through.compareExport(b, engine, r, 3*n) })
}

// renamed gives actions IDs that those of another round do not have.
func renamed(all []actionlog.Submission, round int) []actionlog.Submission {
	for i := range all {
		id := fmt.Sprintf("r%d-%d", round, i)
		all[i].Document = []byte(strings.Replace(string(all[i].Document), `"id":"`+all[i].ID+`"`, `"id":"`+id+`"`, 1))
		all[i].ID = id
		copy(all[i].Digest[:], fmt.Sprintf("%016d%016d", round, i))
	}
	return all
}

// compareBulk indexes the same actions through the service, from the first publish to
// the last searchable, and by sending the same bodies to the engine with the same
// mapping and as many at a time, three times each in turns. The ratio is that of the
// medians.
func compareBulk(b *testing.B, engine string, r *recorder, n int) {
	var service, raw []float64
	for i := range 3 {
		all := benchItems(n, time.Hour)
		r.bulks = nil
		// Once through the recorder, for the bodies.
		s := startService(b, "--engine", r.URL, "--engine-prefix", fmt.Sprintf("bench-a%d-", i))
		publishAll(b, s.publisher, all)
		s.settle(b)
		direct := startService(b, "--engine", engine, "--engine-prefix", fmt.Sprintf("bench-b%d-", i))
		start := time.Now()
		publishAll(b, direct.publisher, all)
		direct.settle(b)
		service = append(service, float64(n)/time.Since(start).Seconds())
		// The template of a service gives the index its mapping.
		startService(b, "--engine", engine, "--engine-prefix", fmt.Sprintf("bench-c%d-", i))
		from, to := fmt.Appendf(nil, `"bench-a%d-actions`, i), fmt.Appendf(nil, `"bench-c%d-actions`, i)
		var bodies [][]byte
		for _, body := range r.bulks {
			bodies = append(bodies, bytes.ReplaceAll(body, from, to))
		}
		raw = append(raw, float64(n)/rawBulk(b, engine, bodies, fmt.Sprintf("bench-c%d-actions-*", i)).Seconds())
	}
	slices.Sort(service)
	slices.Sort(raw)
	b.ReportMetric(service[1], "actions/s")
	b.ReportMetric(raw[1], "raw_bulk/s")
	b.ReportMetric(service[1]/raw[1], "of_raw")
	b.ReportMetric(0, "ns/op")
}

// rawBulk sends bodies, four at a time, and refreshes.
func rawBulk(b *testing.B, engine string, bodies [][]byte, indices string) time.Duration {
	start := time.Now()
	var group errgroup.Group
	group.SetLimit(4)
	for _, body := range bodies {
		group.Go(func() error {
			answer, err := post(engine+"/_bulk", body)
			if err == nil && bytes.Contains(answer, []byte(`"errors":true`)) {
				err = fmt.Errorf("errors: %.300s", answer)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	if _, err := post(engine+"/"+indices+"/_refresh", nil); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func post(url string, body []byte) ([]byte, error) {
	resp, err := http.Post(url, "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// comparePage asks for pages through the API, and the engine itself for the same.
func (s *service) comparePage(b *testing.B, engine string, r *recorder) {
	var api, raw []time.Duration
	for _, filter := range []string{"outcome=failure", "category=course", "response_code=4xx", "any=weekly", "ip=10.0.0.0/8", "actor_kind=user&channel=web"} {
		path := "/v1/institutions/invented/actions?from=now-92d&to=now&limit=50&" + filter
		r.searches = nil
		s.get(b, path, &listAnswer{})
		page := r.searches[slices.IndexFunc(r.searches, func(x recorded) bool { return bytes.Contains(x.body, []byte(`"sort"`)) })]
		for range 60 {
			start := time.Now()
			s.get(b, path+"&total=none", &listAnswer{})
			api = append(api, time.Since(start))
			start = time.Now()
			answer, err := http.Post(r.URL+page.uri, "application/json", bytes.NewReader(page.body))
			if err != nil {
				b.Fatal(err)
			}
			var decoded struct {
				Hits struct{ Hits []json.RawMessage }
			}
			if err := json.NewDecoder(answer.Body).Decode(&decoded); err != nil || len(decoded.Hits.Hits) == 0 {
				b.Fatalf("%d hits, %v", len(decoded.Hits.Hits), err)
			}
			answer.Body.Close()
			raw = append(raw, time.Since(start))
		}
	}
	slices.Sort(api)
	slices.Sort(raw)
	at := func(d []time.Duration) float64 { return float64(d[len(d)/2].Microseconds()) / 1000 }
	b.ReportMetric(at(api), "api_p50_ms")
	b.ReportMetric(at(raw), "raw_p50_ms")
	b.ReportMetric(at(api)-at(raw), "ms_over_raw")
	b.ReportMetric(0, "ns/op")
}

// compareExport exports everything through the API, and by scrolling through each day
// with the same body.
func (s *service) compareExport(b *testing.B, engine string, r *recorder, n int) {
	s.timeExport(b, n)
	var api, raw []float64
	for range 3 {
		r.searches = nil
		start := time.Now()
		if got := s.lines(b, http.DefaultClient, "/v1/institutions/invented/export?format=ndjson&from=now-92d&to=now"); got != n {
			b.Fatalf("%d of %d actions were exported", got, n)
		}
		api = append(api, float64(n)/time.Since(start).Seconds())
		var scrolls []recorded
		for _, x := range r.searches {
			if strings.Contains(x.uri, "scroll=") {
				scrolls = append(scrolls, x)
			}
		}
		start = time.Now()
		got := 0
		for _, x := range scrolls {
			got += rawScroll(b, r.URL, x)
		}
		if got != n {
			b.Fatalf("%d of %d by scrolls", got, n)
		}
		raw = append(raw, float64(n)/time.Since(start).Seconds())
	}
	slices.Sort(api)
	slices.Sort(raw)
	b.ReportMetric(api[1], "exported/s")
	b.ReportMetric(raw[1], "raw_scroll/s")
	b.ReportMetric(api[1]/raw[1], "of_raw")
}

// rawScroll reads all pages of a scroll and counts the hits.
func rawScroll(b *testing.B, engine string, x recorded) (hits int) {
	url, body := engine+x.uri, x.body
	for {
		answer, err := http.Post(url, "application/json", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		n := bytes.Count(text, []byte(`"_source":`))
		hits += n
		_, rest, _ := bytes.Cut(text, []byte(`"_scroll_id":"`))
		id, _, _ := bytes.Cut(rest, []byte(`"`))
		if n == 0 {
			req, err := http.NewRequest(http.MethodDelete, engine+"/_search/scroll", bytes.NewReader(fmt.Appendf(nil, `{"scroll_id":[%q]}`, id)))
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
			return hits
		}
		url, body = engine+"/_search/scroll", fmt.Appendf(nil, `{"scroll":"5m","scroll_id":%q}`, id)
	}
}
