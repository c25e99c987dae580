package actionlog_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"actionlog"
)

// Links between documents lead somewhere: to a file, and to a heading of it. Every document
// is in the index, docs/README.md.
func TestLinksOfDocuments(t *testing.T) {
	documents := []string{"README.md", "ARCHITECTURE.md", "CHANGELOG.md", filepath.Join("web", "README.md")}
	err := filepath.WalkDir("docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			documents = append(documents, path)
		}
		return err
	})
	if err != nil || len(documents) < 40 {
		t.Fatal(documents, err)
	}
	deploy, err := filepath.Glob(filepath.Join("deploy", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, deploy...)
	indexed := map[string]bool{}
	for _, path := range documents {
		for _, link := range linksOf(t, path) {
			target, anchor, _ := strings.Cut(link, "#")
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), filepath.FromSlash(target))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: a link to nothing: %s", path, link)
				continue
			}
			if anchor != "" && strings.HasSuffix(file, ".md") && !slices.Contains(anchorsOf(t, file), anchor) {
				t.Errorf("%s: a link to a heading that is not there: %s", path, link)
			}
			if path == filepath.Join("docs", "README.md") {
				indexed[file] = true
			}
		}
	}
	for _, path := range documents {
		if filepath.Dir(path) == "docs" && path != filepath.Join("docs", "README.md") && !indexed[path] {
			t.Errorf("%s is not in docs/README.md", path)
		}
	}
}

var (
	code     = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	notASlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// linksOf are a document's links within the repository.
func linksOf(t *testing.T, path string) (links []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
			links = append(links, m[1])
		}
	}
	return links
}

// anchorsOf are the names that headings have as targets of links.
func anchorsOf(t *testing.T, path string) (anchors []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```.*?```")
	for _, m := range heading.FindAllStringSubmatch(blocks.ReplaceAllString(string(text), ""), -1) {
		slug := strings.ReplaceAll(notASlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		for n, name := 0, slug; ; n++ {
			if !slices.Contains(anchors, name) {
				anchors = append(anchors, name)
				break
			}
			name = slug + "-" + string(rune('1'+n))
		}
	}
	return anchors
}

// What docs/recipes.md has people click is called so on the page, in its English, or is the
// name of an action.
func TestRecipesNameWhatIsOnThePage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("web", "src", "locale", "en.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labels map[string]string
	if err := json.Unmarshal(text, &labels); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, label := range labels {
		known[label] = true
	}
	for _, a := range actionlog.Catalogue() {
		known[a.Label] = true
	}
	recipes, err := os.ReadFile(filepath.Join("docs", "recipes.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for paragraph := range strings.SplitSeq(string(recipes), "\n\n") {
		_, clicks, ok := strings.Cut(paragraph, "n the page")
		if !ok || strings.HasPrefix(paragraph, "```") {
			continue
		}
		for _, m := range regexp.MustCompile(`\*([^*]+)\*`).FindAllStringSubmatch(clicks, -1) {
			seen++
			if !known[m[1]] {
				t.Errorf("nothing is called %q on the page", m[1])
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d things to click were found", seen)
	}
}
