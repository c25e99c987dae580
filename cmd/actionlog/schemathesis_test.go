package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// schemathesisWithin is longer than any run of the usual size takes.
const schemathesisWithin = 20 * time.Minute

// The running service against openapi.yaml, by schemathesis with every check that it has but one:
// statuses, content types, headers and bodies are those that are documented; what the
// document allows is taken and all else refused; no operation can be called without a
// credential, and no admin gets an object of another institution. ACTIONLOG_CASES says how
// many random requests there are for each operation; the default are 25, always the same, in
// about a minute.
func TestSchemathesis(t *testing.T) {
	t.Parallel()
	program := schemathesisProgram(t)
	s := startService(t)
	s.publish(t, schemathesisActions())
	run := s.schemathesisRun(t, program)
	t.Run("with every role", func(t *testing.T) {
		run.do(t, "79 selected / 80 total", "--auth-wfc-user", "all")
	})
	t.Run("as an admin", func(t *testing.T) {
		run.do(t, "40 selected / 80 total", "--auth-wfc-user", "acme", "--include-path-regex", "^/v1/institutions/")
	})
	t.Run("behind a broken proxy", run.notices)
	for _, secret := range run.secrets {
		if status, _, _ := s.send(t, secret, "GET", "/v1/session", "", "", nil); status != 200 {
			t.Errorf("a token of the test was of no use at the end: %d", status)
		}
	}
}

// schemathesisRun is how schemathesis is run against a service.
type schemathesisRun struct {
	*service
	program, config string
	env             []string
	secrets         []string // of the tokens that it asks with
}

// do runs all phases; said is what the output must say: that nothing failed means
// something only if something was asked.
func (r *schemathesisRun) do(t *testing.T, said string, args ...string) {
	t.Helper()
	out, err := r.output(t, r.url, args...)
	if err != nil || !strings.Contains(out, said) || !strings.Contains(out, "Stateful (in") {
		t.Errorf("schemathesis: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	for _, secret := range r.secrets {
		if strings.Contains(out, secret) {
			t.Error("the output holds a token")
		}
	}
}

// notices has schemathesis find out (ignored_auth) a proxy that lends everybody who sends
// some token the one with every role, where single actions are asked for. That it would
// find out as well what one admin gets of another's depends on which IDs it draws; for that
// there is TestAttacksNoticeABrokenProxy.
func (r *schemathesisRun) notices(t *testing.T) {
	single := regexp.MustCompile(`/actions/[^/]+$`)
	proxy := brokenProxy(t, r.service, func(req *http.Request) bool {
		return req.Header.Get("Authorization") != "" && single.MatchString(req.URL.Path)
	})
	out, err := r.output(t, proxy, "--auth-wfc-user", "acme", "--phases", "fuzzing,stateful", "--include-name", "GET /v1/institutions/{institution}/actions", "--include-name", "GET /v1/institutions/{institution}/actions/{id}")
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != 1 || !strings.Contains(out, "API accepts invalid authentication") {
		t.Errorf("schemathesis noticed nothing: %v\n%s", err, out)
	}
}

// output runs schemathesis against an address.
func (r *schemathesisRun) output(t *testing.T, address string, args ...string) (string, error) {
	t.Helper()
	args = append(args, "--max-examples", map[bool]string{false: "12", true: "25"}[long()], "--generation-deterministic")
	if n, err := strconv.Atoi(os.Getenv("ACTIONLOG_CASES")); err == nil { // others each time
		args = append(args[:len(args)-2], strconv.Itoa(n))
	}
	api, err := filepath.Abs(filepath.Join("..", "..", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), schemathesisWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.program, append([]string{"--config-file", r.config, "run", api, "--url", address,
		"--checks", "all", "--exclude-checks", "use_after_free", // what was dropped or restored stays to be told of
		"--workers", "1", "--no-color",
		"--exclude-path-regex", "/tail$"}, args...)...) // whose answer does not end: TestTail and TestAttacks have it
	cmd.Dir, cmd.Env, cmd.WaitDelay = t.TempDir(), append(os.Environ(), r.env...), 10*time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// schemathesisProgram finds the command beside the interpreter that ACTIONLOG_TEST_PYTHON
// names.
func schemathesisProgram(t *testing.T) string {
	t.Helper()
	program := "schemathesis"
	if python := os.Getenv("ACTIONLOG_TEST_PYTHON"); python != "" {
		program = filepath.Join(filepath.Dir(python), program)
	}
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("ACTIONLOG_TOOLS") == "required" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("schemathesis is not here (ACTIONLOG_TEST_PYTHON): %v", err)
	}
	return path
}

func schemathesisActions() (lines [][]byte) {
	for i := range 20 {
		for _, institution := range []string{"acme", "other"} {
			line := acme(fmt.Sprintf("a%d", i), time.Duration(i)*time.Hour, `"summary":"`+institution+`'s","course":{"id":"c1","title":"Arts and Craft"}`)
			lines = append(lines, []byte(strings.Replace(line, `"acme"`, `"`+institution+`"`, 1)))
		}
	}
	return lines
}

// schemathesisRun makes what schemathesis asks with, and what it may break.
func (s *service) schemathesisRun(t *testing.T, program string) *schemathesisRun {
	t.Helper()
	dir := t.TempDir()
	r := &schemathesisRun{service: s, program: program, config: filepath.Join(dir, "schemathesis.toml")}
	config, err := os.ReadFile(filepath.Join("testdata", "schemathesis", "schemathesis.toml"))
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := filepath.Abs(filepath.Join("testdata", "schemathesis", "hooks.py"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		name   string
		values []string
	}{
		{"institutions", []string{"acme", "other"}}, {"actions", []string{"a0", "a1", "a2", "a3"}}, {"restores", s.someRestores(t)}, {"exports", s.someExports(t)},
		{"tokens", s.someTokens(t)}, {"sessions", s.someSessions(t)}, {"positions", s.somePositions(t)},
	} {
		values, err := json.Marshal(d.values)
		if err != nil {
			t.Fatal(err)
		}
		config = fmt.Appendf(config, "\n[dictionaries.%s]\nvalues = %s\n", d.name, values)
	}
	users, ids := r.users(t)
	for path, text := range map[string][]byte{r.config: config, filepath.Join(dir, "wfc.json"): users} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.env = []string{"ACTIONLOG_HOOKS=" + hooks, "ACTIONLOG_WFC=" + filepath.Join(dir, "wfc.json"), "ACTIONLOG_TOKEN_IDS=" + strings.Join(ids, ",")}
	return r
}

// users are those that schemathesis asks as, in the format of Web Fuzzing Commons.
func (r *schemathesisRun) users(t *testing.T) (text []byte, ids []string) {
	t.Helper()
	type header struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type user struct {
		Name    string   `json:"name"`
		Headers []header `json:"fixedHeaders"`
	}
	var users []user
	for _, u := range []struct{ name, grant string }{
		{"all", `{"name":"all","all":true}`}, {"acme", `{"name":"acme","institutions":["acme"]}`}, {"other", `{"name":"other","institutions":["other"]}`}} {
		made := r.createToken(t, u.grant)
		users = append(users, user{u.name, []header{{"Authorization", "Bearer " + made.Token}}})
		ids, r.secrets = append(ids, made.ID), append(r.secrets, made.Token)
	}
	text, err := json.Marshal(map[string]any{"auth": users})
	if err != nil {
		t.Fatal(err)
	}
	return text, append(ids, strings.Split(r.token, "_")[1])
}

func (s *service) someRestores(t *testing.T) (ids []string) {
	t.Helper()
	for _, institution := range []string{"acme", "acme", "other"} {
		var made struct{ ID string }
		s.call(t, "POST", "/v1/institutions/"+institution+"/restores", `{"from":"2020-01-01","to":"2020-01-01","reason":"a test"}`, &made)
		ids = append(ids, made.ID)
	}
	return ids
}

func (s *service) someExports(t *testing.T) (ids []string) {
	t.Helper()
	for _, institution := range []string{"acme", "acme", "other"} {
		var made struct{ ID string }
		s.call(t, "POST", "/v1/institutions/"+institution+"/exports", `{"format":"csv"}`, &made)
		ids = append(ids, made.ID)
	}
	return ids
}

func (s *service) someTokens(t *testing.T) (ids []string) {
	t.Helper()
	for range 4 {
		ids = append(ids, s.createToken(t, `{"name":"to be rotated, or revoked","roles":["auditor"],"institutions":["acme"]}`).ID)
	}
	return ids
}

func (s *service) someSessions(t *testing.T) (ids []string) {
	t.Helper()
	token := s.createToken(t, `{"name":"signs in","institutions":["acme"]}`).Token
	for range 3 {
		var who struct{ Session string }
		s.call(t, "POST", "/v1/session", fmt.Sprintf(`{"token":%q}`, token), &who)
		ids = append(ids, who.Session)
	}
	return ids
}

func (s *service) somePositions(t *testing.T) (positions []string) {
	t.Helper()
	var letters []actionlog.Submission
	for i := range 3 {
		letters = append(letters, actionlog.Submission{Institution: "acme", Category: "course", ID: fmt.Sprint("no-action-", i), Document: fmt.Appendf(nil, "{%d", i)})
	}
	for _, receipt := range s.publisher.Publish(t.Context(), letters) {
		if receipt.Err != nil {
			t.Fatal(receipt.Err)
		}
	}
	eventually(t, "what is no action is a dead letter", func() bool { return s.deadLetters(t) == len(letters) })
	var answer struct{ Data []struct{ Position string } }
	s.get(t, "/v1/dead-letters", &answer)
	for _, d := range answer.Data {
		positions = append(positions, d.Position)
	}
	return positions
}
