package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pageSize is smaller where a page costs less.
func pageSize(t *testing.T) string {
	if strings.HasPrefix(t.Name(), onOpenSearch) {
		return "400"
	}
	return "50"
}

// The whole course log: every id exactly once in list pages of 50, in every
// export format, and by the sums of histogram and facets; every document
// comes back byte for byte. On an engine its first 20,000, over fewer days, so that a
// day is more than a page of a scroll; in the long form all of it there too.
func TestWholeCourseLog(t *testing.T) {
	t.Parallel()
	s := startService(t)
	all, span := 95626, 85
	if strings.HasPrefix(t.Name(), onOpenSearch) && !long() {
		all, span = 20_000, 12
	}
	lines := realLines(t, "actions-moodle-course.ndjson.gz", all, span)
	want := map[string]string{}
	for _, raw := range lines {
		l, err := decodeLine(raw)
		if err != nil {
			t.Fatal(err)
		}
		want[l.at("id")] = string(raw)
	}
	if len(want) != all {
		t.Fatalf("the log has %d ids", len(want))
	}
	s.publish(t, lines)
	s.publish(t, lines[:5000]) // again: changes nothing

	s.holdsAll(t, want, "from=now-92d&to=now")
}

// withoutExports leaves out that somebody exported.
const withoutExports = "action=-institution.actionlog.export_started&action=-institution.actionlog.exported"

// holdsAll checks that everything wanted, of nordic-analytics, is in lists, exports and
// counts of a time, once each and unaltered.
func (s *service) holdsAll(t *testing.T, want map[string]string, all string) {
	all += "&" + withoutExports
	base := "/v1/institutions/nordic-analytics/"
	t.Run("pages", func(t *testing.T) {
		query, err := url.ParseQuery(all + "&total=exact&limit=" + pageSize(t))
		if err != nil {
			t.Fatal(err)
		}
		ids, total := s.list(t, "nordic-analytics", query)
		s.once(t, want, ids)
		if total != int64(len(want)) {
			t.Errorf("total %d", total)
		}
	})
	t.Run("ndjson", func(t *testing.T) { s.once(t, want, s.exportNDJSON(t, base+"export?format=ndjson&"+all, want)) })
	t.Run("ecs", func(t *testing.T) { s.once(t, want, s.exportECS(t, base+"export?format=ecs&"+all, want)) })
	t.Run("json", func(t *testing.T) {
		s.once(t, want, s.exportJSON(t, base+"export?format=json&order=oldest&"+all, want))
	})
	t.Run("csv", func(t *testing.T) { s.once(t, want, s.exportCSV(t, base+"export?format=csv&"+all)) })
	t.Run("histogram", func(t *testing.T) {
		for _, interval := range []string{"auto&by=category", "day", "week&tz=Asia/Kolkata", "month&tz=America/New_York"} {
			path := base + "histogram?" + all + "&interval=" + interval
			if sum := s.sum(t, path); sum != int64(len(want)) {
				t.Errorf("%s: the buckets sum up to %d", path, sum)
			}
		}
	})
	t.Run("facets", func(t *testing.T) {
		for _, field := range []string{"category", "action", "outcome", "actor_kind", "channel", "request_method", "response_code", "request_content_type", "ip", "actor", "course", "class"} {
			for _, limit := range []string{"1000", "3"} {
				path := base + "facets?" + all + "&field=" + field + "&limit=" + limit
				if sum := s.sum(t, path); sum != int64(len(want)) {
					t.Errorf("%s: the counts sum up to %d", path, sum)
				}
			}
		}
	})
}

// once checks that every wanted id came exactly once and nothing else did.
func (s *service) once(t *testing.T, want map[string]string, got map[string]int) {
	t.Helper()
	wrong := 0
	for id, n := range got {
		if _, ok := want[id]; !ok || n != 1 {
			wrong++
		}
	}
	if wrong > 0 || len(got) != len(want) {
		t.Errorf("%d ids came, %d are expected; %d of those are foreign or came twice", len(got), len(want), wrong)
	}
}

// sum adds up data[].count and meta's other and absent.
func (s *service) sum(t *testing.T, path string) (sum int64) {
	t.Helper()
	var answer struct {
		Data []struct {
			Count int64 `json:"count"`
		} `json:"data"`
		Meta struct{ Other, Absent int64 } `json:"meta"`
	}
	s.get(t, path, &answer)
	for _, d := range answer.Data {
		sum += d.Count
	}
	return sum + answer.Meta.Other + answer.Meta.Absent
}

type exported struct {
	ID       string          `json:"id"`
	Document json.RawMessage `json:"document"`
}

func (e exported) count(t *testing.T, want map[string]string, ids map[string]int) {
	t.Helper()
	if want[e.ID] != string(e.Document) && ids["altered"] < 5 {
		t.Errorf("%s was altered: %s", e.ID, cmp.Diff(want[e.ID], string(e.Document)))
		ids["altered"]++
	}
	ids[e.ID]++
}

func (s *service) exportNDJSON(t *testing.T, path string, want map[string]string) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for line := range s.exportedLines(t, path) {
		var e exported
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		e.count(t, want, ids)
	}
	return ids
}

// exportECS reads events, whose originals are the documents.
func (s *service) exportECS(t *testing.T, path string, want map[string]string) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for line := range s.exportedLines(t, path) {
		var e struct {
			Event struct{ ID, Original string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		x := exported{ID: e.Event.ID, Document: json.RawMessage(e.Event.Original)}
		x.count(t, want, ids)
	}
	return ids
}

// exportedLines yields the lines of an export.
func (s *service) exportedLines(t *testing.T, path string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		t.Helper()
		resp := s.do(t, path)
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if !yield(lines.Bytes()) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *service) exportJSON(t *testing.T, path string, want map[string]string) map[string]int {
	t.Helper()
	resp := s.do(t, path)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var all []exported
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
	ids := map[string]int{}
	for _, e := range all {
		e.count(t, want, ids)
	}
	return ids
}

func (s *service) exportCSV(t *testing.T, path string) map[string]int {
	t.Helper()
	resp := s.do(t, path)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) < 2 || rows[0][0] != "id" {
		t.Fatalf("%v: %.300s", err, body)
	}
	ids := map[string]int{}
	for _, row := range rows[1:] {
		ids[row[0]]++
	}
	return ids
}
