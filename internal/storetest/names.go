package storetest

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// namedPerson is a person of a file of names, or who is meant by a misspelt name.
type namedPerson struct {
	ID, Name, Email       string
	Query, Expected, Kind string
}

func namedPeople(b *testing.B, file string) []namedPerson { return lines[namedPerson](b, file) }

// lines reads a file of the real input.
func lines[T any](b *testing.B, file string) (list []T) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", file))
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var p T
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			b.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// fill gives each person one action.
func fill(b *testing.B, s actionlog.Store, list []namedPerson) {
	b.Helper()
	var actions []map[string]any
	for _, p := range list {
		actions = append(actions, map[string]any{"actor": map[string]any{"kind": "user", "id": p.ID, "name": p.Name}})
	}
	fillWith(b, s, actions)
}

// fillWith writes actions that have some members.
func fillWith(b *testing.B, s actionlog.Store, actions []map[string]any) {
	b.Helper()
	var batch []actionlog.Item
	for i, members := range actions {
		whole := map[string]any{"id": fmt.Sprint("a", i), "occurred_at": noon.Add(time.Duration(i) * time.Millisecond), "institution": map[string]any{"id": home},
			"category": "course", "action": map[string]any{"code": "x"}, "actor": map[string]any{"kind": "system"}}
		maps.Copy(whole, members)
		doc, err := json.Marshal(whole)
		if err != nil {
			b.Fatal(err)
		}
		item, err := actionlog.Parse(doc, nil)
		if err != nil {
			b.Fatal(err)
		}
		batch = append(batch, item)
	}
	if _, err := s.Write(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}

// homeSource is the directory of the institution of the cases, as package people asks
// it.
type homeSource struct {
	store actionlog.Store
	kind  actionlog.DirectoryKind
}

// Vocabulary implements people.Source.
func (s homeSource) Vocabulary(ctx context.Context, keys []string, limit int) ([]actionlog.DirectoryWord, bool, error) {
	return s.store.Vocabulary(ctx, home, s.kind, keys, limit)
}

// Lookup implements people.Source.
func (s homeSource) Lookup(ctx context.Context, m actionlog.DirectoryMatch, limit int) ([]actionlog.DirectoryEntry, bool, error) {
	return s.store.Lookup(ctx, home, s.kind, m, limit)
}

// BenchNames measures: of the people of ../shared/data, each with one action in the
// store, looked up by a misspelt name, the share that is among the first ten; and,
// of those who have no action, the share for which somebody else is called near.
// open returns an empty store. The file's folder is two levels above the package's.
func BenchNames(b *testing.B, open func(b *testing.B) actionlog.Store) {
	for _, set := range []string{"febrl4", "febrl3"} {
		b.Run(set, func(b *testing.B) {
			everybody, queries := namedPeople(b, "names_"+set+"_actors.ndjson.gz"), namedPeople(b, "names_"+set+"_queries.ndjson.gz")
			for b.Loop() {
				s := open(b)
				fill(b, s, everybody)
				report(b, s, queries)
				absent(b, open(b), everybody, queries)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchTitles measures: of the courses of ../shared/data, each with one action in the
// store, those that a title with one misspelt word means, the share that is among the
// first ten.
func BenchTitles(b *testing.B, open func(b *testing.B) actionlog.Store) {
	var actions []map[string]any
	for _, c := range lines[struct{ ID, Title string }](b, "courses_uiuc.ndjson.gz") {
		actions = append(actions, map[string]any{"course": map[string]any{"id": c.ID, "title": c.Title}})
	}
	queries := lines[struct {
		Query    string
		Expected []string
	}](b, "course_queries_misspelled.ndjson.gz")
	for b.Loop() {
		s := open(b)
		fillWith(b, s, actions)
		sum := 0.0
		for _, q := range queries {
			found, _, err := people.Search(b.Context(), homeSource{s, actionlog.DirectoryCourses}, q.Query, 10)
			if err != nil {
				b.Fatal(err)
			}
			hit := 0
			for _, m := range found {
				if slices.Contains(q.Expected, m.Entry.ID) {
					hit++
				}
			}
			sum += float64(hit) / float64(min(len(q.Expected), 10))
		}
		b.ReportMetric(sum/float64(len(queries)), "titles")
	}
	b.ReportMetric(0, "ns/op")
}

func report(b *testing.B, s actionlog.Store, queries []namedPerson) {
	right, all := map[string]float64{}, map[string]float64{}
	for _, q := range queries {
		found, _, err := people.Search(b.Context(), homeSource{s, actionlog.DirectoryPeople}, q.Query, 10)
		if err != nil {
			b.Fatal(err)
		}
		hit := 0.0
		for _, m := range found {
			if m.Entry.ID == q.Expected {
				hit = 1
				if m.Near {
					right["near"]++
				}
			}
		}
		all["near"]++
		for _, kind := range []string{q.Kind, "all"} {
			right[kind] += hit
			all[kind]++
		}
	}
	for kind := range all {
		b.ReportMetric(right[kind]/all[kind], kind)
	}
}

// absent takes every other person away, and looks for those by their right names
// and by their misspelt ones.
func absent(b *testing.B, s actionlog.Store, everybody, queries []namedPerson) {
	there := map[string]bool{}
	var half []namedPerson
	for i, p := range everybody {
		if i%2 == 0 {
			there[p.ID], half = true, append(half, p)
		}
	}
	fill(b, s, half)
	share := func(list []namedPerson, text func(namedPerson) (id, name string)) float64 {
		near, n := 0.0, 0.0
		for _, p := range list {
			id, name := text(p)
			if there[id] {
				continue
			}
			n++
			found, _, err := people.Search(b.Context(), homeSource{s, actionlog.DirectoryPeople}, name, 1)
			if err != nil {
				b.Fatal(err)
			}
			if len(found) > 0 && found[0].Near && !found[0].Exact {
				near++
			}
		}
		return near / n
	}
	b.ReportMetric(share(everybody, func(p namedPerson) (string, string) { return p.ID, p.Name }), "absent_near")
	b.ReportMetric(share(queries, func(p namedPerson) (string, string) { return p.Expected, p.Query }), "absent_misspelt_near")
}
