package people

import (
	"strings"

	"github.com/gosimple/unidecode"
)

// Latin returns text in lower-case ASCII letters, after folding: "Иван Петров" is
// "ivan petrov", "王小明" is "wang xiao ming", "Łódź" is "lodz". It is lossy, and
// blind to language (a Japanese name in Kanji is read as Chinese), so it serves
// to find names, never to tell that they are the same.
func Latin(text string) string {
	folded := Fold(text)
	if isASCII(folded) {
		return folded
	}
	return strings.ToLower(unidecode.Unidecode(folded))
}

// IndexWords returns the words under which a name or title can be found:
// its folded words; where letters are not Latin, the words of its
// transliteration; and for what an apostrophe or a hyphen parts ("O'Brien",
// "Ann-Marie") also the whole ("obrien", "annmarie"). Distinct, in no order.
func IndexWords(text string) []string {
	words := Words(text)
	words = append(words, Words(joinParted(text))...)
	if latin := Latin(text); !isASCII(Fold(text)) {
		words = append(words, Words(latin)...)
	}
	seen := make(map[string]bool, len(words))
	distinct := words[:0]
	for _, w := range words {
		if !seen[w] {
			seen[w] = true
			distinct = append(distinct, w)
		}
	}
	return distinct
}

// parting are the signs that part a word without ending it.
const parting = "'’‘ʼ`´-‐‑"

// joinParted removes apostrophes and hyphens between word characters.
func joinParted(text string) string {
	if !strings.ContainsAny(text, parting) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(parting, r) {
			return -1
		}
		return r
	}, text)
}
