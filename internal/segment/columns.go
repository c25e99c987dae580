package segment

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"actionlog"
	"actionlog/internal/people"
)

// Columns, whose values are counted. Those of scoped have labels and keep the values of each institution apart: what one
// institution calls somebody is nothing to another.
const (
	columnStream = iota
	columnCategory
	columnAction
	columnOutcome
	columnActorKind
	columnChannel
	columnMethod
	columnCode
	columnContentType
	columnIP
	columnActor
	columnCourse
	columnClass
	numColumns
)

var columnFields = [numColumns]actionlog.Field{columnCategory: actionlog.FieldCategory, columnAction: actionlog.FieldAction,
	columnOutcome: actionlog.FieldOutcome, columnActorKind: actionlog.FieldActorKind, columnChannel: actionlog.FieldChannel,
	columnMethod: actionlog.FieldMethod, columnCode: actionlog.FieldCode, columnContentType: actionlog.FieldContentType,
	columnIP: actionlog.FieldIP, columnActor: actionlog.FieldActor, columnCourse: actionlog.FieldCourse, columnClass: actionlog.FieldClass}

func scoped(column int) bool { return column == columnAction || column >= columnActor }

// ColumnOf returns the column of a field, or -1.
func ColumnOf(f actionlog.Field) int {
	for i, field := range columnFields {
		if field == f && f != "" {
			return i
		}
	}
	return -1
}

// Labelled tells whether the values of a column have labels.
func Labelled(column int) bool { return scoped(column) }

// A key of a column's table is the value; of a response code 8 bytes in the order of the numbers; of an address see
// addressKey; of a scoped column the institution's place in 4 bytes, big-endian, and the value, before which actors have a byte
// that says whether they are of the platform's staff.

// appendColumnKey appends the key of an item's value, without the institution; nothing where it has none.
func appendColumnKey(dst []byte, item *actionlog.Item, column int) []byte {
	a := &item.Action
	switch column {
	case columnStream:
		return append(dst, item.Position.Stream...)
	case columnCategory:
		return append(dst, a.Category...)
	case columnAction:
		return append(dst, a.Code...)
	case columnOutcome:
		return append(dst, a.Outcome...)
	case columnActorKind:
		return append(dst, a.Actor.Kind...)
	case columnChannel:
		return append(dst, a.Origin.Channel...)
	case columnMethod:
		return append(dst, a.Request.Method...)
	case columnCode:
		if a.Response != nil {
			return appendCodeKey(dst, *a.Response)
		}
	case columnContentType:
		return append(dst, a.Request.MediaType()...)
	case columnIP:
		if a.Origin.IP.IsValid() {
			return appendAddressKey(dst, a.Origin.IP)
		}
	case columnActor:
		if key := people.Key(a.Actor); key != "" || item.Staff {
			return append(append(dst, staffByte(item.Staff)), key...)
		}
	case columnCourse:
		return append(dst, people.TitledKey(a.Course)...)
	case columnClass:
		return append(dst, people.TitledKey(a.Class)...)
	}
	return dst
}

func staffByte(staff bool) byte {
	if staff {
		return 1
	}
	return 0
}

func appendCodeKey(dst []byte, code int) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(code)^1<<63)
}

// appendAddressKey appends 4 or 6, the address and its zone: addresses of a network are neighbours.
func appendAddressKey(dst []byte, ip netip.Addr) []byte {
	dst = append(dst, family(ip))
	dst = append(dst, ip.AsSlice()...)
	return append(dst, ip.Zone()...)
}

func family(ip netip.Addr) byte {
	if ip.Is4() {
		return 4
	}
	return 6
}

// valueOf is the value that a key stands for, and whether it is of an actor of the staff.
func valueOf(column int, key []byte) (value string, staff bool) {
	if scoped(column) && len(key) >= 4 {
		key = key[4:]
	}
	switch {
	case column == columnCode && len(key) == 8:
		return strconv.Itoa(int(binary.BigEndian.Uint64(key) ^ 1<<63)), false
	case column == columnIP && len(key) >= 5 && key[0] == 4:
		return netip.AddrFrom4([4]byte(key[1:5])).String(), false
	case column == columnIP && len(key) >= 17:
		return netip.AddrFrom16([16]byte(key[1:17])).WithZone(string(key[17:])).String(), false
	case column == columnActor && len(key) > 0:
		return string(key[1:]), key[0] == 1
	}
	return string(key), false
}

// Label is what a value was called at a time. A name or title counts more than what stands in for one, however old.
type Label struct {
	Text  string
	Named bool
	At    int64 // Unix milliseconds
}

// Better tells whether a label should take the place of another.
func (l Label) Better(than Label) bool {
	switch {
	case l.Text == "" || l.Text == than.Text && l.Named == than.Named:
		return false
	case than.Text == "":
		return true
	case l.Named != than.Named:
		return l.Named
	}
	return l.At > than.At || l.At == than.At && l.Text > than.Text
}

// labelOf is the label that an item gives its value of a column.
func labelOf(item *actionlog.Item, column int) Label {
	a := &item.Action
	named := func(name, standIn string) Label {
		return Label{cmp.Or(name, standIn), name != "", item.OccurredAt.UnixMilli()}
	}
	switch column {
	case columnAction:
		return named(a.Label, "")
	case columnActor:
		return named(a.Actor.Name, cmp.Or(a.Actor.Email, a.Actor.ID, a.Actor.ExternalID))
	case columnCourse:
		return named(a.Course.Title, a.Course.ID)
	case columnClass:
		return named(a.Class.Title, a.Class.ID)
	}
	return Label{}
}

// append writes a label: when, whether it is a name, and the text; nothing for none.
func (l Label) append(dst []byte) []byte {
	if l.Text == "" {
		return dst
	}
	dst = binary.AppendUvarint(dst, zigzag(l.At))
	dst = append(dst, staffByte(l.Named))
	return append(dst, l.Text...)
}

func parseLabel(b []byte) (l Label) {
	if v := (varints{b: b}); len(b) > 1 {
		l.At = unzigzag(v.next())
		if named := v.bytes(1); len(named) == 1 {
			l.Named, l.Text = named[0] == 1, strings.Clone(string(v.b))
		}
	}
	return l
}

// Later is the better of two labels; of one that is the same the later time counts.
func Later(a, b Label) Label {
	switch {
	case b.Better(a):
		return b
	case b.Text == a.Text && b.Named == a.Named:
		a.At = max(a.At, b.At)
	}
	return a
}

// code is the code of a row.
func (r *Reader) code(column, row int) uint32 {
	c := r.columns[column]
	if c.width == 0 {
		return c.constant
	}
	codes := r.chunkOf(column, row/chunkRows)
	if at := row % chunkRows * c.width; r.err == nil && at+c.width <= len(codes) {
		return codeAt(codes[at:], c.width)
	}
	r.malformed("a column")
	return 0
}

func codeAt(b []byte, width int) uint32 {
	switch width {
	case 1:
		return uint32(b[0])
	case 2:
		return uint32(b[0]) | uint32(b[1])<<8
	default:
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
}

// appendColumn writes the codes of all rows.
func (s *Segment) appendColumn(image []byte, c *Codec, no int, codes []uint32, values int) []byte {
	col := &s.columns[no]
	col.values = values
	same := true
	for _, code := range codes {
		if same = code == codes[0]; !same {
			break
		}
	}
	switch {
	case same:
		col.constant = codes[0]
		return image
	case values < 1<<8:
		col.width = 1
	case values < 1<<16:
		col.width = 2
	default:
		col.width = 3
	}
	return appendChunks(image, c, len(codes), func(dst []byte, from, to int) []byte {
		for _, code := range codes[from:to] {
			for i := range col.width {
				dst = append(dst, byte(code>>(8*i)))
			}
		}
		return dst
	})
}
