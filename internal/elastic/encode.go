package elastic

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// document is an action as it is indexed. What is searched for only is left out of
// what the engine keeps (mappings/actions.json, _source).
type document struct {
	Institution     string    `json:"institution"`
	InstitutionName string    `json:"institution_name,omitempty"`
	ID              string    `json:"id"`
	OccurredAt      time.Time `json:"occurred_at"`
	ReceivedAt      time.Time `json:"received_at,omitzero"`
	Position        position  `json:"position"`
	Staff           bool      `json:"staff"`
	Warnings        []string  `json:"warnings,omitempty"`
	Digest          string    `json:"digest"`
	Category        string    `json:"category,omitempty"`
	Action          labelled  `json:"action"`
	Outcome         string    `json:"outcome,omitempty"`
	Actor           *person   `json:"actor,omitempty"`
	OnBehalfOf      *person   `json:"on_behalf_of,omitempty"`
	Targets         *targets  `json:"targets,omitempty"`
	Course          *titled   `json:"course,omitempty"`
	Class           *titled   `json:"class,omitempty"`
	Request         *request  `json:"request,omitempty"`
	Response        *response `json:"response,omitempty"`
	Origin          *origin   `json:"origin,omitempty"`
	Trace           *trace    `json:"trace,omitempty"`
	Any             string    `json:"any,omitempty"`
	AnyStaff        string    `json:"any_staff,omitempty"`
	Document        string    `json:"document"`
}

type position struct {
	Stream   string `json:"stream,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
}

type labelled struct {
	Code  string `json:"code"`
	Label string `json:"label,omitempty"`
}

// person is an actor, or for whom an actor acted.
type person struct {
	Kind   string   `json:"kind,omitempty"`
	Key    string   `json:"key,omitempty"`
	ID     []string `json:"id,omitempty"` // the platform's and the institution's
	Email  []string `json:"email,omitempty"`
	Domain string   `json:"domain,omitempty"`
	Any    string   `json:"any,omitempty"`
	Name   string   `json:"name,omitempty"`    // the label of facets
	NameOr string   `json:"name_or,omitempty"` // what stands for it
}

// targets are all targets of an action. The names stand apart by more positions
// than any of them has words: all words of a question are to be of one of them.
type targets struct {
	Key    []string `json:"key,omitempty"`
	ID     []string `json:"id,omitempty"`
	Email  []string `json:"email,omitempty"`
	Domain []string `json:"domain,omitempty"`
	Any    []string `json:"any,omitempty"`
}

type titled struct {
	Key    string `json:"key,omitempty"`
	ID     string `json:"id,omitempty"`
	Any    string `json:"any,omitempty"`
	Name   string `json:"name,omitempty"`
	NameOr string `json:"name_or,omitempty"`
}

type request struct {
	Method      string   `json:"method,omitempty"`
	URL         string   `json:"url,omitempty"`
	Path        []string `json:"path,omitempty"`
	ContentType string   `json:"content_type,omitempty"`
}

type response struct {
	Code int `json:"code"`
}

type origin struct {
	IP      string `json:"ip,omitempty"`
	Channel string `json:"channel,omitempty"`
}

type trace struct {
	RequestID string `json:"request_id,omitempty"`
	BatchID   string `json:"batch_id,omitempty"`
}

// encode makes the document of an item.
func (c *cutter) encode(item *actionlog.Item) *document {
	a := &item.Action
	d := &document{
		Institution: item.Institution, InstitutionName: a.Institution.Name, ID: item.ID, OccurredAt: item.OccurredAt.UTC(), ReceivedAt: item.ReceivedAt.UTC(),
		Position: position{item.Position.Stream, item.Position.Sequence}, Staff: item.Staff, Warnings: item.Warnings,
		Digest: hex.EncodeToString(item.Digest[:]), Category: string(a.Category), Action: labelled{exact(a.Code), exact(a.Label)}, Outcome: exact(a.Outcome),
		Actor: c.person(&a.Actor), Targets: c.targets(a.Targets), Course: c.titled(a.Course), Class: c.titled(a.Class),
		Any: c.anyText(item.Text), AnyStaff: c.anyText(item.StaffText), Document: string(item.Document),
	}
	if a.OnBehalfOf != nil {
		d.OnBehalfOf = c.person(a.OnBehalfOf)
	}
	if r := a.Request; r != (actionlog.Request{}) {
		d.Request = &request{Method: exact(r.Method), URL: exact(r.URL), Path: prefixable(r.Path()), ContentType: exact(r.MediaType())}
	}
	if a.Response != nil {
		d.Response = &response{*a.Response}
	}
	if o := a.Origin; o.IP.IsValid() || o.Channel != "" {
		d.Origin = &origin{Channel: exact(o.Channel)}
		if o.IP.IsValid() {
			d.Origin.IP = o.IP.WithZone("").String()
		}
	}
	if t := a.Trace; t.RequestID != "" || t.BatchID != "" {
		d.Trace = &trace{exact(t.RequestID), exact(t.BatchID)}
	}
	return d
}

func (c *cutter) person(p *actionlog.Person) *person {
	e := &person{Kind: exact(p.Kind), Key: exact(people.Key(*p)), Any: c.nameText(p.Name), Name: exact(p.Name)}
	if e.Name == "" {
		e.NameOr = exact(cmp.Or(p.Email, p.ID, p.ExternalID))
	}
	e.ID = ids(p)
	if email := people.FoldEmail(p.Email); email != "" {
		e.Email, e.Domain = prefixable(email), exact(domainOf(email))
	}
	return e
}

func ids(p *actionlog.Person) (list []string) {
	for _, id := range []string{p.ID, p.ExternalID} {
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

func (c *cutter) targets(all []actionlog.Person) *targets {
	if len(all) == 0 {
		return nil
	}
	e := &targets{}
	for i := range all {
		p := &all[i]
		e.ID = append(e.ID, ids(p)...)
		if email := people.FoldEmail(p.Email); email != "" {
			e.Email = append(e.Email, prefixable(email)...)
			if domain := domainOf(email); domain != "" {
				e.Domain = append(e.Domain, exact(domain))
			}
		}
		if !p.IsPerson() {
			continue
		}
		if key := people.Key(*p); key != "" {
			e.Key = append(e.Key, exact(key))
		}
		if words := c.nameText(p.Name); words != "" {
			e.Any = append(e.Any, words)
		}
	}
	return e
}

func (c *cutter) titled(t actionlog.Titled) *titled {
	if t == (actionlog.Titled{}) {
		return nil
	}
	e := &titled{Key: exact(people.TitledKey(t)), ID: exact(t.ID), Any: c.nameText(t.Title), Name: exact(t.Title)}
	if t.Title == "" {
		e.NameOr = exact(t.ID)
	}
	return e
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

func (s *stored) record() actionlog.Record {
	return actionlog.Record{Institution: s.Institution, ID: s.ID, OccurredAt: s.OccurredAt.UTC(), ReceivedAt: s.ReceivedAt.UTC(),
		Position: actionlog.Position{Stream: s.Position.Stream, Sequence: s.Position.Sequence}, Staff: s.Staff, Warnings: s.Warnings, Document: []byte(s.Document)}
}
