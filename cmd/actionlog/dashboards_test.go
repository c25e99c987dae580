package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"actionlog/internal/dashboards"
)

// The command line exports the file, and imports the same into a server whose address and
// credentials the environment has; it says what was taken, and fails where not all was.
func TestDashboardsCommand(t *testing.T) {
	want := dashboards.NDJSON(dashboards.Options{Prefix: "eu-"})
	path := filepath.Join(t.TempDir(), "actionlog.ndjson")
	if status, said := commanded(t, "dashboards", "export", "--engine-prefix", "eu-", "-o", path); status != statusDone {
		t.Fatal(said)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: the file is another", err)
	}
	taken := bytes.Count(want, []byte("\n"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if name, password, _ := r.BasicAuth(); name != "jo" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		file, _, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, want) || r.URL.Path != "/base/s/audit/api/saved_objects/_import" {
			t.Errorf("%v: another file, or to %s", err, r.URL)
		}
		fmt.Fprintf(w, `{"success":true,"successCount":%d}`, taken)
	}))
	t.Cleanup(server.Close)
	t.Setenv("ACTIONLOG_DASHBOARDS_URL", server.URL+"/base")
	t.Setenv("ACTIONLOG_ENGINE_PREFIX", "eu-")
	t.Setenv("ACTIONLOG_DASHBOARDS_USER", "jo")
	command := []string{"dashboards", "import", "--space", "audit"}
	if status, said := commanded(t, command...); status != statusFailed || !strings.Contains(said, "not accepted") {
		t.Errorf("without a password: %d %s", status, said)
	}
	t.Setenv("ACTIONLOG_DASHBOARDS_PASSWORD", "s3cret")
	if status, said := commanded(t, command...); status != statusDone || !strings.Contains(said, fmt.Sprintf("has the dashboards (%d objects)", taken)) {
		t.Errorf("%d %s", status, said)
	}
	taken--
	if status, said := commanded(t, command...); status != statusFailed || strings.Contains(said, "has the dashboards") {
		t.Errorf("one was not taken: %d %s", status, said)
	}
}

// Wrong use is told before anything is sent.
func TestDashboardsWrongUse(t *testing.T) {
	export, imports := []string{"dashboards", "export"}, []string{"dashboards", "import", "--to", "https://127.0.0.1:1"}
	for want, args := range map[string][]string{
		`"8" is not FROM-TO`:        append(export, "--hours", "8"),
		`"18-8" is not FROM-TO`:     append(export, "--hours", "18-8"),
		`"8-18h" is not FROM-TO`:    append(export, "--hours", "8-18h"),
		`"Mars/North" is not a`:     append(export, "--tz", "Mars/North"),
		"name the zone":             append(export, "--tz", "Local"),
		"can be read by others":     {"dashboards", "import", "--to", "https://jo:s3cret@127.0.0.1:1"},
		`"ftp://x" is not an http`:  {"dashboards", "import", "--to", "ftp://x"},
		"--tenant of OpenSearch":    append(imports, "--space", "a", "--tenant", "b"),
		"missing flags: --to":       {"dashboards", "import"},
		"unexpected argument nexus": append(export, "nexus"),
	} {
		status, said := commanded(t, args...)
		if status != statusUsage || !strings.Contains(said, want) || strings.Contains(said, "s3cret") {
			t.Errorf("%q: %d %s", args, status, said)
		}
	}
}

// commanded runs the command line, and returns its status and what it said to people.
func commanded(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	var err bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), io.Discard, &err)
	return status, err.String()
}
