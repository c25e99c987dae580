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
	"strconv"
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
	t.Parallel()
	documents := documentation(t)
	s := startDemo(t)
	for _, path := range documents {
		t.Run(path, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			blocks, wrong := blocksOf(string(text))
			if path == filepath.Join("..", "..", "README.md") {
				tour := tourOf(string(text)) // TestReadme runs it
				blocks = slices.DeleteFunc(blocks, func(b block) bool { return b.language == "sh" && strings.Contains(tour, b.text) })
			}
			for _, what := range append(wrong, runBlocks(t, s, blocks)...) {
				t.Errorf("%s:%s", path, what)
			}
		})
	}
	t.Run("mistakes are seen", func(t *testing.T) { mistakesAreSeen(t, s) })
}

// mistakesAreSeen holds that each check can fail.
func mistakesAreSeen(t *testing.T, s *service) {
	const fence = "```"
	for document, want := range map[string]string{
		fence + "\nactionlog check\n" + fence + "\n":                                                 "1: a command in a block that is not run",
		"Say:\n\n    actionlog check\n":                                                              "3: a command that is in no block",
		fence + "sh\n":                                                                               "1: a block that does not end",
		fence + "json\n{\n" + fence + "\n":                                                           "1: unexpected end of JSON input",
		fence + "perl\n1\n" + fence + "\n":                                                           `1: nobody knows what to do with "perl"`,
		fence + "sh\n# Not run by the tests: no.\nfalse\n" + fence + "\n":                            "1: exit status 1",
		fence + "sh\nfalse | true\n" + fence + "\n":                                                  "1: exit status 1",
		fence + "sh\ntrue\n" + fence + "\n" + fence + "sh\nnosuchcommand\n" + fence + "\n":           "4: exit status 127",
		fence + "sh\necho one two\n" + fence + "\n" + fence + "output\none … three\n" + fence + "\n": `4: it does not print "one … three", but`,
		fence + "q\nany:nothinghasthis range:90d\n" + fence + "\n":                                   "1: finds nothing",
	} {
		blocks, wrong := blocksOf(document)
		wrong = append(wrong, runBlocks(t, s, blocks)...)
		if len(wrong) != 1 || !strings.HasPrefix(wrong[0], want) {
			t.Errorf("%q: %q; want %s", document, wrong, want)
		}
	}
	good := fence + "sh\n# Not run by the tests: it would fail.\nfalse\n" + fence + "\n" + fence + "sh\nx=1\n" + fence + "\n" + fence + "sh\necho one $x three\n" + fence + "\n" + fence + "output\none … three\n" + fence + "\n"
	blocks, wrong := blocksOf(good)
	if wrong = append(wrong, runBlocks(t, s, blocks)...); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
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
	deploy, err := filepath.Glob(filepath.Join(root, "deploy", "*", "README.md"))
	if err != nil || len(deploy) == 0 {
		t.Fatal(deploy, err)
	}
	return append(append(paths, deploy...), filepath.Join(root, "README.md"), filepath.Join(root, "ARCHITECTURE.md"), filepath.Join(root, "web", "README.md"))
}

// block is a fenced block.
type block struct {
	line           int
	language, text string
	why            string // it is not run; "" otherwise
}

var (
	fence    = regexp.MustCompile("^(\\s*)```+\\s*([a-z]*)\\s*$")
	typed    = regexp.MustCompile(`^\s*(\$ )?(sudo |[A-Z_]+=\S+ )*(actionlog|bin/actionlog|curl|make|docker|git|go|nats|nats-server|kubectl|systemctl|install|npm|psql|zstdcat|export|source|apt-get)( |$)`)
	notRun   = regexp.MustCompile(`^# Not run by the tests: (\S.{10,})\n`)
	anything = regexp.MustCompile(` *… *`)
	indents  = regexp.MustCompile(`^(    |\t)`)
)

// blocksOf are the blocks of a document, and what is wrong with it, with its line. One that
// holds commands and is not for the shell is wrong: nobody would run it.
func blocksOf(text string) (blocks []block, wrong []string) {
	var open *block
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && open == nil:
			open = &block{line: i + 1, language: m[2]}
		case m != nil:
			if why := notRun.FindStringSubmatch(open.text); why != nil {
				open.why = why[1]
			}
			if err := open.check(); err != nil {
				wrong = append(wrong, fmt.Sprintf("%d: %v", open.line, err))
			}
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.text += line + "\n"
		case indents.MatchString(line) && typed.MatchString(line):
			wrong = append(wrong, fmt.Sprintf("%d: a command that is in no block: %s", i+1, strings.TrimSpace(line)))
		}
	}
	if open != nil {
		wrong = append(wrong, fmt.Sprintf("%d: a block that does not end", open.line))
	}
	return blocks, wrong
}

func (b block) check() (err error) {
	var v any
	switch b.language {
	case "", "text":
		for line := range strings.Lines(b.text) {
			if typed.MatchString(line) {
				return fmt.Errorf("a command in a block that is not run (```sh): %s", strings.TrimSpace(line))
			}
		}
		return nil
	case "json":
		return json.Unmarshal([]byte(b.text), &v)
	case "yaml":
		return yaml.Unmarshal([]byte(b.text), &v)
	case "sh", "output", "q", "sql", "go":
		return nil
	}
	return fmt.Errorf("nobody knows what to do with %q", b.language)
}

// startDemo runs the service with the demo, and waits until all of it can be found.
func startDemo(t *testing.T) *service {
	t.Helper()
	s := startService(t, "--demo", "--demo-actions", "3000", "--archive-seal-age", "300ms")
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
// of the service, and returns what went wrong, with its line.
func runBlocks(t *testing.T, s *service, blocks []block) (wrong []string) {
	t.Helper()
	var script strings.Builder
	for i, b := range blocks {
		if b.language == "q" {
			wrong = append(wrong, s.findsSomething(t, b)...)
		}
		if b.language == "sh" && b.why == "" {
			fmt.Fprintf(&script, "printf '\\n\\036%d\\n'\n%s", i, b.text)
		}
	}
	if script.Len() == 0 {
		return wrong
	}
	output, stderr, err := runShell(t, s, script.String())
	if err != nil {
		mark, printed, _ := strings.Cut(output[strings.LastIndexByte(output, '\036')+1:], "\n")
		at, _ := strconv.Atoi(mark)
		return append(wrong, fmt.Sprintf("%d: %v\n%s\n%s\n%s", blocks[at].line, err, blocks[at].text, printed, stderr))
	}
	return append(wrong, compareOutputs(blocks, output)...)
}

func (s *service) findsSomething(t *testing.T, b block) (wrong []string) {
	t.Helper()
	var page listPage
	s.get(t, "/v1/institutions/demo-academy/actions?limit=1&q="+url.QueryEscape(strings.TrimSpace(b.text)), &page)
	if page.Meta.Total.Value == 0 {
		wrong = append(wrong, fmt.Sprintf("%d: finds nothing: %s", b.line, b.text))
	}
	return wrong
}

// runShell runs a script, which may leave nothing behind, and returns what it printed.
func runShell(t *testing.T, s *service, script string) (output, errors string, err error) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	for _, tool := range []string{"curl", "jq", "zstdcat"} {
		if _, e := exec.LookPath(tool); err == nil && strings.Contains(script, tool+" ") {
			err = e
		}
	}
	if err != nil {
		lacking(t, "%v", err)
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
	err = cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it started and left
	return stdout.String(), stderr.String(), err
}

// compareOutputs holds that blocks printed what the ones behind them say.
func compareOutputs(blocks []block, output string) (wrong []string) {
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
				wrong = append(wrong, fmt.Sprintf("%d: it does not print %q, but\n%s", b.line, strings.TrimSpace(want), strings.Join(got, "\n")))
				break
			}
			got = got[at+1:]
		}
	}
	return wrong
}
