package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/elastic"
	"actionlog/internal/sqlite"
	"actionlog/restore"
	"actionlog/search"

	"github.com/prometheus/client_golang/prometheus"
)

// Non-interference: what an institution is answered on its own data and another's is, byte
// for byte, what it is answered on its own data alone, whatever it asks: the two share
// names, IDs, e-mail addresses, courses and the IDs of actions. Only how long it took, and
// until when the stream is settled, may differ. ACTIONLOG_CASES says how many questions
// (default 2,000, in the long form 10,000; on an engine an eighth).
func TestNonInterference(t *testing.T) {
	t.Parallel()
	cases := 2000
	if long() {
		cases = 10_000
	}
	if n, err := strconv.Atoi(os.Getenv("ACTIONLOG_CASES")); err == nil {
		cases = n
	}
	rounds := 4
	if url, _ := engineOf(t); url != "" {
		cases, rounds = cases/8, 1
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		w := newTwoWorlds(t, rng)
		found, failed := 0, 0
		for range cases / rounds {
			path := w.question()
			both, alone := w.ask(w.both, path), w.ask(w.alone, path)
			if !sameAnswer(path, both, alone) {
				t.Errorf("%s\non both:  %.1500s\nalone:    %.1500s", path, both, alone)
				if failed++; failed == 5 {
					t.FailNow()
				}
			}
			if strings.Contains(both, "SECRET") && !strings.Contains(path, "SECRET") { // what is asked for may be said again
				t.Fatalf("%s: %.1500s", path, both)
			}
			if strings.HasPrefix(both, "200") && strings.Contains(both, `"document"`) {
				found++
			}
			w.remember(both)
		}
		if found < cases/rounds/10 {
			t.Errorf("only %d of %d questions found anything", found, cases/rounds)
		}
	}
}

var countOf = regexp.MustCompile(`,"actions":\d+`)

// sameAnswer compares two answers. Completions leave counts out where counting takes too long.
func sameAnswer(path, both, alone string) bool {
	if strings.Contains(path, "/completions?") && countOf.MatchString(both) != countOf.MatchString(alone) {
		both, alone = countOf.ReplaceAllString(both, ""), countOf.ReplaceAllString(alone, "")
	}
	return both == alone
}

// twoWorlds are an API on the data of two institutions and one on the data of the first.
type twoWorlds struct {
	*testing.T
	*rand.Rand
	both, alone http.Handler
	now         time.Time
	next        []string // pages that lists went on with
	restores    []string // IDs, of both institutions
	exports     []string // the same
	files       search.ExportStorage
}

var isolationNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func newTwoWorlds(t *testing.T, rng *rand.Rand) *twoWorlds {
	w := &twoWorlds{T: t, Rand: rng, now: isolationNow}
	inBoth, inAlone := w.states()
	w.files = exportStorage{archive.FolderAt(t.TempDir())}
	var ours, theirs []actionlog.Item
	for i := range 250 {
		ours = append(ours, w.action("north", i, i*2+1))
		theirs = append(theirs, w.action("south", i, i*2+2))
	}
	open := func(state actionlog.State, batches ...[]actionlog.Item) http.Handler {
		store := openIsolated(t)
		for start := 0; start < 250; start += 50 {
			for _, all := range batches {
				if outcomes, err := store.Write(t.Context(), all[start:start+50]); err != nil || outcomes[0].Err != nil {
					t.Fatal(outcomes, err)
				}
			}
		}
		jobs := &search.Exports{Storage: w.files, Dir: t.TempDir(), Name: "n"}
		handler, err := search.New(t.Context(), search.Options{Exports: jobs, Searcher: store, Scanner: store, Directory: store, Institutions: store, Progress: settledAt{w.now}, State: state, Restores: w.desk(state), Publisher: taken{},
			Access: onlyNorth{}, Registerer: prometheus.NewRegistry(), Metrics: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }})
		if err != nil {
			t.Fatal(err)
		}
		if state == inAlone {
			w.exportAlone(handler, jobs)
			w.shareExports(inAlone, inBoth)
		}
		return handler
	}
	if w.IntN(2) == 0 { // who comes first has the smaller numbers in a store
		w.both, w.alone = open(inBoth, ours, theirs), open(inAlone, ours)
	} else {
		w.both, w.alone = open(inBoth, theirs, ours), open(inAlone, ours)
	}
	return w
}

// exportAlone makes exports of north where it is alone.
func (w *twoWorlds) exportAlone(h http.Handler, jobs *search.Exports) {
	ctx, stop := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- jobs.Run(ctx) }()
	for _, format := range []string{"csv", "json", "ndjson", "ecs"} {
		r := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/institutions/north/exports", strings.NewReader(`{"format":"`+format+`","filter":{"from":"now-30d","user":"ann lee"}}`))
		req.Header.Set("Authorization", "Bearer x")
		h.ServeHTTP(r, req)
		var x actionlog.Export
		if err := json.Unmarshal(r.Body.Bytes(), &x); err != nil || r.Code != http.StatusCreated {
			w.Fatal(r.Code, r.Body)
		}
		w.exports = append(w.exports, x.ID)
		eventually(w, "its file is there", func() bool {
			return strings.Contains(w.ask(h, "/v1/institutions/north/exports/"+x.ID), `"status":"ready"`)
		})
	}
	stop()
	if err := <-done; err != nil {
		w.Fatal(err)
	}
}

// shareExports has north's exports be there where south is too, which has the same, and
// some of its own.
func (w *twoWorlds) shareExports(alone, both actionlog.State) {
	keys, err := alone.List(w.Context(), "exports")
	if err != nil || len(keys) != len(w.exports) {
		w.Fatal(keys, err)
	}
	for i, key := range keys {
		value, _, err := alone.Get(w.Context(), "exports", key)
		if err == nil {
			_, err = both.Put(w.Context(), "exports", key, value, 0)
		}
		souths := strings.NewReplacer("north", "south", "Ann Lee", "SECRET", "ann lee", "SECRET")
		for _, id := range []string{w.exports[i], w.exports[i] + "-of-south"} {
			if err == nil {
				text := strings.ReplaceAll(souths.Replace(string(value)), w.exports[i], id)
				_, err = both.Put(w.Context(), "exports", "south/"+id, []byte(text), 0)
			}
		}
		if err != nil {
			w.Fatal(err)
		}
		w.exports = append(w.exports, w.exports[i]+"-of-south")
	}
}

func (w *twoWorlds) desk(state actionlog.State) *restore.Desk {
	return &restore.Desk{State: state, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)}
}

// states are two with the same sealing key and the same restores of the first institution;
// in one of them the other has asked for restores too.
func (w *twoWorlds) states() (both, alone actionlog.State) {
	var states [2]actionlog.State
	key := make([]byte, 32)
	for i := range states {
		s, err := sqlite.OpenState(filepath.Join(w.TempDir(), "state.sqlite"))
		if err == nil {
			_, err = s.Put(w.Context(), "keys", "cursor", key, 0)
		}
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = s.Close() })
		states[i] = s
	}
	both, alone = states[0], states[1]
	ask := func(state actionlog.State, institution string, days int) {
		from := actionlog.DayOf(w.now.AddDate(0, 0, -200-days))
		r, err := w.desk(state).Create(w.Context(), actionlog.Restore{Institution: institution, From: from, To: from, Reason: "audit of " + institution}, actionlog.Requester{ID: "t", Staff: days%2 == 0})
		if err != nil {
			w.Fatal(err)
		}
		w.restores = append(w.restores, r.ID)
	}
	for i := range 5 {
		ask(alone, "north", i)
	}
	keys, err := alone.List(w.Context(), "restores")
	if err != nil {
		w.Fatal(err)
	}
	for _, k := range keys {
		value, _, err := alone.Get(w.Context(), "restores", k)
		if err == nil {
			_, err = both.Put(w.Context(), "restores", k, value, 0)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	for i := range 7 {
		ask(both, "south", i)
	}
	return both, alone
}

// openIsolated opens an empty store, of the engine that the test's name says.
func openIsolated(t *testing.T) engine {
	now := func() time.Time { return isolationNow }
	var store engine
	var err error
	if url, prefix := engineOf(t); url != "" {
		store, err = elastic.Open(t.Context(), elastic.Options{Addresses: []string{url}, Prefix: prefix, RefreshEvery: time.Millisecond, Now: now}, slog.New(slog.DiscardHandler))
	} else {
		store, err = sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Now: now, Log: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// taken is a stream that takes everything.
type taken struct{}

func (taken) Publish(_ context.Context, all []actionlog.Submission) []actionlog.Receipt {
	return make([]actionlog.Receipt, len(all))
}

type settledAt struct{ at time.Time }

func (s settledAt) Settled(context.Context) (time.Time, error) { return s.at, nil }

// onlyNorth is an Access with one token, of north's admin.
type onlyNorth struct{ search.Access }

func (onlyNorth) Check(context.Context, string) (actionlog.Principal, error) {
	return actionlog.Principal{ID: "t", Grants: []actionlog.Grant{{Roles: []actionlog.Role{actionlog.RoleAdmin}, Institutions: []string{"north"}}}}, nil
}

func (w *twoWorlds) pick(list ...string) string { return list[w.IntN(len(list))] }

// person invents somebody; only the other institution knows Zelda.
func (w *twoWorlds) person(institution string) string {
	i := w.IntN(6)
	names := []string{"Ann Lee", "Anne Lee", "Séamus O'Brien", "王小明", "Łukasz Zając", "Ann-Marie Leigh", "Zelda Quux"}
	known := 6
	if institution != "north" {
		known = 7
	}
	return fmt.Sprintf(`{"kind":%q,"id":"u%d","name":%q,"email":"u%d@example.edu","external_id":"X%d"}`, w.pick("user", "staff", "api_key"), i, names[w.IntN(known)], w.IntN(6), i)
}

// action invents an action. What the other institution does is secret.
func (w *twoWorlds) action(institution string, n, sequence int) actionlog.Item {
	summary := w.pick("grade changed", "report created", "nothing special")
	if institution != "north" {
		summary += " SECRET"
	}
	at := w.now.Add(-time.Duration(w.Int64N(int64(12 * 24 * time.Hour)))).Truncate(time.Hour)
	doc := fmt.Sprintf(`{"id":"a%d","occurred_at":%q,"institution":{"id":%q,"name":%q},"category":%q,"action":{"code":%q},"actor":%s,"targets":[%s],"course":{"id":"c%d","title":%q},"outcome":%q,`+
		`"request":{"method":%q,"url":%q},"response":{"code":%d},"origin":{"ip":%q,"channel":%q},"trace":{"batch_id":"b%d"},"summary":%q}`,
		n, at.Format(time.RFC3339), institution, strings.ToUpper(institution), w.pick("course", "api", "institution"), w.pick("a.b", "c.d", "e.f"), w.person(institution), w.person(institution), w.IntN(4), w.pick("Arts and Craft", "Geometry", "Crafts"),
		w.pick("success", "failure"), w.pick("GET", "POST"), w.pick("/v2/a", "/v2/b?x=1"), 200+w.IntN(300), w.pick("10.0.0.1", "10.0.0.2"), w.pick("web", "api"), w.IntN(5), summary)
	item, err := actionlog.Parse([]byte(doc), nil)
	if err != nil {
		w.Fatal(err)
	}
	item.Position, item.ReceivedAt = actionlog.Position{Stream: "s1", Sequence: uint64(sequence)}, w.now.Add(time.Duration(sequence)*time.Millisecond)
	return item
}
