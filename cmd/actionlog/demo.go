package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"actionlog"
)

// demoInstitution is whose actions `serve --demo` publishes.
const demoInstitution = "demo-academy"

// demoDays is how far back the demo reaches; today is one of them.
const demoDays = 60

type demoPerson struct{ id, name, email, external string }

var demoPeople = []demoPerson{
	{"u-101", "Melody Wang", "melody.wang@demo-academy.example", "E-2001"},
	{"u-102", "Łukasz Ångström", "lukasz.angstrom@demo-academy.example", "E-2002"},
	{"u-103", "Aoife O'Brien", "aoife.obrien@demo-academy.example", "E-2003"},
	{"u-104", "Sofía Hernández-López", "sofia.hernandez@demo-academy.example", "E-2004"},
	{"u-105", "Иван Петров", "ivan.petrov@demo-academy.example", "E-2005"},
	{"u-106", "王小明", "xiaoming.wang@demo-academy.example", "E-2006"},
	{"u-107", "Fatima Al-Zahra", "fatima.alzahra@demo-academy.example", "E-2007"},
	{"u-108", "John Smith", "john.smith@demo-academy.example", "E-2008"},
}

var demoCourses = [][2]string{
	{"c-11", "Arts and Craft"}, {"c-12", "Learning Analytics"}, {"c-13", "Éléments de géométrie"}, {"c-14", "Data Structures in Go"},
}

// demoActions yields the demo's documents, oldest first. A day's documents
// depend on its date only: the demo of tomorrow repeats today's word for word,
// so that starting it again adds what is new and doubles nothing.
func demoActions(now time.Time) iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) {
		today := actionlog.DayOf(now)
		for back := demoDays - 1; back >= 0; back-- {
			for _, doc := range demoDay(today.Add(-back)) {
				if at, ok := doc["occurred_at"].(string); ok && at > now.UTC().Format(time.RFC3339) {
					break
				}
				if !yield(doc) {
					return
				}
			}
		}
	}
}

func demoDay(day actionlog.Day) (docs []map[string]any) {
	seed := uint64(day.Start().Unix())
	rng := rand.New(rand.NewPCG(seed, 1))
	const perDay = 24
	for i := range perDay {
		at := day.Start().Add(time.Duration(i)*time.Hour + time.Duration(rng.IntN(3600))*time.Second)
		doc := map[string]any{
			"id": fmt.Sprintf("demo-%s-%02d", day, i), "schema": actionlog.Schema,
			"occurred_at": at.Format(time.RFC3339),
			"institution": map[string]any{"id": demoInstitution, "name": "Demo Academy"},
			"outcome":     "success",
			"trace":       map[string]any{"request_id": fmt.Sprintf("req-%x", rng.Uint32())},
		}
		switch i % 4 {
		case 0:
			demoAPI(doc, rng)
		case 1:
			demoStaff(doc, rng)
		default:
			demoCatalogue(doc, rng)
		}
		docs = append(docs, doc)
	}
	return docs
}

func (p demoPerson) document(kind string) map[string]any {
	return map[string]any{"kind": kind, "id": p.id, "name": p.name, "email": p.email, "external_id": p.external}
}

func demoCatalogue(doc map[string]any, rng *rand.Rand) {
	types := actionlog.Catalogue()
	what := types[rng.IntN(len(types))]
	actor, target := demoPeople[rng.IntN(len(demoPeople))], demoPeople[rng.IntN(len(demoPeople))]
	course := demoCourses[rng.IntN(len(demoCourses))]
	doc["category"] = what.Category
	doc["action"] = map[string]any{"code": what.Code, "label": what.Label}
	doc["actor"] = actor.document(actionlog.KindUser)
	doc["targets"] = []any{target.document("user")}
	doc["course"] = map[string]any{"id": course[0], "title": course[1]}
	doc["origin"] = map[string]any{"ip": fmt.Sprintf("192.0.2.%d", rng.IntN(200)), "user_agent": "Mozilla/5.0", "channel": "web"}
	doc["summary"] = fmt.Sprintf("%s: %s (%s, %s)", actor.name, what.Label, target.name, course[1])
}

func demoAPI(doc map[string]any, rng *rand.Rand) {
	target := demoPeople[rng.IntN(len(demoPeople))]
	code := []int{200, 200, 201, 409, 500}[rng.IntN(5)]
	route := "/v2.2/institutions/{id}/managed-users/"
	doc["category"] = actionlog.CategoryAPI
	doc["action"] = map[string]any{"code": "api.post:" + route, "label": "POST " + route}
	doc["actor"] = map[string]any{"kind": actionlog.KindAPIKey, "id": "key-7", "name": "Provisioning script"}
	doc["on_behalf_of"] = demoPeople[7].document(actionlog.KindUser)
	doc["targets"] = []any{target.document("user")}
	doc["request"] = map[string]any{"method": "POST", "url": "https://api.platform.example/v2.2/institutions/" + demoInstitution + "/managed-users/",
		"route": route, "content_type": "application/json; charset=utf-8"}
	doc["response"] = map[string]any{"code": code}
	if code >= 400 {
		doc["outcome"] = "failure"
	}
	doc["origin"] = map[string]any{"ip": "198.51.100.7", "user_agent": "provision/1.4", "channel": "api"}
	doc["summary"] = fmt.Sprintf("POST %s for %s -> %d", route, target.name, code)
}

func demoStaff(doc map[string]any, rng *rand.Rand) {
	course := demoCourses[0]
	target := demoPeople[rng.IntN(2)]
	doc["category"] = actionlog.CategoryCourse
	doc["action"] = map[string]any{"code": "course.administrator.removed", "label": "Administrator removed from course"}
	doc["actor"] = map[string]any{"kind": actionlog.KindStaff, "id": "s-3", "name": "Robin Helper", "email": "robin@platform.example"}
	doc["on_behalf_of"] = demoPeople[4].document(actionlog.KindUser)
	doc["targets"] = []any{target.document("administrator")}
	doc["course"] = map[string]any{"id": course[0], "title": course[1]}
	doc["changes"] = []any{map[string]any{"field": "role", "before": "course_admin", "after": nil}}
	doc["origin"] = map[string]any{"ip": "203.0.113.5", "channel": "staff_console"}
	doc["summary"] = fmt.Sprintf("Robin Helper removed %s from %s", target.name, course[1])
}

// publishDemo puts the demo on the stream.
func publishDemo(ctx context.Context, p actionlog.Publisher, now time.Time, log *slog.Logger) error {
	var batch []actionlog.Submission
	taken, repeats := 0, 0
	flush := func() error {
		for i, r := range p.Publish(ctx, batch) {
			if r.Err != nil {
				return fmt.Errorf("demo %s: %w", batch[i].ID, r.Err)
			}
			taken++
			if r.Duplicate {
				repeats++
			}
		}
		batch = batch[:0]
		return nil
	}
	for doc := range demoActions(now) {
		raw, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		item, err := actionlog.Parse(raw, nil)
		if err != nil {
			return fmt.Errorf("demo %v: %w", doc["id"], err)
		}
		batch = append(batch, actionlog.Submission{Institution: item.Institution, Category: item.Action.Category,
			ID: item.ID, Digest: item.Digest, Document: item.Document})
		if len(batch) == 500 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	log.Info("demo actions published", "institution", demoInstitution, "actions", taken, "duplicates", repeats)
	return nil
}
