package search

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// normal writes parameters of filters in one way: lists cut, no empty or repeated values,
// what is wanted before what is excluded. They mean the same.
func normal(values url.Values) url.Values {
	out := url.Values{}
	for name, texts := range values {
		spec, isFilter := filters[name]
		if !isFilter {
			if all := split(texts, false); len(all) > 0 {
				out[name] = all
			}
			continue
		}
		var wanted, unwanted []string
		for _, text := range split(texts, spec.list) {
			text, not := signed(text)
			if name == plainWords {
				text = strings.Join(strings.Fields(text), " ")
			}
			into := &wanted
			if not {
				into = &unwanted
			}
			if text = signedText(text, not); !slices.Contains(*into, text) {
				*into = append(*into, text)
			}
		}
		if all := slices.Concat(wanted, unwanted); len(all) > 0 {
			out[name] = all
		}
	}
	return out
}

// render writes normal parameters as the text that q reads as the same.
func render(values url.Values) string {
	var parts []string
	for _, q := range qualifiers {
		switch {
		case q.name == plainWords:
		case isSetting(q.name):
			for _, v := range values[q.name] {
				parts = append(parts, q.short+":"+quote(v))
			}
		default:
			parts = append(parts, renderFilter(q, values[q.name])...)
		}
	}
	return strings.Join(append(parts, renderWords(values[plainWords])...), " ")
}

func renderFilter(q qualifier, values []string) (parts []string) {
	var wanted, unwanted []string
	odd := false // an exclusion that only the parameter's own sign can say
	for _, v := range values {
		text, not := signed(v)
		if !not {
			wanted = append(wanted, v)
			continue
		}
		odd = odd || strings.HasPrefix(text, `\-`)
		unwanted = append(unwanted, text)
	}
	if filters[q.name].list {
		wanted = joined(wanted)
	}
	for _, v := range wanted {
		parts = append(parts, q.short+":"+quote(v))
	}
	for i, text := range unwanted {
		unwanted[i] = signedText(text, false)
		if strings.HasPrefix(text, `\-`) {
			parts = append(parts, q.short+":"+quote("-"+text))
		} else if odd || !filters[q.name].list {
			parts = append(parts, "-"+q.short+":"+quote(unwanted[i]))
		}
	}
	if filters[q.name].list && !odd {
		for _, text := range joined(unwanted) {
			parts = append(parts, "-"+q.short+":"+quote(text))
		}
	}
	return parts
}

// joined puts values together with commas, but for those at whose end a comma would be
// one of theirs.
func joined(values []string) (texts []string) {
	for i, v := range values {
		if i > 0 && !strings.HasSuffix(values[i-1], `\`) {
			texts[len(texts)-1] += "," + v
		} else {
			texts = append(texts, v)
		}
	}
	return texts
}

// renderWords writes the values of any. One is plain words; alternatives need the
// qualifier.
func renderWords(values []string) (parts []string) {
	alternatives := 0
	for _, v := range values {
		if _, not := signed(v); !not {
			alternatives++
		}
	}
	var words []string
	for _, v := range values {
		text, not := signed(v)
		fields := strings.Fields(text)
		switch {
		case not && len(fields) == 1:
			parts = append(parts, "-"+plainWord(text))
		case not:
			parts = append(parts, "-"+inQuotes(text))
		case alternatives > 1:
			parts = append(parts, plainWords+":"+quote(v))
		default:
			for _, w := range fields {
				words = append(words, plainWord(w))
			}
		}
	}
	return append(parts, words...)
}

// plainWord writes a word so that it is read as one.
func plainWord(word string) string {
	text := []rune(word)
	switch {
	case strings.HasPrefix(word, `\-`), word[0] == '"', word[0] != '-' && nameAt(text) != "":
		return inQuotes(word)
	case word[0] == '-':
		return `\` + word
	}
	return word
}

// quote writes a value, in quotes where it needs them.
func quote(value string) string {
	if value == "" || value[0] == '"' || strings.ContainsFunc(value, unicode.IsSpace) {
		return inQuotes(value)
	}
	return value
}

func inQuotes(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
