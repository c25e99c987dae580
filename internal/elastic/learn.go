package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// learn writes whom and what the items name that is not there yet.
func (d *directory) learn(ctx context.Context, items []actionlog.Item, outcomes []actionlog.Outcome, touched *indexSet) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for range 5 {
		epoch, err := d.readEpoch(ctx)
		if err != nil {
			return err
		}
		if epoch != d.epoch || len(d.known) > maxKnown || len(d.words) > maxKnown {
			d.epoch = epoch
			clear(d.known)
			clear(d.words)
			if err := d.refresh(ctx); err != nil {
				return err
			}
		}
		wrote, err := d.learnOnce(ctx, items, outcomes, touched)
		if err != nil {
			clear(d.known) // what it remembers may not have come to be
			clear(d.words)
			return err
		}
		if !wrote {
			return nil
		}
		if epoch, err = d.readEpoch(ctx); err != nil || epoch == d.epoch {
			return err
		}
	}
	return fmt.Errorf("directory: days are dropped all the time: %w", actionlog.ErrUnavailable)
}

// learnOnce learns within an epoch.
func (d *directory) learnOnce(ctx context.Context, items []actionlog.Item, outcomes []actionlog.Outcome, touched *indexSet) (wrote bool, err error) {
	each := func(f func(item *actionlog.Item, n *people.Naming) error) error {
		for i := range items {
			if k := outcomes[i].Kind; k != actionlog.OutcomeNew && k != actionlog.OutcomeRepeat {
				continue
			}
			if err := people.Namings(&items[i].Action, func(n *people.Naming) error { return f(&items[i], n) }); err != nil {
				return err
			}
		}
		return nil
	}
	unknown := map[string]bool{}
	err = each(func(item *actionlog.Item, n *people.Naming) error {
		if id := entryID(item.Institution, n.Kind, n.Key); d.known[id] == nil {
			unknown[id] = true
		}
		return nil
	})
	if err == nil {
		err = d.load(ctx, unknown)
	}
	if err != nil {
		return false, err
	}
	l := &lesson{directory: d, facts: map[string]*fact{}, words: map[string]*wordDoc{}}
	if err := each(func(item *actionlog.Item, n *people.Naming) error { return l.put(ctx, item, n) }); err != nil {
		return false, err
	}
	if len(l.facts) == 0 && len(l.words) == 0 {
		return false, nil
	}
	// Words come last: see forget.go.
	if err := writeAll(ctx, d.store, d.store.directoryIndex(), l.order, func(id string) any { return l.facts[id] }); err != nil {
		return true, err
	}
	touched.add(d.store.directoryIndex())
	if err := writeAll(ctx, d.store, d.store.wordsIndex(), l.wordOrder, func(id string) any { return l.words[id] }); err != nil {
		return true, err
	}
	if len(l.words) > 0 {
		touched.add(d.store.wordsIndex())
	}
	return true, nil
}

// lesson is what is to be written.
type lesson struct {
	*directory
	facts            map[string]*fact
	words            map[string]*wordDoc
	order, wordOrder []string
}

func (l *lesson) put(ctx context.Context, item *actionlog.Item, n *people.Naming) error {
	id := entryID(item.Institution, n.Kind, n.Key)
	e, at, day := l.known[id], item.OccurredAt.UnixMilli(), int(item.Day().Start().Unix()/86400)
	if e == nil {
		return errors.New("directory: an entry was not loaded")
	}
	if !e.written || n.Staff && !e.staff {
		e.staff = e.staff || n.Staff
		if e.at == 0 && e.last == 0 || at > e.at {
			e.at, e.last = at, day
		}
		e.written = true
		l.write(&fact{Entry: id, Institution: item.Institution, Kind: n.Kind, Fact: hash(id, string(factEntry)), Type: factEntry,
			Text: n.ID, At: e.at, Last: e.last, Staff: e.staff, RawKey: n.Key, ID: exact(n.ID)})
	}
	for _, t := range []struct {
		kind factType
		text string
	}{{factName, n.Name}, {factEmail, n.Email}, {factExternal, n.ExternalID}} {
		if t.text == "" || textKey(t.kind, t.text) == "" {
			continue
		}
		if err := l.note(ctx, item.Institution, n.Kind, id, e, t.kind, t.text, at); err != nil {
			return err
		}
	}
	return nil
}

// note enters a text of an entry, or when it was used.
func (l *lesson) note(ctx context.Context, institution string, kind actionlog.DirectoryKind, id string, e *entry, t factType, text string, at int64) error {
	texts, key := e.of(t), textKey(t, text)
	newestKey, newest := newestOf(texts)
	s := texts[key]
	changed := s == nil || !s.written
	if s == nil {
		s = &spelled{text: text, at: at, stored: never}
		if e.partial {
			if err := l.read(ctx, id, t, key, s); err != nil {
				return err
			}
		}
		if len(texts) < maxTexts && len(text) <= maxTextBytes {
			texts[key] = s
		} else {
			e.partial = true
		}
	}
	if at > s.at || at == s.at && text != s.text {
		changed = changed || s != newest || text != s.text
		s.at, s.text = at, text
	}
	if !changed {
		return nil
	}
	if newest != nil && newest != s && newest.at > newest.stored {
		l.writeText(institution, kind, id, t, newestKey, newest)
	}
	l.writeText(institution, kind, id, t, key, s)
	return nil
}

const never = -1 << 62

func newestOf(texts map[string]*spelled) (key string, newest *spelled) {
	for k, s := range texts {
		if newest == nil || s.at > newest.at || s.at == newest.at && k < key {
			key, newest = k, s
		}
	}
	return key, newest
}

// read looks for a text that is not remembered.
func (l *lesson) read(ctx context.Context, id string, t factType, key string, s *spelled) error {
	fid := hash(id, string(t), key)
	if f := l.facts[fid]; f != nil {
		if f.At > s.at {
			s.at, s.text = f.At, f.Text
		}
		return nil
	}
	var doc struct {
		Source fact `json:"_source"`
	}
	err := l.store.client.call(ctx, http.MethodGet, "/"+l.store.directoryIndex()+"/_doc/"+fid, nil, nil, &doc)
	if hasStatus(err, http.StatusNotFound) {
		return nil
	}
	if err == nil && doc.Source.At > s.at {
		s.at, s.text = doc.Source.At, doc.Source.Text
	}
	return err
}

func (l *lesson) writeText(institution string, kind actionlog.DirectoryKind, id string, t factType, key string, s *spelled) {
	s.stored, s.written = s.at, true
	f := &fact{Entry: id, Institution: institution, Kind: kind, Fact: hash(id, string(t), key), Type: t, Text: s.text, At: s.at}
	switch t {
	case factExternal:
		f.ID = exact(s.text)
	case factEmail:
		f.Email, f.Domain = prefixable(key), exact(domainOf(key))
	case factName:
		for _, w := range people.Words(s.text) {
			f.Words = append(f.Words, exact(w))
		}
		for _, w := range people.IndexWords(s.text) {
			f.IndexWords = append(f.IndexWords, exact(w))
			l.useWord(institution, kind, w)
		}
	}
	l.write(f)
}

func (l *lesson) useWord(institution string, kind actionlog.DirectoryKind, word string) {
	id := wordID(institution, kind, word)
	if l.directory.words[id] {
		return
	}
	l.directory.words[id] = true
	l.words[id] = &wordDoc{institution, kind, exact(word), word, people.Neighbours(word)}
	l.wordOrder = append(l.wordOrder, id)
}

func (l *lesson) write(f *fact) {
	if l.facts[f.Fact] == nil {
		l.order = append(l.order, f.Fact)
	}
	l.facts[f.Fact] = f
}

// writeAll writes documents of an index, over what is there.
func writeAll(ctx context.Context, s *Store, index string, ids []string, doc func(id string) any) error {
	for len(ids) > 0 {
		e, n := newEncoder(), 0
		for n < len(ids) && e.buffer.Len() < bulkBytes {
			if err := errors.Join(e.line(obj{"index": obj{"_index": index, "_id": ids[n]}}), e.line(doc(ids[n]))); err != nil {
				return err
			}
			n++
		}
		results, err := s.sendPatiently(ctx, e.buffer.Bytes(), n)
		if err != nil {
			return fmt.Errorf("directory: %w", err)
		}
		for i := range results {
			if o := judge(&results[i]); o.Kind != actionlog.OutcomeNew {
				return fmt.Errorf("directory: %w: %w", actionlog.ErrUnavailable, o.Err)
			}
		}
		ids = ids[n:]
	}
	return nil
}

// sendPatiently sends a bulk request whose items may all be written again.
func (s *Store) sendPatiently(ctx context.Context, body []byte, n int) (results []bulkResult, err error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		results, err = s.sendBulk(ctx, body, n)
		if err != nil || attempt == attempts || !slices.ContainsFunc(results, func(r bulkResult) bool { return busy(r.Status) }) {
			return results, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
			pause *= 2
		}
	}
}
