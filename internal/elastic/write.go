package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"actionlog"

	"golang.org/x/sync/errgroup"
)

const (
	// bulkBytes is about how large a bulk request becomes.
	bulkBytes = 4 << 20
	// bulkWithin is how long a bulk request may take.
	bulkWithin = 30 * time.Second
	// attempts at an item that the engine is too busy for, and the pause before
	// the second; then it is the stream's turn to wait.
	attempts   = 3
	firstPause = 100 * time.Millisecond
)

// docID is the identity of an action within its day.
func docID(institution, id string) string { return institution + ":" + id }

// Write implements actionlog.Writer: bulk requests that create, judged item by
// item; then the directory; then a refresh of all that was written.
func (s *Store) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	touched := &indexSet{}
	ready := map[actionlog.Day]bool{}
	index := func(d actionlog.Day) (string, error) {
		if ready[d] {
			return s.dayIndex(d), nil
		}
		ready[d] = true
		return s.dayIndex(d), s.ensureDay(ctx, d)
	}
	for round := range actionlog.Rounds(items) {
		if err := s.writeRound(ctx, items, round, outcomes, touched, index); err != nil {
			return nil, err
		}
	}
	if err := s.directory.learn(ctx, items, outcomes, touched); err != nil {
		return nil, err
	}
	if err := s.refresher.visible(ctx, touched.names()); err != nil {
		return nil, err
	}
	return outcomes, nil
}

// indexSet collects names of indices.
type indexSet struct {
	mu    sync.Mutex
	index map[string]bool
}

func (x *indexSet) add(index string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.index == nil {
		x.index = map[string]bool{}
	}
	x.index[index] = true
}

func (x *indexSet) names() []string { return slices.Collect(maps.Keys(x.index)) }

// writeRound writes items of distinct identities, in requests of about bulkBytes, into
// the index of each day.
func (s *Store) writeRound(ctx context.Context, items []actionlog.Item, round []int, outcomes []actionlog.Outcome, touched *indexSet, indexOf func(actionlog.Day) (string, error)) error {
	var group errgroup.Group
	group.SetLimit(s.bulk)
	cut := s.cutters.Get().(*cutter)
	defer s.cutters.Put(cut)
	for start := 0; start < len(round); {
		w := &jsonWriter{b: make([]byte, 0, bodySize(items, round[start:]))}
		var ops []bulkOp
		for start < len(round) && len(w.b) < bulkBytes {
			i := round[start]
			start++
			index, err := indexOf(items[i].Day())
			if err != nil {
				return err
			}
			touched.add(index)
			op := bulkOp{item: i, begin: len(w.b), index: index, id: docID(items[i].Institution, items[i].ID)}
			if s.routing {
				op.routing = items[i].Institution
			}
			op.line(w)
			cut.encode(w, &items[i])
			w.b = append(w.b, '\n')
			op.end = len(w.b)
			ops = append(ops, op)
		}
		group.Go(func() error {
			return s.bulkCreate(ctx, w.b, ops, items, outcomes)
		})
	}
	return group.Wait()
}

// bodySize is about how large the body of a request of items becomes. (It is not used
// again: a transport may still read it when its request has failed.)
func bodySize(items []actionlog.Item, round []int) int {
	size := 0
	for _, i := range round {
		if size += 1024 + 5*len(items[i].Document)/2; size >= bulkBytes {
			return bulkBytes + bulkBytes/8
		}
	}
	return size
}

// bulkOp is an item of a bulk request and its two lines of the body.
type bulkOp struct {
	item               int
	begin, end         int
	index, id, routing string
}

// line writes what is to be done.
func (op *bulkOp) line(w *jsonWriter) {
	w.b = append(w.b, `{"create":{"_index":`...)
	w.quote(op.index)
	w.str("_id", op.id)
	w.str("routing", op.routing)
	w.b = append(w.b, "}}\n"...)
}

func (op *bulkOp) meta() obj {
	m := obj{"_index": op.index, "_id": op.id}
	if op.routing != "" {
		m["routing"] = op.routing
	}
	return m
}

// bulkResult is what became of an item of a bulk request.
type bulkResult struct {
	Status int    `json:"status"`
	Error  *cause `json:"error"`
}

// bulkCreate sends items and judges each. Who is too busy now is asked again for
// the items that it refused, and for no others.
func (s *Store) bulkCreate(ctx context.Context, body []byte, ops []bulkOp, items []actionlog.Item, outcomes []actionlog.Outcome) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		results, err := s.sendBulk(ctx, body, len(ops))
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		var again, there []bulkOp
		for k, op := range ops {
			o := &outcomes[op.item]
			if err != nil {
				*o = actionlog.Outcome{Kind: actionlog.OutcomeRetry, Err: err}
				again = append(again, op)
				continue
			}
			*o = judge(&results[k])
			switch {
			case results[k].Status == http.StatusNotFound: // its index was dropped
				s.forgetKnown(items[op.item].Day())
			case results[k].Status == http.StatusConflict:
				there = append(there, op)
			case o.Kind == actionlog.OutcomeRetry && busy(results[k].Status):
				again = append(again, op)
			}
		}
		if len(there) > 0 {
			if err := s.compare(ctx, there, items, outcomes); err != nil {
				return err
			}
		}
		if len(again) == 0 || attempt == attempts || err != nil && !splittable(err, again) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			pause *= 2
		}
		if err != nil { // the request was too large
			for _, half := range [][]bulkOp{again[:len(again)/2], again[len(again)/2:]} {
				if err := s.bulkCreate(ctx, linesOf(body, half), half, items, outcomes); err != nil {
					return err
				}
			}
			return nil
		}
		ops, body = again, linesOf(body, again)
	}
}

func (s *Store) forgetKnown(d actionlog.Day) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, d)
}

func busy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// splittable tells whether a request was refused for its size and can be halved.
func splittable(err error, ops []bulkOp) bool {
	return hasStatus(err, http.StatusRequestEntityTooLarge) && len(ops) > 1
}

// linesOf makes a body of some of a body's items, and moves their places.
func linesOf(body []byte, ops []bulkOp) []byte {
	var part []byte
	for i := range ops {
		lines := body[ops[i].begin:ops[i].end]
		ops[i].begin = len(part)
		part = append(part, lines...)
		ops[i].end = len(part)
	}
	return part
}

// judge says what an item's status means. Only what the engine says of the
// document itself is final: an index that is blocked, missing or forbidden is not
// the item's fault.
func judge(r *bulkResult) actionlog.Outcome {
	if r.Status == http.StatusCreated || r.Status == http.StatusOK {
		return actionlog.Outcome{Kind: actionlog.OutcomeNew}
	}
	err := errors.New("the engine says nothing")
	if r.Error != nil {
		err = fmt.Errorf("the engine refuses it: %s: %s", r.Error.Type, brief(r.Error.Reason))
	}
	if r.Status == http.StatusBadRequest && r.Error != nil && ofTheDocument[r.Error.Type] {
		return actionlog.Outcome{Kind: actionlog.OutcomeRefused, Err: err}
	}
	return actionlog.Outcome{Kind: actionlog.OutcomeRetry, Err: fmt.Errorf("%w: %w", actionlog.ErrUnavailable, err)}
}

// ofTheDocument are the types of errors that a document is to blame for.
var ofTheDocument = map[string]bool{
	"mapper_parsing_exception": true, "document_parsing_exception": true, "strict_dynamic_mapping_exception": true,
	"illegal_argument_exception": true, "parsing_exception": true, "x_content_parse_exception": true,
}

// sendBulk sends a bulk request of so many items; there are as many results.
func (s *Store) sendBulk(ctx context.Context, body []byte, n int) ([]bulkResult, error) {
	ctx, cancel := context.WithTimeout(ctx, bulkWithin)
	defer cancel()
	resp, err := s.client.send(ctx, http.MethodPost, "/_bulk", url.Values{"filter_path": {"items.*.status,items.*.error"}}, mediaNDJSON, body)
	if err != nil {
		return nil, unavailable(err)
	}
	defer drain(resp)
	var answer struct {
		Items []struct{ Create, Index, Delete *bulkResult }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, unreadable(err)
	}
	if len(answer.Items) != n {
		return nil, fmt.Errorf("engine: %d answers to a bulk request of %d: %w", len(answer.Items), n, actionlog.ErrUnavailable)
	}
	results := make([]bulkResult, n)
	for i, item := range answer.Items {
		if r := cmp.Or(item.Create, item.Index, item.Delete); r != nil {
			results[i] = *r
		}
	}
	return results, nil
}

// unavailable has an error of time or connection judged as "not now".
func unavailable(err error) error {
	if errors.Is(err, actionlog.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("engine: %w: %w", actionlog.ErrUnavailable, err)
}

// compare finds out whether items whose identity is there already are repeats.
func (s *Store) compare(ctx context.Context, ops []bulkOp, items []actionlog.Item, outcomes []actionlog.Outcome) error {
	var docs list
	for _, op := range ops {
		d := op.meta()
		d["_source"] = []string{"digest"}
		docs = append(docs, d)
	}
	var answer struct {
		Docs []struct {
			Found  bool
			Source struct{ Digest string } `json:"_source"`
		}
	}
	if err := s.client.call(ctx, http.MethodPost, "/_mget", nil, obj{"docs": docs}, &answer); err != nil {
		return unavailable(err)
	}
	for i, op := range ops {
		kind := actionlog.OutcomeCollision
		switch {
		case i >= len(answer.Docs) || !answer.Docs[i].Found:
			outcomes[op.item] = actionlog.Outcome{Kind: actionlog.OutcomeRetry, Err: fmt.Errorf("%w: it was there and is gone", actionlog.ErrUnavailable)}
			continue
		case strings.EqualFold(answer.Docs[i].Source.Digest, fmt.Sprintf("%x", items[op.item].Digest)):
			kind = actionlog.OutcomeRepeat
		}
		outcomes[op.item] = actionlog.Outcome{Kind: kind}
	}
	return nil
}
