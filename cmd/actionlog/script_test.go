package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"

	"github.com/rogpeppe/go-internal/testscript"
)

// The command line as it is typed. Each script opens with what a user wants.
func TestScripts(t *testing.T) {
	testscript.Run(t, scriptParams(t, func(p *testscript.Params) {
		if !strings.HasPrefix(t.Name(), onOpenSearch) {
			p.Dir = "testdata"
			return
		}
		// The others ask the store for nothing that these do not ask it for.
		for _, name := range []string{"dead", "export", "query", "restore", "saved", "search"} {
			p.Files = append(p.Files, filepath.Join("testdata", name+".txt"))
		}
	}))
}

// README's tour does what it says: its commands are taken from README itself.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tour := tourOf(string(readme))
	if strings.Count(tour, "actionlog ") < 10 {
		t.Fatalf("README's tour has no commands:\n%s", tour)
	}
	testscript.Run(t, scriptParams(t, func(p *testscript.Params) {
		p.Files = []string{filepath.Join("testdata", "readme", "tour.txt")}
		setup := p.Setup
		p.Setup = func(env *testscript.Env) error {
			if err := setup(env); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "tour.sh"), []byte(tour), 0o600)
		}
	}))
}

var codeBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// tourOf returns the shell commands of README's section "A tour".
func tourOf(readme string) string {
	_, tour, _ := strings.Cut(readme, "\n## A tour\n")
	tour, _, _ = strings.Cut(tour, "\n## ")
	var script strings.Builder
	for _, block := range codeBlock.FindAllStringSubmatch(tour, -1) {
		script.WriteString(block[1])
	}
	return script.String()
}

// scriptParams lets a script run this test's binary as actionlog (see TestMain)
// in a folder of its own.
func scriptParams(t *testing.T, more func(*testscript.Params)) testscript.Params {
	p := testscript.Params{
		Setup: func(env *testscript.Env) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			bin := filepath.Join(env.WorkDir, ".bin")
			if err := os.Mkdir(bin, 0o700); err != nil {
				return err
			}
			if err := os.Symlink(self, filepath.Join(bin, "actionlog")); err != nil {
				return err
			}
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("ACTIONLOG_TEST_MAIN", "1")
			if url, prefix := engineOf(t); url != "" {
				env.Setenv("ACTIONLOG_ENGINE", url)
				env.Setenv("ACTIONLOG_ENGINE_PREFIX", prefix)
			}
			env.Setenv("ACTIONLOG_DEMO_ACTIONS", "3000")
			now := time.Now().UTC().Truncate(time.Second)
			env.Setenv("NOW", now.Add(-time.Minute).Format(time.RFC3339))
			env.Setenv("DAYS20", now.Add(-20*24*time.Hour).Format(time.RFC3339))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready":   scriptReady,
			"demo":    scriptDemo,
			"settled": scriptSettled,
			"until":   scriptUntil,
			"stamp":   scriptStamp,
		},
	}
	more(&p)
	return p
}

// scriptReady waits until the service on a folder (data) is ready: ready [DIR]
func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	dir := "data"
	if len(args) > 0 {
		dir = args[0]
	}
	poll(ts, "the service is ready", func() bool {
		address, err := os.ReadFile(filepath.Join(ts.MkAbs(dir), "http.addr"))
		if err != nil {
			return false
		}
		resp, err := http.Get(strings.TrimSpace(string(address)) + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// scriptSettled waits until everything published before is searchable.
func scriptSettled(ts *testscript.TestScript, neg bool, args []string) {
	published := time.Now()
	pollList(ts, "everything published is settled", "any", func(m listMeta) bool {
		return m.CompleteThrough != nil && m.CompleteThrough.After(published)
	})
}

// scriptDemo waits until all of the demo is searchable.
func scriptDemo(ts *testscript.TestScript, neg bool, args []string) {
	count, err := strconv.Atoi(ts.Getenv("ACTIONLOG_DEMO_ACTIONS"))
	ts.Check(err)
	want, err := demoActions(count)
	ts.Check(err)
	pollList(ts, "the demo is there", demo.Institution(), func(m listMeta) bool { return m.Total.Value >= want })
}

// demoActions is how many actions of its first institution a demo of count has at least.
func demoActions(count int) (n int64, err error) {
	now := time.Now().Add(-time.Minute)
	for raw := range demo.New(demoSeed, count).Actions(now) {
		item, err := actionlog.Parse(raw, nil)
		if err != nil {
			return 0, err
		}
		if item.Institution == demo.Institution() && now.Sub(item.OccurredAt) < 89*24*time.Hour {
			n++
		}
	}
	return n, nil
}

func pollList(ts *testscript.TestScript, what, institution string, holds func(m listMeta) bool) {
	c, err := (&settings{Data: ts.MkAbs("data")}).client()
	ts.Check(err)
	poll(ts, what, func() bool {
		var p listPage
		query := url.Values{"range": {"90d"}, "total": {"exact"}, "limit": {"1"}}
		err := c.get(context.Background(), "/v1/institutions/"+institution+"/actions", query, &p)
		return err == nil && holds(p.Meta)
	})
}

// scriptUntil repeats actionlog with arguments until it succeeds and its output
// matches: until PATTERN actionlog ARG…
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || args[1] != "actionlog" {
		ts.Fatalf("usage: until PATTERN actionlog ARG…")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	self, err := os.Executable()
	ts.Check(err)
	var out []byte
	defer func() { ts.Logf("%s", out) }()
	poll(ts, args[0], func() bool {
		cmd := exec.Command(self, args[2:]...)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"ACTIONLOG_TEST_MAIN=1", "TZ=" + ts.Getenv("TZ")}
		out, err = cmd.CombinedOutput()
		return err == nil && pattern.Match(out)
	})
}

// scriptStamp puts the values of variables into files: stamp FILE…
func scriptStamp(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// poll gives a slow machine three minutes.
func poll(ts *testscript.TestScript, what string, holds func() bool) {
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	ts.Fatalf("after three minutes, still not: %s", what)
}
