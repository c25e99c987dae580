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

// read asks until ctx is done: in one of the ways, of one person or of all.
func (r *reader) read(ctx context.Context, rng *rand.Rand) {
	ways := []func(context.Context, url.Values, int) error{r.page, r.pages, r.export, r.facet, r.histogram}
	for ctx.Err() == nil {
		query := url.Values{"from": {"now-90d"}, "to": {"now"}, "category": {"course"}} // not what exports record
		want := knownActions
		if person := rng.IntN(knownPeople); rng.IntN(2) == 0 {
			query.Set("actor", fmt.Sprintf("id:k%d", person))
			want = knownActions / knownPeople
		}
		if err := r.one(ctx, ways[rng.IntN(len(ways))], query, want); err != nil {
			sleep(ctx, 20*time.Millisecond) // it is away, or says that it cannot
		}
	}
}

func (r *reader) one(ctx context.Context, ask func(context.Context, url.Values, int) error, query url.Values, want int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return ask(ctx, query, want)
}

// heard is what all answers say.
type heard struct {
	Data []struct{ Count int }
	Page struct{ Next *string }
	Meta struct {
		Total           *struct{ Value int }
		Missing_days    []string
		CompleteThrough time.Time `json:"complete_through"`
		Other, Absent   int
	}
}

// ask asks for something of the known institution.
func (r *reader) ask(ctx context.Context, what string, query url.Values) (*heard, error) {
	resp, err := r.call(ctx, http.MethodGet, "/v1/institutions/"+known+"/"+what, query, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", resp.Status)
	}
	var a heard
	return &a, json.NewDecoder(resp.Body).Decode(&a) // an error: broken off, visibly
}

// is compares an answer with what there is.
func (r *reader) is(how string, query url.Values, a *heard, want int, got ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	if !a.Meta.CompleteThrough.IsZero() {
		r.lag = max(r.lag, r.run.now().Sub(a.Meta.CompleteThrough))
	}
	for _, n := range got {
		if n != want && len(a.Meta.Missing_days) == 0 && len(r.wrong) < mostExamples {
			r.wrong = append(r.wrong, fmt.Sprintf("%s, %s: %d actions of %d", how, query.Encode(), n, want))
		}
	}
}

// page asks for all in one page, and for how many there are.
func (r *reader) page(ctx context.Context, query url.Values, want int) error {
	query.Set("limit", "1000")
	query.Set("total", "exact")
	a, err := r.ask(ctx, "actions", query)
	if err == nil {
		total := -1
		if a.Meta.Total != nil {
			total = a.Meta.Total.Value
		}
		r.is("a page", query, a, want, len(a.Data), total)
	}
	return err
}

// pages asks for one page after the other. The service may be another one by the next.
func (r *reader) pages(ctx context.Context, query url.Values, want int) error {
	query.Set("limit", "90")
	n := 0
	for {
		a, err := r.ask(ctx, "actions", query)
		if err != nil {
			return err
		}
		if len(a.Meta.Missing_days) > 0 {
			return nil // it says so
		}
		n += len(a.Data)
		if a.Page.Next == nil {
			r.is("page by page", query, a, want, n)
			return nil
		}
		query.Set("cursor", *a.Page.Next)
	}
}

// export asks for all as NDJSON, whose last line says that it is.
func (r *reader) export(ctx context.Context, query url.Values, want int) error {
	query.Set("format", "ndjson")
	query.Set("end", "line")
	resp, err := r.call(ctx, http.MethodGet, "/v1/institutions/"+known+"/export", query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, said := 0, -1
	err = lines(resp.Body, func(line []byte) error {
		var l record
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if l.End != nil {
			said = l.End.Count
		} else {
			n++
		}
		return nil
	})
	if err == nil && resp.StatusCode == http.StatusOK && said >= 0 {
		r.is("an export", query, &heard{}, want, n, said)
	}
	return err
}

// facet counts by code, of which there are few.
func (r *reader) facet(ctx context.Context, query url.Values, want int) error {
	query.Set("field", "action")
	a, err := r.ask(ctx, "facets", query)
	return r.sum("a facet", query, a, err, want)
}

func (r *reader) histogram(ctx context.Context, query url.Values, want int) error {
	query.Set("interval", "week")
	a, err := r.ask(ctx, "histogram", query)
	return r.sum("the histogram", query, a, err, want)
}

func (r *reader) sum(how string, query url.Values, a *heard, err error, want int) error {
	if err != nil {
		return err
	}
	n := a.Meta.Other + a.Meta.Absent
	for _, b := range a.Data {
		n += b.Count
	}
	r.is(how, query, a, want, n)
	return nil
}
