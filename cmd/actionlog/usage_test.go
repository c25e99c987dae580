package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// Usage is what was acknowledged, each action once, whatever was published again, collided,
// was none, or came too late to be searched: by the API and the command line, sealed and
// not, and by the store alone where there is no archive.
func TestUsage(t *testing.T) {
	t.Parallel()
	dir, args := t.TempDir(), engineArgs(t)
	s, stop := startServiceOn(t, dir, append(args, "--archive-seal-age", "400ms"))
	t.Cleanup(func() { stop() })
	lines := inventedLines(40, time.Now())
	if len(args) > 0 {
		lines = lines[:5] // of other days each: an index
	}
	var old [][]byte
	for i := range 30 {
		old = append(old, []byte(acme(fmt.Sprintf("o%d", i%15), time.Duration(200+i%3)*24*time.Hour, fmt.Sprintf(`"summary":"%d"`, i%2))))
	}
	collides := bytes.Replace(lines[0], []byte(`"summary":"`), []byte(`"summary":"not `), 1)
	ahead := []byte(acme("ahead", -30*time.Hour, ""))
	for _, batch := range [][][]byte{lines, old, {append(bytes.Clone(lines[1]), ' '), collides, append(bytes.Clone(old[3]), ' ')}, {ahead}} {
		s.publish(t, batch)
	}
	s.publishInvalid(t)
	s.settle(t)
	eventually(t, "everything is archived", func() bool { return s.metric(t, "actionlog_archive_behind_messages") == "0" })
	want := acknowledged(t, append(lines, old...))
	const span = "?from=2024-01-01&to=2100-01-01&limit=7"
	s.compareUsage(t, span, want)
	s.archived(t)
	s.compareUsage(t, span, want)

	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"usage", "--data", dir, "--from", "2024-01-01", "--by", "total", "--format", "csv"}, strings.NewReader(""), &out, &errs); status != statusDone {
		t.Fatal(errs.String())
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != "acme" || rows[2][0] != "invented" {
		t.Fatalf("%v %q", err, rows)
	}
	for _, row := range rows[1:] {
		sum := 0
		for key, n := range want {
			if strings.HasPrefix(key, row[0]+" ") {
				sum += n
			}
		}
		archived, err := strconv.Atoi(row[4])
		if length, err2 := strconv.Atoi(row[5]); row[3] != strconv.Itoa(sum) || err != nil || archived <= sum || err2 != nil || length < 100*archived {
			t.Errorf("%q, and %d were acknowledged", row, sum)
		}
	}
	if !strings.Contains(errs.String(), fmt.Sprintf("%d actions of 2 institutions; all is counted that came up to position ", len(distinctIDs(t, append(lines, old...))))) {
		t.Errorf("%s", errs.String())
	}

	ann := s.createToken(t, `{"name":"ann","roles":["admin"],"institutions":["elsewhere"]}`)
	if status, _, body := s.send(t, ann.Token, http.MethodGet, "/v1/usage", "", "", nil); status != http.StatusForbidden {
		t.Errorf("an institution's admin: %d %s", status, body)
	}
	stop()
	s, stop = startServiceOn(t, dir, append(args, "--archive", "off"))
	s.storeAlone(t, want)
}

// compareUsage walks all pages of days, and holds them against what is wanted.
func (s *service) compareUsage(t *testing.T, query string, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for cursor := ""; ; {
		var page struct {
			Data []struct {
				Institution, From, To string
				Actions               int
			}
			Page struct{ Next string }
			Meta struct {
				Through *string `json:"complete_through"`
				Counted *string `json:"counted_from"`
			}
		}
		s.get(t, "/v1/usage"+query+"&cursor="+cursor, &page)
		for _, row := range page.Data {
			if key := row.Institution + " " + row.From; row.From != row.To || got[key] != 0 {
				t.Errorf("%+v, which is there twice or of days", row)
			} else if row.Actions > 0 {
				got[key] = row.Actions
			}
		}
		if page.Meta.Through == nil || page.Meta.Counted != nil {
			t.Errorf("%+v", page.Meta)
		}
		if cursor = page.Page.Next; cursor == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("usage\n%v\nand not\n%v", got, want)
	}
}

// storeAlone is usage without an archive: what the store has, and from when on.
func (s *service) storeAlone(t *testing.T, want map[string]int) {
	t.Helper()
	var page struct {
		Data []struct {
			Institution, From string
			Actions           int
			Archived, Bytes   json.RawMessage
		}
		Meta struct {
			Counted string `json:"counted_from"`
		}
	}
	s.get(t, "/v1/usage?from=2024-01-01&limit=1000", &page)
	oldest := actionlog.OldestKept(time.Now()).String()
	rows := 0
	for _, row := range page.Data {
		if row.Institution != "invented" {
			continue
		}
		if rows++; row.Actions != want["invented "+row.From] || string(row.Archived) != "null" || string(row.Bytes) != "null" {
			t.Errorf("%+v", row)
		}
	}
	if page.Meta.Counted != oldest || rows == 0 {
		t.Errorf("%d rows, counted from %s and not %s", rows, page.Meta.Counted, oldest)
	}
}

// acknowledged counts identities by institution and day.
func acknowledged(t *testing.T, lines [][]byte) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for id := range distinctIDs(t, lines) {
		counts[id[:strings.LastIndexByte(id, ' ')]]++
	}
	return counts
}

func distinctIDs(t *testing.T, lines [][]byte) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	for _, raw := range lines {
		l, err := decodeLine(raw)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, l.at("occurred_at"))
		if err != nil {
			t.Fatal(err)
		}
		seen[l.at("institution.id")+" "+at.UTC().Format(time.DateOnly)+" "+l.at("id")] = true
	}
	return seen
}
