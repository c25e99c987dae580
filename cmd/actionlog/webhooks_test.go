package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// siem is a receiver of webhooks that can be away.
type siem struct {
	t *testing.T

	mu       sync.Mutex
	secret   string
	away     bool
	seen     map[string]bool // messages, by their ids
	actions  []string
	requests int
}

// ServeHTTP takes a message once.
func (r *siem) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	if r.away {
		panic(http.ErrAbortHandler)
	}
	if r.secret == "" { // it was made this moment
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	hook, err := standardwebhooks.NewWebhook(r.secret)
	if err == nil {
		err = hook.Verify(body, req.Header)
	}
	var m struct {
		Type string
		Data struct{ Actions []struct{ ID string } }
	}
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		r.t.Errorf("%v: %s", err, body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if id := req.Header.Get("webhook-id"); !r.seen[id] {
		r.seen[id] = true
		for _, a := range m.Data.Actions {
			r.actions = append(r.actions, a.ID)
		}
	}
}

func (r *siem) has() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.actions)
}

// A receiver has every action that its filter means once, signed, while the service is
// killed and the receiver is away; a message to an address inside is not sent unless that
// is allowed; what is done with webhooks stands in the log.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	to := &siem{t: t, seen: map[string]bool{}}
	receiver := httptest.NewServer(to)
	defer receiver.Close()
	dir := t.TempDir()
	args := []string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "500ms"}
	serving := startWith(t, dir, append(args, "--webhook-allow", "127.0.0.0/8"))
	s := connect(t, dir)
	s.publish(t, [][]byte{[]byte(acme("before", time.Hour, `"outcome":"failure"`))})
	var made struct{ ID, Secret string }
	s.call(t, http.MethodPost, "/v1/institutions/acme/webhooks", `{"name":"SIEM","url":"`+receiver.URL+`/hook","filter":{"outcome":"failure"},"per_message":20,"since":"now-1h"}`, &made)
	to.mu.Lock()
	to.secret = made.Secret
	to.mu.Unlock()
	s, want := s.whileKilled(t, serving, to)
	want = append([]string{"before"}, want...)
	eventually(t, "the receiver has everything", func() bool { return len(to.has()) >= len(want) })
	if got := to.has(); !slices.Equal(got, want) {
		t.Errorf("%d actions came, and not %d: %q", len(got), len(want), got)
	}
	var v struct {
		Status   string
		Secret   string
		Progress struct{ Actions, Messages int }
	}
	eventually(t, "it is noted", func() bool {
		s.get(t, "/v1/institutions/acme/webhooks/"+made.ID, &v)
		return v.Progress.Actions == len(want)
	})
	if v.Status != "active" || v.Secret != "" || v.Progress.Messages == 0 {
		t.Errorf("%+v", v)
	}
	s.webhookSteps(t, made.ID, to)
	notInside(t, serving, made.ID, to)
}

// whileKilled publishes while the service is killed and the receiver is away. It returns
// the service as it is then, and what the receiver is to have.
func (s *service) whileKilled(t *testing.T, serving *process, to *siem) (now *service, want []string) {
	t.Helper()
	const rounds, each = 6, 40
	for round := range rounds {
		var lines [][]byte
		for i := range each {
			id := fmt.Sprintf("w%d-%d", round, i)
			outcome := []string{"success", "failure"}[i%2]
			if lines = append(lines, []byte(acme(id, time.Duration(i)*time.Hour, `"outcome":"`+outcome+`"`))); i%2 == 1 {
				want = append(want, id)
			}
		}
		s.publish(t, lines)
		time.Sleep(time.Duration(round*50) * time.Millisecond)
		to.mu.Lock()
		to.away = round%2 == 0
		to.mu.Unlock()
		if round == 1 || round == 4 {
			serving.kill(t)
			serving.start(t)
			s = connect(t, serving.dir)
		}
	}
	return s, want
}

// notInside holds that nothing is sent to an address inside that is not allowed.
func notInside(t *testing.T, serving *process, id string, to *siem) {
	t.Helper()
	serving.kill(t)
	serving.args = slices.DeleteFunc(serving.args, func(a string) bool { return strings.HasPrefix(a, "127.0.0.0/") || a == "--webhook-allow" })
	serving.start(t)
	s := connect(t, serving.dir)
	requests := to.requests
	var tested struct {
		Taken   bool
		Problem string
	}
	s.call(t, http.MethodPost, "/v1/institutions/acme/webhooks/"+id+"/test", "", &tested)
	if tested.Taken || !strings.Contains(tested.Problem, "inside") || to.requests != requests {
		t.Errorf("an address inside: %+v", tested)
	}
}

// startWith runs the service as a process of its own.
func startWith(t *testing.T, dir string, args []string) *process {
	t.Helper()
	p := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: append([]string{os.Args[0]}, args...)}
	p.start(t)
	return p
}

// webhookSteps tries, pauses, resumes, rotates, replays and removes a webhook, each of which
// is recorded.
func (s *service) webhookSteps(t *testing.T, id string, to *siem) {
	t.Helper()
	path := "/v1/institutions/acme/webhooks/" + id
	var tested struct{ Taken bool }
	if s.call(t, http.MethodPost, path+"/test", "", &tested); !tested.Taken {
		t.Error("a message without an action was not taken")
	}
	var v struct{ Status, Secret string }
	if s.call(t, http.MethodPost, path+"/pause", "", &v); v.Status != "paused" {
		t.Errorf("paused: %+v", v)
	}
	s.publish(t, [][]byte{[]byte(acme("while-paused", 0, `"outcome":"failure"`))})
	n := len(to.has())
	if s.call(t, http.MethodPost, path+"/rotate", `{"overlap":"1h"}`, &v); !strings.HasPrefix(v.Secret, "whsec_") {
		t.Errorf("rotated: %+v", v)
	}
	to.mu.Lock()
	to.secret = v.Secret
	to.mu.Unlock()
	if s.call(t, http.MethodPost, path+"/resume", "", &v); v.Status != "active" {
		t.Errorf("resumed: %+v", v)
	}
	eventually(t, "what came while it was paused is there", func() bool { return slices.Contains(to.has(), "while-paused") })
	if got := len(to.has()); got != n+1 {
		t.Errorf("%d actions, and %d before", got, n)
	}
	s.call(t, http.MethodPost, path+"/replay", `{}`, &v)
	eventually(t, "everything comes again", func() bool { return len(to.has()) == 2*(n+1) })
	var page struct {
		Data []struct {
			Document struct{ Action struct{ Code string } }
		}
	}
	s.settle(t)
	s.get(t, "/v1/institutions/acme/actions?limit=1000&any=SIEM", &page)
	recorded := map[string]bool{}
	for _, d := range page.Data {
		recorded[strings.TrimPrefix(d.Document.Action.Code, "institution.actionlog.webhook_")] = true
	}
	for _, step := range []string{"created", "paused", "rotated", "resumed", "replayed"} {
		if !recorded[step] {
			t.Errorf("that it was %s is not recorded: %v", step, recorded)
		}
	}
}
