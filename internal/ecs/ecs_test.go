package ecs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"

	"github.com/google/go-cmp/cmp"
)

// whole is an action that has everything that the format has. Every value is another.
const whole = `{"schema":"action/1","id":"w-1","occurred_at":"2026-11-30T09:08:07.654+02:00","institution":{"id":"uni","name":"The University"},"category":"api",
 "action":{"code":"api.post:/v2.2/courses/{course}/enrolments/","label":"POST enrolments"},"outcome":"failure","reason":"seats are taken",
 "actor":{"kind":"api_key","id":"key-7","name":"Timetable sync","email":"sync@uni.example","external_id":"E-1","roles":["provisioner","reader"]},
 "on_behalf_of":{"kind":"user","id":"u-2","name":"Ann Example","email":"ann@uni.example","external_id":"E-2","roles":["registrar"]},
 "targets":[{"kind":"report","id":"r-3","name":"Weekly progress"},
  {"kind":"learner","id":"u-4","name":"Melody Wang","email":"melody@uni.example","external_id":"E-4","roles":["student"]},
  {"kind":"guardian","id":"u-5","name":"Xi Wang","email":"xi@uni.example","external_id":"E-5","roles":["parent"]}],
 "course":{"id":"c-6","title":"Arts and Craft"},"class":{"id":"k-7","title":"Evening class"},
 "changes":[{"field":"role","before":"viewer","after":"learner"},{"field":"credits","before":20,"after":[30,{"bonus":true}]},{"field":"note","after":"30"}],
 "request":{"method":"POST","url":"https://API.platform.example:8443/v2.2/courses/c-6/enrolments/?notify=1&as=x#top","route":"/v2.2/courses/{course}/enrolments/","content_type":"application/json; charset=utf-8"},
 "response":{"code":409},"origin":{"ip":"2001:db8::7","user_agent":"provision/1.4","channel":"lti"},
 "trace":{"request_id":"req-8","session_id":"ses-9","batch_id":"batch-10"},"summary":"POST enrolments -> 409","details":{"seats":17,"queue":{"position":3}},"something":{"else":"unheard of"}}`

// cases are actions besides those of the catalogue, whose events are goldens too.
var cases = map[string]string{
	"whole":        whole,
	"api.get.401":  `{"id":"a1","occurred_at":"2026-11-30T09:00:00Z","institution":{"id":"uni"},"category":"api","action":{"code":"api.get:/v2.2/courses/"},"actor":{"kind":"anonymous"},"request":{"method":"get","url":"/v2.2/courses/?limit=%zz"},"response":{"code":401}}`,
	"staff.masked": `{"id":"s1","occurred_at":"2026-11-30T09:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"course.class.created"},"actor":{"kind":"staff","id":"s-3","name":"Robin Helper","email":"robin@platform.example"},"on_behalf_of":{"kind":"user","id":"u-2","name":"Ann Example"},"summary":"Robin Helper: Class created"}`,
	"unknown":      `{"id":"x1","occurred_at":"0000-01-01T00:00:00Z","institution":{"id":"uni"},"category":"portal","action":{"code":"institution.learner.suspended"},"actor":{"kind":"system"},"outcome":"perhaps","origin":{"ip":"somewhere"},"details":"text"}`,
	"hostile": `{"id":"h1","occurred_at":"2026-11-30T09:00:00Z","institution":{"id":"uni","name":"\r\n{\"end\":{\"count\":0}}\n"},"category":"course","action":{"code":"=cmd|' /C calc'!A0","label":"\u2028\u0000</script>"},
 "actor":{"kind":"user","id":"@timestamp","name":"\ud800\"},\"user\":{\"name\":\"root","email":"{{ctx.event}}"},"reason":"${jndi:ldap://x}","request":{"method":"POST","url":"http://u:1@[::1]:99999/%00/../?q=\u0007"},
 "changes":[{"field":"a.b","before":{"@timestamp":"yesterday","a.b":{"c":1}},"after":"\n"}],"details":{"@timestamp":1,"event":{"kind":7},"a.b":[[{}]],"":null}}`,
	"actionlog.alert":  ownAction("institution.actionlog.alert_fired"),
	"actionlog.denied": ownAction("institution.actionlog.denied"),
}

func ownAction(code string) string {
	return fmt.Sprintf(`{"id":"log-1","occurred_at":"2026-11-30T09:00:00Z","institution":{"id":"uni"},"category":"institution","action":{"code":%q},"actor":{"kind":"system","name":"Action Log"}}`, code)
}

// recordOf is a document as a store hands it back.
func recordOf(t testing.TB, document string, masked bool) *Record {
	t.Helper()
	item, err := actionlog.Parse([]byte(document), nil)
	if err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	r := &Record{Record: item.Record, Position: "kq3v0sealed"}
	r.ReceivedAt = item.OccurredAt.Add(1234567 * time.Microsecond)
	if masked {
		r.Document, r.Masked = actionlog.MaskStaff(r.Document, "OpenLearning System"), true
	}
	return r
}

func eventLine(t testing.TB, r *Record) []byte {
	t.Helper()
	line, err := Append(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(line) || bytes.ContainsAny(line, "\n\r") {
		t.Fatalf("it is not one line of JSON: %q", line)
	}
	return line
}

// goldenLines are the events of every action of the catalogue, as the demo has them, and of
// the cases.
func goldenLines(t testing.TB) map[string][]byte {
	t.Helper()
	lines := map[string][]byte{}
	for doc := range demo.New(1, 3000).Actions(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)) {
		r := recordOf(t, string(doc), false)
		item, err := r.Item()
		if err != nil {
			t.Fatal(err)
		}
		if _, known := actionlog.CatalogueLabel(item.Action.Code); known && lines[item.Action.Code] == nil {
			lines[item.Action.Code] = eventLine(t, r)
		}
	}
	for _, x := range actionlog.Catalogue() {
		if lines[x.Code] == nil {
			t.Fatalf("the demo has no %s", x.Code)
		}
	}
	for name, doc := range cases {
		lines[name] = eventLine(t, recordOf(t, doc, strings.HasSuffix(name, ".masked")))
	}
	return lines
}

// Every action of the catalogue as an event, to be read: testdata/golden. UPDATE_GOLDEN=1
// writes them. Each is held against the schema's own list of fields.
func TestGoldens(t *testing.T) {
	schema, table := schemaFields(t), ownFields(t)
	lines := goldenLines(t)
	for name, line := range lines {
		for _, wrong := range hold(decode(t, line), schema, table) {
			t.Errorf("%s: %s", name, wrong)
		}
		var got bytes.Buffer
		if err := json.Indent(&got, line, "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		path := filepath.Join("testdata", "golden", name+".json")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		} else if d := cmp.Diff(string(want), got.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	files, err := os.ReadDir(filepath.Join("testdata", "golden"))
	if err != nil || len(files) != len(lines) {
		t.Errorf("%d goldens of %d events (%v)", len(files), len(lines), err)
	}
}

// Every value of a document is somewhere in its event, outside of the original too, and
// the original is the document, byte for byte.
func TestNothingIsLost(t *testing.T) {
	event := decode(t, eventLine(t, recordOf(t, whole, false)))
	about := event["event"].(map[string]any)
	if about["original"] != whole {
		t.Errorf("the original is %q", about["original"])
	}
	delete(about, "original")
	var texts []string
	for _, l := range leavesOf("", event) {
		texts = append(texts, fmt.Sprint(l.value))
	}
	// In another form, or in the original only.
	other := map[string]string{"schema": "", "something.else": "", "occurred_at": "2026-11-30T07:08:07.654Z",
		"details.seats": `{"seats":17,"queue":{"position":3}}`, "details.queue.position": `{"seats":17,"queue":{"position":3}}`, "changes.after.bonus": `[30,{"bonus":true}]`}
	for _, l := range leavesOf("", decode(t, []byte(whole))) {
		want, differs := other[l.path]
		if !differs {
			want = fmt.Sprint(l.value)
		}
		if l.path == "changes.after" && l.array {
			want = `[30,{"bonus":true}]`
		}
		if want != "" && !slices.Contains(texts, want) {
			t.Errorf("%s: %q is nowhere in the event", l.path, want)
		}
	}
}

// The envelope of a record is in the event too.
func TestEnvelope(t *testing.T) {
	r := recordOf(t, cases["unknown"], false)
	event := decode(t, eventLine(t, r))
	got := map[string]any{}
	for _, l := range leavesOf("", event) {
		switch l.path {
		case "event.created", "actionlog.position", "actionlog.day", "actionlog.warnings":
			got[l.path] = l.value
		}
	}
	want := map[string]any{"event.created": "0000-01-01T00:00:01.234567Z", "actionlog.position": "kq3v0sealed", "actionlog.day": "0000-01-01", "actionlog.warnings": r.Warnings[len(r.Warnings)-1]}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Whose name is masked is nowhere in the event.
func TestMasked(t *testing.T) {
	line := eventLine(t, recordOf(t, cases["staff.masked"], true))
	if bytes.Contains(bytes.ToLower(line), []byte("robin")) || bytes.Contains(line, []byte("s-3")) || !bytes.Contains(line, []byte(`"actor_masked":true`)) {
		t.Errorf("%s", line)
	}
}

// An action of before the year 0 is of its first instant, which an index can read.
func TestBeforeAllYears(t *testing.T) {
	r := recordOf(t, strings.Replace(cases["unknown"], "00:00:00Z", "00:00:00+02:00", 1), false)
	event := decode(t, eventLine(t, r))
	if wrong := hold(event, schemaFields(t), ownFields(t)); len(wrong) > 0 || event["@timestamp"] != "0000-01-01T00:00:00.000Z" {
		t.Errorf("%v, %q", event["@timestamp"], wrong)
	}
}

func TestNoAction(t *testing.T) {
	var invalid *actionlog.InvalidError
	if b, err := Append([]byte("x"), &Record{Record: actionlog.Record{ID: "a", Document: []byte("{}")}}); !errors.As(err, &invalid) || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

// mostBytes is the limit of a line that the configurations of docs/collectors.md set.
const mostBytes = 4 << 20

// The longest events that the largest documents make, whose characters all need escapes, are
// within what collectors read.
func TestLongest(t *testing.T) {
	for _, unit := range []string{`\u0000`, `\\`, `\"`, `\u2028`, `<`} {
		long := strings.Repeat(unit, (actionlog.MaxDocumentBytes-400)/len(unit))
		for _, of := range []string{
			`"actor":{"kind":"user","name":"` + long + `"}`, `"actor":{"kind":"user","email":"` + long + `"}`,
			`"actor":{"kind":"user"},"targets":[{"email":"` + long + `"}]`, `"actor":{"kind":"user"},"request":{"url":"http://a/?` + long + `"}`,
			`"actor":{"kind":"user"},"summary":"` + long + `"`, `"actor":{"kind":"user"},"details":{"a":"` + long + `"}`,
		} {
			document := `{"id":"a1","occurred_at":"2026-11-30T09:00:00Z","institution":{"id":"uni"},"category":"course","action":{"code":"x"},` + of + `}`
			if line := eventLine(t, recordOf(t, document, false)); len(line) < len(document) || len(line) > mostBytes {
				t.Errorf("%s in %.60s…: %d bytes", unit, of, len(line))
			}
		}
	}
}

// Any action is one line of JSON that the schema allows, whose names are the mapping's.
func FuzzEvent(f *testing.F) {
	for _, doc := range cases {
		f.Add([]byte(doc))
	}
	schema, table := schemaFields(f), ownFields(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		item, err := actionlog.Parse(doc, nil)
		if err != nil {
			return
		}
		line := eventLine(t, &Record{Record: item.Record})
		event := decode(t, line)
		for _, wrong := range hold(event, schema, table) {
			t.Errorf("%s: %s", wrong, line)
		}
		if original := event["event"].(map[string]any)["original"]; original != string(item.Document) {
			t.Errorf("the original is %q", original)
		}
	})
}
