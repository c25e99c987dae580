package sqlite

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"actionlog"
	"actionlog/internal/people"
)

// Every filterable property of an action is a word in one FTS5 table. Words
// made here begin with '_', which no word of a text holds; they are lower-case
// ASCII, because the tokenizer lowers ASCII and leaves the rest alone. Values
// are hashed to 64 bits where only equality is asked for, and written in
// hexadecimal where a beginning is. Each of these words is of one institution
// (see scope); only words of a text are shared by all.
const (
	tagInstitution = "_i"
	tagCategory    = "_c"
	tagAction      = "_a"
	tagOutcome     = "_o"
	tagActorKind   = "_k"
	tagChannel     = "_h"
	tagMethod      = "_m"
	tagContentType = "_t"
	tagBatch       = "_b"
	tagRequestID   = "_q"
	tagID          = "_x"
	tagCode        = "_r" // + the code
	tagHundred     = "_s" // + the code's hundred
	tagIPv4        = "_4" // + whole bytes of the address
	tagIPv6        = "_6"
	tagURL         = "_u" // the whole URL
	tagDirectory   = "_d" // a beginning of the path that ends in "/"
	tagPath        = "_p" // the path in hexadecimal, see pathToken
	tagStaffWord   = "_z" // + a word of StaffText
	tagCourse      = "_v" // + part
	tagClass       = "_w"
	tagPersonKey   = "_e" // + role
	tagPersonID    = "_g"
	tagEmail       = "_l" // the address in hexadecimal
	tagDomain      = "_f"
	tagName        = "_n" // + role, slot, "_", word
)

// Roles of a person in an action.
const (
	roleActor    = "a"
	roleOnBehalf = "b"
	roleTarget   = "t"
)

// Parts of a course or class.
const (
	partKey  = "k"
	partID   = "i"
	partWord = "t"
)

// pathPiece is how much of a path one word holds; FTS5 cuts words at 32 KiB.
const pathPiece = 8000

// pathToken is the word of the piece of a path that ends with the path: the
// hash of what stands before the piece, and the piece in hexadecimal. A path of
// up to pathPiece bytes is one piece.
func (s scope) pathToken(path string) string {
	start := 0
	if len(path) > 0 {
		start = (len(path) - 1) / pathPiece * pathPiece
	}
	if start == 0 {
		return s.hexed(tagPath, path)
	}
	before := s.hashed("", path[:start])
	return tagPath + s.prefix + strings.Repeat("z", 14-len(before)) + before + "_" + hex.EncodeToString([]byte(path[start:]))
}

// scope makes the words of one institution, which no other institution has.
type scope struct {
	institution string
	prefix      string // its hash
}

func scopeOf(institution string) scope {
	return scope{institution, hash(institution) + "_"}
}

// hash is 64 bits of SHA-256, in base 36.
func hash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 36)
}

// own is the word that every action of the institution has.
func (s scope) own() string { return tagInstitution + s.prefix }

// hashed is a tag and the hash of a value of the institution.
func (s scope) hashed(tag, value string) string { return tag + hash(s.institution+"\x00"+value) }

// hexed is a tag and a value in hexadecimal; a beginning of the value is a
// beginning of the word.
func (s scope) hexed(tag, value string) string {
	return tag + s.prefix + hex.EncodeToString([]byte(value))
}

// plain is a tag and a value that is a word already.
func (s scope) plain(tag, value string) string { return tag + s.prefix + value }

// Texts of up to maxCutText bytes are cut once: most strings of an action stand
// in many others. maxCutTexts bounds what is remembered.
const maxCutTexts, maxCutText = 4096, 64

// tokens collects the distinct words of an action.
type tokens struct {
	scope
	seen map[string]struct{}
	text []byte
	cut  map[string][]string
}

func newTokens() *tokens {
	return &tokens{seen: make(map[string]struct{}, 128), cut: make(map[string][]string, 256)}
}

// words is people.Words, remembered.
func (t *tokens) words(text string) []string {
	if len(text) > maxCutText {
		return people.Words(text)
	}
	words, ok := t.cut[text]
	if !ok {
		if len(t.cut) >= maxCutTexts {
			clear(t.cut)
		}
		words = people.Words(text)
		t.cut[text] = words
	}
	return words
}

func (t *tokens) reset() {
	clear(t.seen)
	t.text = t.text[:0]
}

func (t *tokens) add(word string) {
	if _, ok := t.seen[word]; ok {
		return
	}
	t.seen[word] = struct{}{}
	t.text = append(append(t.text, word...), ' ')
}

func (t *tokens) value(tag, value string) {
	if value != "" {
		t.add(t.hashed(tag, value))
	}
}

// of fills in the words of an item.
func (t *tokens) of(item *actionlog.Item) {
	t.reset()
	if t.institution != item.Institution {
		t.scope = scopeOf(item.Institution)
	}
	a := &item.Action
	t.add(t.own())
	t.value(tagID, item.ID)
	t.value(tagCategory, string(a.Category))
	t.value(tagAction, a.Code)
	t.value(tagOutcome, a.Outcome)
	t.value(tagActorKind, a.Actor.Kind)
	t.value(tagChannel, a.Origin.Channel)
	t.value(tagMethod, a.Request.Method)
	t.value(tagContentType, a.Request.MediaType())
	t.value(tagBatch, a.Trace.BatchID)
	t.value(tagRequestID, a.Trace.RequestID)
	if a.Response != nil {
		t.add(t.codeToken(*a.Response))
		t.add(t.hundredToken(*a.Response))
	}
	t.address(a.Origin.IP)
	t.url(a.Request)
	t.person(roleActor, 0, a.Actor, true)
	if a.OnBehalfOf != nil {
		t.person(roleOnBehalf, 0, *a.OnBehalfOf, true)
	}
	for i, p := range a.Targets {
		t.person(roleTarget, i, p, p.IsPerson())
	}
	t.titled(tagCourse, a.Course)
	t.titled(tagClass, a.Class)
	for _, s := range item.Text {
		for _, w := range t.words(s) {
			t.add(w)
		}
	}
	for _, s := range item.StaffText {
		for _, w := range t.words(s) {
			t.add(tagStaffWord + w)
		}
	}
}

func (s scope) codeToken(code int) string { return s.hashed(tagCode, strconv.Itoa(code)) }

// hundredToken is for codes 0–99, 100–199, …; negative codes round down.
func (s scope) hundredToken(code int) string {
	return s.hashed(tagHundred, strconv.Itoa(floorHundred(code)))
}

func floorHundred(code int) int {
	if code < 0 {
		return (code - 99) / 100
	}
	return code / 100
}

func (t *tokens) address(ip netip.Addr) {
	if !ip.IsValid() {
		return
	}
	tag := ipTag(ip)
	raw := ip.AsSlice()
	for n := range len(raw) + 1 {
		t.add(t.hexed(tag, string(raw[:n])))
	}
}

func ipTag(ip netip.Addr) string {
	if ip.Is4() {
		return tagIPv4
	}
	return tagIPv6
}

func (t *tokens) url(r actionlog.Request) {
	if r.URL == "" {
		return
	}
	t.value(tagURL, r.URL)
	path := r.Path()
	for end := pathPiece; end < len(path); end += pathPiece {
		t.add(t.pathToken(path[:end]))
	}
	t.add(t.pathToken(path))
	depth := 0
	for i := 0; i < len(path) && depth < 16; i++ {
		if path[i] == '/' {
			t.value(tagDirectory, path[:i+1])
			depth++
		}
	}
}

// person adds the words of a person in a role. Several targets of one action
// have slots of their own for their names, so that the words of a name are
// looked for in one person. Only who is a person (named) is found by key or
// name.
func (t *tokens) person(role string, slot int, p actionlog.Person, named bool) {
	t.value(tagPersonID+role, p.ID)
	t.value(tagPersonID+role, p.ExternalID)
	if email := people.FoldEmail(p.Email); email != "" {
		t.add(t.hexed(tagEmail+role, email))
		if i := strings.LastIndexByte(email, '@'); i >= 0 {
			t.value(tagDomain+role, email[i+1:])
		}
	}
	if !named {
		return
	}
	t.value(tagPersonKey+role, people.Key(p))
	for _, w := range t.words(p.Name) {
		t.add(t.nameToken(role, slot, w))
	}
}

func (s scope) nameToken(role string, slot int, word string) string {
	return s.plain(tagName+role, strconv.Itoa(slot)+"_"+word)
}

func (t *tokens) titled(tag string, v actionlog.Titled) {
	t.value(tag+partKey, people.TitledKey(v))
	t.value(tag+partID, v.ID)
	for _, w := range t.words(v.Title) {
		t.add(t.plain(tag+partWord, w))
	}
}
