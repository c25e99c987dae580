package storetest

import (
	"fmt"

	"actionlog"
)

// textDocuments differ in the fields that compare as text.
func textDocuments() []string {
	return []string{
		action("a", noon, `"category":"course"`, `"action":{"code":"course.learner.added"}`, `"outcome":"success"`,
			`"origin":{"channel":"web"}`, `"request":{"method":"GET","content_type":"application/json; charset=utf-8"}`,
			`"trace":{"batch_id":"b1","request_id":"r1"}`),
		action("b", noon, `"category":"api"`, `"action":{"code":"api.post:/v2.2/institutions/{id}/managed-users/"}`, `"outcome":"failure"`,
			`"actor":{"kind":"api_key"}`, `"origin":{"channel":"api"}`, `"request":{"method":"post","content_type":"APPLICATION/JSON"}`,
			`"trace":{"batch_id":"B1","request_id":"r2"}`),
		action("c.1", noon, `"category":"portal"`, `"action":{"code":"course"}`, `"outcome":"unknown"`, `"actor":{"kind":"staff"}`,
			`"origin":{"channel":"staff_console"}`, `"request":{"method":"GET","content_type":" text/html ;q=1"}`,
			`"trace":{"batch_id":"web","request_id":"r 1"}`),
		action("d", noon.AddDate(0, 0, -1)),
		action("e", noon, `"category":"institution"`, `"outcome":"maybe"`, `"actor":{"kind":"system"}`, `"origin":{"channel":7}`,
			`"request":{"method":["GET"],"content_type":""}`, `"trace":{"batch_id":null}`),
		action("f", noon, `"action":{"code":"c"}`, `"actor":{"kind":"anonymous"}`, `"origin":{"channel":"été ☃"}`,
			`"request":{"method":"propfind","content_type":"*/*"}`, `"trace":{"batch_id":"a\"b OR c* AND (","request_id":"☃"}`),
	}
}

func textFilterCases() []testCase {
	rule := "A clause: the field has one of the values, or, negated, none of them. An action without the field has none of the values. Text compares byte for byte."
	r := func(f actionlog.Field, want string, values ...string) row {
		return row{fmt.Sprintf("%s %q", f, values), is(f, texts(values...)...), want}
	}
	return []testCase{
		filterCase("text fields", rule, textDocuments(), []row{
			r(actionlog.FieldID, "a", "a"), r(actionlog.FieldID, "c.1 f", "c.1", "f", "c"), r(actionlog.FieldID, "", "A"), r(actionlog.FieldID, "", "c"),
			r(actionlog.FieldCategory, "a d f", "course"), r(actionlog.FieldCategory, "c.1 e", "institution"),
			r(actionlog.FieldCategory, "b c.1 e", "api", "institution"), r(actionlog.FieldCategory, "", "portal"),
			r(actionlog.FieldAction, "a d e", "course.learner.added"), r(actionlog.FieldAction, "c.1", "course"),
			r(actionlog.FieldAction, "b f", "api.post:/v2.2/institutions/{id}/managed-users/", "c"), r(actionlog.FieldAction, "", "course.learner"),
			r(actionlog.FieldOutcome, "a", "success"), r(actionlog.FieldOutcome, "a b c.1", "success", "failure", "unknown"), r(actionlog.FieldOutcome, "", "maybe"),
			r(actionlog.FieldActorKind, "a d", "user"), r(actionlog.FieldActorKind, "b c.1 e f", "api_key", "staff", "system", "anonymous"),
			r(actionlog.FieldChannel, "a", "web"), r(actionlog.FieldChannel, "c.1 f", "été ☃", "staff_console"), r(actionlog.FieldChannel, "", "WEB"),
			r(actionlog.FieldMethod, "a c.1", "GET"), r(actionlog.FieldMethod, "b f", "POST", "PROPFIND"), r(actionlog.FieldMethod, "", "get"),
			r(actionlog.FieldContentType, "a b", "application/json"), r(actionlog.FieldContentType, "c.1 f", "text/html", "*/*"), r(actionlog.FieldContentType, "", "text"),
			r(actionlog.FieldBatch, "a", "b1"), r(actionlog.FieldBatch, "a b", "b1", "B1"), r(actionlog.FieldBatch, "f", `a"b OR c* AND (`), r(actionlog.FieldBatch, "", "b"),
			r(actionlog.FieldRequestID, "a", "r1"), r(actionlog.FieldRequestID, "c.1 f", "r 1", "☃"), r(actionlog.FieldRequestID, "", "r"),
		}),
		{"values stay in their field", rule, func(c *check) {
			c.write(textDocuments()...)
			c.clause(is(actionlog.FieldBatch, text("web")), "c.1")
			c.clause(is(actionlog.FieldChannel, text("b1")), "")
			c.clause(is(actionlog.FieldRequestID, text("B1")), "")
		}},
	}
}

func codeFilterCases() []testCase {
	codes := []int{0, 1, 99, 100, 101, 199, 200, 201, 204, 250, 299, 300, 404, 499, 500, 599, 999, 1000, 12345, -1, -100, -199, 1<<31 - 1, -1 << 31}
	var documents []string
	for _, n := range codes {
		documents = append(documents, action(fmt.Sprint("c", n), noon, fmt.Sprintf(`"response":{"code":%d}`, n)))
	}
	documents = append(documents,
		action("none", noon),
		action("text", noon, `"response":{"code":"200"}`),
		action("half", noon, `"response":{"code":200.5}`))
	return []testCase{filterCase("response codes", "FieldCode: Value.Min, Value.Max: inclusive. Any integer can occur.", documents, []row{
		{"one", is(actionlog.FieldCode, code(200, 200)), "c200"},
		{"one that nobody has", is(actionlog.FieldCode, code(202, 202)), ""},
		{"several", is(actionlog.FieldCode, code(200, 200), code(404, 404), code(7, 7)), "c200 c404"},
		{"a hundred", is(actionlog.FieldCode, code(200, 299)), "c200 c201 c204 c250 c299"},
		{"a hundred and its ends", is(actionlog.FieldCode, code(199, 300)), "c199 c200 c201 c204 c250 c299 c300"},
		{"a hundred without its ends", is(actionlog.FieldCode, code(201, 298)), "c201 c204 c250"},
		{"odd ends", is(actionlog.FieldCode, code(250, 404)), "c250 c299 c300 c404"},
		{"overlapping", is(actionlog.FieldCode, code(200, 250), code(204, 299), code(500, 599)), "c200 c201 c204 c250 c299 c500 c599"},
		{"small", is(actionlog.FieldCode, code(0, 99)), "c0 c1 c99"},
		{"zero", is(actionlog.FieldCode, code(0, 0)), "c0"},
		{"negative", is(actionlog.FieldCode, code(-199, -1)), "c-1 c-100 c-199"},
		{"around zero", is(actionlog.FieldCode, code(-1, 1)), "c-1 c0 c1"},
		{"large", is(actionlog.FieldCode, code(1000, 1<<31-1)), "c1000 c12345 c2147483647"},
		{"backwards", is(actionlog.FieldCode, code(299, 200)), ""},
		{"all", is(actionlog.FieldCode, code(-1<<31, 1<<31-1)), allCodes(codes)},
	})}
}

func allCodes(codes []int) (ids string) {
	for _, n := range codes {
		ids += fmt.Sprintf(" c%d", n)
	}
	return ids
}
