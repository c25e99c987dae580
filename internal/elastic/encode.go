package elastic

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// encode appends an item's document as it is indexed. What is searched for only is
// left out of what the engine keeps (mappings/actions.json, _source).
func (c *cutter) encode(w *jsonWriter, item *actionlog.Item) {
	a, start := &item.Action, w.open("")
	w.str("institution", item.Institution)
	w.str("institution_name", a.Institution.Name)
	w.str("id", item.ID)
	w.time("occurred_at", item.OccurredAt)
	if !item.ReceivedAt.IsZero() {
		w.time("received_at", item.ReceivedAt)
	}
	c.position(w, item.Position)
	w.key("staff")
	w.b = strconv.AppendBool(w.b, item.Staff)
	w.list("warnings", item.Warnings)
	w.key("digest")
	w.b = append(hex.AppendEncode(append(w.b, '"'), item.Digest[:]), '"')
	w.str("category", string(a.Category))
	c.labelled(w, a.Code, a.Label)
	w.str("outcome", exact(a.Outcome))
	c.person(w, "actor", &a.Actor)
	if a.OnBehalfOf != nil {
		c.person(w, "on_behalf_of", a.OnBehalfOf)
	}
	c.targets(w, a.Targets)
	c.titled(w, "course", a.Course)
	c.titled(w, "class", a.Class)
	c.origin(w, a)
	w.str("any", c.anyText(item.Text))
	w.str("any_staff", c.anyText(item.StaffText))
	w.key("document")
	w.quote(string(item.Document))
	w.close(start)
}

func (c *cutter) position(w *jsonWriter, p actionlog.Position) {
	start := w.open("position")
	w.str("stream", p.Stream)
	if p.Sequence != 0 {
		w.number("sequence", p.Sequence)
	}
	w.close(start)
}

func (c *cutter) labelled(w *jsonWriter, code, label string) {
	start := w.open("action")
	w.str("code", exact(code))
	w.str("label", exact(label))
	w.close(start)
}

// origin writes what an action's request was, where it came from, and its trace.
func (c *cutter) origin(w *jsonWriter, a *actionlog.Action) {
	if r := a.Request; r != (actionlog.Request{}) {
		start := w.open("request")
		w.str("method", exact(r.Method))
		w.str("url", exact(r.URL))
		w.list("path", prefixable(r.Path()))
		w.str("content_type", exact(r.MediaType()))
		w.close(start)
	}
	if a.Response != nil {
		start := w.open("response")
		w.key("code")
		w.b = strconv.AppendInt(w.b, int64(*a.Response), 10)
		w.close(start)
	}
	start := w.open("origin")
	if ip := a.Origin.IP; ip.IsValid() {
		w.str("ip", ip.WithZone("").String())
	}
	w.str("channel", exact(a.Origin.Channel))
	w.close(start)
	start = w.open("trace")
	w.str("request_id", exact(a.Trace.RequestID))
	w.str("batch_id", exact(a.Trace.BatchID))
	w.close(start)
}

// person writes an actor, or for whom an actor acted. "id" holds the platform's and
// the institution's; "name" is the label of facets, "name_or" what stands for it.
func (c *cutter) person(w *jsonWriter, key string, p *actionlog.Person) {
	start := w.open(key)
	w.str("kind", exact(p.Kind))
	w.str("key", exact(people.Key(*p)))
	w.list("id", ids(nil, p))
	if email := people.FoldEmail(p.Email); email != "" {
		w.list("email", prefixable(email))
		w.str("domain", exact(domainOf(email)))
	}
	w.str("any", c.nameText(p.Name))
	if p.Name != "" {
		w.str("name", exact(p.Name))
	} else {
		w.str("name_or", exact(cmp.Or(p.Email, p.ID, p.ExternalID)))
	}
	w.close(start)
}

func ids(list []string, p *actionlog.Person) []string {
	for _, id := range [...]string{p.ID, p.ExternalID} {
		if id != "" {
			list = append(list, exact(id))
		}
	}
	return list
}

// domainOf is what stands behind the last @; "" where there is none.
func domainOf(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[i+1:]
	}
	return ""
}

// targets writes all targets of an action as one. The names stand apart by more
// positions than any of them has words: all words of a question are to be of one of
// them.
func (c *cutter) targets(w *jsonWriter, all []actionlog.Person) {
	var keys, id, emails, domains, words []string
	for i := range all {
		p := &all[i]
		id = ids(id, p)
		if email := people.FoldEmail(p.Email); email != "" {
			emails = append(emails, prefixable(email)...)
			if domain := domainOf(email); domain != "" {
				domains = append(domains, exact(domain))
			}
		}
		if !p.IsPerson() {
			continue
		}
		if key := people.Key(*p); key != "" {
			keys = append(keys, exact(key))
		}
		if text := c.nameText(p.Name); text != "" {
			words = append(words, text)
		}
	}
	start := w.open("targets")
	w.list("key", keys)
	w.list("id", id)
	w.list("email", emails)
	w.list("domain", domains)
	w.list("any", words)
	w.close(start)
}

func (c *cutter) titled(w *jsonWriter, key string, t actionlog.Titled) {
	start := w.open(key)
	w.str("key", exact(people.TitledKey(t)))
	w.str("id", exact(t.ID))
	w.str("any", c.nameText(t.Title))
	if t.Title != "" {
		w.str("name", exact(t.Title))
	} else {
		w.str("name_or", exact(t.ID))
	}
	w.close(start)
}

// encoder writes the lines of bulk requests.
type encoder struct {
	buffer bytes.Buffer
	json   *json.Encoder
}

func newEncoder() *encoder {
	e := &encoder{}
	e.json = json.NewEncoder(&e.buffer)
	e.json.SetEscapeHTML(false)
	return e
}

// line adds a value and the end of a line.
func (e *encoder) line(v any) error { return e.json.Encode(v) }

// stored is what the engine keeps of a document and hands back.
type stored struct {
	Institution string    `json:"institution"`
	ID          string    `json:"id"`
	OccurredAt  time.Time `json:"occurred_at"`
	ReceivedAt  time.Time `json:"received_at,omitzero"`
	Position    position  `json:"position"`
	Staff       bool      `json:"staff"`
	Warnings    []string  `json:"warnings"`
	Document    string    `json:"document"`
}

type position struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
}

func (s *stored) record() actionlog.Record {
	return actionlog.Record{Institution: s.Institution, ID: s.ID, OccurredAt: s.OccurredAt.UTC(), ReceivedAt: s.ReceivedAt.UTC(),
		Position: actionlog.Position{Stream: s.Position.Stream, Sequence: s.Position.Sequence}, Staff: s.Staff, Warnings: s.Warnings, Document: []byte(s.Document)}
}
