package actionlog_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
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
