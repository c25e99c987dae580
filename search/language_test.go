package search

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sayers are functions that take a sentence's format, and which argument it is.
var sayers = map[string]int{"Invalidf": 1, "misreadAt": 2, "newProblem": 1, "tooMany": 2, "unauthorized": 1}

// sentences are all formats of sentences that the API says to people.
func sentences(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{aboutStaff: true, flooding: true}
	for _, q := range qualifiers {
		all[q.about] = true
	}
	for _, options := range offers {
		for _, o := range options {
			if _, err := strconv.Atoi(o.value); err != nil { // HTTP's own phrases are no language's
				all[o.about] = true
			}
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"../restore/*.go", "../webhooks/*.go", "../saved/*.go"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	for _, name := range append(files, "../query.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := sentence(n); ok {
				all[text] = true
			}
			return true
		})
	}
	maps.DeleteFunc(all, func(s string, _ bool) bool { // what holds nothing of its own
		return !regexp.MustCompile(`\pL`).MatchString(verbs.ReplaceAllString(s, ""))
	})
	return all
}

// sentence is the format that a node of the sources holds.
func sentence(n ast.Node) (string, bool) {
	var literal ast.Expr
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if i, ok := sayers[name]; ok && i < len(n.Args) {
			literal = n.Args[i]
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Format" {
			literal = n.Value
		}
	case *ast.ValueSpec: // const why = "…"
		if n.Names[0].Name == "why" && len(n.Values) == 1 {
			literal = n.Values[0]
		}
	}
	l, ok := literal.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

var verbs = regexp.MustCompile(`%(\[\d+\])?[a-z%]`)

// TestEverySentenceIsTranslated: whatever the API says to people is there in every
// language, with the same things in it.
func TestEverySentenceIsTranslated(t *testing.T) {
	all, err := readTongues()
	if err != nil {
		t.Fatal(err)
	}
	said := sentences(t)
	if len(said) < 100 {
		t.Fatalf("only %d sentences were found in the sources", len(said))
	}
	for i, l := range all.known {
		if l == nil {
			continue
		}
		for _, s := range slices.Sorted(maps.Keys(said)) {
			other, known := l.sentences[s]
			if !known {
				t.Errorf("%s lacks: %q", all.tags[i], s)
			} else if !cmp.Equal(wanted(s), wanted(other)) {
				t.Errorf("%s: %q holds other things than %q", all.tags[i], other, s)
			}
		}
		for s := range l.sentences {
			if !said[s] {
				t.Errorf("%s: nobody says %q", all.tags[i], s)
			}
		}
	}
}

// wanted are the verbs of a format in the order of their arguments.
func wanted(format string) []string {
	found := map[int]string{}
	next := 1
	for _, v := range verbs.FindAllString(format, -1) {
		if v == "%%" {
			continue
		}
		if strings.HasPrefix(v, "%[") {
			number, rest, _ := strings.Cut(v[2:], "]")
			next, _ = strconv.Atoi(number)
			v = "%" + rest
		}
		found[next] = v
		next++
	}
	var all []string
	for _, i := range slices.Sorted(maps.Keys(found)) {
		all = append(all, strconv.Itoa(i)+found[i])
	}
	return all
}

// TestAcceptLanguage: problems, and what is offered, are in the language that is asked for.
func TestAcceptLanguage(t *testing.T) {
	server, _ := newServer(t, 1)
	ask := func(path, accept string, into any) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/institutions/uni/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x")
		if accept != "" {
			req.Header.Set("Accept-Language", accept)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
		return resp
	}
	for _, x := range []struct{ accept, query, language, detail string }{
		{"", "outcom:failure", "en", `there is no filter "outcom"; did you mean "outcome"?`},
		{"de", "outcom:failure", "de", `einen Filter "outcom" gibt es nicht; ist "outcome" gemeint?`},
		{"de-AT,en;q=0.5", "code:x", "de", `code: "x" ist kein Code wie 200, 2xx oder 400-499`},
		{"fr, de;q=0.1", "code:x", "de", `code: "x" ist kein Code wie 200, 2xx oder 400-499`},
		{"ja", "code:x", "en", `code: "x" is not a code as 200, 2xx or 400-499`},
		{"de", `"!"`, "de", `"!" enthält keinen Buchstaben und keine Ziffer, nach denen gesucht werden könnte`},
	} {
		var p problem
		resp := ask("query?q="+url.QueryEscape(x.query), x.accept, &p)
		if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Content-Language") != x.language || resp.Header.Get("Vary") != "Accept-Language" {
			t.Errorf("%q: status %d, %v", x.accept, resp.StatusCode, resp.Header)
		}
		if p.Detail != x.detail {
			t.Errorf("%q: %s", x.accept, p.Detail)
		}
	}
	for accept, detail := range map[string]string{"en": "a person in any role: name, e-mail address or ID", "de": "jemand in irgendeiner Rolle: Name, E-Mail-Adresse oder ID"} {
		var answer struct{ Data []completion }
		ask("completions?q=use", accept, &answer)
		if len(answer.Data) == 0 || answer.Data[0].Detail != detail {
			t.Errorf("%s: %+v", accept, answer.Data)
		}
	}
}
