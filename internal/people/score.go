package people

import (
	"math"
	"slices"
)

const (
	// nickname is how near "bob" is to "robert".
	nickname = 0.92
	// begun is how near a word is to a beginning of it of three letters or more.
	begun = 0.86
	// initial is how near a word is to its first letter.
	initial = 0.75
	// unsaid is what a name loses when the half of it is not in the query.
	unsaid = 0.12
	// wordFloor is the similarity below which two words have nothing in common.
	wordFloor = 0.55
)

// word is a folded word, and what comparing it needs.
type word struct {
	text  string
	runes []rune
}

func wordsOf(texts []string) []word {
	list := make([]word, len(texts))
	for i, t := range texts {
		list[i] = word{t, []rune(t)}
	}
	return list
}

// similarity of two words: 1 is the same, 0 nothing in common.
func similarity(query, name word) float64 {
	if query.text == name.text {
		return 1
	}
	q, n := query.runes, name.runes
	best := 0.0
	if areNicknames(query.text, name.text) {
		best = nickname
	}
	switch {
	case len(q) == 1 && len(n) > 1 || len(n) == 1 && len(q) > 1:
		if q[0] == n[0] {
			best = max(best, initial)
		}
		return best
	case len(q) >= 3 && len(n) > len(q) && slices.Equal(q, n[:len(q)]):
		best = max(best, begun)
	}
	long := max(len(q), len(n))
	if d := long - min(len(q), len(n)); float64(d) > float64(long)*(1-wordFloor) {
		return best
	}
	s := 1 - float64(distance(q, n))/float64(long)
	if s < wordFloor {
		return best
	}
	// As Winkler does for Jaro's measure: who errs seldom errs at the beginning.
	same := 0
	for same < min(4, len(q), len(n)) && q[same] == n[same] {
		same++
	}
	return max(best, s+float64(same)*0.08*(1-s))
}

// Score says how near a name or title is to what was asked for: 1 is every word
// the same, in any order; 0 is nothing in common.
func Score(query, name string) float64 {
	q := newQuery(query)
	return q.score(name)
}

// query is a text that names are compared with.
type query struct {
	readings [][]word // the text in its own script, and transliterated
	whole    []word   // each reading without spaces
}

func newQuery(text string) *query {
	q := &query{}
	q.read(Words(text))
	if !isASCII(Fold(text)) {
		q.read(Words(Latin(text)))
	}
	return q
}

func (q *query) read(words []string) {
	if len(words) > 0 {
		q.readings = append(q.readings, wordsOf(words))
		q.whole = append(q.whole, wordsOf([]string{joined(words)})...)
	}
}

func joined(words []string) (s string) {
	for _, w := range words {
		s += w
	}
	return s
}

func (q *query) score(name string) float64 {
	n := newQuery(name)
	best := 0.0
	for i, asked := range q.readings {
		for j, said := range n.readings {
			best = max(best, assigned(asked, said))
			best = max(best, wholes(q.whole[i], n.whole[j]))
		}
	}
	return best
}

// maxWords bounds the words of either side that are compared.
const maxWords = 16

// assigned pairs each word of the query with one of the name, the most similar
// first, and weighs them by length.
func assigned(query, name []word) float64 {
	query, name = query[:min(len(query), maxWords)], name[:min(len(name), maxWords)]
	type pair struct {
		s    float64
		q, n int
	}
	var pairs []pair
	total, left := 0.0, 0.0
	for i, q := range query {
		total += weight(q)
		for j, n := range name {
			if s := similarity(q, n); s > 0 {
				pairs = append(pairs, pair{s, i, j})
			}
		}
	}
	all := 0.0
	for _, n := range name {
		all += weight(n)
	}
	left = all
	slices.SortStableFunc(pairs, func(a, b pair) int {
		switch {
		case a.s > b.s:
			return -1
		case a.s < b.s:
			return 1
		}
		return 0
	})
	var usedQ, usedN [maxWords]bool
	sum := 0.0
	for _, p := range pairs {
		if usedQ[p.q] || usedN[p.n] {
			continue
		}
		usedQ[p.q], usedN[p.n] = true, true
		sum += p.s * weight(query[p.q])
		left -= weight(name[p.n])
	}
	if total == 0 || all == 0 {
		return 0
	}
	return sum / total * (1 - unsaid*2*min(0.5, left/all))
}

// weight is how much a word says.
func weight(w word) float64 { return float64(min(len(w.runes), 8)) + 1 }

// wholes compares texts without their spaces, for words that were cut or joined
// by mistake.
func wholes(query, name word) float64 {
	q, n := query.runes, name.runes
	long := max(len(q), len(n))
	if long == 0 || long > 64 || float64(long-min(len(q), len(n))) > float64(long)*0.3 {
		return 0
	}
	s := 1 - float64(distance(q, n))/float64(long)
	if s < 0.7 {
		return 0
	}
	return s * 0.99
}

// everybody is the number of names that have a word which says nothing.
const everybody = 5000

// common says how much a name has in common with the text: for each word of the
// text the nearest of the name, counted for more the rarer it is. nearest says
// how near the directory's nearest word is to a word of the text: what is
// misspelt is compared with what it may at best be.
func (q *query) common(name string, uses map[string]int, nearest map[string]float64) (best float64) {
	n := newQuery(name)
	for _, asked := range q.readings {
		for _, said := range n.readings {
			sum := 0.0
			for _, a := range asked {
				most := 0.0
				for _, b := range said {
					s := similarity(a, b)
					if t := nearest[a.text]; t > wordFloor {
						s /= t
					}
					rare := 1 - math.Log(float64(max(1, uses[b.text])))/math.Log(everybody)
					most = max(most, s*s*s*s*max(0.1, rare))
				}
				sum += most
			}
			best = max(best, sum)
		}
	}
	return best
}
