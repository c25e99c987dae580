package people

import (
	"cmp"
	"context"
	"slices"
)

// readings lists the ways in which a text may be meant: its words as they stand,
// transliterated, with two neighbours joined ("mc carthy"), with a word cut in two
// ("annmarie"). Each is a group of words per word: those of the directory that
// are near it, the nearest first.
func (x *search) readings(ctx context.Context) (readings [][][]string, err error) {
	var texts [][]string
	for _, r := range x.query.readings {
		if words := asked(r); len(words) > 0 {
			texts = append(texts, words)
		}
	}
	known, err := x.vocabulary(ctx, texts)
	if err != nil {
		return nil, err
	}
	near := map[string][]string{}
	x.best = map[string]float64{}
	for _, words := range texts {
		for _, w := range words {
			if _, ok := near[w]; !ok {
				near[w], x.best[w] = nearest(w, known)
			}
		}
	}
	for _, words := range texts {
		readings = append(readings, groupsOf(words, near)...)
		readings = append(readings, cuts(words, near, known)...)
	}
	return readings, nil
}

// asked are the words of a reading that are looked for: the longest, without
// single letters, which say too little.
func asked(r []word) (words []string) {
	long := slices.Clone(r)
	slices.SortStableFunc(long, func(a, b word) int { return cmp.Compare(len(b.runes), len(a.runes)) })
	keep := map[string]bool{}
	for _, w := range long[:min(len(long), maxAsked)] {
		keep[w.text] = len(w.runes) > 1
	}
	for _, w := range r {
		if keep[w.text] {
			words = append(words, w.text)
			keep[w.text] = false
		}
	}
	return words
}

// vocabulary asks for the directory's words that share a key with one of the
// words, or are a part of one.
func (x *search) vocabulary(ctx context.Context, texts [][]string) ([]word, error) {
	seen := map[string]bool{}
	var keys []string
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for _, words := range texts {
		for _, w := range words {
			for _, k := range Neighbours(w) {
				add(k)
			}
			eachCut(w, func(a, b string) {
				add(clipRunes(a, keyRunes))
				add(clipRunes(b, keyRunes))
			})
		}
	}
	known, _, err := x.source.Vocabulary(ctx, keys, maxVocabulary)
	words := make([]word, len(known))
	x.uses = make(map[string]int, len(known))
	for i, k := range known {
		words[i] = word{k.Text, []rune(k.Text)}
		x.uses[k.Text] = k.Uses
	}
	return words, err
}

// nearest lists the words that may be meant by one, the nearest first.
func nearest(text string, known []word) (words []string, best float64) {
	type candidate struct {
		text string
		s    float64
	}
	var list []candidate
	w := word{text, []rune(text)}
	for _, k := range known {
		if s := similarity(w, k); s >= wordFloor {
			list = append(list, candidate{k.text, s})
		}
	}
	for _, n := range nicknamesOf(text) {
		list = append(list, candidate{n, similarity(w, word{n, []rune(n)})})
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.s, a.s), cmp.Compare(a.text, b.text))
	})
	if len(list) > 0 {
		best = list[0].s
	}
	for _, c := range list {
		if len(words) < maxGroup && !slices.Contains(words, c.text) {
			words = append(words, c.text)
		}
	}
	return words, best
}

// groupsOf is the reading of words as they stand; none if a word is near
// nothing and the others do not suffice.
func groupsOf(words []string, near map[string][]string) [][][]string {
	var groups [][]string
	for _, w := range words {
		if len(near[w]) > 0 {
			groups = append(groups, near[w])
		}
	}
	if len(groups) == 0 {
		return nil
	}
	return [][][]string{groups}
}

// cuts are readings in which one word is two of the directory.
func cuts(words []string, near map[string][]string, known []word) (readings [][][]string) {
	have := map[string]bool{}
	for _, k := range known {
		have[k.text] = true
	}
	for i, w := range words {
		eachCut(w, func(a, b string) {
			if !have[a] || !have[b] {
				return
			}
			groups := groupsOf(slices.Concat(words[:i], words[i+1:]), near)
			if len(groups) == 0 {
				groups = [][][]string{nil}
			}
			readings = append(readings, append(slices.Clone(groups[0]), []string{a}, []string{b}))
		})
	}
	return readings
}

// maxCut is the longest word that is cut in two, in runes.
const maxCut = 20

// eachCut yields the ways to cut a word into two of two letters or more.
func eachCut(w string, yield func(a, b string)) {
	r := []rune(w)
	for at := 2; at <= len(r)-2 && len(r) <= maxCut; at++ {
		yield(string(r[:at]), string(r[at:]))
	}
}

func clipRunes(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}
