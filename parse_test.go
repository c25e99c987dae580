package actionlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const minimal = `{"id":"1","occurred_at":"2026-11-22T10:00:00+01:00","institution":{"id":"uni"},` +
	`"category":"course","action":{"code":"course.class.created"},"actor":{"kind":"user"}}`

// with replaces one piece of the minimal document.
func with(old, new string) string {
	if !strings.Contains(minimal, old) {
		panic("the minimal document has no " + old)
	}
	return strings.Replace(minimal, old, new, 1)
}

func mustParse(t *testing.T, doc string) Item {
	t.Helper()
	item, err := Parse([]byte(doc), nil)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return item
}

func TestParseWhole(t *testing.T) {
	doc := `{"id":"a:1","schema":"action/1","occurred_at":"2026-11-22T23:30:00.1239-01:00","institution":{"id":"uni","name":"U"},
 "category":"portal","action":{"code":"x.y","label":"X"},"outcome":"failure","reason":"no","actor":{"kind":"api_key","id":"k","name":"N","email":"A@b.c","external_id":"e","roles":["r"]},
 "on_behalf_of":{"kind":"user","id":"u"},"targets":[{"kind":"report","id":null,"name":"R"}],"course":{"id":"c","title":"C"},"class":{"id":"k","title":"K"},
 "changes":[{"field":"f","before":null,"after":[1, 2]}],"request":{"method":"post","url":"https://h/p?q=1","route":"/p","content_type":"application/JSON; charset=utf-8"},
 "response":{"code":201},"origin":{"ip":"::ffff:10.0.0.1","user_agent":"UA","channel":"api"},"trace":{"request_id":"q","session_id":"s","batch_id":"b"},
 "summary":"S","details":{"deep":[{"n":1.50}]},"unknown":true}`
	code := 201
	want := Action{ID: "a:1", Institution: Institution{"uni", "U"}, OccurredAt: time.Date(2026, 11, 23, 0, 30, 0, 123e6, time.UTC),
		Category: CategoryInstitution, Code: "x.y", Label: "X", Outcome: "failure", Reason: "no",
		Actor:      Person{Kind: "api_key", ID: "k", Name: "N", Email: "A@b.c", ExternalID: "e", Roles: []string{"r"}},
		OnBehalfOf: &Person{Kind: "user", ID: "u"}, Targets: []Person{{Kind: "report", Name: "R"}},
		Course: Titled{"c", "C"}, Class: Titled{"k", "K"}, Changes: []Change{{Field: "f", After: json.RawMessage("[1, 2]")}},
		Request:  Request{"POST", "https://h/p?q=1", "/p", "application/JSON; charset=utf-8"},
		Response: &code, Origin: Origin{netip.MustParseAddr("10.0.0.1"), "UA", "api"}, Trace: Trace{"q", "s", "b"}, Summary: "S"}
	item := mustParse(t, " "+doc+"\n")
	if d := cmp.Diff(want, item.Action, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if string(item.Document) != doc {
		t.Errorf("the document was changed: %s", item.Document)
	}
	if len(item.Warnings) != 0 {
		t.Errorf("warnings: %q", item.Warnings)
	}
	if got := item.Day().String(); got != "2026-11-23" {
		t.Errorf("day %s: an action belongs to its UTC date", got)
	}
	for _, word := range []string{"1.50", "uni", "failure", "https://h/p?q=1", "R"} {
		if !contains(item.Text, word) {
			t.Errorf("text lacks %q: %q", word, item.Text)
		}
	}
	if contains(item.Text, "action/1") || contains(item.Text, "deep") {
		t.Errorf("text holds the schema or a key: %q", item.Text)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, doc, field, reason string }{
		{"not JSON", `{"id":`, "", "not valid JSON"},
		{"trailing text", minimal + "x", "", "not valid JSON"},
		{"not UTF-8", with(`"1"`, "\"\xff\""), "", "not valid UTF-8"},
		{"array", `[1]`, "", "not a JSON object"},
		{"empty", ``, "", "not valid JSON"},
		{"too large", with(`{"id":"uni"}`, `{"id":"uni","name":"`+strings.Repeat("x", MaxDocumentBytes)+`"}`), "", "at most 262144"},
		{"no id", with(`"id":"1",`, ``), "/id", "missing"},
		{"null id", with(`"1"`, `null`), "/id", "missing"},
		{"number id", with(`"1"`, `1`), "/id", "not a string"},
		{"empty id", with(`"1"`, `""`), "/id", "empty"},
		{"id with space", with(`"1"`, `"a b"`), "/id", "A-Z a-z 0-9"},
		{"long id", with(`"1"`, `"`+strings.Repeat("a", 129)+`"`), "/id", "128"},
		{"no offset", with("+01:00", ""), "/occurred_at", "RFC 3339"},
		{"no such date", with("11-22", "11-31"), "/occurred_at", "RFC 3339"},
		{"institution is a string", with(`{"id":"uni"}`, `"uni"`), "/institution", "not an object"},
		{"institution with dot", with(`"uni"`, `"u.ni"`), "/institution/id", "64"},
		{"category", with(`"course"`, `"curse"`), "/category", `"curse" is not`},
		{"no code", with(`{"code":"course.class.created"}`, `{}`), "/action/code", "missing"},
		{"long code", with(`course.class.created`, strings.Repeat("é", 201)), "/action/code", "200"},
		{"actor kind", with(`"user"`, `"robot"`), "/actor/kind", `"robot" is not`},
		{"no actor", with(`,"actor":{"kind":"user"}`, ``), "/actor/kind", "missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.doc), nil)
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("error %v is not an InvalidError", err)
			}
			if invalid.Field != test.field || !strings.Contains(invalid.Reason.String(), test.reason) {
				t.Errorf("%q, %q; want %q, …%s…", invalid.Field, invalid.Reason, test.field, test.reason)
			}
		})
	}
}

func TestParseWarns(t *testing.T) {
	tests := []struct{ name, doc, warning string }{
		{"ip", with(`"1",`, `"1","origin":{"ip":"300.1.1.1"},`), "origin.ip: not an IP address"},
		{"ip zone", with(`"1",`, `"1","origin":{"ip":"fe80::1%eth0"},`), "origin.ip: not an IP address"},
		{"not an object", with(`"1",`, `"1","course":7,`), "course: not an object"},
		{"not a string", with(`"1",`, `"1","course":{"id":7},`), "course.id: not a string"},
		{"target", with(`"1",`, `"1","targets":[{},3],`), "targets[1]: not an object"},
		{"targets", with(`"1",`, `"1","targets":{},`), "targets: not an array"},
		{"role", with(`"user"`, `"user","roles":["a",1]`), "actor.roles[1]: not a string"},
		{"response", with(`"1",`, `"1","response":{"code":"200"},`), "response.code: not an integer"},
		{"response fraction", with(`"1",`, `"1","response":{"code":200.5},`), "response.code: not an integer"},
		{"outcome", with(`"1",`, `"1","outcome":"ok",`), "outcome: not success, failure or unknown"},
		{"schema", with(`"1",`, `"1","schema":"action/2",`), "schema: not action/1"},
		{"label", with(`"code"`, `"label":"`+strings.Repeat("x", 201)+`","code"`), "action.label: longer than 200 characters"},
		{"duplicate", with(`"1",`, `"1","summary":"a","summary":"b",`), "summary: duplicate key"},
		{"duplicate inside", with(`"user"`, `"user","name":"a","name":"b"`), "actor.name: duplicate key"},
		{"duplicate in details", with(`"1",`, `"1","details":{"a":[{"b":1,"b":2}]},`), "details.a[0].b: duplicate key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			item := mustParse(t, test.doc)
			if d := cmp.Diff([]string{test.warning}, item.Warnings); d != "" {
				t.Error(d)
			}
			if string(item.Document) != test.doc {
				t.Errorf("changed: %s", item.Document)
			}
			plain := mustParse(t, minimal)
			ignore := cmpopts.IgnoreFields(Action{}, "Course", "Targets", "Actor", "Label", "Response", "Origin")
			if d := cmp.Diff(plain.Action, item.Action, ignore, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
				t.Errorf("the malformed field was extracted: %s", d)
			}
		})
	}
}

func TestParseWarningsAreBounded(t *testing.T) {
	doc := with(`"1",`, `"1","details":{`+strings.Repeat(`"a":1,`, 5000)+`"a":1},`)
	item := mustParse(t, doc)
	if n := len(item.Warnings); n != maxWarnings {
		t.Fatalf("%d warnings", n)
	}
	if last := item.Warnings[maxWarnings-1]; last != "further warnings are left out" {
		t.Errorf("last warning: %q", last)
	}
}

func TestParseDuplicateRequiredKey(t *testing.T) {
	item := mustParse(t, with(`"institution":{"id":"uni"}`, `"institution":{"id":"a"},"institution":{"id":"b"}`))
	if item.Institution != "b" {
		t.Errorf("institution %q; the last one counts", item.Institution)
	}
	if d := cmp.Diff([]string{"institution: duplicate key"}, item.Warnings); d != "" {
		t.Error(d)
	}
}

func TestDigest(t *testing.T) {
	base := mustParse(t, with(`"1",`, `"1","details":{"a":"\u00e9","b":[1,{}]},`)).Digest
	same := mustParse(t, with(`"1",`, "\"1\" ,\n \"details\": {\"b\":[1, {} ],\"a\":\"é\"},")).Digest
	if base != same {
		t.Error("white space, escapes or the order of members changed the digest")
	}
	for _, other := range []string{`{"a":"e","b":[1,{}]}`, `{"a":"é","b":[{},1]}`, `{"a":"é","b":["1",{}]}`, `{"a":"é","b":[1.0,{}]}`, `{"a":"é","b":[1,[]]}`} {
		if mustParse(t, with(`"1",`, `"1","details":`+other+`,`)).Digest == base {
			t.Errorf("the digest does not see %s", other)
		}
	}
}

func TestPath(t *testing.T) {
	for url, want := range map[string]string{
		"https://h.example/a/b?c#d": "/a/b", "/a?b=https://x/y": "/a", "http://h": "/", "": "", "/": "/", "/x#y": "/x",
	} {
		if got := (Request{URL: url}).Path(); got != want {
			t.Errorf("Path(%q) = %q, want %q", url, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(with(`"1",`, `"1","details":{"u":"https://a:b@c/?token=x","password":1},"targets":[null,{}],`)))
	f.Add([]byte(with(`"user"`, `"staff","name":"Ann","id":"7"`)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := bytes.Clone(doc)
		item, err := Parse(doc, nil)
		if !bytes.Equal(before, doc) {
			t.Fatal("Parse wrote into its input")
		}
		checkSkim(t, doc)
		if err != nil {
			return
		}
		if !json.Valid(item.Document) {
			t.Fatalf("kept invalid JSON: %q", item.Document)
		}
		again, err := Parse(item.Document, nil)
		if err != nil || again.Digest != item.Digest || !bytes.Equal(again.Document, item.Document) {
			t.Fatalf("what is kept does not parse to itself: %v\n%s\n%s", err, item.Document, again.Document)
		}
		if masked := MaskStaff(item.Document, "Staff"); !json.Valid(masked) {
			t.Fatalf("masked to invalid JSON: %s", masked)
		}
	})
}

// checkSkim holds that Skim says what Judge says, and SkimID, ParseRecord and ReadAction what Parse says.
func checkSkim(t *testing.T, doc []byte) {
	t.Helper()
	item, err := Parse(doc, nil)
	if record, e := ParseRecord(doc, nil); (err == nil) != (e == nil) || !reflect.DeepEqual(record, item.Record) {
		t.Fatalf("%q: the record is %+v, %v; parsed %+v, %v", doc, record, e, item.Record, err)
	}
	if err == nil {
		if id, at, err := SkimID(item.Document); err != nil || id != item.ID || !at.Equal(item.OccurredAt) {
			t.Fatalf("%q: skimmed %s, %v, %v; parsed %s, %v", doc, id, at, err, item.ID, item.OccurredAt)
		}
		if a, _, err := ReadAction(item.Document); err != nil || !reflect.DeepEqual(a, item.Action) {
			t.Fatalf("%q: read %+v, %v; parsed %+v", doc, a, err, item.Action)
		}
	}
	for _, subject := range []string{"actions.acme.course", "actions.acme.api", "actions.other.course", "x"} {
		skimmed, reason, err := Skim(subject, doc, nil)
		judged, want, wantErr := Judge(subject, doc, nil)
		if reason != want || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%q on %s: skimmed %s, %v; judged %s, %v", doc, subject, reason, err, want, wantErr)
		}
		if err == nil && (skimmed.Institution != judged.Institution || skimmed.ID != judged.ID || !skimmed.OccurredAt.Equal(judged.OccurredAt) ||
			skimmed.Staff != judged.Staff || !bytes.Equal(skimmed.Document, judged.Document)) {
			t.Fatalf("%q: skimmed %+v, judged %+v", doc, skimmed.Record, judged.Record)
		}
	}
}

// TestReadAction: a member is what stands there, of one that stands twice the last, and none where it is null or written
// otherwise.
func TestReadAction(t *testing.T) {
	_, member, err := ReadAction([]byte(with(`"1",`, `"1","details":1,"details":{"a": [1, null]},"Details":2,"targets":null,"changes":[ ],`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"details": `{"a": [1, null]}`, "Details": "2", "targets": "", "changes": "[ ]", "none": ""} {
		if got := string(member(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, doc := range []string{"", "[]", "{", `{"id":"1"}`, "\xff"} {
		var invalid *InvalidError
		if _, _, err := ReadAction([]byte(doc)); !errors.As(err, &invalid) {
			t.Errorf("%q: %v", doc, err)
		}
	}
}

func TestSkim(t *testing.T) {
	for _, doc := range []string{
		minimal, " " + minimal + "\n", "", "{}", "[]", "null", `{"id":`, "\xff", with(`"1",`, `"1","details":{"}":["{",{"a\\\"b":-1.5e3}],"t":true,"n":null},"x":[],`),
		with(`"1",`, `"1","id":"2",`), with(`"1",`, `"1","id":null,`), with(`"user"`, `"api_key"`), with(`"user"`, `"nobody"`), with(`"1",`, `"1","request":{"url":"?api_key=x"},`),
		with(`"1",`, `"1","institution":{"id":"other"},`), with(`"1",`, `"1","actor":[],`), strings.Repeat(" ", MaxDocumentBytes) + minimal,
	} {
		checkSkim(t, []byte(doc))
	}
}

// Documents that differ as JSON have different digests, however alike they look
// when they are written one after the other.
func TestDigestTellsApart(t *testing.T) {
	for _, pair := range [][2]string{
		{`{"a":{},"b":1,"}c":2}`, `{"a":{"}b":1},"c":2}`}, {`"\ud800"`, `"\udfff"`}, {`{"\ud800":1}`, `{"\udfff":1}`},
		{`["a","b"]`, `["ab"]`}, {`[1,2]`, `[12]`}, {`{"a":"b"}`, `["a","b"]`}, {`"1"`, `1`}, {`null`, `"n"`},
	} {
		one, two := mustParse(t, with(`"1",`, `"1","details":{"x":`+pair[0]+`},`)), mustParse(t, with(`"1",`, `"1","details":{"x":`+pair[1]+`},`))
		if one.Digest == two.Digest {
			t.Errorf("%s and %s have one digest", pair[0], pair[1])
		}
	}
	one, two := mustParse(t, with(`"1",`, `"1","details":{"x":{"a":"\u00e9","b":[1]}},`)), mustParse(t, with(`"1",`, `"1", "details":{"x":{"b":[1],"a":"é"}},`))
	if one.Digest != two.Digest {
		t.Error("equal documents have different digests")
	}
}

// A document that is too large once its credentials are replaced is refused at
// once, not by whoever reads it next.
func TestTooLargeWhenScrubbed(t *testing.T) {
	frame := with(`"1",`, `"1","details":{"u":"?token=x&","n":""},`)
	doc := with(`"1",`, `"1","details":{"u":"?token=x&","n":"`+strings.Repeat("n", MaxDocumentBytes-len(frame))+`"},`)
	if _, err := Parse([]byte(doc), nil); len(doc) != MaxDocumentBytes || err == nil {
		t.Errorf("%d bytes: %v", len(doc), err)
	}
}

func TestParsePosition(t *testing.T) {
	for _, bad := range []string{"", "a", "a.", ".1", "*.1", ">.1", "a.0", "a.-1", "A.1", "a b.1", "a.1.2", "a.18446744073709551616"} {
		if p, err := ParsePosition(bad); err == nil {
			t.Errorf("%q is read as %v", bad, p)
		}
	}
	if p, err := ParsePosition("k6nriwc3.17"); err != nil || p.String() != "k6nriwc3.17" {
		t.Errorf("%v, %v", p, err)
	}
}
