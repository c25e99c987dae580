package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"

	"actionlog"
)

// A day that is dropped takes with it the entries that no other day names. An
// entry's document holds a day that names it, so only those whose day is not later
// are looked at, and those that live on get a later day. One that is named by none is
// marked (going), then its texts and words are deleted, and it comes last: whoever is
// killed meanwhile leaves an entry that the next drop finds.
//
// Others may write meanwhile. Let W be a write: its actions are in the engine, then
// it reads the epoch, then it writes the facts that it does not remember, then their
// words, then it reads the epoch again and begins anew if there is another. Let D be
// a drop: it sets a new epoch (1), takes a view of the directory (2), refreshes the
// actions (3), asks which entries of the view are named by none (4), and marks
// these, each only if it is still the document of the view (5), and deletes the texts of
// those that are marked then, and at last these, each only if it is still what it was.
//
// If W read its first epoch before 1, its actions are in the engine before 3, and 4
// sees them. If it read it later, it remembers nothing and writes all facts anew. Those
// in the view of 2 have actions that 4 sees; those that come after it have another
// sequence number, and 5 leaves them. Words go last, when no fact has them: W writes
// a word after the fact that has it, and if D looked for facts before that, W's
// second look at the epoch finds the new one.

// forget takes a day's entries out of the directory, an institution's or ("") all.
func (d *directory) forget(ctx context.Context, day actionlog.Day, institution string) error {
	d.mu.Lock() // this process's own writes need not begin anew
	defer d.mu.Unlock()
	if err := d.newEpoch(ctx); err != nil {
		return unavailable(err)
	}
	if err := d.refresh(ctx); err != nil {
		return err
	}
	number := int(day.Start().Unix() / 86400)
	query := list{obj{"range": obj{"last": obj{"lte": number}}}}
	if institution != "" {
		query = append(query, obj{"term": obj{"institution": institution}})
	}
	return d.view(ctx, query, func(part []seen) error {
		groups := map[[2]string][]seen{}
		for _, e := range part {
			k := [2]string{e.Institution, string(e.Kind)}
			groups[k] = append(groups[k], e)
		}
		for _, group := range groups {
			if err := d.forgetThose(ctx, group); err != nil {
				return err
			}
		}
		return nil
	})
}

// seen is a fact and which version of it was seen.
type seen struct {
	*fact
	seqNo, term int64
}

// view hands on what a query finds, in parts, from one view that is older than the
// refresh of the actions.
func (d *directory) view(ctx context.Context, query list, each func([]seen) error) error {
	s := d.store
	body := obj{"query": obj{"bool": obj{"filter": query}}, "size": 200, "sort": list{"_doc"}, "seq_no_primary_term": true}
	q := whole(nil)
	q.Set("scroll", scrollFor)
	var a answer
	if err := s.client.call(ctx, http.MethodPost, "/"+s.directoryIndex()+"/_search", q, body, &a); err != nil {
		return unavailable(err)
	}
	defer func() { s.closeScroll(a.Scroll) }()
	if err := s.refresher.refresh(ctx, []string{s.allDays()}); err != nil {
		return err
	}
	for {
		if err := a.err(); err != nil {
			return err
		}
		if len(a.Hits.Hits) == 0 {
			return nil
		}
		var part []seen
		for i := range a.Hits.Hits {
			h := &a.Hits.Hits[i]
			f, err := factOf(h)
			if err != nil {
				return err
			}
			part = append(part, seen{f, h.SeqNo, h.Term})
		}
		if err := each(part); err != nil {
			return err
		}
		next := answer{Scroll: a.Scroll}
		if err := s.client.call(ctx, http.MethodPost, "/_search/scroll", nil, obj{"scroll": scrollFor, "scroll_id": a.Scroll}, &next); err != nil {
			return unavailable(err)
		}
		a = next
	}
}

// forgetThose looks which entries, of one institution and kind, are still named.
func (d *directory) forgetThose(ctx context.Context, entries []seen) error {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.RawKey
	}
	// A day that cannot be asked may name them: without it there is no answer.
	mentions, err := d.store.Mentions(ctx, entries[0].Institution, entries[0].Kind, keys, false)
	if err != nil {
		return err
	}
	var gone []seen
	var ids []string
	var changes []change
	for i, e := range entries {
		delete(d.known, e.Entry)
		if mentions[i].Actions == 0 {
			gone, ids = append(gone, e), append(ids, e.Entry)
			continue
		}
		f := *e.fact
		f.At, f.Last = mentions[i].Last.UnixMilli(), int(actionlog.DayOf(mentions[i].Last).Start().Unix()/86400)
		changes = append(changes, change{index: d.store.directoryIndex(), id: e.Fact, seqNo: e.seqNo, term: e.term, doc: &f})
	}
	if _, err := d.apply(ctx, changes); err != nil || len(gone) == 0 {
		return err
	}
	return d.remove(ctx, gone, ids)
}

// going stands in the place of an entry's day while it is removed.
const going = math.MinInt32

// remove deletes entries: it marks those that nobody wrote meanwhile, deletes what else is
// known of them, then words that no name has any more, and the entries last.
func (d *directory) remove(ctx context.Context, gone []seen, ids []string) error {
	texts := map[string][]seen{}
	err := d.eachFact(ctx, obj{"bool": obj{"filter": list{obj{"terms": obj{"entry": ids}}}, "must_not": list{obj{"exists": obj{"field": "last"}}}}}, func(f *fact, h *hit) error {
		texts[f.Entry] = append(texts[f.Entry], seen{f, h.SeqNo, h.Term})
		return nil
	})
	if err != nil {
		return err
	}
	index := d.store.directoryIndex()
	var marks []change
	again := false // somebody who marked an entry before was killed
	for _, e := range gone {
		f := *e.fact
		again = again || f.Last == going
		f.Last = going
		marks = append(marks, change{index: index, id: e.Fact, seqNo: e.seqNo, term: e.term, doc: &f})
	}
	if _, err := d.apply(ctx, marks); err != nil {
		return err
	}
	// Those count that are marked now: an answer may have been lost, or another dropper came first.
	marked := map[string]change{}
	err = d.eachFact(ctx, obj{"bool": obj{"filter": list{obj{"terms": obj{"entry": ids}}, obj{"term": obj{"last": going}}}}}, func(f *fact, h *hit) error {
		marked[f.Entry] = change{index: index, id: f.Fact, seqNo: h.SeqNo, term: h.Term}
		return nil
	})
	if err != nil {
		return err
	}
	var changes, entries []change
	words := map[string]bool{}
	for _, e := range gone {
		entry, ok := marked[e.Entry]
		if !ok {
			continue
		}
		entries = append(entries, entry)
		for _, t := range texts[e.Entry] {
			changes = append(changes, change{index: index, id: t.Fact, seqNo: t.seqNo, term: t.term})
			for _, w := range t.IndexWords {
				words[w] = true
			}
		}
	}
	if _, err := d.apply(ctx, changes); err != nil {
		return err
	}
	institution, kind := gone[0].Institution, gone[0].Kind
	if err := d.removeWords(ctx, institution, kind, words); err != nil {
		return err
	}
	if again { // the words of texts that were deleted then are not known any more
		if err := d.sweepWords(ctx, institution, kind); err != nil {
			return err
		}
	}
	_, err = d.apply(ctx, entries)
	return err
}

// sweepWords deletes all words of an institution and kind that no name has any more.
func (d *directory) sweepWords(ctx context.Context, institution string, kind actionlog.DirectoryKind) error {
	s := d.store
	if err := s.refresher.refresh(ctx, []string{s.wordsIndex()}); err != nil {
		return err
	}
	body := obj{"query": obj{"bool": obj{"filter": ofKind(institution, kind)}}, "size": 1000, "sort": list{obj{"word": "asc"}}, "_source": []string{"word"}}
	for {
		a, err := s.client.search(ctx, s.wordsIndex(), nil, body)
		if err != nil {
			return unavailable(err)
		}
		if len(a.Hits.Hits) == 0 {
			return nil
		}
		words := map[string]bool{}
		for _, h := range a.Hits.Hits {
			var w wordDoc
			if err := json.Unmarshal(h.Source, &w); err != nil {
				return unreadable(err)
			}
			words[w.Word] = true
			body["search_after"] = list{w.Word}
		}
		if err := d.removeWords(ctx, institution, kind, words); err != nil {
			return err
		}
	}
}

// removeWords deletes words that no name has any more.
func (d *directory) removeWords(ctx context.Context, institution string, kind actionlog.DirectoryKind, words map[string]bool) error {
	if len(words) == 0 {
		return nil
	}
	s := d.store
	if err := s.refresher.refresh(ctx, []string{s.wordsIndex()}); err != nil {
		return err
	}
	scope := ofKind(institution, kind)
	for part := range slices.Chunk(slices.Sorted(maps.Keys(words)), 1000) {
		a, err := s.client.search(ctx, s.wordsIndex(), nil, obj{"query": obj{"bool": obj{"filter": append(slices.Clone(scope), obj{"terms": obj{"word": part}})}},
			"size": len(part), "sort": list{"_doc"}, "seq_no_primary_term": true, "_source": []string{"word"}})
		if err != nil {
			return unavailable(err)
		}
		if err := d.refresh(ctx); err != nil {
			return err
		}
		uses, err := d.uses(ctx, scope, part)
		if err != nil {
			return err
		}
		var changes []change
		for _, h := range a.Hits.Hits {
			var w wordDoc
			if err := json.Unmarshal(h.Source, &w); err != nil {
				return unreadable(err)
			}
			if uses[w.Word] == 0 {
				changes = append(changes, change{index: s.wordsIndex(), id: h.ID, seqNo: h.SeqNo, term: h.Term})
				delete(d.words, h.ID)
			}
		}
		if _, err := d.apply(ctx, changes); err != nil {
			return err
		}
		if err := s.refresher.refresh(ctx, []string{s.wordsIndex()}); err != nil {
			return err
		}
	}
	return nil
}

// change deletes a document, or puts another in its place, if it is still the
// version that was seen.
type change struct {
	index, id   string
	seqNo, term int64
	doc         any // nil deletes it
}

// apply makes changes, and says which were made: the others had been written again
// meanwhile.
func (d *directory) apply(ctx context.Context, changes []change) (done []bool, err error) {
	for part := range slices.Chunk(changes, 500) {
		e := newEncoder()
		for _, c := range part {
			meta := obj{"_index": c.index, "_id": c.id, "if_seq_no": c.seqNo, "if_primary_term": c.term}
			if c.doc == nil {
				err = e.line(obj{"delete": meta})
			} else {
				err = errors.Join(e.line(obj{"index": meta}), e.line(c.doc))
			}
			if err != nil {
				return nil, err
			}
		}
		results, err := d.store.sendBulk(ctx, e.buffer.Bytes(), len(part))
		if err != nil {
			return nil, err
		}
		for i := range results {
			switch results[i].Status {
			case http.StatusOK, http.StatusCreated:
				done = append(done, true)
			case http.StatusConflict, http.StatusNotFound:
				done = append(done, false)
			default:
				return nil, fmt.Errorf("directory: %w", judge(&results[i]).Err)
			}
		}
	}
	if len(changes) > 0 {
		return done, d.refresh(ctx)
	}
	return done, nil
}
