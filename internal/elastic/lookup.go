package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

func factOf(h *hit) (*fact, error) {
	var f fact
	if err := json.Unmarshal(h.Source, &f); err != nil {
		return nil, unreadable(err)
	}
	return &f, nil
}

// maxWindow is how many hits one request may ask for.
const maxWindow = 10_000

// Lookup implements actionlog.Directory.
func (s *Store) Lookup(ctx context.Context, institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch, limit int) (entries []actionlog.DirectoryEntry, more bool, err error) {
	if institution == "" {
		return nil, false, actionlog.Invalidf("institution", "is missing")
	}
	if limit < 1 {
		return nil, false, actionlog.Invalidf("limit", "is not positive")
	}
	limit = min(limit, maxWindow-1)
	conditions := matchConditions(institution, kind, m)
	if conditions == nil {
		return nil, false, nil
	}
	filter := append(ofKind(institution, kind), conditions...)
	a, err := s.client.search(ctx, s.directoryIndex(), nil, obj{"query": obj{"bool": obj{"filter": filter}}, "collapse": obj{"field": "entry"},
		"sort": list{obj{"at": "desc"}, obj{"entry": "asc"}}, "size": limit + 1, "track_total_hits": false, "_source": []string{"entry"}})
	if err != nil {
		return nil, false, unavailable(err)
	}
	var ids []string
	for i := range a.Hits.Hits {
		f, err := factOf(&a.Hits.Hits[i])
		if err != nil {
			return nil, false, err
		}
		ids = append(ids, f.Entry)
	}
	if more = len(ids) > limit; more {
		ids = ids[:limit]
	}
	if entries, err = s.directory.entries(ctx, ids); err != nil {
		return nil, false, err
	}
	return entries, more, nil
}

// ofKind is what all facts and words of an institution's people, courses or classes are.
func ofKind(institution string, kind actionlog.DirectoryKind) list {
	return list{obj{"term": obj{"institution": institution}}, obj{"term": obj{"kind": string(kind)}}}
}

// matchConditions are what a match asks of a fact; nil can match nothing.
func matchConditions(institution string, kind actionlog.DirectoryKind, m actionlog.DirectoryMatch) list {
	term := func(field, value string) list { return list{obj{"term": obj{field: value}}} }
	switch {
	case m.Key != "":
		return term("entry", entryID(institution, kind, m.Key))
	case m.ID != "":
		return term("id", exact(m.ID))
	case m.Email != "":
		return term("email", exact(m.Email))
	case m.Prefix != "":
		return list{obj{"prefix": obj{"email": beginning(m.Prefix)}}}
	case m.Domain != "":
		return term("domain", exact(m.Domain))
	}
	var every list
	for _, w := range m.Words {
		every = append(every, obj{"term": obj{"words": exact(w)}})
	}
	for _, g := range m.Groups {
		words := make([]string, len(g))
		for i, w := range g {
			words[i] = exact(w)
		}
		every = append(every, obj{"terms": obj{"index_words": words}})
	}
	return every
}

// gathered is an entry of which facts are being read.
type gathered struct {
	entry actionlog.DirectoryEntry
	there bool
	texts map[factType][]*fact
}

// entries reads whole entries; those seen last come first. One that went meanwhile
// is left out.
func (d *directory) entries(ctx context.Context, ids []string) (entries []actionlog.DirectoryEntry, err error) {
	all := map[string]*gathered{}
	for part := range slices.Chunk(ids, 500) {
		err := d.eachFact(ctx, obj{"terms": obj{"entry": part}}, func(f *fact, _ *hit) error {
			g := all[f.Entry]
			if g == nil {
				g = &gathered{texts: map[factType][]*fact{}}
				all[f.Entry] = g
			}
			if f.Type == factEntry {
				g.there = true
				g.entry.Key, g.entry.ID, g.entry.Staff, g.entry.LastSeen = f.RawKey, f.Text, f.Staff, time.UnixMilli(f.At).UTC()
			} else {
				g.texts[f.Type] = append(g.texts[f.Type], f)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, g := range all {
		if !g.there {
			continue
		}
		g.entry.Names, g.entry.Emails = newestFirst(g.texts[factName]), newestFirst(g.texts[factEmail])
		if external := newestFirst(g.texts[factExternal]); len(external) > 0 {
			g.entry.ExternalID = external[0]
		}
		entries = append(entries, g.entry)
	}
	slices.SortFunc(entries, func(a, b actionlog.DirectoryEntry) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(a.Key, b.Key))
	})
	return entries, nil
}

func newestFirst(facts []*fact) (texts []string) {
	slices.SortFunc(facts, func(a, b *fact) int {
		return cmp.Or(cmp.Compare(b.At, a.At), strings.Compare(textKey(a.Type, a.Text), textKey(b.Type, b.Text)))
	})
	for _, f := range facts {
		texts = append(texts, f.Text)
	}
	return texts
}

// Vocabulary implements actionlog.Directory. A word that no name has any more is
// left out.
func (s *Store) Vocabulary(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, limit int) (words []actionlog.DirectoryWord, more bool, err error) {
	if institution == "" {
		return nil, false, actionlog.Invalidf("institution", "is missing")
	}
	if limit < 1 {
		return nil, false, actionlog.Invalidf("limit", "is not positive")
	}
	if len(keys) == 0 {
		return nil, false, nil
	}
	limit = min(limit, maxWindow-1)
	near := make([]string, len(keys))
	for i, k := range keys {
		near[i] = exact(k)
	}
	scope := ofKind(institution, kind)
	a, err := s.client.search(ctx, s.wordsIndex(), nil, obj{"query": obj{"bool": obj{"filter": append(slices.Clone(scope), obj{"terms": obj{"near": near}})}},
		"size": limit + 1, "sort": list{"_doc"}, "track_total_hits": false, "_source": []string{"word", "raw"}})
	if err != nil {
		return nil, false, unavailable(err)
	}
	docs, terms := make([]wordDoc, len(a.Hits.Hits)), make([]string, len(a.Hits.Hits))
	for i, h := range a.Hits.Hits {
		if err := json.Unmarshal(h.Source, &docs[i]); err != nil {
			return nil, false, unreadable(err)
		}
		terms[i] = docs[i].Word
	}
	uses, err := s.directory.uses(ctx, scope, terms)
	if err != nil {
		return nil, false, err
	}
	for _, w := range docs {
		if n := uses[w.Word]; n > 0 {
			if len(words) == limit {
				return words, true, nil
			}
			words = append(words, actionlog.DirectoryWord{Text: w.Raw, Uses: n})
		}
	}
	return words, len(docs) > limit, nil
}

// uses counts the names that have each of some words.
func (d *directory) uses(ctx context.Context, scope list, words []string) (map[string]int, error) {
	uses := map[string]int{}
	for part := range slices.Chunk(words, 5000) {
		filter := append(slices.Clone(scope), obj{"terms": obj{"index_words": part}})
		a, err := d.store.client.search(ctx, d.store.directoryIndex(), nil, obj{"query": obj{"bool": obj{"filter": filter}}, "size": 0, "track_total_hits": false,
			"aggs": obj{"words": obj{"terms": obj{"field": "index_words", "include": part, "size": len(part), "shard_size": len(part)}}}})
		if err != nil {
			return nil, unavailable(err)
		}
		var answer struct {
			Buckets []struct {
				Key string
				N   int `json:"doc_count"`
			}
		}
		if err := a.aggregation("words", &answer); err != nil {
			return nil, err
		}
		for _, b := range answer.Buckets {
			uses[b.Key] = b.N
		}
	}
	return uses, nil
}

// maxAsked is how many entries one request counts the actions of.
const maxAsked = 100

// Mentions implements actionlog.Directory.
func (s *Store) Mentions(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, missingDays bool) ([]actionlog.Mentions, error) {
	mentions := make([]actionlog.Mentions, len(keys))
	for start := 0; start < len(keys); start += maxAsked {
		part := keys[start:min(start+maxAsked, len(keys))]
		if err := s.someMentions(ctx, institution, kind, part, mentions[start:], missingDays); err != nil {
			return nil, err
		}
	}
	return mentions, nil
}

func (s *Store) someMentions(ctx context.Context, institution string, kind actionlog.DirectoryKind, keys []string, into []actionlog.Mentions, missingDays bool) error {
	q := actionlog.Query{Institution: institution, Staff: actionlog.StaffShown, MissingDays: missingDays}
	every := actionlog.Clause{Field: mentionField(kind)}
	filters := obj{}
	for i, key := range keys {
		v := mentionValue(kind, key)
		every.Values = append(every.Values, v)
		b := builder{view: q.Staff}
		filters["k"+strconv.Itoa(i)] = b.clause(actionlog.Clause{Field: every.Field, Values: []actionlog.Value{v}})
	}
	q.Clauses = []actionlog.Clause{every}
	query, sc, err := s.plan(&q)
	if err != nil {
		return err
	}
	a, err := s.client.search(ctx, sc.indices, sc.query, obj{"query": query, "size": 0, "track_total_hits": false,
		"aggs": obj{"keys": obj{"filters": obj{"filters": filters}, "aggs": obj{"last": obj{"max": obj{"field": "occurred_at"}}}}}})
	if err != nil {
		return s.judge(ctx, err)
	}
	var answer struct {
		Buckets map[string]struct {
			N    int64                    `json:"doc_count"`
			Last struct{ Value *float64 } // milliseconds: exact as a float64 for 285,000 years
		}
	}
	if err := a.aggregation("keys", &answer); err != nil {
		return err
	}
	for i := range keys {
		b := answer.Buckets["k"+strconv.Itoa(i)]
		into[i] = actionlog.Mentions{Actions: b.N}
		if b.N > 0 && b.Last.Value != nil {
			into[i].Last = time.UnixMilli(int64(*b.Last.Value)).UTC()
		}
	}
	return nil
}

func mentionField(kind actionlog.DirectoryKind) actionlog.Field {
	switch kind {
	case actionlog.DirectoryCourses:
		return actionlog.FieldCourse
	case actionlog.DirectoryClasses:
		return actionlog.FieldClass
	}
	return actionlog.FieldPerson
}

func mentionValue(kind actionlog.DirectoryKind, key string) actionlog.Value {
	if kind == actionlog.DirectoryPeople {
		return actionlog.Value{Person: actionlog.PersonMatch{Key: key}}
	}
	return actionlog.Value{Titled: actionlog.TitledMatch{Key: key}}
}
