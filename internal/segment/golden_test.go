package segment

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"actionlog"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// The words of an action, and what queries look for, as text: a change of either
// is a change of the format, and wants another Version.
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
			seen := map[string]bool{}
			w := newWords(Key{})
			w.list = func(word string) {
				if !seen[word] {
					got += word + "\n"
				}
				seen[word] = true
			}
			w.of(&item)
			for column := range numColumns {
				if key := appendColumnKey(nil, &item, column); len(key) > 0 {
					got += fmt.Sprintf("column %d: %q %+v\n", column, key, labelOf(&item, column))
				}
			}
		default:
			q, ok := queries[f.Name]
			if !ok {
				t.Fatalf("there is no query %s", f.Name)
			}
			delete(queries, f.Name)
			compiled := Compile(&q)
			for _, c := range compiled.all {
				got += c.describe() + "\n"
			}
			for _, c := range compiled.not {
				got += "not " + c.describe() + "\n"
			}
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

// describe is a condition as text; of names that of an action with two targets.
func (c *condition) describe() string {
	var all []string
	for _, x := range c.all {
		all = append(all, x.describe())
	}
	switch c.op {
	case opWord:
		return "word " + strconv.Quote(c.text)
	case opID:
		return "id " + strconv.Quote(c.text)
	case opBegins:
		return "begins " + strconv.Quote(c.tag+" "+c.text)
	case opValues:
		return fmt.Sprintf("column %d from %q to before %q", c.column, c.low, c.high)
	case opName:
		var names []*condition
		for slot := range c.slots(2) {
			names = append(names, c.name(slot))
		}
		return group(opOr, names).describe()
	case opAnd:
		return "(" + strings.Join(all, " and ") + ")"
	case opOr:
		return "(" + strings.Join(all, " or ") + ")"
	}
	return "(" + strings.Join(all, " but not ") + ")"
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
