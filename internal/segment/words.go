package segment

import (
	"crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"actionlog"
	"actionlog/internal/people"

	"github.com/dchest/siphash"
)

// Every filterable property of an action that is no column is a word. Words made here begin with '_', which no word of a
// text holds, and a tag. What is looked for by its beginning is kept as text (see partBeginnings), all else as a hash.
const (
	tagBatch     = "_b"
	tagRequestID = "_q"
	tagURL       = "_u" // the whole URL
	tagDirectory = "_d" // a beginning of the path that ends in "/"
	tagStaffWord = "_z" // + a word of StaffText
	tagCourse    = "_v" // + part
	tagClass     = "_w"
	tagPersonKey = "_e" // + role
	tagPersonID  = "_g"
	tagEmail     = "_l"
	tagDomain    = "_f"
	tagName      = "_n" // + role, slot, "_", word

	// Beginnings: a tag, and of a long text the hash of what stands before its last piece.
	beginEmail = "e" // + role
	beginPath  = "p"
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

// maxDepth is how many folders of a path are words.
const maxDepth = 16

// beginPiece is how much of a text is one beginning: of a longer one each piece is, with what stands before it.
const beginPiece = 512

// Key is the key of the words' hashes, of a day's segments.
type Key [16]byte

// NewKey makes a random key.
func NewKey() (k Key) {
	_, _ = rand.Read(k[:]) // never fails: crypto/rand
	return k
}

func (k Key) hash(word []byte) uint64 {
	return siphash.Hash(binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:]), word) >> (64 - hashBits)
}

// beginning is the text under which text's last piece is kept: the tag, a 0 and the text; of a text that is longer than
// beginPiece the tag, a 1, the hash of what stands before the last piece, and that piece.
func (k Key) beginning(dst []byte, tag, text string) []byte {
	start := 0
	if len(text) > 0 {
		start = (len(text) - 1) / beginPiece * beginPiece
	}
	dst = append(dst, tag...)
	if start == 0 {
		return append(append(dst, 0), text...)
	}
	dst = binary.BigEndian.AppendUint64(append(dst, 1), k.hash([]byte(tag+text[:start])))
	return append(dst, text[start:]...)
}

// Texts of up to maxCutText bytes are cut once: most strings of an action stand in many others. maxCutTexts bounds what is
// remembered.
const maxCutTexts, maxCutText = 8192, 160

// words collects the words of actions.
type words struct {
	key    Key
	hashes []uint64 // of an action; some may be there twice
	begins [][]byte // of an action
	buf    []byte
	arena  []byte // of begins
	cut    map[string][]string
	hashed map[string][]uint64 // of the words of texts
	once   [8192]uint64        // hashes of texts that were seen: one that comes again is remembered
	seed   maphash.Seed
	folded []string
	list   func(word string) // for tests: is told each word too
}

func newWords(key Key) *words {
	return &words{key: key, cut: map[string][]string{}, hashed: map[string][]uint64{}, seed: maphash.MakeSeed()}
}

func (w *words) add(parts ...string) {
	w.buf = w.buf[:0]
	for _, p := range parts {
		w.buf = append(w.buf, p...)
	}
	w.hashes = append(w.hashes, w.key.hash(w.buf))
	if w.list != nil {
		w.list(string(w.buf))
	}
}

func (w *words) value(tag, value string) {
	if value != "" {
		w.add(tag, value)
	}
}

func (w *words) begin(tag, text string) {
	start := len(w.arena)
	w.arena = w.key.beginning(w.arena, tag, text)
	w.begins = append(w.begins, w.arena[start:len(w.arena):len(w.arena)])
	if w.list != nil {
		w.list(strconv.Quote(tag + " " + text))
	}
}

// wordsOf is people.Words, remembered.
func (w *words) wordsOf(text string) []string {
	if len(text) > maxCutText {
		return people.Words(text)
	}
	cut, ok := w.cut[text]
	if !ok && !w.again(text) {
		return people.Words(text)
	}
	if !ok {
		if len(w.cut) >= maxCutTexts {
			clear(w.cut)
		}
		text = strings.Clone(text)
		cut = people.Words(text)
		w.cut[text] = cut
	}
	return cut
}

// text adds the words of a text.
func (w *words) text(text string) {
	if hashes, ok := w.hashed[text]; ok && w.list == nil {
		w.hashes = append(w.hashes, hashes...)
		return
	}
	from := len(w.hashes)
	w.folded = people.AppendWords(w.folded[:0], text)
	for _, word := range w.folded {
		w.add(word)
	}
	if len(text) <= maxCutText && w.again(text) {
		if len(w.hashed) >= maxCutTexts {
			clear(w.hashed)
		}
		w.hashed[strings.Clone(text)] = slices.Clone(w.hashes[from:])
	}
}

// again tells whether a text was seen before, not long ago: IDs and times are not worth remembering.
func (w *words) again(text string) bool {
	h := maphash.String(w.seed, text)
	slot := &w.once[h%uint64(len(w.once))]
	if *slot == h {
		return true
	}
	*slot = h
	return false
}

// of fills in the words of an item.
func (w *words) of(item *actionlog.Item) {
	w.hashes, w.begins, w.arena = w.hashes[:0], w.begins[:0], w.arena[:0]
	a := &item.Action
	w.value(tagBatch, a.Trace.BatchID)
	w.value(tagRequestID, a.Trace.RequestID)
	w.url(a.Request)
	w.person(roleActor, 0, &a.Actor, true)
	if a.OnBehalfOf != nil {
		w.person(roleOnBehalf, 0, a.OnBehalfOf, true)
	}
	for i := range a.Targets {
		w.person(roleTarget, i, &a.Targets[i], a.Targets[i].IsPerson())
	}
	w.titled(tagCourse, a.Course)
	w.titled(tagClass, a.Class)
	for _, s := range item.Text {
		w.text(s)
	}
	for _, s := range item.StaffText {
		for _, word := range w.wordsOf(s) {
			w.add(tagStaffWord, word)
		}
	}
}

func (w *words) url(r actionlog.Request) {
	if r.URL == "" {
		return
	}
	w.add(tagURL, r.URL)
	path := r.Path()
	for end := beginPiece; end < len(path); end += beginPiece {
		w.begin(beginPath, path[:end])
	}
	w.begin(beginPath, path)
	depth := 0
	for i := 0; i < len(path) && depth < maxDepth; i++ {
		if path[i] == '/' {
			w.add(tagDirectory, path[:i+1])
			depth++
		}
	}
}

// person adds the words of a person in a role. Several targets of one action have slots of their own for their names, so
// that the words of a name are looked for in one person. Only who is a person (named) is found by key or name.
func (w *words) person(role string, slot int, p *actionlog.Person, named bool) {
	if p.ID != "" {
		w.add(tagPersonID, role, p.ID)
	}
	if p.ExternalID != "" {
		w.add(tagPersonID, role, p.ExternalID)
	}
	if email := people.FoldEmail(p.Email); email != "" {
		w.add(tagEmail, role, email)
		for end := beginPiece; end < len(email); end += beginPiece {
			w.begin(beginEmail+role, email[:end])
		}
		w.begin(beginEmail+role, email)
		if i := strings.LastIndexByte(email, '@'); i >= 0 {
			w.add(tagDomain, role, email[i+1:])
		}
	}
	if !named {
		return
	}
	if key := people.Key(*p); key != "" {
		w.add(tagPersonKey, role, key)
	}
	for _, word := range w.wordsOf(p.Name) {
		w.add(tagName, role, strconv.Itoa(slot), "_", word)
	}
}

func (w *words) titled(tag string, v actionlog.Titled) {
	if key := people.TitledKey(v); key != "" {
		w.add(tag, partKey, key)
	}
	if v.ID != "" {
		w.add(tag, partID, v.ID)
	}
	for _, word := range w.wordsOf(v.Title) {
		w.add(tag, partWord, word)
	}
}
