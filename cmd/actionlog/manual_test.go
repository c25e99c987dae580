package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// docs/cli.md is what the program says of itself, and has every command.
func TestManualInMarkdown(t *testing.T) {
	want := manualText(t, "man", "--markdown")
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/cli.md is not what the program says of itself: make docs, and look at the difference")
	}
	for path := range examples {
		if !strings.Contains(want, "\n## actionlog "+path+"\n") {
			t.Errorf("%s is not in it", path)
		}
	}
}

func manualText(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), args, strings.NewReader(""), &out, &errs); status != statusDone {
		t.Fatal(args, errs.String())
	}
	return out.String()
}

// Every command has its page, which mandoc finds nothing wrong with; the same day makes the
// same pages.
func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1780000000")
	one, two := t.TempDir(), filepath.Join(t.TempDir(), "made", "for", "it")
	manualText(t, "man", one)
	manualText(t, "man", two)
	pages, err := filepath.Glob(filepath.Join(one, "*.1"))
	if err != nil || len(pages) < 20 {
		t.Fatal(pages, err)
	}
	var all strings.Builder
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		if again, err := os.ReadFile(filepath.Join(two, filepath.Base(page))); err != nil || !bytes.Equal(text, again) {
			t.Errorf("%s: another one the second time (%v)", page, err)
		}
	}
	if !strings.Contains(all.String(), ".TH ACTIONLOG\\-SEARCH 1 2026-05-28 ") {
		t.Error("the pages are not of the day of SOURCE_DATE_EPOCH")
	}
	for path := range examples {
		if !strings.Contains(all.String(), "actionlog "+strings.ReplaceAll(path, "-", `\-`)) {
			t.Errorf("%s is on no page", path)
		}
	}
	lintPages(t, pages)
}

func lintPages(t *testing.T, pages []string) {
	t.Helper()
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		if os.Getenv("ACTIONLOG_TOOLS") == "required" {
			t.Fatal(err)
		}
		t.Skip("the pages are not linted: ", err)
	}
	lint := func(pages ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...).CombinedOutput()
		return string(out), err
	}
	wrong := filepath.Join(t.TempDir(), "wrong.1")
	if err := os.WriteFile(wrong, []byte(".TH WRONG 1 2026-05-28\n.SH NAME\nwrong \\- wrong\n.NOSUCH request\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lint(wrong); err == nil {
		t.Error("mandoc finds nothing wrong with a page that is wrong")
	}
	if out, err := lint(pages...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
