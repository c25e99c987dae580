package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"actionlog"
)

// httpPublisher publishes through POST …/actions. It is an
// actionlog.Publisher: an item that is refused has an *actionlog.InvalidError,
// one that may be sent again ErrUnavailable.
type httpPublisher struct{ client *client }

// ingestAnswer has a result for each line, in their order.
type ingestAnswer struct {
	Results []ingestResult `json:"results"`
}

type ingestResult struct {
	Index     int      `json:"index"`
	Status    int      `json:"status"`
	Duplicate bool     `json:"duplicate"`
	Error     *problem `json:"error"`
}

// Publish sends one request for each institution of the submissions.
func (p *httpPublisher) Publish(ctx context.Context, submissions []actionlog.Submission) []actionlog.Receipt {
	receipts := make([]actionlog.Receipt, len(submissions))
	var order []string
	byInstitution := map[string][]int{}
	for i, s := range submissions {
		if byInstitution[s.Institution] == nil {
			order = append(order, s.Institution)
		}
		byInstitution[s.Institution] = append(byInstitution[s.Institution], i)
	}
	for _, institution := range order {
		indexes := byInstitution[institution]
		var body bytes.Buffer
		for _, i := range indexes {
			body.Write(submissions[i].Document)
			body.WriteByte('\n')
		}
		results, err := p.post(ctx, institution, &body, len(indexes))
		for at, i := range indexes {
			if err != nil {
				receipts[i].Err = err
				continue
			}
			receipts[i] = results[at].receipt()
		}
	}
	return receipts
}

// post returns exactly want results, or an error for all of them.
func (p *httpPublisher) post(ctx context.Context, institution string, body *bytes.Buffer, want int) ([]ingestResult, error) {
	path := "/v1/institutions/" + url.PathEscape(institution) + "/actions"
	resp, err := p.client.do(ctx, http.MethodPost, path, nil, "application/x-ndjson", body)
	var refused *refusedBatch
	var answer ingestAnswer
	switch {
	case errors.As(err, &refused):
		answer = refused.answer
	case err != nil:
		return nil, err
	default:
		if err := decode(resp, &answer); err != nil {
			return nil, fmt.Errorf("%w: %w", actionlog.ErrUnavailable, err)
		}
	}
	if len(answer.Results) != want {
		return nil, fmt.Errorf("%s: %d results came for %d actions", path, len(answer.Results), want)
	}
	results := make([]ingestResult, want)
	for _, r := range answer.Results {
		if r.Index < 0 || r.Index >= want || results[r.Index].Status != 0 {
			return nil, fmt.Errorf("%s: the results do not fit the actions", path)
		}
		results[r.Index] = r
	}
	return results, nil
}

func (r ingestResult) receipt() actionlog.Receipt {
	if r.Status/100 == 2 {
		return actionlog.Receipt{Duplicate: r.Duplicate}
	}
	p := problem{}
	if r.Error != nil {
		p = *r.Error
	}
	p.Status = r.Status
	if errors.Is(&p, actionlog.ErrUnavailable) {
		return actionlog.Receipt{Err: &p}
	}
	return actionlog.Receipt{Err: &actionlog.InvalidError{Reason: actionlog.Message{Format: "%s", Args: []any{&p}}}}
}

// refusedBatch is an answer 422 that has a result for each line: all refused.
type refusedBatch struct {
	*problem
	answer ingestAnswer
}
