package people

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"actionlog"
)

// Source is one institution's directory of people, courses or classes, see
// actionlog.Directory.
type Source interface {
	Vocabulary(ctx context.Context, keys []string, limit int) (words []actionlog.DirectoryWord, more bool, err error)
	Lookup(ctx context.Context, m actionlog.DirectoryMatch, limit int) (entries []actionlog.DirectoryEntry, more bool, err error)
}

// Match is somebody or something that a text may mean.
type Match struct {
	Entry actionlog.DirectoryEntry
	Name  string  // the spelling that matched
	Score float64 // see Score
	Exact bool    // every word of the text is a word of the name
	Near  bool    // every word of the text is near one of the name; else there is a name in common

	common float64 // how much the words say that it has in common, see query.inCommon
}

// Near is how near the words of a text must be for a name that is not the same to
// be near, whatever else the name has. Below it, from a score of Partial on, it is
// offered last: somebody with one name in common.
const (
	Near    = 0.78
	Partial = 0.15
)

// nearWord is how near every word of a text must be to one of a name that is near.
const nearWord = 0.66

const (
	maxCandidates = 64   // entries that one question to the directory brings
	someOfMany    = 10   // of those, where a word alone would bring more
	maxVocabulary = 4000 // words that a text's keys bring
	maxGroup      = 12   // words that are tried in the place of one
	tightGroup    = 3    // of these, the nearest, which are tried too where all bring too many
	aloneGroup    = 4    // words that are tried alone, where all others are left out
	maxAsked      = 6    // words of a text that are looked for; the longest
)

// Search finds whom or what a text means, best first: those of whom every word
// is the same, in any order, then those whose name is near. It returns at most
// limit and whether there may be more.
func Search(ctx context.Context, s Source, text string, limit int) (found []Match, more bool, err error) {
	x := &search{source: s, query: newQuery(clipText(text)), seen: map[string]bool{}}
	x.query.join()
	words := Words(clipText(text))
	if len(words) == 0 {
		return nil, false, nil
	}
	if more, err = x.exact(ctx, words, max(limit, maxCandidates)); err == nil && !more {
		err = x.near(ctx, limit)
		more = len(x.found) > limit
	}
	if err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(x.found, func(a, b Match) int {
		if a.Exact != b.Exact {
			if a.Exact {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.rank(), a.rank()), b.Entry.LastSeen.Compare(a.Entry.LastSeen), strings.Compare(a.Entry.Key, b.Entry.Key))
	})
	return x.found[:min(limit, len(x.found))], more, nil
}

// rank orders those that are near by their score, before those with a name in
// common, of whom a rare name comes first.
func (m *Match) rank() float64 {
	if m.Near {
		return 1 + m.Score
	}
	return m.common/(1+m.common) + m.Score/1000
}

// maxText is how much of a text is looked at, in bytes.
const maxText = 400

func clipText(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// search is one Search in progress.
type search struct {
	source Source
	query  *query
	seen   map[string]bool    // entries by key
	uses   map[string]int     // how many names have a word
	best   map[string]float64 // how near the nearest word is to a word of the text
	found  []Match
}

func (x *search) exact(ctx context.Context, words []string, limit int) (more bool, err error) {
	entries, more, err := x.source.Lookup(ctx, actionlog.DirectoryMatch{Words: words}, limit)
	for _, e := range entries {
		x.seen[e.Key] = true
		x.found = append(x.found, x.judge(e, true))
	}
	return more, err
}

// judge scores an entry by its best spelling.
func (x *search) judge(e actionlog.DirectoryEntry, exact bool) Match {
	m := Match{Entry: e, Exact: exact}
	for _, name := range e.Names {
		if l := x.query.score(name); l.score > m.Score {
			m.Score, m.Name, m.Near = l.score, name, exact || l.near()
		}
	}
	return m
}

// near asks for names of which every word is near a word of the text; then, if
// that brought too little, of which all but one are.
func (x *search) near(ctx context.Context, limit int) error {
	readings, err := x.readings(ctx)
	if err != nil {
		return err
	}
	for _, r := range readings {
		if err := x.ask(ctx, r); err != nil {
			return err
		}
	}
	near := 0
	for i := range x.found {
		if x.found[i].Near {
			near++
		}
	}
	if near >= limit {
		return nil
	}
	for _, r := range readings {
		for i := range r {
			if len(r) < 2 {
				continue
			}
			if err := x.without(ctx, r, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// without asks for names that lack one word of a reading. Where one word is left,
// each word near it is asked for alone: how many have it says how rare it is.
func (x *search) without(ctx context.Context, r [][]string, i int) error {
	left := slices.Delete(slices.Clone(r), i, i+1)
	if len(left) > 1 {
		return x.ask(ctx, left)
	}
	for _, w := range left[0][:min(len(left[0]), aloneGroup)] {
		n := maxCandidates
		if x.uses[w] > n {
			n = someOfMany
		}
		if _, err := x.look(ctx, [][]string{{w}}, n); err != nil {
			return err
		}
	}
	return nil
}

// ask looks up names that have a word of every group; where there are too many,
// also those that have one of the nearest.
func (x *search) ask(ctx context.Context, groups [][]string) error {
	tight := make([][]string, len(groups))
	loose := false
	for i, g := range groups {
		tight[i] = g[:min(len(g), tightGroup)]
		loose = loose || len(g) > tightGroup
	}
	more, err := x.look(ctx, groups, maxCandidates)
	if err == nil && more && loose {
		_, err = x.look(ctx, tight, maxCandidates)
	}
	return err
}

func (x *search) look(ctx context.Context, groups [][]string, limit int) (more bool, err error) {
	entries, more, err := x.source.Lookup(ctx, actionlog.DirectoryMatch{Groups: groups}, limit)
	for _, e := range entries {
		if x.seen[e.Key] {
			continue
		}
		x.seen[e.Key] = true
		if m := x.judge(e, false); m.Score >= Partial {
			m.common = x.query.inCommon(m.Name, x.uses, x.best)
			x.found = append(x.found, m)
		}
	}
	return more, err
}
