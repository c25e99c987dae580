package search

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// listed is what a list says of whom it found.
type listed struct {
	Data []json.RawMessage
	Page struct{ Next string }
	Meta struct{ Matched []matched }
}

func (l listed) String() string {
	said := []string{fmt.Sprintf("%d found", len(l.Data))}
	for _, m := range l.Meta.Matched {
		how := m.Match
		if !m.Searched {
			how = "offered"
		}
		how += " " + m.ID
		if m.Actions != nil {
			how += fmt.Sprintf(" %d", *m.Actions)
		}
		said = append(said, how)
	}
	return strings.Join(said, ", ")
}

// nearServer has Melody Wang (two actions), Mélodie Wang and Ann Okafor; act
// writes one more action of somebody.
func nearServer(t *testing.T) (ask func(query string) listed, export func(query string) []byte, act func(who string)) {
	server, store := newServer(t, 0)
	n := 0
	act = func(who string) {
		n++
		item, err := actionlog.Parse(fmt.Appendf(nil, `{"id":"n%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user",%s}}`,
			n, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), who), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Write(t.Context(), []actionlog.Item{item}); err != nil {
			t.Fatal(err)
		}
	}
	for _, who := range []string{`"id":"u1","name":"Melody Wang"`, `"id":"u1","name":"Melody Wang"`, `"id":"u2","name":"Mélodie Wang"`, `"id":"u3","name":"Ann Okafor"`} {
		act(who)
	}
	export = func(query string) []byte {
		_, body, err := get(t, server, "export?format=ndjson&"+query)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	ask = func(query string) (l listed) {
		_, body, err := get(t, server, "actions?"+query)
		if err == nil {
			err = json.Unmarshal(body, &l)
		}
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	return ask, export, act
}

// A name that nobody has exactly is searched for those who are near; where
// somebody has it, near ones are offered; exclusions and exports are never widened
// unasked.
func TestNearNamesInFilters(t *testing.T) {
	ask, export, _ := nearServer(t)
	for query, want := range map[string]string{
		"user=melodi+wang":               "3 found, near u2 1, near u1 2",
		"user=melody+wang":               "2 found, exact u1 2, offered u2 1",
		"user=melody+wang&near=include":  "3 found, exact u1 2, near u2 1",
		"user=melodi+wang&near=exclude":  "0 found",
		"user=-melodi+wang":              "4 found, offered u2 1, offered u1 2",
		"user=-melodi+wang&near=include": "1 found, near u2 1, near u1 2",
		"user=ann+okafor":                "1 found, exact u3",
		"user=zzyzx+quux":                "0 found",
	} {
		if got := ask(query).String(); got != want {
			t.Errorf("%s: %s; want %s", query, got, want)
		}
	}
	if body := export("user=melodi+wang"); len(body) != 0 {
		t.Errorf("an export was widened unasked: %s", body)
	}
	if body := export("user=melodi+wang&near=include"); strings.Count(string(body), "\n") != 3 {
		t.Errorf("an export with near names: %s", body)
	}
}

// The pages of a list decide as the first one did, whoever comes meanwhile.
func TestNearNamesFromPageToPage(t *testing.T) {
	ask, _, act := nearServer(t)
	first := ask("user=melodi+wang&limit=1")
	act(`"id":"u9","name":"Melodi Wang"`)
	if second := ask("user=melodi+wang&limit=9&cursor=" + first.Page.Next); len(second.Data) < 2 {
		t.Errorf("%d actions behind the first page; somebody new shortened the list", len(second.Data))
	}
	if anew := ask("user=melodi+wang").String(); anew != "1 found, exact u9 1, offered u2 1, offered u1 2" {
		t.Errorf("anew: %s", anew)
	}
}
