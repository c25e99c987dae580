package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"

	"github.com/nats-io/nats.go"
)

// poison is a document that is no good, and what becomes of it.
type poison struct {
	name, reason string // of its dead letter; "" it is stored as it came
	document     []byte
	subject      string // "" that of its institution
}

// poisons are those that have stopped other products.
func poisons() []poison {
	at := time.Now().UTC()
	with := func(id, members string) []byte {
		return fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"}%s}`, id, at.Format(time.RFC3339), members)
	}
	var keys strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, `"%x":1,`, i)
	}
	return []poison{
		{name: "invalid UTF-8", reason: actionlog.DeadInvalid, document: with("p-utf8", ",\"summary\":\"\xff\xfe\"")},
		{name: "a NUL", reason: actionlog.DeadInvalid, document: with("p-nul", ",\"summary\":\"\x00\"")},
		{name: "an escaped NUL", document: with("p-escaped", `,"summary":"\u0000"`)},
		{name: "depth 10,000", reason: actionlog.DeadInvalid, document: with("p-deep", `,"details":{"a":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}`)},
		{name: "100,000 keys", reason: actionlog.DeadInvalid, document: with("p-keys", `,"details":{`+keys.String()+`"z":1}`)}, // more than 256 KiB
		{name: "20,000 keys", document: with("p-many", `,"details":{`+keys.String()[:strings.Index(keys.String(), `"4e20"`)]+`"z":1}`)},
		{name: "duplicate keys", document: with("p-twice", `,"summary":"a","summary":"b","details":{"x":1,"x":2}`)},
		{name: "1e400", document: with("p-large", `,"details":{"n":1e400}`)},
		{name: "wrong types everywhere", document: with("p-types", `,"outcome":1,"reason":[],"on_behalf_of":"x","targets":{},"course":[],"class":1,"changes":"x","request":1,"response":{"code":"x"},"origin":{"ip":[]},"trace":true,"summary":{},"details":[]`)},
		{name: "a required member of a wrong type", reason: actionlog.DeadInvalid, document: with("p-actor", `,"actor":[]`)},
		{name: "another institution's subject", reason: actionlog.DeadSubject, document: with("p-subject", ""), subject: "actions.other.course"},
	}
}

// Each poison, between two good documents of the same batch: it becomes what it is to
// become, its neighbours are stored, and the indexer goes on without a restart.
func TestPoison(t *testing.T) {
	s := startService(t)
	nc := natsOf(t, s)
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	good := func(i int) []byte {
		return fmt.Appendf(nil, `{"id":"good-%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"}}`, i, time.Now().UTC().Format(time.RFC3339))
	}
	all := poisons()
	wantStored, wantDead := []string{}, []string{}
	for i, p := range all {
		subject := p.subject
		if subject == "" {
			subject = "actions.uni.course"
		}
		for _, m := range []nats.Msg{{Subject: "actions.uni.course", Data: good(i)}, {Subject: subject, Data: p.document}} {
			if _, err := js.PublishMsgAsync(&m); err != nil { // what is pending together is taken together
				t.Fatal(err)
			}
		}
		wantStored = append(wantStored, fmt.Sprintf("good-%d", i))
		if id := p.id(); p.reason == "" {
			wantStored = append(wantStored, id)
		} else {
			wantDead = append(wantDead, p.reason+" "+id)
		}
	}
	if _, err := js.PublishMsgAsync(&nats.Msg{Subject: "actions.uni.course", Data: good(len(all))}); err != nil {
		t.Fatal(err)
	}
	wantStored = append(wantStored, fmt.Sprintf("good-%d", len(all)))
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(20 * time.Second):
		t.Fatal("the stream does not take everything")
	}
	s.settle(t)
	documents := s.stored(t, "uni")
	stored := slices.Sorted(maps.Keys(documents))
	slices.Sort(wantStored)
	if !slices.Equal(stored, wantStored) {
		t.Errorf("stored are %q, and not %q", stored, wantStored)
	}
	for _, p := range all {
		if p.reason == "" && !bytes.Equal(documents[p.id()], p.document) {
			t.Errorf("%s: stored as %.200s", p.name, documents[p.id()])
		}
	}
	slices.Sort(wantDead)
	if dead := s.reasons(t); !slices.Equal(dead, wantDead) {
		t.Errorf("dead letters are %q, and not %q", dead, wantDead)
	}
	if log := s.log.String(); strings.Contains(log, "panic") {
		t.Errorf("the service panicked:\n%s", log)
	}
}

// reasons are the dead letters, each with its reason.
func (s *service) reasons(t *testing.T) []string {
	t.Helper()
	var letters struct {
		Data []struct{ Reason, Document, Document_base64 string }
	}
	s.get(t, "/v1/dead-letters?limit=500", &letters)
	dead := []string{}
	for _, l := range letters.Data {
		raw, err := base64.StdEncoding.DecodeString(l.Document_base64)
		if err != nil {
			t.Fatal(err)
		}
		dead = append(dead, l.Reason+" "+idOf(l.Document+string(raw)))
	}
	slices.Sort(dead)
	return dead
}

func (p *poison) id() string { return idOf(string(p.document)) }

// idOf is the id that a document begins with, however spoilt.
func idOf(document string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(document, `{"id":"`), `"`)
	return id
}

// natsOf is a connection as a publisher.
func natsOf(t *testing.T, s *service) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.file(t, "nats.addr"), nats.UserInfo("publisher", s.file(t, "publisher.token")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// stored are the documents of an institution, by their IDs.
func (s *service) stored(t *testing.T, institution string) map[string][]byte {
	t.Helper()
	var page struct {
		Data []struct {
			ID       string
			Document json.RawMessage
		}
	}
	s.get(t, "/v1/institutions/"+institution+"/actions?limit=1000", &page)
	documents := map[string][]byte{}
	for _, r := range page.Data {
		if documents[r.ID] != nil {
			t.Errorf("%s is there twice", r.ID)
		}
		documents[r.ID] = r.Document
	}
	return documents
}

// A document of 10 MiB: NATS refuses it to its publisher, who can go on; over HTTP it is
// refused by its line, and its neighbours are taken.
func TestTenMiB(t *testing.T) {
	s := startService(t)
	document := func(id string, size int) []byte {
		return fmt.Appendf(nil, `{"id":%q,"occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"},"summary":%q}`, id, time.Now().UTC().Format(time.RFC3339), strings.Repeat("x", size))
	}
	nc := natsOf(t, s)
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish("actions.uni.course", document("huge-nats", 10<<20)); err == nil {
		t.Error("NATS took 10 MiB")
	}
	if _, err := js.Publish("actions.uni.course", document("after-nats", 1)); err != nil {
		t.Errorf("after it: %v", err)
	}
	body := bytes.Join([][]byte{document("before", 1), document("huge", 10<<20), document("after", 1)}, []byte("\n"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/institutions/uni/actions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Taken, Refused int
		Results        []struct {
			ID     string
			Status int
			Error  *struct{ Detail string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusMultiStatus || answer.Taken != 2 || answer.Refused != 1 {
		t.Fatalf("%s %+v %v", resp.Status, answer, err)
	}
	if e := answer.Results[1].Error; answer.Results[1].Status != http.StatusUnprocessableEntity || e == nil || !strings.Contains(e.Detail, "at most 262144") {
		t.Errorf("the huge one: %+v", answer.Results[1])
	}
	s.settle(t)
	if stored := slices.Sorted(maps.Keys(s.stored(t, "uni"))); !slices.Equal(stored, []string{"after", "after-nats", "before"}) {
		t.Errorf("stored are %q", stored)
	}
}
