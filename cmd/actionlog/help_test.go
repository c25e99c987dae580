package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Every command's --help has examples, and the program understands each.
func TestHelpHasExamplesThatParse(t *testing.T) {
	var cli commands
	parser, err := newParser(&cli, &console{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, leaf := range parser.Model.Leaves(false) {
		path := commandPath(leaf)
		list := examples[path]
		if len(list) == 0 || !strings.Contains(leaf.Detail, list[0]) {
			t.Errorf("%s: --help has no examples", path)
		}
		for _, line := range list {
			said++
			if _, err := parser.Parse(argumentsOf(line)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if want := len(examples); said < want {
		t.Errorf("%d examples of %d commands", said, want)
	}
}

// argumentsOf are the program's own arguments in a line of a shell.
func argumentsOf(line string) (args []string) {
	_, line, _ = strings.Cut(line, "actionlog ")
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|([^\s")]+)`).FindAllStringSubmatch(line, -1) {
		if m[3] == "|" || m[3] == ">" {
			break
		}
		args = append(args, m[1]+m[2]+m[3])
	}
	return args
}

// The completion of bash is run; the others are looked at.
func TestCompletion(t *testing.T) {
	script := func(shell string) string {
		var out bytes.Buffer
		if status := run(t.Context(), []string{"completion", shell}, strings.NewReader(""), &out, &out); status != statusDone {
			t.Fatal(shell, out.String())
		}
		return out.String()
	}
	if fish := script("fish"); !strings.Contains(fish, "-l near") || !strings.Contains(fish, "'auto include exclude'") {
		t.Error("fish lacks --near")
	}
	if zsh := script("zsh"); !strings.HasPrefix(zsh, "#compdef actionlog\n") {
		t.Error("zsh lacks its first line")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("ACTIONLOG_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for line, want := range map[string]string{"actionlog se": "serve search", "actionlog dead re": "replay", "actionlog search --near ": "auto include exclude", "actionlog search --user-r": "--user-role", "actionlog export --format c": "csv"} {
		test := script("bash") + "\nCOMP_WORDS=(" + line
		words := len(strings.Fields(line))
		if strings.HasSuffix(line, " ") {
			test += "''"
			words++
		}
		test += ")\nCOMP_CWORD=" + string(rune('0'+words-1)) + "\n_actionlog\necho ${COMPREPLY[@]}"
		got, err := exec.CommandContext(t.Context(), bash, "-c", test).CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: %s %v; want %s", line, got, err, want)
		}
	}
}
