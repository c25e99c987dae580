package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"actionlog/internal/enginetest"
)

// feedOf reads a feed from a cursor until there is no more; it returns the ids, and where
// it goes on.
func (s *service) feedOf(t testing.TB, institution, after, filter string) (ids []string, next string) {
	t.Helper()
	for {
		var page struct {
			Data []struct{ ID string }
			Page struct {
				Next string
				More bool
			}
		}
		s.get(t, "/v1/institutions/"+institution+"/feed?limit=7&after="+url.QueryEscape(after)+"&"+filter, &page)
		for _, d := range page.Data {
			ids = append(ids, d.ID)
		}
		if after = page.Page.Next; !page.Page.More {
			return ids, after
		}
	}
}

// withoutRecords leaves out what the service records of itself.
func withoutRecords(ids []string) []string {
	return slices.DeleteFunc(ids, func(id string) bool { return strings.HasPrefix(id, "log-") })
}

// The feed has each action once, in the order in which it came: late ones, too old ones,
// none that was published twice, collided or is a dead letter; sealed or not, before and
// after a restart; and filters are those of a search.
func TestFeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := append(engineArgs(t), "--archive-seal-age", "300ms")
	s, stop := startServiceOn(t, dir, args)
	defer func() { stop() }()
	day := 24 * time.Hour
	var want []string
	publish := func(documents ...string) {
		t.Helper()
		var lines [][]byte
		for _, d := range documents {
			lines = append(lines, []byte(d))
			if id := idOf(d); strings.HasPrefix(id, "f") && !slices.Contains(want, id) {
				want = append(want, id)
			}
		}
		s.publish(t, lines)
		s.archivedAll(t)
	}
	failed := `"outcome":"failure","targets":[{"kind":"user","name":"Melody Wang","email":"melody@acme.example"}]`
	publish(acme("f1", time.Hour, ""), acme("f2", 80*day, ""), acme("f3", 0, failed), acme("f2", 80*day, ""), acme("f1", time.Hour, `"summary":"another"`))
	ids, next := s.feedOf(t, "acme", "", "")
	if ids = withoutRecords(ids); !slices.Equal(ids, want) {
		t.Fatalf("%q, and not %q", ids, want)
	}
	publish(acme("f4", 200*day, ""), acme("f5", 1*day, ""), acme("d1", -30*time.Hour, ""), acme("f6", 2*time.Hour, failed))
	eventually(t, "it is sealed", func() bool {
		segments, err := filepath.Glob(filepath.Join(dir, "archive", "segments", "*.zst"))
		return err == nil && len(segments) > 0
	})
	more, _ := s.feedOf(t, "acme", next, "")
	if more = withoutRecords(more); !slices.Equal(more, want[len(ids):]) {
		t.Errorf("what came since: %q, and not %q", more, want[len(ids):])
	}
	stop()
	s, stop = startServiceOn(t, dir, args)
	s.publish(t, [][]byte{[]byte(acme("f5", 1*day, "")), []byte(acme("f7", 0, ""))})
	want = append(want, "f7")
	s.archivedAll(t)
	if all, _ := s.feedOf(t, "acme", "", ""); !slices.Equal(withoutRecords(all), want) {
		t.Errorf("all, after a restart: %q, and not %q", withoutRecords(all), want)
	}
	s.feedFilters(t)
	if ids, _ := s.feedOf(t, "nobody", "", ""); len(withoutRecords(ids)) > 0 {
		t.Errorf("another institution's feed: %q", ids)
	}
	if resp := s.do(t, "/v1/institutions/nobody/feed?after="+url.QueryEscape(next)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a cursor of another institution: %s", resp.Status)
	}
}

// feedFilters holds that filters find in the feed what they find in a search.
func (s *service) feedFilters(t *testing.T) {
	t.Helper()
	for filter, want := range map[string][]string{
		"outcome=failure": {"f3", "f6"}, "user=melody+wang": {"f3", "f6"}, "user=melodi+wang": nil, "user=melodi+wang&near=include": {"f3", "f6"},
		"q=-outcome:failure+from:now-90d+type:course": {"f1", "f2", "f5", "f7"},
	} {
		if ids, _ := s.feedOf(t, "acme", "", filter); !slices.Equal(withoutRecords(ids), want) {
			t.Errorf("%s: %q, and not %q", filter, ids, want)
		}
	}
}

// A collector that follows the feed into a file has every action exactly once, though the
// service and the collector are killed again and again.
func TestCollectorOverKills(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), t.TempDir()
	ports, err := enginetest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	serving := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "serve", "--data", dir, "--listen", address, "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "500ms"}}
	serving.start(t)
	s := connect(t, dir)
	s.publish(t, [][]byte{[]byte(acme("c0", 0, ""))})
	collector := &process{env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: []string{os.Args[0], "feed", "--url", "http://" + address, "--token", s.token, "--institution", "acme",
		"--follow", "--limit", "50", "--state", filepath.Join(out, "state"), "-o", filepath.Join(out, "actions.ndjson")}}
	collector.start(t)
	const rounds, each = 8, 150
	for round := range rounds {
		var lines [][]byte
		for i := range each {
			lines = append(lines, []byte(acme(fmt.Sprintf("c%d", 1+round*each+i), time.Duration(i)*time.Minute, "")))
		}
		s.publish(t, lines) // and is settled
		time.Sleep(time.Duration(round*60) * time.Millisecond)
		if round%2 == 0 {
			serving.kill(t)
			if round == 4 {
				time.Sleep(outage(t))
			}
			serving.start(t)
			s = connect(t, dir)
		}
		if round%3 != 1 {
			collector.kill(t)
			collector.start(t)
		}
	}
	eventually(t, "the collector has the last action", func() bool {
		text, err := os.ReadFile(filepath.Join(out, "actions.ndjson"))
		return err == nil && strings.Contains(string(text), fmt.Sprintf(`"id":"c%d"`, rounds*each))
	})
	if err := collector.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := collector.cmd.Wait(); err != nil {
		t.Errorf("the collector ended with %v", err)
	}
	counted := countLines(t, filepath.Join(out, "actions.ndjson"))
	for n := range rounds*each + 1 {
		if id := fmt.Sprintf("c%d", n); counted[id] != 1 {
			t.Errorf("%s was collected %d times", id, counted[id])
		}
	}
	for id, n := range counted {
		if n != 1 {
			t.Errorf("%s was collected %d times", id, n)
		}
	}
}

// archivedAll waits until everything is in the archive, and so in the feed.
func (s *service) archivedAll(t *testing.T) {
	t.Helper()
	eventually(t, "everything is archived", func() bool { return s.metric(t, "actionlog_archive_behind_messages") == "0" })
}

// outage is for how long the service is away while the collector asks: ACTIONLOG_OUTAGE, such
// as 1h; 2 s.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("ACTIONLOG_OUTAGE")
	if text == "" {
		return 2 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// countLines counts the actions of a file by their IDs.
func countLines(t *testing.T, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	counted := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r struct{ ID string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		counted[r.ID]++
	}
	return counted
}
