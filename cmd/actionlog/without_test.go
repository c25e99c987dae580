package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// An answer without a day that cannot be read says so, also counts, exports and files of export jobs.
func TestAnswersWithoutADay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := startServiceOn(t, dir, nil)
	s.publish(t, [][]byte{[]byte(acme("today", time.Minute, "")), []byte(acme("then", 72*time.Hour, ""))})
	stop()
	day := actionlog.DayOf(time.Now().Add(-72 * time.Hour)).String()
	path := filepath.Join(dir, "store", "actions-"+strings.ReplaceAll(day, "-", ".")+".sqlite")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, stop = startServiceOn(t, dir, nil)
	defer stop()
	const base, search = "/v1/institutions/acme/", "range=7d&category=course"
	for _, path := range []string{"actions?", "facets?field=action&", "histogram?"} {
		var answer struct {
			Meta struct {
				MissingDays []string `json:"missing_days"`
			} `json:"meta"`
		}
		s.get(t, base+path+search+"&missing_days=allow", &answer)
		if len(answer.Meta.MissingDays) != 1 || answer.Meta.MissingDays[0] != day {
			t.Errorf("%s: without %q, want %s", path, answer.Meta.MissingDays, day)
		}
	}
	resp := s.do(t, base+"export?end=line&"+search+"&missing_days=allow")
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Actionlog-Missing") != day+"/"+day {
		t.Errorf("%s, without %q, %v: %s", resp.Status, resp.Header.Get("Actionlog-Missing"), err, body)
	}
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	var last struct {
		End struct {
			Missing []actionlog.Days `json:"missing"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(last.End.Missing) != 1 || last.End.Missing[0].From.String() != day {
		t.Errorf("the end line: %s, %v", lines[len(lines)-1], err)
	}
	var x actionlog.Export
	s.call(t, http.MethodPost, base+"exports", `{"format":"ndjson","filter":{"range":"7d","category":"course","missing_days":"allow"}}`, &x)
	eventually(t, "the file is written", func() bool {
		s.get(t, base+"exports/"+x.ID, &x)
		return x.Status == actionlog.ExportReady
	})
	if len(x.Missing) != 1 || x.Missing[0].From.String() != day {
		t.Errorf("the job says without %+v", x.Missing)
	}
	if resp := s.do(t, base+"export?"+search); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without being asked to do without it: %s", resp.Status)
		resp.Body.Close()
	}
}
