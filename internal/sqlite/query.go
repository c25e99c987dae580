package sqlite

import (
	"net/netip"
	"strings"

	"actionlog"
)

// matcher turns a query into an FTS5 expression for one day.
type matcher struct {
	scope
	query actionlog.Query
	codes []int // the response codes that occur on the day, ascending
	slots int   // the largest number of targets of an action of the day
}

// nothing is the expression of a clause that cannot match.
const nothing = ""

// expression returns the MATCH of the query; ok is false when nothing of the
// day can match. Every expression demands a word of the institution: a clause
// made of such words (all but those of FieldAny), or else the institution's own.
func (m *matcher) expression() (match string, ok bool) {
	var all, not []string
	scoped := false
	for _, c := range m.query.Clauses {
		x := m.clause(c)
		switch {
		case x == nothing && !c.Not:
			return "", false
		case x == nothing:
		case c.Not:
			not = append(not, x)
		default:
			all = append(all, x)
			scoped = scoped || c.Field != actionlog.FieldAny
		}
	}
	if !scoped {
		all = append(all, word(m.own()))
	}
	match = group(all, " AND ")
	if len(not) > 0 {
		match += " NOT " + group(not, " OR ")
	}
	return match, true
}

// clause is the OR of its values, in parentheses.
func (m *matcher) clause(c actionlog.Clause) string {
	var alternatives []string
	for _, v := range c.Values {
		alternatives = append(alternatives, m.value(c.Field, v)...)
	}
	return group(alternatives, " OR ")
}

func group(parts []string, by string) string {
	if len(parts) == 0 {
		return nothing
	}
	return "(" + strings.Join(parts, by) + ")"
}

// word quotes a word for FTS5.
func word(w string) string { return `"` + strings.ReplaceAll(w, `"`, `""`) + `"` }

// beginning is the prefix query of a word.
func beginning(w string) string { return word(w) + "*" }

var textTags = map[actionlog.Field]string{
	actionlog.FieldID: tagID, actionlog.FieldCategory: tagCategory, actionlog.FieldAction: tagAction,
	actionlog.FieldOutcome: tagOutcome, actionlog.FieldActorKind: tagActorKind, actionlog.FieldChannel: tagChannel,
	actionlog.FieldMethod: tagMethod, actionlog.FieldContentType: tagContentType,
	actionlog.FieldBatch: tagBatch, actionlog.FieldRequestID: tagRequestID,
}

// value returns the alternatives of one value; none is "matches nothing".
func (m *matcher) value(f actionlog.Field, v actionlog.Value) []string {
	switch f {
	case actionlog.FieldCode:
		return m.codeRange(v.Min, v.Max)
	case actionlog.FieldURL:
		return m.urlWords(v.Text)
	case actionlog.FieldAny:
		return m.anyWords(v.Words)
	case actionlog.FieldIP:
		return m.prefixWords(v.Prefix)
	case actionlog.FieldActor:
		return m.person(v.Person, roleActor)
	case actionlog.FieldOnBehalfOf:
		return m.person(v.Person, roleOnBehalf)
	case actionlog.FieldTarget:
		return m.person(v.Person, roleTarget)
	case actionlog.FieldPerson:
		return m.person(v.Person, roleActor, roleOnBehalf, roleTarget)
	case actionlog.FieldCourse:
		return m.titledWords(tagCourse, v.Titled)
	case actionlog.FieldClass:
		return m.titledWords(tagClass, v.Titled)
	}
	if tag, ok := textTags[f]; ok && v.Text != "" {
		return []string{word(m.hashed(tag, v.Text))}
	}
	return nil
}

// codeRange uses whole hundreds where the range covers them, and otherwise the
// codes that occur.
func (m *matcher) codeRange(low, high int) (words []string) {
	done := map[int]bool{}
	for _, code := range m.codes {
		if code < low || code > high {
			continue
		}
		h := floorHundred(code)
		if low <= h*100 && h*100+99 <= high {
			if !done[h] {
				done[h] = true
				words = append(words, word(m.hundredToken(code)))
			}
			continue
		}
		words = append(words, word(m.codeToken(code)))
	}
	return words
}

func (m *matcher) urlWords(text string) (words []string) {
	if text == "" {
		return nil
	}
	words = append(words, word(m.hashed(tagURL, text)))
	switch {
	case text[0] != '/':
	case text[len(text)-1] == '/' && strings.Count(text, "/") <= 16:
		words = append(words, word(m.hashed(tagDirectory, text)))
	default:
		words = append(words, beginning(m.pathToken(text)))
	}
	return words
}

func (m *matcher) anyWords(words []string) []string {
	var all []string
	for _, w := range words {
		if m.query.Staff == actionlog.StaffHidden {
			all = append(all, word(w))
		} else {
			all = append(all, "("+word(w)+" OR "+word(tagStaffWord+w)+")")
		}
	}
	return one(group(all, " AND "))
}

func one(expression string) []string {
	if expression == nothing {
		return nil
	}
	return []string{expression}
}

// prefixWords covers a CIDR with words of whole bytes: at most 128.
func (m *matcher) prefixWords(p netip.Prefix) (words []string) {
	if !p.IsValid() {
		return nil
	}
	p = p.Masked()
	raw, tag := p.Addr().AsSlice(), ipTag(p.Addr())
	whole, rest := p.Bits()/8, p.Bits()%8
	if rest == 0 {
		return one(word(m.hexed(tag, string(raw[:whole]))))
	}
	for i := range 1 << (8 - rest) {
		last := raw[whole] + byte(i)
		words = append(words, word(m.hexed(tag, string(append(raw[:whole:whole], last)))))
	}
	return words
}

func (m *matcher) person(p actionlog.PersonMatch, roles ...string) (words []string) {
	if p.Staff {
		if roles[0] == roleActor {
			words = append(words, word(m.hashed(tagActorKind, actionlog.KindStaff)))
		}
		return words
	}
	for _, role := range roles {
		found := m.personIn(p, role)
		if role == roleActor && m.query.Staff == actionlog.StaffHidden && len(found) > 0 {
			found = one("(" + group(found, " OR ") + " NOT " + word(m.hashed(tagActorKind, actionlog.KindStaff)) + ")")
		}
		words = append(words, found...)
	}
	return words
}

func (m *matcher) personIn(p actionlog.PersonMatch, role string) []string {
	switch {
	case p.Key != "":
		return one(word(m.hashed(tagPersonKey+role, p.Key)))
	case p.ID != "":
		return one(word(m.hashed(tagPersonID+role, p.ID)))
	case p.Email != "":
		return one(word(m.hexed(tagEmail+role, p.Email)))
	case p.Prefix != "":
		return one(beginning(m.hexed(tagEmail+role, p.Prefix)))
	case p.Domain != "":
		return one(word(m.hashed(tagDomain+role, p.Domain)))
	}
	slots := 1
	if role == roleTarget {
		slots = m.slots
	}
	var words []string
	for slot := range slots {
		var all []string
		for _, w := range p.Words {
			all = append(all, word(m.nameToken(role, slot, w)))
		}
		words = append(words, one(group(all, " AND "))...)
	}
	return words
}

func (m *matcher) titledWords(tag string, t actionlog.TitledMatch) []string {
	switch {
	case t.Key != "":
		return one(word(m.hashed(tag+partKey, t.Key)))
	case t.ID != "":
		return one(word(m.hashed(tag+partID, t.ID)))
	}
	var all []string
	for _, w := range t.Words {
		all = append(all, word(m.plain(tag+partWord, w)))
	}
	return one(group(all, " AND "))
}
