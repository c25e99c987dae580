package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A real PostgreSQL takes the schema, and each statement of the relay means there what it is
// meant to. (The relay itself is killed on SQLite: cmd/actionlog/outbox_test.go.)
func TestSchemaOnPostgreSQL(t *testing.T) {
	psql := startPostgreSQL(t)
	schema, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	got := psql(string(schema) + `
		INSERT INTO outbox (institution, action_id, document) VALUES ('a', 'one', '{}'), ('a', 'two', '{}'), ('b', 'three', '{}'), ('b', 'four', '{}');
		PREPARE waiting AS ` + selectWaiting + `;
		PREPARE sent AS ` + markSent + `;
		PREPARE refused AS ` + markRefused + `;
		EXECUTE waiting(3);
		EXECUTE sent(1);
		EXECUTE refused(3, 'no');
		EXECUTE waiting(3);
		SELECT action_id, sent_at > now() - interval '1 hour', refused FROM outbox ORDER BY position;`)
	const want = "1|a|{}\n2|a|{}\n3|b|{}\n2|a|{}\n4|b|{}\none|t|\ntwo||\nthree||no\nfour||"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// startPostgreSQL runs a server on a socket of its own, and returns what sends it statements
// and returns the rows that they answer.
func startPostgreSQL(t *testing.T) (psql func(statements string) string) {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		if os.Getenv("ACTIONLOG_TOOLS") == "required" {
			t.Fatal("there is no PostgreSQL")
		}
		t.Skip("there is no PostgreSQL")
	}
	bin := filepath.Dir(bins[len(bins)-1])
	dir, err := os.MkdirTemp("/tmp", "pg") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attributes := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // PostgreSQL refuses to be root
		const nobody = 65534
		attributes.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	command := func(ctx context.Context, name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attributes
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command(t.Context(), "initdb", "-D", data, "-A", "trust", "-U", "test", "--no-sync", "-E", "UTF8").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := command(context.WithoutCancel(t.Context()), "postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-F")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(syscall.SIGINT); _ = server.Wait() })
	for deadline := time.Now().Add(time.Minute); command(t.Context(), "pg_isready", "-h", dir).Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL does not start")
		}
	}
	return func(statements string) string {
		t.Helper()
		cmd := command(t.Context(), "psql", "-h", dir, "-U", "test", "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1")
		cmd.Stdin = strings.NewReader(statements)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
}

// docs/publishing.md shows the table that schema.sql makes.
func TestSchemaIsTheDocuments(t *testing.T) {
	schema, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "publishing.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for statement := range strings.SplitSeq(string(schema), ";") {
		if at := strings.Index(statement, "CREATE "); at >= 0 {
			shown++
			if !strings.Contains(string(document), statement[at:]+";") {
				t.Errorf("it is not in docs/publishing.md:\n%s", statement[at:])
			}
		}
	}
	if shown != 2 {
		t.Errorf("%d statements", shown)
	}
}
