package segment

import (
	"net/netip"
	"strconv"
	"strings"

	"actionlog"
)

// condition is a query as a tree. It is the same for all segments.
type condition struct {
	op     op
	all    []*condition // of and, or; of butNot the first, without the others
	text   string       // of word, id; of begins the tag and the text
	tag    string
	words  []string // of name
	column int      // of values: keys in [low, high)
	low    []byte
	high   []byte
}

type op int

const (
	opAnd op = iota
	opOr
	opButNot
	opWord   // rows with a word
	opBegins // rows with a beginning
	opValues // rows with a value of a column
	opName   // rows with all words of one name in a role
	opID     // the row with an ID
)

// Query is a query that segments understand.
type Query struct {
	institution string
	all, not    []*condition
}

// Compile makes a query of one.
func Compile(q *actionlog.Query) *Query {
	c := compiler{staff: q.Staff}
	compiled := &Query{institution: q.Institution}
	for _, clause := range q.Clauses {
		var alternatives []*condition
		for _, v := range clause.Values {
			alternatives = append(alternatives, c.value(clause.Field, v)...)
		}
		if x := group(opOr, alternatives); clause.Not {
			compiled.not = append(compiled.not, x)
		} else {
			compiled.all = append(compiled.all, x)
		}
	}
	return compiled
}

type compiler struct{ staff actionlog.StaffView }

// group of none is an or of nothing, which nothing satisfies.
func group(o op, all []*condition) *condition {
	if len(all) == 1 {
		return all[0]
	}
	if len(all) == 0 {
		o = opOr
	}
	return &condition{op: o, all: all}
}

func word(parts ...string) *condition { return &condition{op: opWord, text: strings.Join(parts, "")} }

func equal(column int, key []byte) *condition {
	return &condition{op: opValues, column: column, low: key, high: append(key[:len(key):len(key)], 0)}
}

// value returns the alternatives of one value; none: it matches nothing.
func (c compiler) value(f actionlog.Field, v actionlog.Value) []*condition {
	switch f {
	case actionlog.FieldCode:
		return c.codes(v.Min, v.Max)
	case actionlog.FieldURL:
		return c.url(v.Text)
	case actionlog.FieldAny:
		return c.anywhere(v.Words)
	case actionlog.FieldIP:
		return c.network(v.Prefix)
	case actionlog.FieldActor:
		return c.person(v.Person, roleActor)
	case actionlog.FieldOnBehalfOf:
		return c.person(v.Person, roleOnBehalf)
	case actionlog.FieldTarget:
		return c.person(v.Person, roleTarget)
	case actionlog.FieldPerson:
		return c.person(v.Person, roleActor, roleOnBehalf, roleTarget)
	case actionlog.FieldCourse:
		return c.titled(tagCourse, v.Titled)
	case actionlog.FieldClass:
		return c.titled(tagClass, v.Titled)
	}
	if v.Text == "" {
		return nil
	}
	switch f {
	case actionlog.FieldID:
		return []*condition{{op: opID, text: v.Text}}
	case actionlog.FieldBatch:
		return []*condition{word(tagBatch, v.Text)}
	case actionlog.FieldRequestID:
		return []*condition{word(tagRequestID, v.Text)}
	}
	if column := ColumnOf(f); column >= 0 {
		return []*condition{equal(column, []byte(v.Text))}
	}
	return nil
}

func (c compiler) codes(low, high int) []*condition {
	if low > high {
		return nil
	}
	return []*condition{{op: opValues, column: columnCode, low: appendCodeKey(nil, low), high: append(appendCodeKey(nil, high), 0)}}
}

func (c compiler) url(text string) []*condition {
	if text == "" {
		return nil
	}
	all := []*condition{word(tagURL, text)}
	switch {
	case text[0] != '/':
	case text[len(text)-1] == '/' && strings.Count(text, "/") <= maxDepth:
		all = append(all, word(tagDirectory, text))
	default:
		all = append(all, &condition{op: opBegins, tag: beginPath, text: text})
	}
	return all
}

func (c compiler) anywhere(words []string) []*condition {
	var all []*condition
	for _, w := range words {
		if c.staff == actionlog.StaffHidden {
			all = append(all, word(w))
		} else {
			all = append(all, group(opOr, []*condition{word(w), word(tagStaffWord, w)}))
		}
	}
	return []*condition{group(opAnd, all)}
}

// network is the addresses of a network: keys from its first address up to the first one behind it.
func (c compiler) network(p netip.Prefix) []*condition {
	if !p.IsValid() {
		return nil
	}
	p = p.Masked()
	low := append([]byte{family(p.Addr())}, p.Addr().AsSlice()...)
	high := append([]byte(nil), low[:1+(p.Bits()+7)/8]...)
	if rest := p.Bits() % 8; rest != 0 {
		high[len(high)-1] |= 1<<(8-rest) - 1
	}
	for i := len(high) - 1; i >= 0; i-- {
		if high[i]++; high[i] != 0 {
			break
		}
		high = high[:i]
	}
	return []*condition{{op: opValues, column: columnIP, low: low, high: high}}
}

func isStaff() *condition { return equal(columnActorKind, []byte(actionlog.KindStaff)) }

func (c compiler) person(p actionlog.PersonMatch, roles ...string) (all []*condition) {
	if p.Staff {
		if roles[0] == roleActor {
			all = append(all, isStaff())
		}
		return all
	}
	for _, role := range roles {
		found := personIn(p, role)
		if role == roleActor && c.staff == actionlog.StaffHidden {
			found = &condition{op: opButNot, all: []*condition{found, isStaff()}}
		}
		all = append(all, found)
	}
	return all
}

func personIn(p actionlog.PersonMatch, role string) *condition {
	switch {
	case p.Key != "":
		return word(tagPersonKey, role, p.Key)
	case p.ID != "":
		return word(tagPersonID, role, p.ID)
	case p.Email != "":
		return word(tagEmail, role, p.Email)
	case p.Prefix != "":
		return &condition{op: opBegins, tag: beginEmail + role, text: p.Prefix}
	case p.Domain != "":
		return word(tagDomain, role, p.Domain)
	case len(p.Words) == 0:
		return group(opOr, nil)
	}
	return &condition{op: opName, tag: role, words: p.Words}
}

// slots is how many names in the role of an opName an action may have, of so many targets at most.
func (c *condition) slots(targets int) int {
	if c.tag == roleTarget {
		return targets
	}
	return 1
}

// name is the condition of the name in a slot.
func (c *condition) name(slot int) *condition {
	var all []*condition
	for _, w := range c.words {
		all = append(all, word(tagName, c.tag, strconv.Itoa(slot), "_", w))
	}
	return group(opAnd, all)
}

func (c compiler) titled(tag string, t actionlog.TitledMatch) []*condition {
	switch {
	case t.Key != "":
		return []*condition{word(tag, partKey, t.Key)}
	case t.ID != "":
		return []*condition{word(tag, partID, t.ID)}
	case len(t.Words) == 0:
		return nil
	}
	var all []*condition
	for _, w := range t.Words {
		all = append(all, word(tag, partWord, w))
	}
	return []*condition{group(opAnd, all)}
}
