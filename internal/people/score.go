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
	// joinedWord is how near every word must be where two were joined.
	joinedWord = 0.85
	// wordFloor is the similarity below which two words have nothing in common.
	wordFloor = 0.6
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
	return newQuery(query).score(name).score
}

// query is a text that names are compared with.
type query struct {
	readings [][]word // the text in its own script, and transliterated; then joined ones
	plain    int      // how many are not joined
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
	if len(words) == 0 {
		return
	}
	q.readings = append(q.readings, wordsOf(words))
	q.whole = append(q.whole, wordsOf([]string{joined(words)})...)
	q.plain++
}

// join adds readings in which two neighbours are one word ("mc carthy").
func (q *query) join() {
	for _, r := range q.readings {
		for i := 0; i+1 < min(len(r), maxAsked); i++ {
			joint := slices.Clone(r)
			text := r[i].text + r[i+1].text
			joint[i] = word{text, []rune(text)}
			q.readings = append(q.readings, slices.Delete(joint, i+1, i+2))
			q.whole = append(q.whole, word{})
		}
	}
}

func joined(words []string) (s string) {
	for _, w := range words {
		s += w
	}
	return s
}

// likeness is how near a name is to a text.
type likeness struct {
	score float64 // see Score
	said  float64 // the same, whatever else the name has
	least float64 // how near the word of the text is that is least near
}

// near tells whether every word of the text is near one of the name.
func (l likeness) near() bool { return l.said >= Near && l.least >= nearWord }

// score is how near a name is.
func (q *query) score(name string) (best likeness) {
	n := newQuery(name)
	if len(n.readings) > 1 {
		n.join() // what was one word in another script: "xiao ming" is "xiaoming"
	}
	for i, asked := range q.readings {
		for j, said := range n.readings {
			l := assigned(asked, said)
			if (i >= q.plain || j >= n.plain) && l.least < joinedWord {
				continue // words that were joined must have been meant so
			}
			if l.score > best.score {
				best = l
			}
			if s := wholes(q.whole[i], n.whole[j]); s > best.score {
				best = likeness{s, s, s}
			}
		}
	}
	return best
}

// maxWords bounds the words of either side that are compared.
const maxWords = 16

// assigned pairs each word of the query with one of the name, the most similar
// first, and weighs them by length.
func assigned(query, name []word) likeness {
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
	sum, matched := 0.0, 0
	least := 1.0
	for _, p := range pairs {
		if usedQ[p.q] || usedN[p.n] {
			continue
		}
		usedQ[p.q], usedN[p.n] = true, true
		sum += p.s * weight(query[p.q])
		matched, least = matched+1, min(least, p.s)
		left -= weight(name[p.n])
	}
	if total == 0 || all == 0 {
		return likeness{}
	}
	if matched < len(query) {
		least = 0
	}
	said := sum / total
	return likeness{said * (1 - unsaid*2*min(0.5, left/all)), said, least}
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

// What decides among those with one name in common. Chosen on the febrl files,
// see TestRecall.
const (
	sharp    = 36  // how much less a word counts that is not the nearest: its relative similarity to this power
	common   = 0.6 // how much less a word counts that many have: their number to this power
	lastName = 1.6 // how much more the last word of a name counts
	misspelt = 1.2 // how much more a word counts that is nobody's, but near somebody's: it was mistyped, not mixed up
	unknown  = 0.4 // how much a word counts that is near nobody's
	closeBy  = 0.75
)

// inCommon says how much a name has in common with the text: for each word of
// the text the nearest of the name. uses says how many have a word; nearest how
// near the directory's nearest word is to a word of the text.
func (q *query) inCommon(name string, uses map[string]int, nearest map[string]float64) (best float64) {
	n := newQuery(name)
	for _, asked := range q.readings {
		for _, said := range n.readings {
			sum := 0.0
			for _, a := range asked {
				most := 0.0
				for i, b := range said {
					v := relative(similarity(a, b), nearest[a.text]) / math.Pow(float64(max(1, uses[b.text])), common)
					if i == len(said)-1 {
						v *= lastName
					}
					most = max(most, v)
				}
				sum += most
			}
			best = max(best, sum)
		}
	}
	return best
}

// relative weighs a similarity by how near any word is.
func relative(s, nearest float64) float64 {
	weight := 1.0
	switch {
	case nearest < closeBy:
		weight = unknown
	case nearest < 1:
		weight = misspelt
	}
	if nearest > wordFloor {
		s /= nearest
	}
	return weight * math.Pow(s, sharp)
}
