package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"actionlog"
)

// hits reads the actions of an answer one by one, as they come over the
// connection: its memory does not grow with the answer.
type hits struct {
	resp    *http.Response
	decoder *json.Decoder
	about   answer // what stands beside the hits
	n       int
	total   *struct {
		Value    int
		Relation string
	} // of all that is found, before the first hit; nil: it is not said
	failed error
	inside bool // among the hits
}

// searchHits asks for actions; close must be called.
func (c *client) searchHits(ctx context.Context, indices string, query url.Values, body obj) (*hits, error) {
	return c.openHits(ctx, "/"+indices+"/_search", whole(query), body)
}

func (c *client) openHits(ctx context.Context, path string, query url.Values, body obj) (*hits, error) {
	var h *hits
	err := patiently(ctx, func() (err error) {
		if h, err = c.openOnce(ctx, path, query, body); err == nil {
			return nil
		}
		if h != nil && h.about.Scroll != "" { // the next try opens another
			_ = c.closeScroll(h.about.Scroll) // it ends by itself
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// openOnce asks once. Of an answer in which shards are missing it returns what it said of itself, too.
func (c *client) openOnce(ctx context.Context, path string, query url.Values, body obj) (*hits, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, http.MethodPost, path, query, mediaJSON, raw)
	if err != nil {
		return nil, err
	}
	h := &hits{resp: resp, decoder: json.NewDecoder(resp.Body)}
	h.failed = h.enter()
	if err := h.about.Shards.whole(); err != nil { // which stands before the hits
		h.close()
		return h, err
	}
	return h, nil
}

// closeScroll gives the engine's view of an index back, also when who asked has left; one that is not there any more is no error.
func (c *client) closeScroll(id string) error {
	if id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.call(ctx, http.MethodDelete, scrollPath, nil, obj{"scroll_id": []string{id}}, nil); !hasStatus(err, http.StatusNotFound) {
		return err
	}
	return nil
}

func (h *hits) close() { drain(h.resp) }

// err is set where the answer is not whole; it is final after the last hit.
func (h *hits) err() error {
	if h.failed != nil {
		return h.failed
	}
	return cmp.Or(h.about.Shards.whole(), h.about.err())
}

// enter reads up to the first hit.
func (h *hits) enter() error {
	if err := h.expect(json.Delim('{')); err != nil {
		return err
	}
	return h.members(true)
}

// members reads members of the answer, up to the hits or its end.
func (h *hits) members(untilHits bool) error {
	for h.decoder.More() {
		key, err := h.decoder.Token()
		if err != nil {
			return unreadable(err)
		}
		switch key {
		case "_scroll_id":
			err = h.decoder.Decode(&h.about.Scroll)
		case "timed_out":
			err = h.decoder.Decode(&h.about.TimedOut)
		case "_shards":
			err = h.decoder.Decode(&h.about.Shards)
		case "hits":
			if !untilHits {
				return unreadable(fmt.Errorf("it has hits twice"))
			}
			return h.enterHits()
		default:
			err = h.decoder.Decode(new(json.RawMessage))
		}
		if err != nil {
			return unreadable(err)
		}
	}
	return h.expect(json.Delim('}'))
}

// enterHits reads up to the first element of hits.hits.
func (h *hits) enterHits() error {
	if err := h.expect(json.Delim('{')); err != nil {
		return err
	}
	for h.decoder.More() {
		key, err := h.decoder.Token()
		if err != nil {
			return unreadable(err)
		}
		if key == "hits" {
			h.inside = true
			return h.expect(json.Delim('['))
		}
		if key == "total" {
			if err := h.decoder.Decode(&h.total); err != nil {
				return unreadable(err)
			}
			continue
		}
		if err := h.decoder.Decode(new(json.RawMessage)); err != nil {
			return unreadable(err)
		}
	}
	return unreadable(fmt.Errorf("it has no hits"))
}

// hits yields the actions.
func (h *hits) hits(yield func(*stored) bool) {
	if h.failed != nil || !h.inside {
		return
	}
	for h.decoder.More() {
		var one struct {
			Source stored `json:"_source"`
		}
		if err := h.decoder.Decode(&one); err != nil {
			h.failed = unreadable(err)
			return
		}
		h.n++
		if !yield(&one.Source) {
			return
		}
	}
	h.failed = h.leave()
}

// leave reads what follows the hits.
func (h *hits) leave() error {
	h.inside = false
	for _, d := range []json.Delim{']', '}'} {
		if err := h.expect(d); err != nil {
			return err
		}
	}
	return h.members(false)
}

func (h *hits) expect(want json.Delim) error {
	got, err := h.decoder.Token()
	if err != nil {
		return unreadable(err)
	}
	if got != want {
		return unreadable(fmt.Errorf("%v where %v should be", got, want))
	}
	return nil
}

func unreadable(err error) error {
	return fmt.Errorf("engine: its answer cannot be read: %w: %w", actionlog.ErrUnavailable, err)
}
