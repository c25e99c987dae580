package ecs

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

var page = filepath.Join("..", "..", "docs", "ecs.md")

// rowsOf are the cells of the tables of the page that have so many columns, without their
// heads.
func rowsOf(t testing.TB, columns int) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "|"), "|")[1:]
		if !strings.HasPrefix(line, "|") || len(cells) != columns || strings.Contains(line, "---") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		rows = append(rows, cells)
	}
	return rows[1:]
}

// ownFields are the types of the fields that are not the schema's, as the page has them.
func ownFields(t testing.TB) map[string]string {
	t.Helper()
	own := map[string]string{}
	for _, row := range rowsOf(t, 4) {
		if strings.HasPrefix(row[1], "actionlog.") {
			own[row[1]] = row[2]
		}
	}
	return own
}

// The page's table of fields has those that events have, with the types that the schema
// gives them.
func TestPageHasTheFields(t *testing.T) {
	schema, written, said := schemaFields(t), map[string]bool{}, map[string]bool{}
	for _, line := range goldenLines(t) {
		for _, l := range leavesOf("", decode(t, line)) {
			written[l.path] = true
		}
	}
	for _, row := range rowsOf(t, 4) {
		if said[row[1]] {
			t.Errorf("%s is there twice", row[1])
		}
		said[row[1]] = true
		if want := schema[row[1]].kind; want != row[2] && !strings.HasPrefix(row[1], "actionlog.") {
			t.Errorf("%s is %s, and not %s", row[1], want, row[2])
		}
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(written)), slices.Sorted(maps.Keys(said))); d != "" {
		t.Errorf("-written +said:\n%s", d)
	}
}

// The page's table of categories is that of the code, and has the whole catalogue.
// UPDATE_GOLDEN=1 writes it.
func TestPageHasTheCategories(t *testing.T) {
	var want []string
	for _, code := range slices.Sorted(maps.Keys(kinds)) {
		k := kindOf(&actionlog.Action{Code: code, Category: actionlog.CategoryInstitution})
		want = append(want, "| `"+code+"` | "+strings.Join(k.category, ", ")+" | "+strings.Join(k.types, ", ")+" |\n")
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| code | `event.category` | `event.type` |\n| --- | --- | --- |\n"
	before, got, ok := strings.Cut(string(text), head)
	if !ok {
		t.Fatal("the page has no table of categories")
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		got = strings.Join(want, "")
		if err := os.WriteFile(page, []byte(before+head+got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(strings.Join(want, ""), got); d != "" {
		t.Errorf("-code +page:\n%s", d)
	}
	for _, x := range actionlog.Catalogue() {
		if _, known := kinds[x.Code]; !known {
			t.Errorf("%s has no category", x.Code)
		}
	}
}

// What the tables do not have.
func TestKinds(t *testing.T) {
	code := func(n int) *int { return &n }
	for _, x := range []struct {
		of   actionlog.Action
		want string
	}{
		{actionlog.Action{Code: "institution.learner.suspended"}, "event / / info"},
		{actionlog.Action{Code: "institution.badge.created"}, "event / / creation"},
		{actionlog.Action{Code: "course.room.deleted"}, "event / / deletion"},
		{actionlog.Action{Code: "plain"}, "event / / info"},
		{actionlog.Action{Code: "institution.actionlog.webhook_dropped"}, "event / configuration / deletion"},
		{actionlog.Action{Code: "institution.restore.requested"}, "event / database / info"},
		{actionlog.Action{Code: alertFired}, "alert / / info"},
		{actionlog.Action{Code: "api.put:/x", Category: actionlog.CategoryAPI}, "event / api / change"},
		{actionlog.Action{Code: "odd", Category: actionlog.CategoryAPI, Request: actionlog.Request{Method: "DELETE"}, Response: code(403)}, "event / api / deletion denied"},
		{actionlog.Action{Code: "api.trace:/x", Category: actionlog.CategoryAPI, Response: code(200)}, "event / api / info"},
	} {
		k := kindOf(&x.of)
		if got := k.kind + " / " + strings.Join(k.category, " ") + " / " + strings.Join(k.types, " "); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(x.want), " ") {
			t.Errorf("%s: %s, and not %s", x.of.Code, got, x.want)
		}
	}
}
