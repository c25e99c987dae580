package people

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"actionlog"
)

// shelf is a directory in memory.
type shelf struct {
	entries []actionlog.DirectoryEntry
	byWord  map[string][]int // entries
	byKey   map[string][]string
	lookups int
}

func newShelf() *shelf {
	return &shelf{byWord: map[string][]int{}, byKey: map[string][]string{}}
}

func (s *shelf) add(e actionlog.DirectoryEntry) {
	n := len(s.entries)
	s.entries = append(s.entries, e)
	for _, name := range e.Names {
		for _, w := range IndexWords(name) {
			if len(s.byWord[w]) == 0 {
				for _, k := range Neighbours(w) {
					s.byKey[k] = append(s.byKey[k], w)
				}
			}
			s.byWord[w] = append(s.byWord[w], n)
		}
	}
}

func (s *shelf) Vocabulary(_ context.Context, keys []string, limit int) (words []actionlog.DirectoryWord, more bool, err error) {
	seen := map[string]bool{}
	for _, k := range keys {
		for _, w := range s.byKey[k] {
			if !seen[w] {
				if len(words) == limit {
					return words, true, nil
				}
				seen[w] = true
				words = append(words, actionlog.DirectoryWord{Text: w, Uses: len(s.byWord[w])})
			}
		}
	}
	return words, false, nil
}

func (s *shelf) Lookup(_ context.Context, m actionlog.DirectoryMatch, limit int) (entries []actionlog.DirectoryEntry, more bool, err error) {
	s.lookups++
	groups := m.Groups
	for _, w := range m.Words {
		groups = append(groups, []string{w})
	}
	count := map[int]int{}
	for i, g := range groups {
		for _, w := range g {
			for _, n := range s.byWord[w] {
				if count[n] == i {
					count[n]++
				}
			}
		}
	}
	for n := len(s.entries) - 1; n >= 0; n-- {
		if count[n] == len(groups) {
			if len(entries) == limit {
				return entries, true, nil
			}
			entries = append(entries, s.entries[n])
		}
	}
	return entries, false, nil
}

func realFile(t testing.TB, name string, each func(map[string]any)) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		if os.Getenv("ACTIONLOG_REAL_INPUT") != "" {
			t.Fatal(err)
		}
		t.Skipf("the real input is not here: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		var m map[string]any
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		each(m)
	}
}

// Of people looked up by a misspelt name, the share that is among the first ten.
// The floors are the goals, but for febrl4 "all": through a store it is 0.87 and more
// (BenchmarkNames), here a hit or two less, because this shelf brings others first.
func TestRecall(t *testing.T) {
	floors := map[string]map[string]float64{
		"febrl4": {"all": 0.865, "edit1": 0.99, "edit2": 0.97, "swapped": 1},
		"febrl3": {"all": 0.91, "edit1": 0.99, "edit2": 0.97, "swapped": 1},
	}
	for _, name := range []string{"febrl4", "febrl3"} {
		s := newShelf()
		realFile(t, "names_"+name+"_actors.ndjson.gz", func(m map[string]any) {
			name, _ := m["name"].(string)
			s.add(actionlog.DirectoryEntry{Key: m["id"].(string), Names: []string{name}})
		})
		right, all := map[string]int{}, map[string]int{}
		realFile(t, "names_"+name+"_queries.ndjson.gz", func(m map[string]any) {
			kind := m["kind"].(string)
			found, _, err := Search(t.Context(), s, m["query"].(string), 10)
			if err != nil {
				t.Fatal(err)
			}
			all[kind]++
			all["all"]++
			ok := false
			for _, f := range found {
				ok = ok || f.Entry.Key == m["expected"]
			}
			if ok {
				right[kind]++
				right["all"]++
			} else if os.Getenv("MISSES") == kind {
				t.Logf("%q is %q; found %v", m["query"], m["expected_name"], names(found))
			}
		})
		for kind := range all {
			share := float64(right[kind]) / float64(all[kind])
			t.Logf("%s %s: %.4f of %d", name, kind, share, all[kind])
			if share < floors[name][kind] {
				t.Errorf("%s %s: %.4f, less than %.2f", name, kind, share, floors[name][kind])
			}
		}
		t.Logf("lookups a query %.1f", float64(s.lookups)/float64(all["all"]))
	}
}

func names(found []Match) (list []string) {
	for _, f := range found {
		list = append(list, f.Name)
	}
	return list
}

// Of the courses that a query with one misspelt word means, the share that is
// among the first ten.
func TestTitleRecall(t *testing.T) {
	s := newShelf()
	realFile(t, "courses_uiuc.ndjson.gz", func(m map[string]any) {
		s.add(actionlog.DirectoryEntry{Key: m["id"].(string), Names: []string{m["title"].(string)}})
	})
	sum, n := 0.0, 0
	realFile(t, "course_queries_misspelled.ndjson.gz", func(m map[string]any) {
		found, _, err := Search(t.Context(), s, m["query"].(string), 10)
		if err != nil {
			t.Fatal(err)
		}
		hit := 0
		want := m["expected"].([]any)
		for _, w := range want {
			for _, f := range found {
				if f.Entry.Key == w {
					hit++
				}
			}
		}
		n++
		r := float64(hit) / float64(min(len(want), 10))
		sum += r
		if r < 1 && os.Getenv("MISSES") == "titles" {
			t.Logf("%q, %v of %d; found %s", m["query"], m["correct"], len(want), strings.Join(names(found), "; "))
		}
	})
	if mean := sum / float64(n); mean < 0.985 {
		t.Errorf("titles: %.4f, less than 0.985", mean)
	}
}
