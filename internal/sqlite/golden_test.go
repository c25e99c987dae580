package sqlite

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"actionlog"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// The words of an action, and what queries look for, as text: a change of either
// is a change of the files' format, and wants another daySchema.version.
// UPDATE_GOLDEN=1 writes testdata/words.txtar.
func TestWordGoldens(t *testing.T) {
	path := filepath.Join("testdata", "words.txtar")
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var item actionlog.Item
	queries := goldenQueries()
	for i, f := range archive.Files {
		var got string
		switch {
		case f.Name == "document":
			if item, err = actionlog.Parse(f.Data, nil); err != nil {
				t.Fatal(err)
			}
			continue
		case f.Name == "words":
			words := newTokens()
			words.of(&item)
			got = strings.ReplaceAll(strings.TrimSpace(string(words.text)), " ", "\n") + "\n"
		default:
			q, ok := queries[f.Name]
			if !ok {
				t.Fatalf("there is no query %s", f.Name)
			}
			delete(queries, f.Name)
			m := matcher{scope: scopeOf(q.Institution), query: q, codes: []int{200, 201, 404}, slots: 2}
			got, _ = m.expression()
			got += "\n"
		}
		if d := cmp.Diff(string(f.Data), got); d != "" && os.Getenv("UPDATE_GOLDEN") == "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, d)
		}
		archive.Files[i].Data = []byte(got)
	}
	for name := range queries {
		t.Errorf("there is no golden of %s", name)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func goldenQueries() map[string]actionlog.Query {
	one := func(f actionlog.Field, v ...actionlog.Value) actionlog.Query {
		return actionlog.Query{Institution: "uni", Clauses: []actionlog.Clause{{Field: f, Values: v}}}
	}
	not := one(actionlog.FieldOutcome, actionlog.Value{Text: "success"})
	not.Clauses[0].Not = true
	both := one(actionlog.FieldAny, actionlog.Value{Words: []string{"arts", "craft"}})
	both.Clauses = append(both.Clauses, not.Clauses[0], one(actionlog.FieldCode, actionlog.Value{Min: 200, Max: 299}, actionlog.Value{Min: 404, Max: 404}).Clauses[0])
	return map[string]actionlog.Query{
		"everything": {Institution: "uni"},
		"category":   one(actionlog.FieldCategory, actionlog.Value{Text: "course"}),
		"not":        not, "any, not, codes": both,
		"person by name":        one(actionlog.FieldPerson, actionlog.Value{Person: actionlog.PersonMatch{Words: []string{"melody", "wang"}}}),
		"person by e-mail":      one(actionlog.FieldActor, actionlog.Value{Person: actionlog.PersonMatch{Email: "m@x.example"}}),
		"beginning of an URL":   one(actionlog.FieldURL, actionlog.Value{Text: "/v2/us"}),
		"folder of an URL":      one(actionlog.FieldURL, actionlog.Value{Text: "/v2/"}),
		"address":               one(actionlog.FieldIP, actionlog.Value{Prefix: netip.MustParsePrefix("10.0.0.0/8")}),
		"course by key or name": one(actionlog.FieldCourse, actionlog.Value{Titled: actionlog.TitledMatch{Key: "id:c1"}}, actionlog.Value{Titled: actionlog.TitledMatch{Words: []string{"arts"}}}),
	}
}
