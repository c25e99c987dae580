package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// Every command of the documentation is typed here. A fenced block is one of
//
//	sh      commands, which are run, in order, in one shell for each document, with
//	        ACTIONLOG_INSTITUTION=demo-academy and the service's folder as data; they must
//	        succeed. A first line "# Not run by the tests: REASON" leaves a block out.
//	output  what the block before it prints: each line, in this order, … being anything
//	q       a text of the search box, which finds something
//	json, yaml, …  what it says; JSON and YAML are parsed
//
// Blocks without a language, and indented ones, hold no commands. README's tour is run by
// TestReadme; docs/cli.md and docs/api.md are made from code, and tested there.
func TestDocs(t *testing.T) {
	documents := documentation(t)
	s := startDemo(t)
	for _, path := range documents {
		t.Run(path, func(t *testing.T) {
			blocks := blocksOf(t, path)
			if path == filepath.Join("..", "..", "README.md") {
				blocks = withoutTour(t, path, blocks)
			}
			runBlocks(t, s, path, blocks)
		})
	}
}

// withoutTour leaves out what TestReadme runs.
func withoutTour(t *testing.T, path string, blocks []block) []block {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tour := tourOf(string(text))
	return slices.DeleteFunc(blocks, func(b block) bool { return b.language == "sh" && strings.Contains(tour, b.text) })
}

// documentation lists the documents whose commands are run here.
func documentation(t *testing.T) (paths []string) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") && !slices.Contains([]string{"cli.md", "api.md"}, d.Name()) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) < 20 {
		t.Fatal(paths, err)
	}
	return append(paths, filepath.Join(root, "README.md"), filepath.Join(root, "ARCHITECTURE.md"), filepath.Join(root, "web", "README.md"))
}

// block is a fenced block.
type block struct {
	line           int
	language, text string
	why            string // it is not run; "" otherwise
}

var (
	fence    = regexp.MustCompile("^(\\s*)```+\\s*([a-z]*)\\s*$")
	typed    = regexp.MustCompile(`^\s*(\$ )?(sudo |[A-Z_]+=\S+ )*(actionlog|bin/actionlog|curl|make|docker|git|go|nats|nats-server|kubectl|systemctl|npm|psql|zstdcat|export|source|apt-get)( |$)`)
	notRun   = regexp.MustCompile(`^# Not run by the tests: (\S.{10,})\n`)
	anything = regexp.MustCompile(` *… *`)
	indents  = regexp.MustCompile(`^(    |\t)`)
)

// blocksOf are the blocks of a document. One that holds commands and is not for the shell
// fails the test: nobody would run it.
func blocksOf(t *testing.T, path string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for i, line := range strings.Split(string(text), "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && open == nil:
			open = &block{line: i + 1, language: m[2]}
		case m != nil:
			if why := notRun.FindStringSubmatch(open.text); why != nil {
				open.why = why[1]
			}
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.text += line + "\n"
		case indents.MatchString(line) && typed.MatchString(line):
			t.Errorf("%s:%d: a command that is in no block: %s", path, i+1, strings.TrimSpace(line))
		}
	}
	if open != nil {
		t.Errorf("%s:%d: a block that does not end", path, open.line)
	}
	for _, b := range blocks {
		b.check(t, path)
	}
	return blocks
}

func (b block) check(t *testing.T, path string) {
	var err error
	switch b.language {
	case "", "text":
		for line := range strings.Lines(b.text) {
			if typed.MatchString(line) {
				err = fmt.Errorf("a command in a block that is not run (```sh): %s", strings.TrimSpace(line))
			}
		}
	case "json":
		var v any
		err = json.Unmarshal([]byte(b.text), &v)
	case "yaml":
		var v any
		err = yaml.Unmarshal([]byte(b.text), &v)
	case "sh", "output", "q", "sql", "go":
	default:
		err = fmt.Errorf("nobody knows what to do with %q", b.language)
	}
	if err != nil {
		t.Errorf("%s:%d: %v", path, b.line, err)
	}
}

// startDemo runs the service with the demo, and waits until all of it can be found.
func startDemo(t *testing.T) *service {
	t.Helper()
	t.Setenv("ACTIONLOG_DEMO_ACTIONS", "3000")
	s := startService(t, "--demo", "--archive-seal-age", "300ms")
	want, err := demoActions(3000)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the demo is there", func() bool {
		var page listPage
		s.get(t, "/v1/institutions/demo-academy/actions?range=90d&total=exact&limit=1", &page)
		return page.Meta.Total.Value >= want
	})
	eventually(t, "some of it is sealed", func() bool {
		segments, err := filepath.Glob(filepath.Join(s.dir, "archive", "segments", "*.zst"))
		return err == nil && len(segments) > 0
	})
	s.publish(t, [][]byte{[]byte(strings.Replace(acme("school-1", time.Hour, ""), `"acme"`, `"my-school"`, 1))})
	return s
}

// runBlocks types a document's commands in a folder of its own, in which data is the folder
// of the service.
func runBlocks(t *testing.T, s *service, path string, blocks []block) {
	t.Helper()
	var script strings.Builder
	ran := 0
	for i, b := range blocks {
		if b.language == "q" {
			s.findsSomething(t, path, b)
		}
		if b.language == "sh" && b.why == "" {
			ran++
			fmt.Fprintf(&script, "printf '\\n\\036%d\\n'\n%s", i, b.text)
		}
	}
	if ran == 0 {
		return
	}
	output := runShell(t, s, script.String())
	compareOutputs(t, path, blocks, output)
}

func (s *service) findsSomething(t *testing.T, path string, b block) {
	t.Helper()
	var page listPage
	s.get(t, "/v1/institutions/demo-academy/actions?limit=1&q="+url.QueryEscape(strings.TrimSpace(b.text)), &page)
	if page.Meta.Total.Value == 0 {
		t.Errorf("%s:%d: finds nothing: %s", path, b.line, b.text)
	}
}

// runShell runs a script, which may leave nothing behind, and returns what it printed.
func runShell(t *testing.T, s *service, script string) string {
	t.Helper()
	bash, err := exec.LookPath("bash")
	for _, tool := range []string{"curl", "jq", "zstdcat"} {
		if _, e := exec.LookPath(tool); err == nil && strings.Contains(script, tool+" ") {
			err = e
		}
	}
	if err != nil {
		if os.Getenv("ACTIONLOG_TOOLS") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"bin/actionlog": self, "data": s.dir} {
		if name == "data" && strings.Contains(script, "actionlog serve") {
			continue // it has its own
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, bash, "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = dir, &stdout, &stderr, 10*time.Second
	cmd.Env = append(os.Environ(), "ACTIONLOG_TEST_MAIN=1", "ACTIONLOG_INSTITUTION=demo-academy", "ACTIONLOG_DEMO_ACTIONS=2000", "ACTIONLOG_LISTEN=127.0.0.1:0", "ACTIONLOG_NATS_LISTEN=127.0.0.1:0",
		"PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir, "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		last := stdout.String()
		t.Errorf("%v, in the block behind mark %q\n%s\n%s", err, last[strings.LastIndexByte(last, '\036')+1:], stderr.String(), script)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it started and left
	return stdout.String()
}

// compareOutputs holds that blocks printed what the ones behind them say.
func compareOutputs(t *testing.T, path string, blocks []block, output string) {
	t.Helper()
	printed := map[string]string{}
	for _, part := range strings.Split(output, "\036") {
		mark, text, _ := strings.Cut(part, "\n")
		printed[mark] = text
	}
	for i, b := range blocks {
		if b.language != "output" || blocks[max(i-1, 0)].why != "" {
			continue
		}
		got := strings.Split(printed[fmt.Sprint(i-1)], "\n")
		for want := range strings.Lines(b.text) {
			pattern := regexp.MustCompile(anything.ReplaceAllString(regexp.QuoteMeta(strings.TrimSpace(want)), ".*"))
			at := slices.IndexFunc(got, pattern.MatchString)
			if at < 0 {
				t.Errorf("%s:%d: it does not print %q, but\n%s", path, b.line, strings.TrimSpace(want), strings.Join(got, "\n"))
				break
			}
			got = got[at+1:]
		}
	}
}
