package elastic

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"sync"

	"actionlog"
	"actionlog/internal/people"
)

// The directory is one index of small documents, each a fact of one person, course
// or class (entry): that it is there, a spelling of its name, an e-mail address, an
// external ID. And one index of the words of all names, with the keys of their
// neighbours. A fact is written when somebody is first named so, not with every
// action: what is in the engine is learned of once and remembered.
//
// Several indexers may write and one of them drop days at the same time. None of
// them knows what the others remember, so a drop begins with a new epoch: who
// writes asks for the epoch before and after, and forgets all that it remembers
// when there is a new one. forget.go says why nobody named is lost by it.

// What is remembered: so many entries, each with so many texts of so many bytes.
const maxKnown, maxTexts, maxTextBytes = 50_000, 16, 1000

// factType says what a fact tells.
type factType string

const (
	factEntry    factType = "entry" // that it is there: one for each entry
	factName     factType = "name"
	factEmail    factType = "email"
	factExternal factType = "external_id"
)

// fact is a document of the directory.
type fact struct {
	Entry       string                  `json:"entry"` // hash of institution, kind and key
	Institution string                  `json:"institution"`
	Kind        actionlog.DirectoryKind `json:"kind"`
	Fact        string                  `json:"fact"` // the document's own ID
	Type        factType                `json:"type"`
	Text        string                  `json:"text,omitempty"` // the ID, name, address as written, external ID
	At          int64                   `json:"at"`             // when it was true, Unix ms; the newest may have been true later
	Last        int                     `json:"last,omitempty"` // of an entry: a day that names it, since 1970, or going
	Staff       bool                    `json:"staff,omitempty"`
	RawKey      string                  `json:"raw_key,omitempty"` // of an entry
	ID          string                  `json:"id,omitempty"`
	Email       []string                `json:"email,omitempty"`
	Domain      string                  `json:"domain,omitempty"`
	Words       []string                `json:"words,omitempty"`
	IndexWords  []string                `json:"index_words,omitempty"`
}

// wordDoc is a document of the index of words.
type wordDoc struct {
	Institution string                  `json:"institution"`
	Kind        actionlog.DirectoryKind `json:"kind"`
	Word        string                  `json:"word"`
	Raw         string                  `json:"raw"`
	Near        []string                `json:"near"`
}

type directory struct {
	store *Store

	mu    sync.Mutex
	epoch string
	known map[string]*entry // by fact.Entry
	words map[string]bool   // by ID of the document
}

func newDirectory(s *Store) *directory {
	return &directory{store: s, known: map[string]*entry{}, words: map[string]bool{}}
}

// entry is what is remembered of one.
type entry struct {
	written bool // in this epoch
	staff   bool
	last    int
	at      int64
	texts   map[factType]map[string]*spelled // by name, address in lower case, external ID
	partial bool                             // there are more texts than are remembered
}

// spelled is a text of an entry. Of the newest of its type, at runs ahead of what
// is in the engine; it is written before another's time is.
type spelled struct {
	text    string
	at      int64
	stored  int64 // at, in the engine
	written bool  // in this epoch
}

func entryID(institution string, kind actionlog.DirectoryKind, key string) string {
	return hash(institution, string(kind), key)
}

func wordID(institution string, kind actionlog.DirectoryKind, word string) string {
	return hash(institution, string(kind), word)
}

const epochID = "epoch"

// readEpoch returns the directory's epoch; "" before the first drop.
func (d *directory) readEpoch(ctx context.Context) (string, error) {
	var doc struct {
		Source struct{ Text string } `json:"_source"`
	}
	err := d.store.client.call(ctx, http.MethodGet, "/"+d.store.directoryIndex()+"/_doc/"+epochID, nil, nil, &doc)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return "", unavailable(err)
	}
	return doc.Source.Text, nil
}

func (d *directory) newEpoch(ctx context.Context) error {
	return d.store.client.call(ctx, http.MethodPut, "/"+d.store.directoryIndex()+"/_doc/"+epochID, nil, obj{"text": rand.Text()}, nil)
}

func (d *directory) refresh(ctx context.Context) error {
	return d.store.refresher.refresh(ctx, []string{d.store.directoryIndex()})
}

// load remembers the entries that are in the engine, of those named; the others
// are remembered as new.
func (d *directory) load(ctx context.Context, ids map[string]bool) error {
	for id := range ids {
		d.known[id] = &entry{texts: map[factType]map[string]*spelled{}}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(ids)), 500) {
		err := d.eachFact(ctx, obj{"terms": obj{"entry": part}}, func(f *fact, _ *hit) error {
			d.known[f.Entry].remember(f)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) remember(f *fact) {
	if f.Type == factEntry {
		if f.Last != going { // it is named again: all of it is written anew
			e.staff, e.last, e.at = f.Staff, f.Last, f.At
		}
		return
	}
	texts := e.of(f.Type)
	if len(texts) >= maxTexts || len(f.Text) > maxTextBytes {
		e.partial = true
		return
	}
	texts[textKey(f.Type, f.Text)] = &spelled{text: f.Text, at: f.At, stored: f.At}
}

func (e *entry) of(t factType) map[string]*spelled {
	if e.texts[t] == nil {
		e.texts[t] = map[string]*spelled{}
	}
	return e.texts[t]
}

// textKey is what a text is the same by.
func textKey(t factType, text string) string {
	if t == factEmail {
		return people.FoldEmail(text)
	}
	return text
}

// factsPage is how many facts one request reads.
const factsPage = 2000

// eachFact calls each for all facts that a query finds.
func (d *directory) eachFact(ctx context.Context, query obj, each func(*fact, *hit) error) error {
	body := obj{"query": obj{"bool": obj{"filter": list{query}}}, "size": factsPage, "sort": list{obj{"fact": "asc"}}, "track_total_hits": false, "seq_no_primary_term": true}
	for {
		a, err := d.store.client.search(ctx, d.store.directoryIndex(), nil, body)
		if err != nil {
			return unavailable(err)
		}
		last := ""
		for i := range a.Hits.Hits {
			f, err := factOf(&a.Hits.Hits[i])
			if err != nil {
				return err
			}
			last = f.Fact
			if err := each(f, &a.Hits.Hits[i]); err != nil {
				return err
			}
		}
		if len(a.Hits.Hits) < factsPage {
			return nil
		}
		body["search_after"] = list{last}
	}
}
