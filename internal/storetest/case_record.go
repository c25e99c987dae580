package storetest

import (
	"context"
	"strings"

	"actionlog"
)

func recordCases() []testCase {
	const whole = "A record is the publisher's document, byte for byte, and the service's own fields."
	return []testCase{
		{"documents", whole, testDocuments},
		{"envelope", whole, testEnvelope},
	}
}

// testDocuments writes documents that a careless store would encode again.
func testDocuments(c *check) {
	odd := []string{
		`"summary":"Łukasz, 王小明, \u0142 \ud83d\ude00 😀, \/ \" \\ \b\f\n\r\t"`,
		`"summary":"\u0000 NUL, \u2028 \u2029, \ufeff, <script>&amp;</script>"`,
		`"details":{"e":1e400,"z":-0,"f":1.0,"big":123456789012345678901234567890,"x":{"":null}}`,
		`"details":{"a":{"a":{"a":[[[[]]],{},"",null,true]}}}`,
		`"details":{"k":1,"k":2}`,
		` "details" :	{ "spaced" : [ 1 ,2 ] }  `,
		"\n\t\"summary\": \"line\"\r\n",
		`"unknown":"kept","Unknown":["kept"],"ключ":"☃"`,
		`"summary":` + quote(strings.Repeat("0123456789abcdef", 8<<10)),
		`"summary":"'; DROP TABLE action; --"`,
		`"summary":"e\u0301 é İ ẞ ﬁ \u202ertl\u202c"`,
	}
	var documents []string
	for i, member := range odd {
		d := action(string(rune('a'+i)), noon, "")
		documents = append(documents, strings.TrimSuffix(strings.TrimSuffix(d, "}"), ",")+","+member+"}")
	}
	items := c.write(documents...)
	for i, item := range items {
		if string(item.Document) != documents[i] {
			c.T.Fatalf("the case has a wrong document: Parse changed %q to %q", documents[i], item.Document)
		}
	}
	c.returns(items)
}

// returns compares all records with the items, through Page, Scan and Get.
func (c *check) returns(items []actionlog.Item) {
	c.Helper()
	byID := map[string]actionlog.Record{}
	for _, item := range items {
		byID[item.ID] = item.Record
		c.holds(item)
	}
	pages, err := walk(c.store, where(), actionlog.NewestFirst, 5)
	if err != nil || len(pages) != len(items) {
		c.Fatalf("Page: %d records, %v; want %d", len(pages), err, len(items))
	}
	for _, r := range pages {
		if d := diffRecord(byID[r.ID], r); d != "" {
			c.Errorf("Page: %s is not as it was written (-want +got):\n%s", r.ID, d)
		}
	}
	n := 0
	for r, err := range c.store.Scan(context.Background(), where(), actionlog.OldestFirst) {
		if err != nil {
			c.Fatalf("Scan: %v", err)
		}
		if d := diffRecord(byID[r.ID], r); d != "" {
			c.Errorf("Scan: %s is not as it was written (-want +got):\n%s", r.ID, d)
		}
		n++
	}
	if n != len(items) {
		c.Errorf("Scan: %d records, want %d", n, len(items))
	}
}

func testEnvelope(c *check) {
	items := c.items(
		action("plain", noon),
		action("staff", noon, `"actor":{"kind":"staff","name":"Root"}`),
		action("warned", noon, `"origin":{"ip":"nowhere"}`, `"outcome":"maybe"`, `"course":7`, `"summary":["☃ \""]`),
		action("far", noon), action("unpositioned", noon), action("late", noon), action("offset", noon))
	items[3].Position = actionlog.Position{Stream: "0123456789abcdefghijklmnopqrstuv", Sequence: 1<<53 + 1}
	items[4].Position = actionlog.Position{}
	items[5].ReceivedAt = noon.AddDate(0, 0, 92).Add(999_999_999)
	items[6].Warnings = []string{"ключ: \"quoted\"\n", "", "a,b"}
	if len(items[2].Warnings) != 4 || !items[1].Staff {
		c.T.Fatalf("the case has wrong documents: %v", items[2].Warnings)
	}
	c.writeItems(items)
	c.returns(items)
	for r, err := range c.store.Scan(context.Background(), where(), actionlog.NewestFirst) {
		if err != nil {
			c.Fatalf("Scan: %v", err)
		}
		if _, offset := r.OccurredAt.Zone(); offset != 0 || r.ReceivedAt.UTC() != r.ReceivedAt {
			c.Errorf("%s: occurred at %s, received at %s; want UTC", r.ID, r.OccurredAt, r.ReceivedAt)
		}
	}
}
