package elastic

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/enginetest"
	"actionlog/internal/storetest"
)

var stores atomic.Int64

// openTest opens an empty store, whose indices go at the end of the test.
func openTest(t testing.TB, address string, o Options) *Store {
	t.Helper()
	if o.transport == nil {
		o.transport = validating{t, schemas(t), http.DefaultTransport}
	}
	o.Addresses, o.Prefix, o.RefreshEvery = []string{address}, fmt.Sprintf("t%d-%d-", os.Getpid(), stores.Add(1)), time.Millisecond
	s, err := Open(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		removeAll(t, s)
	})
	return s
}

func removeAll(t testing.TB, s *Store) {
	t.Helper()
	ctx := context.Background()
	var infos []indexInfo
	if err := s.client.call(ctx, http.MethodGet, "/_cat/indices/"+s.prefix+"*?format=json&h=index&expand_wildcards=all", nil, nil, &infos); err != nil {
		t.Error(err)
	}
	var names []string
	for _, i := range infos {
		names = append(names, i.Index)
	}
	if len(names) > 0 {
		if err := s.client.call(ctx, http.MethodDelete, "/"+strings.Join(names, ","), nil, nil, nil); err != nil {
			t.Error(err)
		}
	}
	if err := s.client.call(ctx, http.MethodDelete, "/_index_template/"+s.prefix+"actionlog-actions", nil, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestMain(m *testing.M) { enginetest.Main(m) }

// The contract of a store, on real engines; with ACTIONLOG_LONG of more programs.
func TestStore(t *testing.T) {
	seeds := map[enginetest.Release]string{enginetest.OpenSearch3: "1-24", enginetest.OpenSearch2: "61-70", enginetest.Elasticsearch8: "81-90"}
	if os.Getenv("ACTIONLOG_LONG") != "" {
		seeds = map[enginetest.Release]string{enginetest.OpenSearch3: "1-60", enginetest.OpenSearch2: "61-80", enginetest.Elasticsearch8: "81-100"}
	}
	for _, r := range enginetest.Releases {
		t.Run(string(r), func(t *testing.T) {
			open := func(t *testing.T) actionlog.Store { return openTest(t, enginetest.URL(t, r), Options{}) }
			storetest.Cases(t, open)
			t.Run("programs", func(t *testing.T) { storetest.Programs(t, seeds[r], open) })
		})
	}
}

// BenchmarkNamesOnOpenSearch: how many are found by a misspelt name.
func BenchmarkNamesOnOpenSearch(b *testing.B) {
	storetest.BenchNames(b, func(b *testing.B) actionlog.Store {
		return openTest(b, enginetest.URL(b, enginetest.OpenSearch3), Options{transport: http.DefaultTransport})
	})
}

// BenchmarkTitlesOnOpenSearch: how many courses are found by a misspelt title.
func BenchmarkTitlesOnOpenSearch(b *testing.B) {
	storetest.BenchTitles(b, func(b *testing.B) actionlog.Store {
		return openTest(b, enginetest.URL(b, enginetest.OpenSearch3), Options{transport: http.DefaultTransport})
	})
}
