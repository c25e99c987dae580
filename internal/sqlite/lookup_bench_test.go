package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/people"
	"actionlog/internal/storetest"
)

type institutionSource struct{ store *Store }

func (s institutionSource) Vocabulary(ctx context.Context, keys []string, limit int) ([]actionlog.DirectoryWord, bool, error) {
	return s.store.Vocabulary(ctx, "uni", actionlog.DirectoryPeople, keys, limit)
}

func (s institutionSource) Lookup(ctx context.Context, m actionlog.DirectoryMatch, limit int) ([]actionlog.DirectoryEntry, bool, error) {
	return s.store.Lookup(ctx, "uni", actionlog.DirectoryPeople, m, limit)
}

// inventName makes a name of syllables; one in five is a Smith.
func inventName(rng *rand.Rand) string {
	syllables := []string{"an", "bel", "chris", "da", "el", "fre", "gor", "ha", "i", "jo", "ka", "li", "ma", "na", "o", "pe", "qui", "ro", "sa", "ti", "u", "vi", "wen", "xa", "yo", "za"}
	word := func(n int) (s string) {
		for range n {
			s += syllables[rng.IntN(len(syllables))]
		}
		return s
	}
	if rng.IntN(5) == 0 {
		return word(2) + " smith"
	}
	return word(2) + " " + word(2+rng.IntN(2))
}

// BenchmarkLookup: who is meant by a misspelt name, among 200,000 people of one
// institution of whom 40,000 are called Smith; and what the directory costs when
// every action names somebody new.
func BenchmarkLookup(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	const count = 200_000
	names := make([]string, count)
	start := time.Now()
	var batch []actionlog.Item
	for i := range names {
		names[i] = inventName(rng)
		item, err := actionlog.Parse([]byte(fmt.Sprintf(`{"id":"a%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user","id":"u%d","name":%q}}`,
			i, noon.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i, names[i])), nil)
		if err != nil {
			b.Fatal(err)
		}
		if batch = append(batch, item); len(batch) == 4000 {
			if _, err := s.Write(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	b.ReportMetric(count/time.Since(start).Seconds(), "new_people/s")
	if err := s.people.mergeNames(nil); err != nil { // as the janitor does
		b.Fatal(err)
	}
	var delays []time.Duration
	for range 400 {
		name := []rune(names[rng.IntN(count)])
		at := rng.IntN(len(name) - 1)
		name[at], name[at+1] = name[at+1], name[at]
		start := time.Now()
		if _, _, err := people.Search(b.Context(), institutionSource{s}, string(name), 10); err != nil {
			b.Fatal(err)
		}
		delays = append(delays, time.Since(start))
	}
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1000, "p50_ms")
	b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds())/1000, "p99_ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNames: how many are found by a misspelt name.
func BenchmarkNames(b *testing.B) {
	storetest.BenchNames(b, func(b *testing.B) actionlog.Store {
		s, err := Open(b.Context(), b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s
	})
}

// BenchmarkDirectoryCost: which part of indexing (parsing and writing) is the
// directory's, for an institution of 5,000 people and 300 courses: 2,000 actions
// on each of 90 days, each of which names two people and a course.
func BenchmarkDirectoryCost(b *testing.B) {
	rng := rand.New(rand.NewPCG(2, 2))
	names := make([]string, 5000)
	for i := range names {
		names[i] = inventName(rng)
	}
	var documents [][]byte
	for i := range 180_000 {
		who, whom, course := rng.IntN(len(names)), rng.IntN(len(names)), rng.IntN(300)
		documents = append(documents, fmt.Appendf(nil, `{"id":"c%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"course.learner.added"},"actor":{"kind":"user","id":"u%d","name":%q,"email":"u%d@uni.example"},"targets":[{"kind":"learner","id":"u%d","name":%q}],"course":{"id":"c%d","title":"Course of %s"},"origin":{"channel":"web","ip":"10.0.%d.%d"}}`,
			i, noon.AddDate(0, 0, -i/2000).Add(time.Duration(i%2000)*time.Second).Format(time.RFC3339), who, names[who], who, whom, names[whom], course, names[course], who%250, whom%250))
	}
	for b.Loop() {
		s, err := Open(b.Context(), b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		alone, err := openDirectory(filepath.Join(b.TempDir(), directoryFile))
		if err != nil {
			b.Fatal(err)
		}
		var whole, learning time.Duration
		for batch := range slices.Chunk(documents, 4000) {
			start := time.Now()
			items := make([]actionlog.Item, len(batch))
			for i, d := range batch {
				if items[i], err = actionlog.Parse(d, nil); err != nil {
					b.Fatal(err)
				}
			}
			outcomes, err := s.Write(b.Context(), items)
			whole += time.Since(start)
			if err != nil {
				b.Fatal(err)
			}
			start = time.Now()
			if err := alone.learn(b.Context(), items, outcomes); err != nil {
				b.Fatal(err)
			}
			learning += time.Since(start)
		}
		b.ReportMetric(float64(len(documents))/whole.Seconds(), "actions/s")
		b.ReportMetric(learning.Seconds()/whole.Seconds(), "directory_share")
		_, _ = s.Close(), alone.close()
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTitles: how many courses are found by a misspelt title.
func BenchmarkTitles(b *testing.B) {
	storetest.BenchTitles(b, func(b *testing.B) actionlog.Store {
		s, err := Open(b.Context(), b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s
	})
}
