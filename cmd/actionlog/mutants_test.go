//go:build mutants

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"go/parser"
	gotoken "go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A place is where the product looks at an institution, and how the mutant does not. The
// mutated text stands in an overlay: the sources have no trace of it.
type place struct {
	name, file, old, new string
	times                int // how often old stands in the file; default once
}

// places: mutated(name) is true in the mutant of that name, unless(name, s) is "" in it,
// and mutatedSQL(name, sql) is the SQL without its condition on the institution.
var places = []place{
	{name: "may", file: "principal.go", old: `return institution != "" && (p.Has`, new: `return mutated("may") || institution != "" && (p.Has`},
	{name: "allowed", file: "principal.go", old: `g.has(r) && (institution == ""`, new: `g.has(r) && (mutated("allowed") || institution == ""`},
	{name: "lent", file: "principal.go", old: `r == RoleCompliance)`, new: `r == RoleCompliance || mutated("lent") && p.Has(RoleCompliance))`},
	{name: "subject", file: "stream.go", old: `if !ok || institution != item.Institution {`, new: `if !ok || !mutated("subject") && institution != item.Institution {`},
	{name: "sealed", file: "search/seal.go", old: `[]byte(purpose+"\x00"+institution)`, new: `[]byte(purpose+"\x00"+unless("sealed", institution))`, times: 2},
	{name: "positions", file: "search/seal.go", old: `sealed, err := s.seal("position", institution, []byte(p.String()))`, new: `sealed, err := s.seal("position", institution, []byte(p.String()))
	if mutated("positions") {
		return p.String()
	}`},
	{name: "own", file: "search/own.go", old: `if r.Institution == institution &&`, new: `if mutated("own") || r.Institution == institution &&`},
	{name: "ownDocument", file: "search/own.go", old: `&& names(r.Document, institution)`, new: `&& (mutated("ownDocument") || names(r.Document, institution))`},
	{name: "ingest", file: "search/ingest.go", old: `if item.Institution != in.institution {`, new: `if !mutated("ingest") && item.Institution != in.institution {`},
	{name: "homeOf", file: "search/witness.go", old: `institution = homeOf(principal(c))`, new: `institution = homeOf(principal(c))
		if mutated("homeOf") {
			institution = c.Param("institution")
		}`},
	{name: "rows", file: "internal/sqlite/view.go", old: `if f.institution, ok = f.Institution(q.Institution); ok {`, new: `if f.institution, ok = f.Institution(q.Institution); ok {
			if mutated("rows") {
				f.institution.Low, f.institution.High = 0, f.Rows
			}`},
	{name: "entries", file: "internal/sqlite/lookup.go", old: `return distinct(c, sql, args, limit)`, new: `return distinct(c, mutatedSQL("entries", sql), args, limit)`},
	{name: "words", file: "internal/sqlite/lookup.go", old: `prepare(c, "SELECT no, marks FROM word WHERE institution = ? AND kind = ? AND text = ?"`, new: `prepare(c, mutatedSQL("words", "SELECT no, marks FROM word WHERE institution = ? AND kind = ? AND text = ?")`},
	{name: "mentions", file: "internal/sqlite/mentions.go", old: `sqlitex.Execute(c, "SELECT r.days FROM entry e JOIN recent r ON r.entry = e.no WHERE e.institution = +? AND e.kind = +? AND e.key = +?"`, new: `sqlitex.Execute(c, mutatedSQL("mentions", "SELECT r.days FROM entry e JOIN recent r ON r.entry = e.no WHERE e.institution = +? AND e.kind = +? AND e.key = +?")`},
	{name: "near", file: "internal/sqlite/names.go", old: `[]byte(institution + "\x00" + string(kind) + "\x00" + key)`, new: `[]byte(unless("near", institution) + "\x00" + string(kind) + "\x00" + key)`},
	{name: "near", file: "internal/sqlite/lookup.go", old: `prepare(c, "SELECT w.no, w.text, w.uses FROM near n JOIN word w ON w.no = n.word WHERE n.key = +? AND w.institution = +? AND w.kind = +?")`, new: `prepare(c, mutatedSQL("near", "SELECT w.no, w.text, w.uses FROM near n JOIN word w ON w.no = n.word WHERE n.key = +? AND w.institution = +? AND w.kind = +?"))`},
	{name: "removed", file: "restore/remove.go", old: `case o.Institution != institution:`, new: `case !mutated("removed") && o.Institution != institution:`},
	{name: "listed", file: "restore/desk.go", old: `if institution != "" && !strings.HasPrefix(key, institution+"/") {`, new: `if !mutated("listed") && institution != "" && !strings.HasPrefix(key, institution+"/") {`},
	{name: "exports", file: "search/export_record.go", old: `if !strings.HasPrefix(key, institution+"/") {`, new: `if !mutated("exports") && !strings.HasPrefix(key, institution+"/") {`},
	{name: "contents", file: "search/export_content.go", old: `case !strings.HasPrefix(x.Content, s.Exports.service+x.Institution+"."):`, new: `case !mutated("contents") && !strings.HasPrefix(x.Content, s.Exports.service+x.Institution+"."):`},
	{name: "archived", file: "internal/archive/read.go", old: `institution != "" && h.institution != institution {`, new: `!mutated("archived") && institution != "" && h.institution != institution {`},
	{name: "filter", file: "internal/elastic/query.go", old: `filter := list{obj{"term": obj{"institution": q.Institution}}}`, new: `filter := list{obj{"term": obj{"institution": q.Institution}}}
	if mutated("filter") {
		filter = list{obj{"exists": obj{"field": "institution"}}}
	}`},
	{name: "kinds", file: "internal/elastic/lookup.go", old: `return list{obj{"term": obj{"institution": institution}}, obj`, new: `if mutated("kinds") {
		return list{obj{"term": obj{"kind": string(kind)}}}
	}
	return list{obj{"term": obj{"institution": institution}}, obj`},
}

// A mutant is one or more places, and the tests of which one must fail.
type mutant struct {
	places, pkg, tests string
}

const isolation, isolationOnEngine = "TestNonInterference$", "TestOnOpenSearch/isolation"

var mutants = []mutant{
	{"may", "search", "TestEveryRouteWithEveryRole"},
	{"may", "cmd/actionlog", "TestScope"},
	{"allowed", "search", "TestEveryRouteWithEveryRole"},
	{"lent", "search", "TestEveryRouteWithEveryRole"},
	{"subject", "indexer", "TestOutcomes$"},
	{"sealed", "search", "TestSeal"},
	{"sealed", "cmd/actionlog", "TestBadParameters"},
	{"positions", "search", "TestSeal"},
	{"own", "search", "TestForeignRecordsAreHeldBack"},
	{"ownDocument", "search", "TestForeignRecordsAreHeldBack"},
	{"ingest", "cmd/actionlog", "TestIngest"},
	{"homeOf", "search", "TestDenialsAreRecorded"},
	{"rows", "cmd/actionlog", isolation},             // counts, histograms, facets
	{"rows,ownDocument", "cmd/actionlog", isolation}, // and what is listed, where nobody looks at it on its way out
	{"entries", "cmd/actionlog", isolation},          // people by ID and e-mail address
	{"words", "cmd/actionlog", isolation},            // by name
	{"mentions", "cmd/actionlog", isolation},         // when somebody was seen last
	{"near,words", "cmd/actionlog", isolation},       // by near names; alone they lead to nobody
	{"removed", "restore", "TestRestores"},           // another's restore keeps a day, or goes with it
	{"listed", "restore", "TestRestoresOfAnother"},
	{"exports", "search", "TestExportJobsOfAnother"},
	{"exports", "cmd/actionlog", isolation},
	{"contents", "search", "TestExportJobsOfAnother"},
	{"archived", "internal/archive", "TestUsage|TestProof"}, // a block with lines of two institutions
	{"filter", "cmd/actionlog", "TestFiltersAsQueries"},
	{"filter", "cmd/actionlog", isolationOnEngine},
	{"kinds", "cmd/actionlog", isolationOnEngine},
}

// Every mutant that drops the institution somewhere is caught, and the product itself is
// not: the same binaries, with no mutant chosen, pass.
func TestMutantsAreCaught(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := writeOverlay(t, root)
	binaries, sound := map[string]string{}, map[string]bool{}
	for _, m := range mutants {
		if binaries[m.pkg] == "" {
			binaries[m.pkg] = buildTests(t, root, overlay, m.pkg)
		}
	}
	for _, m := range mutants {
		t.Run(m.places+"/"+m.pkg+"/"+m.tests, func(t *testing.T) {
			if m.tests == isolationOnEngine && os.Getenv("ACTIONLOG_TEST_OPENSEARCH_3") == "" {
				t.Skip("ACTIONLOG_TEST_OPENSEARCH_3 names no engine")
			}
			if key := m.pkg + " " + m.tests; !sound[key] {
				if out, failed := runTests(t, root, binaries[m.pkg], m, "none"); failed {
					t.Fatalf("it fails without any mutant:\n%.3000s", out)
				}
				sound[key] = true
			}
			out, failed := runTests(t, root, binaries[m.pkg], m, m.places)
			if !failed {
				t.Errorf("not caught:\n%.3000s", out)
			} else if !strings.Contains(out, "--- FAIL") {
				t.Errorf("it did not fail by a test:\n%.3000s", out)
			}
		})
	}
}

// writeOverlay writes the mutated sources, and what makes go take them for the others.
func writeOverlay(t *testing.T, root string) string {
	t.Helper()
	dir, replace, sources := t.TempDir(), map[string]string{}, map[string]string{}
	for _, p := range places {
		text := sources[p.file]
		if text == "" {
			raw, err := os.ReadFile(filepath.Join(root, p.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(raw)
		}
		if n := strings.Count(text, p.old); n != max(1, p.times) {
			t.Fatalf("%s stands %d times in %s: the mutant %s is out of date", p.old, n, p.file, p.name)
		}
		sources[p.file] = strings.ReplaceAll(text, p.old, p.new)
	}
	written := 0
	put := func(path, text string) {
		written++
		file := filepath.Join(dir, fmt.Sprintf("%d.go", written))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, path)] = file
	}
	for path, text := range sources {
		put(path, text)
		f, err := parser.ParseFile(gotoken.NewFileSet(), path, text, parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		put(filepath.Join(filepath.Dir(path), "zz_mutated.go"), strings.ReplaceAll(switches, "PACKAGE", f.Name.Name))
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// switches is a file that is added to each package with a place.
const switches = `package PACKAGE

import (
	"os"
	"slices"
	"strings"
)

func mutated(place string) bool {
	return slices.Contains(strings.Split(os.Getenv("ACTIONLOG_MUTANT"), ","), place)
}

func unless(place, s string) string {
	if mutated(place) {
		return ""
	}
	return s
}

// anyOf leaves the condition in the SQL, so that its arguments are bound, and makes it
// hold always.
func mutatedSQL(place, sql string) string {
	if !mutated(place) {
		return sql
	}
	return strings.NewReplacer("a.institution = (", "0 < (", "e.institution = +?", "+? <> ''", "w.institution = +?", "+? <> ''",
		"institution = ?1", "?1 <> ''", "institution = ?", "? <> ''").Replace(sql)
}

var _, _, _ = mutated, unless, mutatedSQL
`

// buildTests builds the tests of a package with the mutants in it.
func buildTests(t *testing.T, root, overlay, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "tests")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", out, "./"+pkg)
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", pkg, err, text)
	}
	return out
}

func runTests(t *testing.T, root, binary string, m mutant, places string) (out string, failed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, binary, "-test.run", m.tests, "-test.timeout", "9m")
	run.Dir = filepath.Join(root, m.pkg)
	cases := "1500"
	if m.tests == isolationOnEngine {
		cases = "2400"
	}
	run.Env = append(slices.Clone(os.Environ()), "ACTIONLOG_MUTANT="+places, "ACTIONLOG_CASES="+cases)
	text, err := run.CombinedOutput()
	return string(text), err != nil
}
