package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// world makes the steps of a program. Its vocabulary is small, so that values
// meet: institutions share ids, people share names, and many actions a
// millisecond.
type world struct {
	*rand.Rand
	sent []actionlog.Item
}

var (
	worldPeople = [...]actionlog.Person{
		{ID: "1", Name: "Ann Lee", Email: "ann@x.edu", ExternalID: "e1"}, {ID: "1", Name: "Ann Wong", Email: "Ann@Y.edu"}, {ID: "1"},
		{ID: "2", Name: "Lee Wong", Email: "lee@x.edu", ExternalID: "1"}, {ID: "2", ExternalID: "1"}, {ID: "3", Name: "Łukasz Ann", Email: "Lukasz@Y.edu"},
		{Name: "Ann  LEE"}, {Name: "ann lee", Email: "ANN@x.edu"}, {ExternalID: "e1", Name: "Lee"}, {Name: "王小明"}, {},
	}
	worldTitles = [...]actionlog.Titled{{ID: "C1", Title: "Arts and Craft"}, {ID: "C1", Title: "Fine Arts"}, {ID: "C2"}, {Title: "fine  ARTS"}, {Title: "Łódź"}, {}}
	worldWords  = [...]string{"red", "green", "grün", "ann", "lee", "arts", "success", "王小明", "nobody"}
	worldIPs    = [...]string{"10.0.0.1", "10.0.0.2", "10.0.128.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:db8:8000::1", "nowhere"}
	worldURLs   = [...]string{"/a", "/a/b", "/a/b/", "/a/bc?x=1", "https://h/a/b/c", "https://h", "x"}
	worldCodes  = [...]int{0, 99, 200, 201, 299, 300, 404, 1000, -1}
	worldTimes  = [...]time.Duration{0, time.Millisecond, 12 * time.Hour, 12 * time.Hour, 12*time.Hour + time.Millisecond, 24*time.Hour - time.Millisecond}
)

const worldDays = 4

func one[T any](w *world, list []T) T { return list[w.IntN(len(list))] }

func (w *world) order() actionlog.Order {
	return pick(w, actionlog.NewestFirst, actionlog.OldestFirst)
}

func (w *world) time() time.Time {
	return today.Add(-w.IntN(worldDays)).Start().Add(one(w, worldTimes[:]))
}

func (w *world) institution() string { return pick(w, "north", "north", "north", "south") }

func (w *world) write() step {
	var items []actionlog.Item
	for range 1 + w.IntN(12) {
		items = append(items, w.item(fmt.Sprint("a", w.IntN(90)), w.institution(), w.time()))
	}
	w.sent = append(w.sent, items...)
	return writeStep{"write", items}
}

// repeat writes what was sent before, and other content under its identities.
func (w *world) repeat() step {
	var items []actionlog.Item
	for range 1 + w.IntN(5) {
		item := one(w, w.sent)
		if w.IntN(2) == 0 {
			at := item.Day().Start().Add(one(w, worldTimes[:]))
			item = w.item(item.ID, item.Institution, at)
		}
		items = append(items, item)
	}
	w.sent = append(w.sent, items...)
	return writeStep{"repeat", items}
}

func (w *world) get() step {
	sent := one(w, w.sent)
	s := getStep{pick(w, sent.Institution, w.institution()), sent.ID, actionlog.Day{}}
	if w.IntN(2) == 0 {
		s.day = pick(w, sent.Day(), today)
	}
	return s
}

// drop drops the oldest day, as retention does: when an entry that younger days
// name was seen last never depends on it.
func (w *world) drop() step {
	first := slices.MinFunc(w.sent, func(a, b actionlog.Item) int { return a.OccurredAt.Compare(b.OccurredAt) })
	oldest := first.Day()
	rest := slices.DeleteFunc(slices.Clone(w.sent), func(item actionlog.Item) bool { return item.Day() == oldest })
	if len(rest) > 0 {
		w.sent = rest
	}
	return dropStep{oldest}
}

// item makes an action with each optional member or without it.
func (w *world) item(id, institution string, at time.Time) actionlog.Item {
	members := []string{of(institution), `"category":` + quote(pick(w, "course", "api", "institution")),
		`"action":` + object("code", pick(w, "course.learner.added", "x"), "label", pick(w, "", "Ex", "Ix")),
		`"actor":` + w.person(pick(w, "user", "user", "staff", "api_key", "anonymous"))}
	for _, member := range []string{
		`"outcome":` + quote(pick(w, "success", "failure", "maybe")), `"on_behalf_of":` + w.person("user"), `"targets":` + w.targets(),
		`"course":` + w.titled(), `"class":` + w.titled(), `"summary":` + quote(one(w, worldWords[:])+" "+one(w, worldWords[:])),
		`"request":` + object("method", pick(w, "get", "POST"), "url", one(w, worldURLs[:]), "content_type", pick(w, "text/html", "Text/HTML; q=1", "")),
		fmt.Sprintf(`"response":{"code":%d}`, one(w, worldCodes[:])),
		`"origin":` + object("ip", one(w, worldIPs[:]), "channel", pick(w, "web", "api", "")),
		`"trace":` + object("batch_id", pick(w, "b1", "b2"), "request_id", pick(w, "r1", "b1")),
	} {
		if w.IntN(3) > 0 {
			members = append(members, member)
		}
	}
	document := action(id, at.In(pick(w, time.UTC, time.FixedZone("", -5*3600))), members...)
	item, err := actionlog.Parse([]byte(document), nil)
	if err != nil {
		panic(fmt.Sprintf("the vocabulary makes a wrong document: %v\n%s", err, document))
	}
	item.Position = actionlog.Position{Stream: pick(w, "s1", "s2"), Sequence: w.Uint64N(1 << 60)}
	item.ReceivedAt = received.Add(time.Duration(w.Int64N(int64(time.Hour))))
	return item
}

// object is names and values as a JSON object, without the empty ones.
func object(pairs ...string) string {
	var members []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			members = append(members, quote(pairs[i])+":"+quote(pairs[i+1]))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (w *world) person(kind string) string {
	p := one(w, worldPeople[:])
	return object("kind", kind, "id", p.ID, "name", p.Name, "email", p.Email, "external_id", p.ExternalID)
}

func (w *world) targets() string {
	var list []string
	for range w.IntN(4) {
		list = append(list, w.person(pick(w, "user", "learner", "report", "staff", "")))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (w *world) titled() string {
	t := one(w, worldTitles[:])
	return object("id", t.ID, "title", t.Title)
}
