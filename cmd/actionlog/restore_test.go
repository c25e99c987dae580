package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// call sends a JSON body and decodes the answer, which must be a good one.
func (s *service) call(t testing.TB, method, path, body string, into any) {
	t.Helper()
	status, _, answer := s.send(t, s.token, method, path, "application/json", "", []byte(body))
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// restore restores an institution's actions from a date on, and waits.
func (s *service) restore(t testing.TB, institution, from string) (r actionlog.Restore) {
	t.Helper()
	path := "/v1/institutions/" + institution + "/restores"
	s.call(t, http.MethodPost, path, fmt.Sprintf(`{"from":%q,"reason":"test"}`, from), &r)
	eventually(t, "the restore is ready", func() bool {
		s.get(t, path+"/"+r.ID, &r)
		if r.Status.Over() {
			t.Fatalf("%+v", r)
		}
		return r.Status == actionlog.RestoreReady
	})
	return r
}

// The course log with its own times, of 2019: it is too old for the store, and archived;
// restored, it is there as anything else is; and it goes again.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := startService(t)
	count := 20_000
	if strings.HasPrefix(t.Name(), onOpenSearch) {
		count = 6000
	}
	lines := rawLines(t, "actions-moodle-course.ndjson.gz", count)
	want := map[string]string{}
	for _, raw := range lines {
		l, err := decodeLine(raw)
		if err != nil {
			t.Fatal(err)
		}
		want[l.at("id")] = string(raw)
	}
	s.publish(t, lines)
	const all = "from=2019-07-01&to=2020-01-01"
	empty := func() {
		t.Helper()
		var answer struct {
			Data []any
			Meta struct{ Restored, Missing []any }
		}
		s.get(t, "/v1/institutions/nordic-analytics/actions?"+all, &answer)
		if len(answer.Data) > 0 || len(answer.Meta.Restored) > 0 || len(answer.Meta.Missing) != 1 {
			t.Errorf("what is not restored: %+v", answer)
		}
	}
	empty()
	r := s.restore(t, "nordic-analytics", "2019-01-01")
	if r.Progress.Restored != int64(len(want)) || r.Progress.LeftOut != 0 || r.Estimate == nil || r.Estimate.Actions != int64(len(want)) {
		t.Errorf("%d actions are restored as %+v, %+v", len(want), r.Progress, r.Estimate)
	}
	s.holdsAll(t, want, all)
	t.Run("filters", func(t *testing.T) { s.compareIn(t, all, "nordic-analytics", lines, courseLogCases(t, lines)[:8]) })
	s.call(t, http.MethodDelete, "/v1/institutions/nordic-analytics/restores/"+r.ID, "", &r)
	empty()
	eventually(t, "nothing of it is left", func() bool {
		var people struct{ Data []any }
		s.get(t, "/v1/institutions/nordic-analytics/people?q=nielsen", &people)
		files, err := filepath.Glob(filepath.Join(s.dir, "restored", "actions-*")) // none on an engine
		return err == nil && len(files) == 0 && len(people.Data) == 0
	})
}

// A lost store comes back from the archive alone: what was found before is found again,
// as it was.
func TestLostStore(t *testing.T) {
	t.Parallel()
	dir, args := t.TempDir(), engineArgs(t)
	s, stop := startServiceOn(t, dir, args)
	defer func() { stop() }()
	s.publish(t, squeeze(t, rawLines(t, "actions-moodle-course.ndjson.gz", 6000), 10*24*time.Hour, time.Now().Add(-time.Minute)))
	others := inventedLines(2000, time.Now().Add(-time.Hour))
	if len(args) > 0 {
		others = others[:4] // of other days each: an index
	}
	s.publish(t, others)
	digest := func(institution string) string {
		t.Helper()
		_, header, body := s.send(t, s.token, http.MethodGet, "/v1/institutions/"+institution+"/export?from=now-90d&to=2100-01-01&"+withoutExports, "", "", nil)
		if header.Get(trailerCount) == "0" || len(body) == 0 {
			t.Errorf("the export of %s has %s actions", institution, header.Get(trailerCount))
		}
		return header.Get(trailerCount) + " " + header.Get(trailerDigest)
	}
	people := func() string { return s.send1(t, "/v1/institutions/nordic-analytics/people?q=james+johnson&limit=20") }
	before, invented, named := digest("nordic-analytics"), digest("invented"), withoutTime(people())
	stop()
	loseStore(t, dir, args)
	s, stop = startServiceOn(t, dir, args)
	if n := s.sum(t, "/v1/institutions/nordic-analytics/histogram?from=now-90d&to=now"); n != 0 {
		t.Fatalf("%d actions are left", n)
	}
	s.reindex(t, `{"all":true}`)
	if after := digest("nordic-analytics"); after != before {
		t.Errorf("%s before, %s after", before, after)
	}
	if after := digest("invented"); after != invented {
		t.Errorf("%s before, %s after", invented, after)
	}
	if after := withoutTime(people()); after != named {
		t.Errorf("people before and after:\n%s\n%s", named, after)
	}
	eventually(t, "everything is accounted for, four exports too", func() bool {
		var accounts struct{ Missing, Unarchived, Archived, Indexed int }
		s.get(t, "/v1/accounting", &accounts)
		return accounts.Missing+accounts.Unarchived == 0 && accounts.Archived == accounts.Indexed && accounts.Indexed == 6000+len(others)+4*2
	})
}

// withoutTime cuts how long an answer took.
func withoutTime(answer string) string {
	head, _, _ := strings.Cut(answer, `"meta"`)
	return head
}

// loseStore removes all that the store has.
func loseStore(t *testing.T, dir string, args []string) {
	t.Helper()
	if len(args) == 0 {
		if err := os.RemoveAll(filepath.Join(dir, "store")); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, indices := range []string{"actions-*", "actionlog-directory", "actionlog-words"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, args[1]+"/"+args[3]+indices, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", indices, resp, err)
		}
		resp.Body.Close()
	}
}

// reindex has days made anew and waits for them.
func (s *service) reindex(t testing.TB, body string) {
	t.Helper()
	var answer struct{ Data []actionlog.DayJob }
	s.call(t, http.MethodPost, "/v1/reindex", body, &answer)
	eventually(t, "the days are made anew", func() bool {
		s.get(t, "/v1/reindex", &answer)
		for _, j := range answer.Data {
			if j.Status == "failed" {
				t.Fatalf("%+v", j)
			}
			if j.Status != "done" {
				return false
			}
		}
		return true
	})
}

// Days are made anew while they are written and read: nothing is lost, doubled or, for a
// moment, not there.
func TestReindexUnderLoad(t *testing.T) {
	t.Parallel()
	s := startService(t)
	load := &loader{acked: map[string]bool{}, sent: map[string]string{}}
	stop := load.start(t, s, 0)
	today := time.Now().UTC()
	seen := int64(0)
	for i := range 4 {
		days, err := json.Marshal([]string{today.Format(time.DateOnly), today.AddDate(0, 0, -1-i).Format(time.DateOnly)})
		if err != nil {
			t.Fatal(err)
		}
		s.reindex(t, `{"days":`+string(days)+`}`)
		n := s.sum(t, "/v1/institutions/crash/histogram?from=now-92d&to=now")
		if n < seen {
			t.Errorf("%d actions, after there were %d", n, seen)
		}
		seen = n
	}
	stop()
	s.settle(t)
	load.verify(t, s)
}

// Killed with SIGKILL at any moment of a restore and of days being made anew, again and
// again: in the end everything is there once.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	const actions = 6000
	var lines [][]byte
	for i := range actions {
		at := time.Date(2025, 1, 1, 0, 0, i*300, 0, time.UTC)
		if i%2 == 0 {
			at = time.Now().UTC().Add(-time.Duration(i) * time.Minute)
		}
		lines = append(lines, fmt.Appendf(nil, `{"id":"r%d","occurred_at":%q,"institution":{"id":"nordic-analytics"},"category":"course","action":{"code":"a.b"},"actor":{"kind":"user","id":"u%d","name":"Ann %d"}}`,
			i, at.Format(time.RFC3339), i%50, i%50))
	}
	dir := t.TempDir()
	cmd := startProcess(t, dir)
	s := connect(t, dir)
	s.publish(t, lines)
	path := "/v1/institutions/nordic-analytics/restores"
	var r actionlog.Restore
	var days struct{ Data []actionlog.DayJob }
	s.call(t, http.MethodPost, path, `{"from":"2025-01-01","reason":"test"}`, &r)
	s.call(t, http.MethodPost, "/v1/reindex", `{"all":true}`, &days)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 8 {
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		cmd = startProcess(t, dir)
		s = connect(t, dir)
	}
	eventually(t, "the restore is ready and the days are made anew", func() bool {
		s.get(t, path+"/"+r.ID, &r)
		s.get(t, "/v1/reindex", &days)
		for _, j := range days.Data {
			if j.Status != "done" {
				return false
			}
		}
		return r.Status == actionlog.RestoreReady
	})
	if r.Progress.Read != actions/2 {
		t.Errorf("%+v", r.Progress)
	}
	want := map[string]string{}
	for i, raw := range lines {
		want[fmt.Sprint("r", i)] = string(raw)
	}
	got := s.exportNDJSON(t, "/v1/institutions/nordic-analytics/export?from=2025-01-01&to=2100-01-01&category=course", want)
	s.once(t, want, got)
}
