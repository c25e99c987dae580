package search

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// What a query string means, as text: testdata/filters.txtar. A diff of that file
// tells what changed for a user. UPDATE_GOLDEN=1 writes it.
func TestFilterGoldens(t *testing.T) {
	path := filepath.Join("testdata", "filters.txtar")
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	store := storetest.NewModel()
	for _, doc := range []string{
		`{"id":"a","actor":{"kind":"user","id":"u1","name":"Melody Wang","email":"Melody@uni.example","external_id":"E1"},"course":{"id":"c1","title":"Arts and Craft"},`,
		`{"id":"b","actor":{"kind":"user","id":"u2","name":"Wang, Melody"},"class":{"id":"k1","title":"Late Arts"},`,
		`{"id":"c","actor":{"kind":"staff","id":"s1","name":"Robin Helper"},`,
	} {
		item, err := actionlog.Parse([]byte(doc+`"occurred_at":"2026-11-20T10:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"x"}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Write(t.Context(), []actionlog.Item{item}); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for i, f := range archive.Files {
		values, err := url.ParseQuery(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		r := reading{directory: store, institution: "uni", display: "OpenLearning System", now: now}
		got := ""
		if read, err := r.read(t.Context(), values); err != nil {
			got = "error " + err.Error() + "\n"
		} else {
			got = read.query.String() + "\n"
		}
		if d := cmp.Diff(string(f.Data), got); d != "" && os.Getenv("UPDATE_GOLDEN") == "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, d)
		}
		archive.Files[i].Data = []byte(got)
	}
	if len(archive.Files) < 40 {
		t.Errorf("only %d goldens", len(archive.Files))
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
