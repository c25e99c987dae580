package elastic

import (
	"net/netip"
	"slices"
	"strconv"

	"actionlog"
)

// clause is one clause of a query, not negated.
func (b *builder) clause(c actionlog.Clause) obj {
	var a, hidden anyOf
	for _, v := range c.Values {
		switch c.Field {
		case actionlog.FieldCode:
			b.codes(&a, v.Min, v.Max)
		case actionlog.FieldURL:
			b.url(&a, v.Text)
		case actionlog.FieldAny:
			b.words(&a, v.Words)
		case actionlog.FieldIP:
			b.address(&a, v.Prefix)
		case actionlog.FieldActor, actionlog.FieldOnBehalfOf, actionlog.FieldTarget, actionlog.FieldPerson:
			b.person(&a, &hidden, c.Field, v.Person)
		case actionlog.FieldCourse:
			b.titled(&a, "course.", v.Titled)
		case actionlog.FieldClass:
			b.titled(&a, "class.", v.Titled)
		default:
			if v.Text != "" {
				a.term(textFields[c.Field], exact(v.Text))
			}
		}
	}
	if x := hidden.query(b); x["match_none"] == nil {
		a.add(obj{"bool": obj{"filter": list{x}, "must_not": list{b.leaf(obj{"term": obj{"staff": true}})}}})
	}
	return a.query(b)
}

// codes looks for a range of response codes. A range that is not wide is a list of
// codes, of which one condition may have as many as it likes.
func (b *builder) codes(a *anyOf, low, high int) {
	if high < low {
		return
	}
	if high-low < 0 || high-low >= 1000 { // < 0: it overflows
		a.add(b.heavy(obj{"range": obj{"response.code": obj{"gte": low, "lte": high}}}))
		return
	}
	for code := low; ; code++ {
		a.term("response.code", strconv.Itoa(code))
		if code == high {
			return
		}
	}
}

func (b *builder) url(a *anyOf, text string) {
	if text == "" {
		return
	}
	a.term("request.url", exact(text))
	if text[0] == '/' {
		a.add(b.leaf(obj{"prefix": obj{"request.path": beginning(text)}}))
	}
}

func (b *builder) words(a *anyOf, words []string) {
	if len(words) == 1 {
		a.term("any", wordTerm(words[0]))
		if b.view != actionlog.StaffHidden {
			a.term("any_staff", wordTerm(words[0]))
		}
	}
	if len(words) < 2 {
		return
	}
	var every list
	for _, w := range words {
		var one anyOf
		one.term("any", wordTerm(w))
		if b.view != actionlog.StaffHidden {
			one.term("any_staff", wordTerm(w))
		}
		every = append(every, one.query(b))
	}
	a.add(all(every))
}

// address looks for a network. Engines keep an IPv4 address as the IPv6 address
// that it is mapped to; an IPv6 network does not hold it all the same.
func (b *builder) address(a *anyOf, p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	p = p.Masked()
	if p.IsSingleIP() && !p.Addr().Is4In6() {
		a.term("origin.ip", p.Addr().String())
		return
	}
	network := b.heavy(obj{"term": obj{"origin.ip": p.String()}})
	mapped := netip.MustParseAddr("::ffff:0:0")
	switch {
	case p.Addr().Is4In6() && p.Bits() >= 96:
	case p.Addr().Is6() && p.Contains(mapped):
		a.add(obj{"bool": obj{"filter": list{network}, "must_not": list{b.heavy(obj{"term": obj{"origin.ip": "0.0.0.0/0"}})}}})
	default:
		a.add(network)
	}
}

var roles = map[actionlog.Field][]string{
	actionlog.FieldActor: {"actor."}, actionlog.FieldOnBehalfOf: {"on_behalf_of."}, actionlog.FieldTarget: {"targets."},
	actionlog.FieldPerson: {"actor.", "on_behalf_of.", "targets."},
}

// person adds to a what a person is looked for by; to hidden where the actor must
// not be of the platform's staff.
func (b *builder) person(a, hidden *anyOf, f actionlog.Field, p actionlog.PersonMatch) {
	for _, role := range roles[f] {
		if p.Staff {
			if role == "actor." {
				a.add(b.leaf(obj{"term": obj{"staff": true}}))
			}
			continue
		}
		to := a
		if role == "actor." && b.view == actionlog.StaffHidden {
			to = hidden
		}
		b.personIn(to, role, p)
	}
}

func (b *builder) personIn(a *anyOf, role string, p actionlog.PersonMatch) {
	switch {
	case p.Key != "":
		a.term(role+"key", exact(p.Key))
	case p.ID != "":
		a.term(role+"id", exact(p.ID))
	case p.Email != "":
		a.term(role+"email", exact(p.Email))
	case p.Prefix != "":
		a.add(b.leaf(obj{"prefix": obj{role + "email": beginning(p.Prefix)}}))
	case p.Domain != "":
		a.term(role+"domain", exact(p.Domain))
	case role == "targets.":
		b.nameOfOne(a, p.Words)
	default:
		b.name(a, role+"any", p.Words)
	}
}

func (b *builder) titled(a *anyOf, field string, t actionlog.TitledMatch) {
	switch {
	case t.Key != "":
		a.term(field+"key", exact(t.Key))
	case t.ID != "":
		a.term(field+"id", exact(t.ID))
	default:
		b.name(a, field+"any", t.Words)
	}
}

// name looks for all words of a name.
func (b *builder) name(a *anyOf, field string, words []string) {
	if len(words) == 1 {
		a.term(field, wordTerm(words[0]))
		return
	}
	var every list
	for _, w := range words {
		every = append(every, b.leaf(obj{"term": obj{field: wordTerm(w)}}))
	}
	if len(every) > 0 {
		a.add(all(every))
	}
}

// nameOfOne looks for all words in the name of one target.
func (b *builder) nameOfOne(a *anyOf, words []string) {
	const field = "targets.any"
	var distinct []string
	for _, w := range words {
		if !slices.Contains(distinct, w) {
			distinct = append(distinct, w)
		}
	}
	if len(distinct) < 2 {
		b.name(a, field, distinct)
		return
	}
	var spans list
	for _, w := range distinct {
		spans = append(spans, b.leaf(obj{"span_term": obj{field: wordTerm(w)}}))
	}
	a.add(obj{"span_near": obj{"clauses": spans, "slop": nearEnough, "in_order": false}})
}
