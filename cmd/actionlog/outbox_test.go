package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// outboxSchema is that of examples/outbox/schema.sql for SQLite, which numbers rows and
// writes times in its own way.
func outboxSchema(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "outbox", "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	const number, at = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "TIMESTAMPTZ"
	if !strings.Contains(string(text), number) || !strings.Contains(string(text), at) {
		t.Fatal("the schema is another one")
	}
	return strings.NewReplacer(number, "INTEGER PRIMARY KEY AUTOINCREMENT", at, "TEXT").Replace(string(text))
}

// killer stands between a relay and the service, and kills the relay after some requests:
// before one goes on, or behind the service's answer, before the relay hears it.
type killer struct {
	mu     sync.Mutex
	relay  *exec.Cmd
	target string
	after  int            // requests; < 0: never
	before bool           // the last one is lost
	taken  map[string]int // how often the service had each line
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	last := k.after == 0
	k.after--
	if last && k.before {
		_ = k.relay.Process.Kill()
		return
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, k.target+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header = r.Header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	for line := range strings.Lines(string(body)) {
		k.taken[line]++
	}
	if last {
		_ = k.relay.Process.Kill()
		return
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// start runs the relay, which is killed after some requests.
func (k *killer) start(t *testing.T, binary, file, address, token string, after int, before bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "-db", file, "-url", address, "-batch", "40")
	cmd.Env = append(os.Environ(), "ACTIONLOG_TOKEN="+token)
	cmd.Stderr = os.Stderr
	k.mu.Lock()
	k.relay, k.after, k.before = cmd, after, before
	k.mu.Unlock()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// docs/publishing.md promises: a relay that is killed between publishing and marking, again
// and again, loses nothing and doubles nothing; what is refused is marked as such, and holds
// nothing up.
func TestOutboxRelayIsKilled(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "outbox")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "actionlog/examples/outbox").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := startService(t)
	file := filepath.Join(t.TempDir(), "service.sqlite")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), outboxSchema(t)); err != nil {
		t.Fatal(err)
	}
	const actions = 400
	want := fillOutbox(t, db, actions)

	k := &killer{target: s.url, taken: map[string]int{}}
	server := httptest.NewServer(k)
	defer server.Close()
	for round := range 12 {
		k.start(t, binary, file, server.URL, s.token, round%4, round%3 == 2)
		if err := k.relay.Wait(); err == nil {
			t.Fatal("the relay ended by itself")
		}
	}
	twice := 0
	for _, n := range k.taken {
		twice += min(n-1, 1)
	}
	if waiting(t, db) == 0 || twice < 20 {
		t.Fatalf("the kills hit nothing: %d wait, %d were published twice", waiting(t, db), twice)
	}
	k.start(t, binary, file, server.URL, s.token, -1, false)
	eventually(t, "nothing waits any more", func() bool { return waiting(t, db) == 0 })
	_ = k.relay.Process.Kill()
	_ = k.relay.Wait()

	var refused string
	if err := db.QueryRowContext(t.Context(), "SELECT refused FROM outbox WHERE action_id = 'wrong'").Scan(&refused); err != nil || refused != "/occurred_at: is missing" {
		t.Errorf("%q %v", refused, err)
	}
	s.settle(t)
	for institution, ids := range want {
		found, total := s.list(t, institution, url.Values{"action": {"x.y"}, "limit": {"1000"}, "total": {"exact"}})
		if len(found) != len(ids) || total != int64(len(ids)) {
			t.Errorf("%s: %d actions, %d in all; want %d", institution, len(found), total, len(ids))
		}
		for _, id := range ids {
			if found[id] != 1 {
				t.Errorf("%s: %s is there %d times", institution, id, found[id])
			}
		}
		s.feedOnce(t, institution, ids)
	}
	if n := s.deadLetters(t); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// feedOnce holds that the feed has each action once, in the order of the outbox.
func (s *service) feedOnce(t *testing.T, institution string, want []string) {
	t.Helper()
	var fed []string
	eventually(t, "the feed has all", func() bool {
		ids, _ := s.feedOf(t, institution, "", "")
		fed = withoutRecords(ids)
		return len(fed) >= len(want)
	})
	if !slices.Equal(fed, want) {
		t.Errorf("%s: the feed has %q, and not %q", institution, fed, want)
	}
}

// fillOutbox writes actions of two institutions, and one that will be refused.
func fillOutbox(t *testing.T, db *sql.DB, n int) map[string][]string {
	t.Helper()
	ids := map[string][]string{}
	insert := func(institution, id, document string) {
		if _, err := db.ExecContext(t.Context(), "INSERT INTO outbox (institution, action_id, document) VALUES ($1, $2, $3)", institution, id, document); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		institution := []string{"acme", "acme", "zenith"}[i/7%3]
		id := fmt.Sprintf("o-%d", i)
		insert(institution, id, strings.Replace(acme(id, time.Duration(n-i)*time.Second, ""), `"acme"`, `"`+institution+`"`, 1))
		ids[institution] = append(ids[institution], id)
		if i == n/2 {
			insert("acme", "wrong", `{"id":"wrong","institution":{"id":"acme"},"category":"course","action":{"code":"x.y"},"actor":{"kind":"user"}}`)
		}
	}
	return ids
}

func waiting(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND refused IS NULL").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
