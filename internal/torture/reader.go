//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// known is an institution of which everything is known before the first fault.
const known = "torture-known"

const (
	knownActions = 900
	knownPeople  = 30
)

// reader asks while faults are made: an answer of status 200 has every action of the known
// institution that it should have, or says which days it has not.
type reader struct {
	service *service
	run     run

	mu      sync.Mutex
	answers int
	lag     time.Duration // the longest that an answer told: since when not everything is searchable
	wrong   []string
}

// prepare publishes what is known, over HTTP.
func (r *reader) prepare(ctx context.Context) error {
	var body bytes.Buffer
	for n := range knownActions {
		at := r.run.start.Add(-time.Duration(n) * 2 * time.Hour).UTC()
		fmt.Fprintf(&body, `{"id":"known-%d","occurred_at":%q,"institution":{"id":%q},"category":"course","action":{"code":"known.%d"},"actor":{"kind":"user","id":"k%d","name":"Known %d"}}`+"\n",
			n, at.Format(time.RFC3339), known, n%7, n%knownPeople, n%knownPeople)
	}
	resp, err := r.call(ctx, http.MethodPost, "/v1/institutions/"+known+"/actions", nil, &body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // what came says enough
		return fmt.Errorf("the known actions: %s %s", resp.Status, text)
	}
	return nil
}

func (r *reader) call(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.service.file("http.addr")+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+r.service.file("admin.token"))
	req.Header.Set("Content-Type", "application/x-ndjson")
	return http.DefaultClient.Do(req)
}

// read asks until ctx is done.
func (r *reader) read(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		person := rng.IntN(knownPeople)
		query := url.Values{"from": {"now-90d"}, "to": {"now"}, "limit": {"1000"}, "total": {"exact"}}
		want := knownActions
		if rng.IntN(2) == 0 {
			query.Set("actor", fmt.Sprintf("id:k%d", person))
			want = knownActions / knownPeople
		}
		if err := r.one(ctx, query, want); err != nil {
			sleep(ctx, 20*time.Millisecond) // it is away, or says that it cannot
		}
	}
}

func (r *reader) one(ctx context.Context, query url.Values, want int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	resp, err := r.call(ctx, http.MethodGet, "/v1/institutions/"+known+"/actions", query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	var answer struct {
		Data []json.RawMessage
		Meta struct {
			Total           *struct{ Value int }
			Missing_days    []string
			CompleteThrough time.Time `json:"complete_through"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err // broken off, visibly
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	if !answer.Meta.CompleteThrough.IsZero() {
		r.lag = max(r.lag, r.run.now().Sub(answer.Meta.CompleteThrough))
	}
	total := -1
	if answer.Meta.Total != nil {
		total = answer.Meta.Total.Value
	}
	if (len(answer.Data) != want || total != want) && len(answer.Meta.Missing_days) == 0 && len(r.wrong) < mostExamples {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %d actions, total %d, of %d", query.Encode(), len(answer.Data), total, want))
	}
	return nil
}
