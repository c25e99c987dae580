package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// Dead letters that share an id are replayed each for itself: what cannot be
// indexed is a dead letter again, and none takes the other's place.
func TestReplaySameID(t *testing.T) {
	t.Parallel()
	s := startService(t)
	at := time.Now().UTC().Format(time.RFC3339)
	document := func(summary string) []byte {
		return []byte(fmt.Sprintf(`{"id":"same","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"},"summary":%q}`, at, summary))
	}
	s.publish(t, [][]byte{document("first"), document("second"), document("third")})
	letters := func() (positions, summaries []string) {
		t.Helper()
		var answer struct {
			Data []struct{ Position, Reason, Document string }
		}
		s.get(t, "/v1/dead-letters", &answer)
		for _, d := range answer.Data {
			var doc struct{ Summary string }
			if err := json.Unmarshal([]byte(d.Document), &doc); err != nil || d.Reason != "id_collision" {
				t.Errorf("%+v: %v", d, err)
			}
			positions, summaries = append(positions, d.Position), append(summaries, doc.Summary)
		}
		slices.Sort(summaries)
		return positions, summaries
	}
	want := []string{"second", "third"}
	positions, summaries := letters()
	if !slices.Equal(summaries, want) {
		t.Fatalf("dead letters %q, want %q", summaries, want)
	}
	for _, p := range positions {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/dead-letters/"+p+"/replay", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("replay %s: %s", p, resp.Status)
		}
	}
	s.settle(t)
	again, summaries := letters()
	if !slices.Equal(summaries, want) || slices.Equal(again, positions) {
		t.Errorf("after the replay: %q at %q; before at %q", summaries, again, positions)
	}
}

// What came on one institution's subject and names another stays a dead letter: a replay
// would have its publisher speak for both.
func TestReplayOfAnothersInstitution(t *testing.T) {
	s := startService(t)
	forged := acme("forged", time.Minute, "")
	if r := s.publisher.Publish(t.Context(), []actionlog.Submission{{Institution: "other", Category: "course", ID: "forged", Document: []byte(forged)}}); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	s.settle(t)
	var letters struct {
		Data []struct{ Position, Reason string }
	}
	s.get(t, "/v1/dead-letters", &letters)
	if len(letters.Data) != 1 || letters.Data[0].Reason != "subject" {
		t.Fatalf("dead letters: %+v", letters)
	}
	status, _, body := s.send(t, s.token, http.MethodPost, "/v1/dead-letters/"+letters.Data[0].Position+"/replay", "", "", nil)
	if status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "is not the institution of the subject actions.other.course") {
		t.Errorf("the replay: %d %s", status, body)
	}
	s.settle(t)
	if ids, _ := s.list(t, "acme", url.Values{}); ids["forged"] != 0 || s.deadLetters(t) != 1 {
		t.Errorf("it is in the list: %v, and %d dead letters", ids, s.deadLetters(t))
	}
}
